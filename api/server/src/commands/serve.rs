//! `muong serve`: opens the socket and serves until told to stop.

use crate::config::Config;
use crate::http::listen;
use std::io;
use std::net::TcpListener;

/// Serves until the process is told to stop.
pub fn run(config: &Config) -> io::Result<()> {
    let listener = TcpListener::bind(&config.listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen)))?;
    actix_web::rt::System::new().block_on(listen::until_stopped(listener, config, |_config| {}))
}
