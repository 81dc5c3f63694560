//! `muong serve`: opens the store and the socket, and serves until told to stop.

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::http::listen;
use crate::state::{App, StartError};
use actix_web::web::Data;
use std::io;
use std::net::TcpListener;

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
    let state = Data::new(app.clone());
    let serving = listen::until_stopped(listener, &app.config, move |config| {
        config.app_data(state.clone());
    });
    actix_web::rt::System::new().block_on(serving)
}
