//! Pushes that wait for the writer are taken together: whoever comes while it is busy joins the queue, and one change takes
//! all that stand there when its turn has come. So a store that many phones report to at once reads, writes and flushes as
//! for one big batch, and a lonely push waits for nobody.

use super::outcome::Pushed;
use super::{Prepared, PushRefusal, Turn, apart, push_together};
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, actor_within};
use crate::usecases::failure::Failure;
use muong_store::{Outcome, StoreError, Tx, WriterError};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How many submissions are taken together.
const TOGETHER: usize = 1_000;

/// How a push ended.
pub type Ended = Result<Outcome<Pushed, PushRefusal>, Failure>;

/// How it ended in the transaction; the code, when whoever pushes was signed in no more.
type Judged = Result<Outcome<Pushed, PushRefusal>, &'static str>;

/// A push that waits.
struct Waiting {
    who: Authenticated,
    push: Prepared,
    reply: oneshot::Sender<Ended>,
}

/// Where pushes wait.
pub struct WaitingPushes {
    queue: Mutex<Queue>,
    /// How many may wait.
    limit: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Whether a change is on its way that will take them.
    called: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WaitingPushes {
    /// An empty queue.
    pub fn new(limit: usize) -> Self {
        Self { queue: Mutex::default(), limit }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the first in the queue, up to a weight, but at least one. Whoever comes next calls for a change again, unless
    /// somebody is left who must be called for.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = lock(&self.queue);
        let mut taken = Vec::new();
        let mut weight = 0;
        while weight < TOGETHER {
            let Some(next) = queue.waiting.pop_front() else { break };
            weight += next.push.weight();
            taken.push(next);
        }
        queue.called = !queue.waiting.is_empty();
        taken
    }
}

/// Pushes, together with whoever else waits, and answers how it ended.
pub async fn push(app: &App, who: Authenticated, push: Prepared) -> Ended {
    let (reply, ended) = oneshot::channel();
    let must_call = {
        let mut queue = lock(&app.waiting_pushes.queue);
        if queue.waiting.len() >= app.waiting_pushes.limit {
            app.metrics.refused.writer.increment(1);
            return Err(Failure::Busy);
        }
        queue.waiting.push_back(Waiting { who, push, reply });
        !std::mem::replace(&mut queue.called, true)
    };
    if must_call {
        // A task of its own: the others' answers do not depend on whether this client stays.
        tokio::spawn(call(app.clone()));
    }
    ended.await.unwrap_or(Err(Failure::Stopping))
}

/// Has the writer take all that wait, until nobody is left.
async fn call(app: App) {
    loop {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (shared, desk) = (app.clone(), Arc::clone(&taken));
        let submitted = app.writer.submit(1, move |tx| {
            let mut taken = lock(&desk);
            if taken.is_empty() {
                *taken = shared.waiting_pushes.take();
            }
            take_all(tx, &shared, &mut taken).map(Outcome::<_, Infallible>::Commit)
        });
        let ended = match submitted {
            Ok(answer) => answer.await.unwrap_or(Err(WriterError::Stopped)),
            Err(refused) => {
                app.metrics.refused.writer.increment(1);
                *lock(&taken) = app.waiting_pushes.take();
                Err(refused)
            }
        };
        let mut taken = std::mem::take(&mut *lock(&taken));
        if taken.is_empty() && ended.is_err() {
            // The transaction did not even begin: whoever waits for it is told so.
            taken = app.waiting_pushes.take();
        }
        answer(&app, taken, ended).await;
        if !lock(&app.waiting_pushes.queue).called {
            return;
        }
    }
}

fn take_all(tx: &mut Tx<'_>, app: &App, taken: &mut [Waiting]) -> Result<Vec<Judged>, StoreError> {
    let mut turns = Vec::with_capacity(taken.len());
    let mut admitted = Vec::with_capacity(taken.len());
    for waiting in taken {
        let as_of = tx.head().access_as_of();
        let actor = actor_within(app, tx, as_of, &waiting.who)?;
        admitted.push(actor.map(|actor| turns.push(Turn { actor, push: &mut waiting.push })));
    }
    let mut outcomes = push_together(tx, &app.reference, turns)?.into_iter();
    let judged = admitted.into_iter().map(|admitted| match admitted {
        Err(code) => Ok(Err(code)),
        Ok(()) => outcomes.next().map(Ok).ok_or_else(|| StoreError::corrupt("a push", "no outcome")),
    });
    judged.collect()
}

/// Tells each how it ended. When all together failed, each is tried alone: one that cannot be pushed must not take the
/// others with it.
async fn answer(app: &App, taken: Vec<Waiting>, ended: Result<Outcome<Vec<Judged>, Infallible>, WriterError>) {
    match ended {
        Ok(Outcome::Commit(outcomes)) => {
            for (waiting, judged) in taken.into_iter().zip(outcomes) {
                // Nobody listens when the client has gone: the push stands all the same.
                drop(waiting.reply.send(judged.map_err(Failure::refused)));
            }
        }
        Ok(Outcome::Refuse(never)) => match never {},
        Err(WriterError::Store(error)) if taken.len() > 1 && !error.is_unavailable() || error.is_of_content() => {
            tracing::warn!(error = ?error, pushes = taken.len(), "pushes failed together; each is tried alone");
            for waiting in taken {
                let ended = apart::push(app, &waiting.who, waiting.push).await;
                drop(waiting.reply.send(ended));
            }
        }
        Err(error) => {
            let failure = || match &error {
                WriterError::Busy => Failure::Busy,
                WriterError::Stopped => Failure::Stopping,
                WriterError::Store(error) if error.is_unavailable() => Failure::Store(StoreError::Gone),
                WriterError::Store(_) => Failure::Machine("a push failed"),
            };
            let mut others = taken.into_iter();
            let first = others.next();
            for waiting in others {
                drop(waiting.reply.send(Err(failure())));
            }
            if let Some(waiting) = first {
                drop(waiting.reply.send(Err(error.into())));
            }
        }
    }
}
