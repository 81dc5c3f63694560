//! One connection of HTTP/1.1, kept alive: sends bytes that were made before, reads one answer. As little work as
//! possible, since the generator shares two cores with what it measures.

use crate::Fallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most headers that an answer of ours has, with room to spare.
const HEADERS: usize = 48;
/// What the buffer has room for at first; it grows with the answers.
const ROOM: usize = 64 << 10;

/// A connection on which one request waits for its answer at a time.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as long as the connection is not used again.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

struct Head {
    status: u16,
    start: usize,
    end: usize,
}

impl Wire {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Fallible<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ROOM] })
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Fallible<Answer<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let mut head: Option<Head> = None;
        loop {
            if let Some(Head { status, start, end }) = head
                && filled >= end
            {
                return Ok(Answer { status, body: &self.buffer[start..end] });
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err("the server closed the connection before it answered".into());
            }
            filled += read;
            if head.is_none() {
                head = read_head(&self.buffer[..filled])?;
            }
        }
    }
}

/// The head, once all of it is there.
fn read_head(bytes: &[u8]) -> Fallible<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = answer.parse(bytes)? else { return Ok(None) };
    let status = answer.code.unwrap_or_default();
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let Some(length) = length.or((status == 204).then_some(0)) else {
        return Err("an answer without its length".into());
    };
    Ok(Some(Head { status, start, end: start + length }))
}
