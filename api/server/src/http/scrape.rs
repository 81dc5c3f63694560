//! `/metrics`, on a listener of its own: for the machine that collects the numbers, not for the public. It has its own
//! thread and its own few connections, so that it still answers when the other one has no room.

use super::listen::GRACE;
use crate::state::App;
use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, HttpServer};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// A collector keeps one connection.
const CONNECTIONS: usize = 32;
const HEAD: Duration = Duration::from_secs(5);
/// Prometheus' text format, the version that every collector reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The listener, while it serves.
pub struct Scraped {
    handle: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl Scraped {
    /// Ends it.
    pub async fn stop(self) -> io::Result<()> {
        self.handle.stop(false).await;
        self.serving.await.map_err(io::Error::other)?
    }
}

/// Serves, if an address for it is configured.
pub fn serve(app: &App) -> io::Result<Option<Scraped>> {
    let Some(address) = &app.config.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    let bound = listener.local_addr()?;
    let data = Data::new(app.clone());
    let server = HttpServer::new(move || {
        actix_web::App::new().app_data(data.clone()).route("/metrics", web::get().to(get_metrics))
    })
    .workers(1)
    .max_connections(CONNECTIONS)
    .client_request_timeout(HEAD)
    .client_disconnect_timeout(GRACE)
    .disable_signals()
    .listen(listener)?
    .run();
    if !bound.ip().is_loopback() {
        tracing::warn!(address = %bound, "/metrics is served on an address that others may reach, in the clear");
    }
    app.metrics.served_at(bound);
    let handle = server.handle();
    Ok(Some(Scraped { handle, serving: actix_web::rt::spawn(server) }))
}

async fn get_metrics(app: Data<App>) -> HttpResponse {
    let text = app.metrics.text(&app).await;
    HttpResponse::Ok().content_type(TEXT).insert_header(("cache-control", "no-store")).body(text)
}
