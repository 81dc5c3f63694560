//! `muong openapi`: prints the document. Needs neither configuration nor database.

use crate::http::openapi;
use std::io::{self, Write};

/// Prints the OpenAPI document to `out`.
pub fn run(mut out: impl Write) -> io::Result<()> {
    out.write_all(openapi::json().as_bytes())
}
