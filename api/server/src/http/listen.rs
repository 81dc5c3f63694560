//! The life of the listener: from an open socket to a stop that finishes what was accepted. Knows no route.

use super::{app, routes};
use crate::config::Config;
use actix_web::HttpServer;
use actix_web::web::ServiceConfig;
use std::io;
use std::net::TcpListener;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long a client may take to send its head: a connection that says nothing is not worth a worker's memory.
const HEAD: Duration = Duration::from_secs(30);
/// How long an idle connection is kept: longer than the usual 60 s of proxies, so that they close first.
const IDLE: Duration = Duration::from_secs(75);

/// Serves `listener` until the process is told to stop (SIGTERM, or SIGINT from a terminal).
pub async fn until_stopped<F>(listener: TcpListener, config: &Config, state: F) -> io::Result<()>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    until(stop_asked(), listener, config, state).await
}

/// Serves `listener` until `stop` is done, then waits for the requests that were accepted, at most `shutdown_seconds`.
pub async fn until<F>(
    stop: impl Future<Output = io::Result<()>>,
    listener: TcpListener,
    config: &Config,
    state: F,
) -> io::Result<()>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || app(&state, routes::PUBLIC))
        .workers(config.workers.get())
        .client_request_timeout(HEAD)
        .keep_alive(IDLE)
        .shutdown_timeout(u64::from(config.shutdown_seconds))
        // Actix drops open requests on SIGINT; a person's Ctrl-C deserves the same care as a supervisor's SIGTERM.
        .disable_signals()
        .listen(listener)?
        .run();
    tracing::info!(%address, workers = config.workers, "listening");
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    stop.await?;
    tracing::info!("stopping: no new connections, finishing the accepted requests");
    handle.stop(true).await;
    serving.await.map_err(io::Error::other)??;
    tracing::info!("stopped");
    Ok(())
}

async fn stop_asked() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
