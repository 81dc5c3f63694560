//! The life of the listener: from an open socket to a stop that finishes what was accepted. Owns what a connection
//! passes before HTTP, and the signals. Knows no route.

use super::connection::Wire;
use super::door::Door;
use super::{routes, scrape};
use crate::capacity::Place;
use crate::security::throttle::Network;
use crate::state::App;
use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Extensions};
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How much longer than actix we wait for a head, so that its 408 comes first; and how long a client may take to read
/// the last answer of a connection that is being closed.
pub const GRACE: Duration = Duration::from_secs(1);
/// How often the samples of histograms are put into their buckets: nothing else empties them between two scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves `listener` until the process is told to stop (SIGTERM, or SIGINT from a terminal).
pub async fn until_stopped<F>(listener: TcpListener, app: &App, state: F) -> io::Result<()>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    until(stop_asked(), listener, app, state).await
}

/// Serves `listener` until `stop` is done, then waits for the requests that were accepted, at most `shutdown_seconds`.
pub async fn until<F>(
    stop: impl Future<Output = io::Result<()>>,
    listener: TcpListener,
    app: &App,
    state: F,
) -> io::Result<()>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    // Before anything else: without it, the system would end the process.
    let hangups = tokio::spawn(reload_on(signal(SignalKind::hangup())?, app.clone()));
    let metrics = scrape::serve(app)?;
    let server = server(listener, app, state)?;
    tracing::info!(%address, tls = app.certificates.is_some(), workers = app.config.workers, "listening");
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let upkeep = actix_web::rt::spawn(keep_up(app.clone()));
    stop.await?;
    tracing::info!("stopping: no new connections, finishing the accepted requests");
    // Who waits for something new is answered at once.
    app.head.waiting().close();
    handle.stop(true).await;
    let ended = serving.await.map_err(io::Error::other);
    // Last, so that the stop itself can be watched.
    if let Some(metrics) = metrics {
        metrics.stop().await?;
    }
    upkeep.abort();
    hangups.abort();
    ended??;
    tracing::info!("stopped");
    Ok(())
}

/// One server, by hand instead of by `HttpServer`: that one cannot watch what a connection reads and writes.
fn server<F>(listener: TcpListener, app: &App, state: F) -> io::Result<Server>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let (http, workers) = (app.config.http, app.config.workers.get());
    // Listening again sets the backlog that the standard library has no parameter for.
    rustix::net::listen(&listener, http.backlog.into())?;
    let builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(http.connections.get().div_ceil(workers))
        .shutdown_timeout(app.config.shutdown_seconds.into())
        // Actix drops open requests on SIGINT; a person's Ctrl-C deserves the same care as a supervisor's SIGTERM.
        .disable_signals();
    let (stopping, door) = (builder.graceful_shutdown_signal(), Arc::new(Door::new(app)));
    let origins = app.config.cors_origins.clone();
    let factory = move || {
        let (stopping, door) = (stopping.clone(), Arc::clone(&door));
        let application = super::app(&state, routes::PUBLIC, &origins).into_factory();
        let application = application.map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(http.keep_alive())
            .client_request_timeout(http.head())
            .client_disconnect_timeout(GRACE)
            .on_connect_ext(|wire: &Wire<Option<Place<Network>>>, shared: &mut Extensions| {
                shared.insert(wire.traffic());
            })
            .h1(map_config(application, |_| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let door = Arc::clone(&door);
            async move { door.admit(stream).await.map_err(DispatchError::Io) }
        })
        .and_then(http)
    };
    Ok(builder.listen("http", listener, factory)?.run())
}

async fn keep_up(app: App) {
    let mut turns = tokio::time::interval(UPKEEP);
    loop {
        turns.tick().await;
        app.metrics.keep_up();
    }
}

/// A renewed certificate is taken up without a restart.
async fn reload_on(mut hangup: Signal, app: App) {
    while hangup.recv().await.is_some() {
        let Some(certificates) = &app.certificates else { continue };
        match certificates.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(%error, "the certificate cannot be read again; the old one stays"),
        }
    }
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
