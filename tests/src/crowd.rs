//! A crowd of slow clients, in a process of its own: `crowd ADDRESS HOW-MANY` opens so many connections, begins a request
//! on each that it never ends, and says `open N`. For each line that it is given it sends one byte more on every
//! connection, and says `still N`; at the end of its input it waits until each is closed, and says `closed N`.

use muong_server::open_files;
use std::env::args;
use std::io::{Read, Write, stdin, stdout};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// Half of a request, by turns: a head without an end, a body that does not come, nothing at all.
const BEGINNINGS: [&str; 3] = [
    "GET /v1/me HTTP/1.1\r\nhost: muong\r\nx-slow: ",
    "POST /v1/auth/sign-in HTTP/1.1\r\nhost: muong\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    "",
];
/// A server that does nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let mut args = args().skip(1);
    let address = args.next().and_then(|address| address.parse::<SocketAddr>().ok());
    let count = args.next().and_then(|count| count.parse::<usize>().ok());
    let (Some(address), Some(count)) = (address, count) else {
        eprintln!("usage: crowd ADDRESS HOW-MANY");
        return ExitCode::FAILURE;
    };
    open_files::raise(count as u64 + 64);
    let mut crowd: Vec<TcpStream> = (0..count).filter_map(|n| begin(address, n)).collect();
    say("open", crowd.len());
    let mut line = String::new();
    while stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
        crowd.retain_mut(|stream| stream.write_all(b"0").is_ok());
        say("still", crowd.len());
    }
    say("closed", crowd.iter_mut().map(is_closed).filter(|closed| *closed).count());
    ExitCode::SUCCESS
}

fn say(what: &str, count: usize) {
    let mut out = stdout();
    let _nobody_listens = writeln!(out, "{what} {count}").and_then(|()| out.flush());
}

fn begin(address: SocketAddr, n: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(BEGINNINGS[n % BEGINNINGS.len()].as_bytes()).ok()?;
    Some(stream)
}

/// Whatever is said first; an error is an end as well, but for one that says that the time is up.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}
