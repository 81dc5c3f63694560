//! Who may come in: so many connections of one address, each watched, and over TLS if there is a certificate.
//! Knows no HTTP beyond the one answer for whom there is no room.

use super::client_address;
use super::connection::{Patience, Traffic, Watched, Wire};
use super::error::{Context, PROBLEM_JSON, Problem};
use crate::state::App;
use actix_web::body::MessageBody;
use actix_web::rt::net::TcpStream;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Shared by all workers.
pub struct Door {
    app: App,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    handshakes: Semaphore,
    patience: Patience,
    full: Vec<u8>,
}

/// A place among the connections of an address; given back when dropped.
pub struct Place {
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.address)),
        }
    }
}

impl Door {
    /// As the installation chose.
    pub fn new(app: &App) -> Self {
        let http = app.config.http;
        Self {
            app: app.clone(),
            by_address: Arc::default(),
            handshakes: Semaphore::new(http.handshakes.get()),
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
    pub async fn admit(&self, stream: TcpStream) -> io::Result<(Wire<Option<Place>>, Option<SocketAddr>)> {
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
        let handshake = async {
            let _turn = self.handshakes.acquire().await.map_err(io::Error::other)?;
            TlsAcceptor::from(certificates.current()).accept(watched).await
        };
        let tls = timeout(self.patience.head, handshake).await.map_err(io::Error::other)??;
        Ok((Wire::Tls(Box::new(tls)), Some(peer)))
    }

    /// A place for one more of this address. Everybody behind a trusted proxy comes from the proxy's: it has as many as
    /// it likes.
    fn place(&self, address: IpAddr) -> Result<Option<Place>, ()> {
        if client_address::is_trusted(&self.app.config, address) {
            return Ok(None);
        }
        let most = self.app.config.http.connections_per_address.get();
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return Err(());
        }
        *count += 1;
        Ok(Some(Place { by_address: Arc::clone(&self.by_address), address }))
    }

    /// Says so, if that can be said at once and in the clear: nothing is kept for who is refused.
    fn refuse(&self, stream: &TcpStream) -> io::Error {
        if self.app.certificates.is_none() {
            let _perhaps_unheard = stream.try_write(&self.full);
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
