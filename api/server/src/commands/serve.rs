//! `muong serve`: opens the store and the socket, and serves until told to stop.

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::http::listen;
use crate::open_files;
use crate::state::{App, StartError};
use actix_web::web::{Data, ServiceConfig};
use std::io;
use std::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Why it does not serve, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The socket.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves until the process is told to stop.
pub fn run(config: Config, clock: Clock, entropy: Entropy) -> Result<(), ServeError> {
    let listener = TcpListener::bind(&config.listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen)))?;
    let app = App::open(config, clock, entropy)?;
    let served = on(listener, &app);
    // Also after an error: what was accepted is written before the process ends.
    app.close();
    Ok(served?)
}

/// Serves an opened state on a socket until the process is told to stop; for commands that prepare something first.
pub fn on(listener: TcpListener, app: &App) -> io::Result<()> {
    open_files::raise(open_files::needed(&app.config));
    let serving = listen::until_stopped(listener, app, attach(app));
    actix_web::rt::System::new().block_on(looking_after_keys(app, serving))
}

/// The same until `stop` is done; for whoever serves inside a process of their own.
pub fn on_until(stop: impl Future<Output = io::Result<()>>, listener: TcpListener, app: &App) -> io::Result<()> {
    let serving = listen::until(stop, listener, app, attach(app));
    actix_web::rt::System::new().block_on(looking_after_keys(app, serving))
}

/// Serves, and reads the signing keys again whenever the process is told to (SIGHUP).
async fn looking_after_keys(app: &App, serving: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut told = signal(SignalKind::hangup())?;
    let looking = async {
        while told.recv().await.is_some() {
            match app.keys.reload() {
                Ok(true) => {}
                Ok(false) => tracing::info!("told to read the signing keys again; they are the same"),
                Err(error) => tracing::error!(%error, "the signing keys cannot be read; the old ones stay in use"),
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = serving => served,
        () = looking => Ok(()),
    }
}

/// Gives the handlers what they need.
fn attach(app: &App) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let state = Data::new(app.clone());
    move |config| {
        config.app_data(state.clone());
    }
}
