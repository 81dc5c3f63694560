//! What is to be done when a standby has taken the place of the primary while this process runs: it may not have heard of
//! the last erasures, so they are made again by the ledger, whoever began the new epoch. Until then nobody is shown anything
//! ([`InStep`]).

use super::keep_erasures::{InStep, come_into_step};
use crate::ledger::{Erased, Ledger};
use crate::reference::ReferenceCache;
use muong_store::{Answer, History, Outcome, Writer};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;
use uuid::Uuid;

/// How many were erased again, and in which epoch that was.
type Made = Answer<(usize, Uuid), Infallible>;

/// Follows the history of the store, and never waits.
pub struct AfterPromotion {
    writer: Writer,
    ledger: Ledger,
    reference: Arc<ReferenceCache>,
    in_step: Arc<InStep>,
    /// Whether the ledger must be asked.
    due: bool,
    /// Whether it has been told that it cannot be read: it is tried at each look.
    complained: bool,
    /// A change on its way, and whether it knows all that the ledger tells.
    asked: Option<(Receiver<Made>, bool)>,
}

impl AfterPromotion {
    /// Nothing has happened yet: what was lost before the start is made up for by the start.
    pub fn new(writer: &Writer, ledger: &Ledger, reference: &Arc<ReferenceCache>, in_step: &Arc<InStep>) -> Self {
        let (writer, ledger) = (writer.clone(), ledger.clone());
        let (reference, in_step) = (Arc::clone(reference), Arc::clone(in_step));
        Self { writer, ledger, reference, in_step, due: false, complained: false, asked: None }
    }

    /// To be told at each look at the head how the history stands, and in which epoch: one that began while nobody looked,
    /// such as during the start, or on the heels of another, is noticed as well.
    pub fn follow(&mut self, history: History, epoch: Uuid) {
        if (history != History::Same || self.in_step.is_behind(epoch)) && !self.due {
            tracing::warn!(?history, "the database has been promoted: a new epoch of the log begins");
            self.due = true;
        }
        if self.is_on_its_way() || !self.due {
            return;
        }
        match self.ledger.read() {
            Ok(told) => {
                self.complained = false;
                self.ask(told, true);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::error!(
                        %error,
                        "after the promotion, erasures cannot be compared with the ledger; until they are, nobody is shown \
                         anything. It is tried again"
                    );
                }
                // Any change begins the epoch.
                if history == History::Ended {
                    self.ask(Vec::new(), false);
                }
            }
        }
    }

    fn is_on_its_way(&mut self) -> bool {
        let Some((answer, knows_all)) = &mut self.asked else { return false };
        match answer.try_recv() {
            Err(TryRecvError::Empty) => return true,
            Ok(Ok(Outcome::Commit((count, epoch)))) => {
                self.due = !*knows_all;
                if *knows_all {
                    self.in_step.reach(epoch);
                }
                if count > 0 {
                    tracing::warn!(
                        count,
                        "erased again, by the ledger, people whom the standby did not know to be erased"
                    );
                }
            }
            Ok(Ok(Outcome::Refuse(never))) => match never {},
            Ok(Err(error)) => tracing::warn!(%error, "after the promotion, the writer failed; it is tried again"),
            Err(TryRecvError::Closed) => {}
        }
        self.asked = None;
        false
    }

    fn ask(&mut self, told: Vec<Erased>, knows_all: bool) {
        let reference = Arc::clone(&self.reference);
        let change = move |tx: &mut muong_store::Tx<'_>| come_into_step(tx, &reference, &told).map(Outcome::Commit);
        match self.writer.submit::<_, Infallible>(1, change) {
            Ok(answer) => self.asked = Some((answer, knows_all)),
            Err(error) => tracing::warn!(%error, "the new epoch waits"),
        }
    }
}
