//! A request from the end of its head to the last byte of its answer: what it holds for so long, and gives back then.
//! Knows neither routes nor resources.

use super::connection::Traffic;
use crate::capacity::{Full, Share};
use crate::state::App;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Always answered, also under load: whoever asks would restart a process that is silent, or send its load to another.
const ALWAYS: [&str; 2] = ["/healthz", "/readyz"];

/// A place among the requests that are being answered, noted on its connection.
#[derive(Debug)]
pub struct Visit {
    traffic: Option<Rc<Traffic>>,
    _place: Option<Share>,
}

impl Visit {
    /// Begins, unless too many are being answered.
    pub fn begin(request: &ServiceRequest) -> Result<Self, Full> {
        let app = request.app_data::<Data<App>>().filter(|_| !ALWAYS.contains(&request.path()));
        let place = app.map(|app| app.capacity.requests.take(1)).transpose()?;
        let traffic = request.conn_data::<Rc<Traffic>>().cloned();
        if let Some(traffic) = &traffic {
            traffic.begin();
        }
        Ok(Self { traffic, _place: place })
    }
}

/// Middleware: a request that may wait for long keeps its headers in as much room as they need. Actix makes room for many,
/// which is more than all the rest that a waiting pull holds.
pub async fn fitted<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let headers = request.headers_mut();
    let mut few = HeaderMap::with_capacity(headers.len_keys());
    for (name, value) in headers.iter() {
        few.append(name.clone(), value.clone());
    }
    *headers = few;
    next.call(request).await
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(traffic) = &self.traffic {
            traffic.end();
        }
    }
}

pin_project! {
    /// The body of an answer, with what the request holds until it is sent or given up.
    pub struct Held<B> {
        #[pin]
        body: B,
        _visit: Visit,
    }
}

impl<B> Held<B> {
    /// Holds on to `visit` as long as there is something to send.
    pub fn new(body: B, visit: Visit) -> Self {
        Self { body, _visit: visit }
    }
}

impl<B: MessageBody> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(context)
    }
}
