//! Who may come in: so many connections of one address, each watched, and over TLS if there is a certificate.
//! Knows no HTTP beyond the one answer for whom there is no room.

use super::client_address;
use super::connection::{Patience, Traffic, Watched, Wire};
use super::error::{Context, PROBLEM_JSON, Problem};
use crate::capacity::{Full, Place};
use crate::security::throttle::Network;
use crate::state::App;
use actix_web::body::MessageBody;
use actix_web::rt::net::TcpStream;
use rustix::net::SendFlags;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Shared by all workers.
pub struct Door {
    app: App,
    patience: Patience,
    full: Vec<u8>,
}

impl Door {
    /// As the installation chose.
    pub fn new(app: &App) -> Self {
        let http = app.config.http;
        Self {
            app: app.clone(),
            // Actix itself answers 408 to whoever begins too slowly: it must not be closed before that is written.
            patience: Patience {
                head: http.head() + super::listen::GRACE,
                idle: http.keep_alive(),
                write: http.stall(),
            },
            full: no_room(),
        }
    }

    /// Lets a connection in, or refuses it.
    pub async fn admit(&self, stream: TcpStream) -> io::Result<(Wire<Option<Place<Network>>>, Option<SocketAddr>)> {
        let peer = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        let Ok(place) = self.place(peer.ip().to_canonical()) else {
            self.app.metrics.refused.connections.increment(1);
            return Err(self.refuse(&stream));
        };
        let Some(certificates) = &self.app.certificates else {
            return Ok((Wire::Plain(Watched::new(stream, Traffic::new(false), self.patience, place)), Some(peer)));
        };
        let watched = Watched::new(stream, Traffic::new(true), self.patience, place);
        // Nobody waits for a turn: whoever says nothing would keep it from the others. The work of a handshake is done while
        // it is polled, so each thread does that of one at a time; and there are as many as there are connections.
        let handshake = TlsAcceptor::from(certificates.current()).accept(watched);
        let tls = timeout(self.patience.head, handshake).await.map_err(io::Error::other)??;
        Ok((Wire::Tls(Box::new(tls)), Some(peer)))
    }

    /// A place for one more of this network. Everybody behind a trusted proxy comes from the proxy's: it has as many as
    /// it likes.
    fn place(&self, address: IpAddr) -> Result<Option<Place<Network>>, Full> {
        if client_address::is_trusted(&self.app.config, address) {
            return Ok(None);
        }
        self.app.capacity.connections.take(address.into()).map(Some)
    }

    /// Says so, if that can be said at once and in the clear: nothing is kept for who is refused.
    fn refuse(&self, stream: &TcpStream) -> io::Error {
        if self.app.certificates.is_none() {
            let at_once = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let _perhaps_unheard = rustix::net::send(stream, &self.full, at_once);
        }
        io::ErrorKind::ConnectionRefused.into()
    }
}

/// The answer to whoever is refused before a request was read: in the default language, without an id.
fn no_room() -> Vec<u8> {
    let response = Problem::new("server.busy").respond(&Context::default());
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nretry-after: 5\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.to_vec()].concat()
}
