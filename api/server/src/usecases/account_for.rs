//! Writes down what is no change but must be accounted for, and waits until that is committed: whoever is not accounted
//! for is not answered. Decides nothing about what has to be.

use super::authenticate::Authenticated;
use super::failure::Failure;
use crate::state::App;
use muong_store::Note;
use std::net::IpAddr;
use uuid::Uuid;

/// What is kept of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// The operation, as the API's document calls it.
    pub operation: &'static str,
    /// The id of the request.
    pub request: Option<Uuid>,
    /// The address that it came from.
    pub address: Option<IpAddr>,
}

impl Asked {
    /// A note, with what is kept of the request.
    pub fn complete(&self, note: Note) -> Note {
        let Self { operation, request, address } = *self;
        Note { what: operation.to_owned(), request, address: address.map(|address| address.to_string()), ..note }
    }
}

/// Notes what somebody who has signed in did, and waits until it is committed.
pub async fn account_for(app: &App, who: &Authenticated, note: Note) -> Result<(), Failure> {
    let note = Note { user: Some(who.user), device: Some(who.device), ..note };
    committed(app, who.asked.complete(note)).await
}

/// Notes something, and waits until it is committed.
pub async fn committed(app: &App, note: Note) -> Result<(), Failure> {
    let answer = app.auditor.submit(note)?;
    Ok(answer.await.map_err(|_dropped| Failure::Stopping)??)
}
