//! Thousands who hold on to a connection and send next to nothing. Others are served meanwhile, and all of it ends by
//! itself. `make test` has a small crowd; `make crowd` has 10,000 (`MUONG_TEST_CROWD`).

use muong_server::config::Config;
use muong_server::open_files;
use muong_tests::builders::meeting;
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Backend, Socket, TestApp, eventually};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// How many there are unless the environment says otherwise.
const FEW: usize = 300;

struct Crowd {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Crowd {
    fn gather(app: &TestApp, count: usize) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_crowd"))
            .args([app.address().trim_start_matches("http://"), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the crowd comes");
        let (input, output) = (process.stdin.take(), process.stdout.take().expect("its output"));
        Self { process, input, output: BufReader::new(output) }
    }

    /// The number behind a word that it says.
    #[track_caller]
    fn says(&mut self, word: &str) -> usize {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it says something");
        let (said, count) = line.trim().split_once(' ').unwrap_or_else(|| panic!("no count: {line}"));
        assert_eq!(said, word);
        count.parse().expect("a count")
    }

    /// One byte more of each.
    fn trickles(&mut self) -> usize {
        writeln!(self.input.as_mut().expect("its input")).expect("it listens");
        self.says("still")
    }
}

/// Whatever has failed, it does not stay.
impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended_already = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn roomy(config: &mut Config, count: usize) {
    let room = NonZeroUsize::MIN.saturating_add(count + 100);
    let http = &mut config.http;
    (http.connections, http.connections_per_address) = (room, room);
    // A third of them are strangers whose bodies do not come: a sixteenth of all places is theirs, as of one network, and is
    // not to be used up here, where all others come from the same one.
    http.requests = room.saturating_mul(NonZeroUsize::MIN.saturating_add(5));
    (http.head_seconds, http.body_seconds, http.stall_seconds, http.keep_alive_seconds) = (20, 20, 20, 20);
    open_files::raise(open_files::needed(config));
}

#[test]
fn a_crowd_of_slow_clients_keeps_nobody_else_out_and_is_let_go() {
    let count = std::env::var("MUONG_TEST_CROWD").map_or(FEW, |count| count.parse().expect("a number"));
    let app = TestApp::start_with(Backend::Sqlite, |config| roomy(config, count));
    let secretary = app.sign_in(SECRETARY);
    let mut crowd = Crowd::gather(&app, count);
    assert_eq!(crowd.says("open"), count);
    let connections = &app.app().capacity.connections;
    eventually("all are inside", || connections.taken() >= count);
    for month in 1..=5 {
        assert_eq!(crowd.trickles(), count, "nobody is cut off before their time");
        let period = format!("2026-{month:02}");
        secretary.reports(meeting(HUOI_SANG).to("period", period));
        app.anonymous().get("/healthz").expect(200);
    }
    assert!(app.app().capacity.bodies.taken() <= count * 16, "what has not come takes no room");
    app.sign_in(SECRETARY).get("/v1/me").expect(200);
    drop(crowd.input.take());
    assert_eq!(crowd.says("closed"), count, "each is let go");
    eventually("their places are free", || connections.taken() <= 2);
    secretary.get("/v1/me").expect(200);
}

#[test]
fn a_crowd_from_one_address_is_let_in_as_far_as_that_address_may_come() {
    const MAY: usize = 50;
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        roomy(config, FEW);
        config.http.connections_per_address = NonZeroUsize::MIN.saturating_add(MAY - 1);
    });
    let mut crowd = Crowd::gather(&app, 3 * MAY);
    crowd.says("open");
    let connections = &app.app().capacity.connections;
    // Connections are taken in the order in which they came: whoever is refused now has seen all the crowd before them.
    let refused = Socket::connect(&app).answer();
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("server.busy")));
    assert_eq!(connections.taken(), MAY);
    drop(crowd);
    eventually("they are gone", || connections.taken() == 0);
    app.anonymous().get("/healthz").expect(200);
}
