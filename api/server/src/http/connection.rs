//! One connection of a client: how long it may say nothing, or not listen, before it is closed. Actix watches the head
//! of the first request and idle connections only; this watches every head, every answer on its way, and a client who
//! sends a body that nobody reads. Knows bytes and whether a request is being answered; no HTTP.

use actix_web::rt::net::TcpStream;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

/// How much of an answer a client must accept in the time that it has for it.
const PIECE: usize = 32 << 10;

/// What both sides know of a connection: the one that moves bytes, and the one that answers requests.
#[derive(Debug)]
pub struct Traffic {
    /// Whether nobody between can read along: TLS.
    pub secure: bool,
    /// Requests whose answer is not yet wholly on its way.
    open: Cell<u32>,
    /// Requests that have begun so far.
    begun: Cell<u64>,
    /// Whether the client sends nothing more: it has left, as far as anybody can tell.
    left: Cell<bool>,
    leaving: Notify,
}

impl Traffic {
    /// Of a connection that has just been accepted.
    pub fn new(secure: bool) -> Rc<Self> {
        Rc::new(Self {
            secure,
            open: Cell::new(0),
            begun: Cell::new(0),
            left: Cell::new(false),
            leaving: Notify::new(),
        })
    }

    /// A request has arrived.
    pub fn begin(&self) {
        self.open.set(self.open.get() + 1);
        self.begun.set(self.begun.get() + 1);
    }

    /// The client has closed the connection, or at least its own half.
    fn leave(&self) {
        self.left.set(true);
        self.leaving.notify_waiters();
    }

    /// Returns when the client has left: nobody waits for what is waited for any more.
    pub async fn left(&self) {
        let leaving = self.leaving.notified();
        if !self.left.get() {
            leaving.await;
        }
    }

    /// Its answer is on its way.
    pub fn end(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request, from its first byte (of the first one: from the beginning of the connection).
    pub head: Duration,
    /// For the first byte of the next request.
    pub idle: Duration,
    /// To accept a piece of an answer: 32 KiB, or what is left of it.
    pub write: Duration,
}

/// What is on its way to the client.
#[derive(Default, Debug)]
struct Leaving {
    /// When the piece that waits for the client must have gone.
    due: Option<Instant>,
    /// How many bytes of it have gone.
    gone: usize,
}

impl Leaving {
    /// It waits for the client.
    fn waits(&mut self, now: Instant, patience: Duration) {
        if self.due.is_none() {
            *self = Self { due: Some(now + patience), gone: 0 };
        }
    }

    /// Some of what was offered has gone. A byte now and then is not progress; a piece is, however much comes after it: an
    /// answer of a megabyte may take minutes over 2G, as long as it goes on.
    fn went(&mut self, written: usize, offered: usize) {
        self.gone = self.gone.saturating_add(written);
        if written == offered || self.gone >= PIECE {
            self.due = None;
        }
    }
}

/// A stream under watch. `P` is what is given back when it closes: its place among the connections of its address.
pub struct Watched<P> {
    io: TcpStream,
    traffic: Rc<Traffic>,
    patience: Patience,
    /// When a request must have begun.
    head_due: Option<Instant>,
    /// Whether its first byte has come.
    head_begun: bool,
    /// `traffic.begun` when this waiting began.
    before: u64,
    leaving: Leaving,
    /// One timer for both: armed for the earlier of the two, or for one that has been met since.
    timer: Pin<Box<Sleep>>,
    _place: P,
}

impl<P> Watched<P> {
    /// Watches from now on.
    pub fn new(io: TcpStream, traffic: Rc<Traffic>, patience: Patience, place: P) -> Self {
        let due = Instant::now() + patience.head;
        Self {
            io,
            traffic,
            patience,
            head_due: Some(due),
            head_begun: true,
            before: 0,
            leaving: Leaving::default(),
            timer: Box::pin(sleep_until(due)),
            _place: place,
        }
    }

    /// While a request is being answered nothing is due from the client here: its body has its own deadline. After it,
    /// the waiting begins anew.
    fn note_requests(&mut self) {
        let begun = self.traffic.begun.get();
        if self.traffic.open.get() > 0 || begun != self.before {
            self.head_due = None;
            self.head_begun = false;
            self.before = begun;
        }
    }

    fn heard(&mut self) {
        self.note_requests();
        if self.traffic.open.get() == 0 && !self.head_begun {
            self.head_begun = true;
            self.head_due = Some(Instant::now() + self.patience.head);
        }
    }

    fn waits(&mut self) {
        self.note_requests();
        if self.traffic.open.get() == 0 && self.head_due.is_none() {
            self.head_due = Some(Instant::now() + self.patience.idle + self.patience.head);
        }
    }

    /// Whether something is overdue; if not, the task is woken when it may be.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let Some(due) = self.head_due.into_iter().chain(self.leaving.due).min() else { return false };
        // A timer that is armed for an earlier moment than needed is left alone: most requests are over long before it
        // rings, and setting it is what costs.
        if self.timer.deadline() > due {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if self.timer.deadline() >= due {
                return true;
            }
            self.timer.as_mut().reset(due);
        }
        false
    }

    fn too_slow<T>() -> Poll<io::Result<T>> {
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<P: Unpin> AsyncRead for Watched<P> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => this.heard(),
            Poll::Pending => {
                this.waits();
                if this.is_overdue(context) {
                    return Self::too_slow();
                }
            }
            Poll::Ready(Ok(())) if room == 0 => {}
            Poll::Ready(_) => this.traffic.leave(),
        }
        read
    }
}

impl<P: Unpin> AsyncWrite for Watched<P> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Pending => {
                this.leaving.waits(Instant::now(), this.patience.write);
                if this.is_overdue(context) { Self::too_slow() } else { Poll::Pending }
            }
            Poll::Ready(Ok(written)) => {
                this.leaving.went(written, bytes.len());
                Poll::Ready(Ok(written))
            }
            failed => failed,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

/// What HTTP is spoken over.
pub enum Wire<P> {
    /// In the clear.
    Plain(Watched<P>),
    /// TLS.
    Tls(Box<TlsStream<Watched<P>>>),
}

impl<P> Wire<P> {
    /// What it shares with those who answer.
    pub fn traffic(&self) -> Rc<Traffic> {
        match self {
            Self::Plain(watched) => Rc::clone(&watched.traffic),
            Self::Tls(stream) => Rc::clone(&stream.get_ref().0.traffic),
        }
    }
}

impl<P: Unpin> AsyncRead for Wire<P> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl<P: Unpin> AsyncWrite for Wire<P> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => {
                // A client who does not take the end of TLS must not keep us either.
                let _goodbye = ready!(Pin::new(stream.as_mut()).poll_shutdown(context));
                Poll::Ready(Ok(()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn each_piece_that_goes_gives_the_next_one_its_time() {
        let (mut leaving, begun) = (Leaving::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut rest = 5 * PIECE;
        for seconds in [0, 50, 100, 150] {
            leaving.waits(at(seconds), PATIENCE);
            assert_eq!(leaving.due, Some(at(seconds + 60)));
            leaving.went(PIECE, rest);
            rest -= PIECE;
            assert_eq!(leaving.due, None);
        }
        leaving.waits(at(200), PATIENCE);
        leaving.went(rest, rest);
        assert_eq!(leaving.due, None, "all of it has gone");
    }

    #[test]
    fn a_byte_now_and_then_is_no_progress() {
        let (mut leaving, begun) = (Leaving::default(), Instant::now());
        for seconds in 0..59 {
            leaving.waits(begun + Duration::from_secs(seconds), PATIENCE);
            leaving.went(1, 5 * PIECE);
        }
        assert_eq!(leaving.due, Some(begun + PATIENCE));
    }
}
