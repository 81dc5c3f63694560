//! One connection on which requests are made one after the other and every byte is counted, heads included. Reads answers
//! with a length and in chunks (compressed ones come so).

use crate::Fallible;
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection.
pub struct Line {
    reader: BufReader<TcpStream>,
}

/// An answer, and what it cost.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its status.
    pub status: u16,
    /// Its body, as it came.
    pub body: Vec<u8>,
    /// Bytes that were sent and received, heads included.
    pub bytes: usize,
    /// From the first byte sent to the last one received.
    pub took: Duration,
}

/// A request as a phone makes it; `compressed` when it takes a compressed answer.
pub fn post(path: &str, token: &str, body: &Value, compressed: bool) -> Vec<u8> {
    let accepts = if compressed { "accept-encoding: zstd, gzip\r\n" } else { "" };
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{accepts}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Line {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Fallible<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Sends, without waiting for an answer.
    pub fn send(&mut self, request: &[u8]) -> Fallible<()> {
        Ok(self.reader.get_mut().write_all(request)?)
    }

    /// What has been answered by now, if anything: its beginning.
    pub fn has_heard(&mut self) -> Fallible<Option<String>> {
        let mut beginning = [0; 300];
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut beginning);
        stream.set_nonblocking(false)?;
        match peeked {
            Ok(read) => Ok(Some(String::from_utf8_lossy(&beginning[..read]).into_owned())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks and reads the answer.
    pub fn ask(&mut self, request: &[u8]) -> Fallible<Heard> {
        let begun = Instant::now();
        self.send(request)?;
        let mut heard = self.hear()?;
        heard.took = begun.elapsed();
        heard.bytes += request.len();
        Ok(heard)
    }

    /// Asks; an answer that is not 200 is an error.
    pub fn ask_well(&mut self, request: &[u8]) -> Fallible<Heard> {
        let heard = self.ask(request)?;
        if heard.status == 200 {
            return Ok(heard);
        }
        Err(format!("answered {}: {}", heard.status, String::from_utf8_lossy(&heard.body)).into())
    }

    fn hear(&mut self) -> Fallible<Heard> {
        let (mut head, mut bytes) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let read = self.reader.read_line(&mut head)?;
            if read == 0 {
                return Err("closed before it answered".into());
            }
            bytes += read;
        }
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let mut body = Vec::new();
        match length {
            Some(length) => {
                body.resize(length, 0);
                self.reader.read_exact(&mut body)?;
                bytes += length;
            }
            None => bytes += self.hear_chunks(&mut body)?,
        }
        Ok(Heard { status, body, bytes, took: Duration::ZERO })
    }

    /// RFC 9112, section 7.1, without trailers.
    fn hear_chunks(&mut self, body: &mut Vec<u8>) -> Fallible<usize> {
        let mut bytes = 0;
        loop {
            let mut size = String::new();
            bytes += self.reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk)?;
            bytes += chunk.len();
            if size == 0 {
                return Ok(bytes);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
}
