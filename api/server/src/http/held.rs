//! A long answer that waits to be taken: it has its share of what all bodies may take in memory, until the client has it
//! or has gone. Many slow phones with a full page each would fill the memory otherwise.

use super::error::Problem;
use crate::capacity::Share;
use crate::state::App;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use serde::Serialize;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes, and their share.
struct Held {
    bytes: Bytes,
    _share: Share,
}

/// Answers with JSON. 503 when there is no room for it now.
pub fn json(app: &App, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    let share = app.capacity.bodies.take(bytes.len()).map_err(|_full| {
        app.metrics.refused.bodies.increment(1);
        Problem::new("server.busy")
    })?;
    let held = Held { bytes: bytes.into(), _share: share };
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(held))
}

impl MessageBody for Held {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let bytes = mem::take(&mut self.get_mut().bytes);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
    }
}
