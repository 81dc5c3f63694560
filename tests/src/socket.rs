//! A client by hand: for what a proper one does not do, such as stopping half-way, or not listening.

use crate::TestApp;
use crate::client::Reporter;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A server that does nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a slow client waits before its next byte.
const PAUSE: Duration = Duration::from_millis(100);

/// One connection.
pub struct Socket {
    reader: BufReader<TcpStream>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    /// Its status.
    pub status: u16,
    /// Its head, in lower case.
    pub head: String,
    /// Its body, as JSON; null when it is none.
    pub body: Value,
}

impl Socket {
    /// Connects to where a server listens.
    pub fn connect(app: &TestApp) -> Self {
        Self::connect_to(app.address().trim_start_matches("http://"))
    }

    /// Connects to an address.
    pub fn connect_to(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { reader: BufReader::new(stream) }
    }

    /// Sends.
    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(text.as_ref()).expect("it reads");
    }

    /// Sends, as far as the other side reads: who is refused early may be cut off.
    pub fn send_unless_refused(&mut self, text: impl AsRef<[u8]>) {
        if let Err(error) = self.reader.get_mut().write_all(text.as_ref()) {
            let cut_off = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(cut_off.contains(&error.kind()), "{error}");
        }
    }

    /// Sends one byte, unless the other side has gone.
    pub fn trickle(&mut self) -> io::Result<()> {
        self.reader.get_mut().write_all(b"0")
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Raw {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.reader.read_line(&mut head).expect("it answers") > 0, "closed after: {head}");
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("the whole body");
        Raw { status, head, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Everything that still comes, until the other side closes, in an orderly way or not.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Err(error) = self.reader.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "after {} bytes", bytes.len());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a byte now and then until the other side closes; what it has said by then.
    pub fn trickle_until_closed(&mut self) -> String {
        self.reader.get_ref().set_read_timeout(Some(PAUSE)).expect("a timeout");
        let (mut said, begun) = (Vec::new(), Instant::now());
        while begun.elapsed() < PATIENCE {
            let mut piece = [0; 1024];
            match self.reader.read(&mut piece) {
                Ok(0) => return String::from_utf8_lossy(&said).into_owned(),
                Ok(read) => said.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(self.trickle()),
                Err(_reset) => return String::from_utf8_lossy(&said).into_owned(),
            }
        }
        panic!("it never closes, and has said: {}", String::from_utf8_lossy(&said))
    }

    /// The head of a push of so many bytes.
    pub fn push_head(reporter: &Reporter, bytes: usize) -> String {
        format!(
            "POST /v1/sync/push HTTP/1.1\r\nhost: muong\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
             content-length: {bytes}\r\n",
            reporter.authorization()
        )
    }

    /// Begins a push of so many bytes and waits until the server is reading them.
    pub fn begin_push(app: &TestApp, reporter: &Reporter, bytes: usize) -> Self {
        let mut socket = Self::connect(app);
        socket.send(format!("{}expect: 100-continue\r\n\r\n", Self::push_head(reporter, bytes)));
        assert_eq!(socket.answer().status, 100);
        socket
    }
}

/// Waits until something has come about that no answer tells of.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}
