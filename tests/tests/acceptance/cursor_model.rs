//! A model of the cursor, checked exhaustively: server processes that lock, allocate, commit and answer, answers that are
//! lost, phones that push again and pull. It knows no SQL and no HTTP: what it shows is that the *order* of these steps is
//! enough for the promises of the design, and, by variants that leave one of them out, that each step is needed.

use stateright::{Checker, Model, Property};

/// A place in the log; 0 stands before the first.
type Seq = u8;

/// How the store goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    /// As it is built: the head is locked, the seq is taken from it, rows and head become visible before it is let go.
    AsBuilt,
    /// Seqs come from a sequence of the database; nobody waits for anybody.
    WithoutLock,
    /// The lock is let go before the commit is visible.
    LockLetGoEarly,
    /// A phone takes the seq of its own push for a cursor.
    CursorFromPush,
    /// What has been received already is looked for before the lock, not under it.
    LookedForBeforeLock,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Server {
    Idle,
    /// Has read what a phone says; perhaps it has looked whether that is known.
    Received {
        phone: usize,
        known: Option<Seq>,
    },
    /// Holds the head.
    Locked {
        phone: usize,
        known: Option<Seq>,
    },
    /// Has written, at this seq, what nobody sees yet.
    Allocated {
        phone: usize,
        seq: Seq,
    },
    /// Is done: visible, and to be answered.
    Done {
        phone: usize,
        seq: Seq,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Phone {
    acknowledged: Option<Seq>,
    cursor: Seq,
    /// What it has been told of: seq, and whose submission it was.
    seen: Vec<(Seq, usize)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    /// What is committed: seq, and whose submission.
    rows: Vec<(Seq, usize)>,
    head: Seq,
    /// The last number that was given out, committed or not.
    sequence: Seq,
    lock: Option<usize>,
    servers: [Server; 2],
    phones: [Phone; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    /// A phone sends what has not been acknowledged, for the first time or again, to a process.
    Push(usize, usize),
    Lock(usize),
    Allocate(usize),
    Commit(usize),
    /// The process, or its transaction, dies.
    Fail(usize),
    Answer(usize),
    LoseAnswer(usize),
    Pull(usize),
}

struct Cursor(Variant);

impl State {
    fn row_of(&self, phone: usize) -> Option<Seq> {
        self.rows.iter().find(|(_, of)| *of == phone).map(|(seq, _)| *seq)
    }

    fn free(&mut self, server: usize) {
        self.servers[server] = Server::Idle;
        if self.lock == Some(server) {
            self.lock = None;
        }
    }
}

impl Cursor {
    fn locks(&self) -> bool {
        self.0 != Variant::WithoutLock
    }

    fn lock(&self, state: &mut State, server: usize) -> Option<()> {
        let Server::Received { phone, known } = state.servers[server] else { return None };
        if self.locks() {
            if state.lock.is_some() {
                return None;
            }
            state.lock = Some(server);
        }
        state.servers[server] = Server::Locked { phone, known };
        Some(())
    }

    fn allocate(&self, state: &mut State, server: usize) -> Option<()> {
        let Server::Locked { phone, known } = state.servers[server] else { return None };
        let known = if self.0 == Variant::LookedForBeforeLock { known } else { state.row_of(phone) };
        if let Some(seq) = known {
            state.free(server);
            state.servers[server] = Server::Done { phone, seq };
            return Some(());
        }
        state.sequence = if self.locks() { state.head + 1 } else { state.sequence + 1 };
        state.servers[server] = Server::Allocated { phone, seq: state.sequence };
        if self.0 == Variant::LockLetGoEarly {
            state.lock = None;
        }
        Some(())
    }

    fn commit(&self, state: &mut State, server: usize) -> Option<()> {
        let Server::Allocated { phone, seq } = state.servers[server] else { return None };
        state.rows.push((seq, phone));
        state.rows.sort_unstable();
        state.head = state.head.max(seq);
        state.free(server);
        state.servers[server] = Server::Done { phone, seq };
        Some(())
    }

    /// Head and rows of one snapshot.
    fn pull(state: &mut State, phone: usize) {
        let State { rows, head, phones, .. } = state;
        let phone = &mut phones[phone];
        let new = rows.iter().filter(|(seq, _)| (phone.cursor + 1..=*head).contains(seq));
        phone.seen.extend(new);
        phone.cursor = *head;
    }

    fn answer(&self, state: &mut State, server: usize) -> Option<()> {
        let Server::Done { phone, seq } = state.servers[server] else { return None };
        state.free(server);
        state.phones[phone].acknowledged = Some(seq);
        if self.0 == Variant::CursorFromPush {
            let phone = &mut state.phones[phone];
            phone.cursor = phone.cursor.max(seq);
        }
        Some(())
    }
}

impl Model for Cursor {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            rows: Vec::new(),
            head: 0,
            sequence: 0,
            lock: None,
            servers: [Server::Idle; 2],
            phones: Default::default(),
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (at, server) in state.servers.iter().enumerate() {
            match server {
                Server::Idle => steps.extend(
                    (0..state.phones.len())
                        .filter(|phone| state.phones[*phone].acknowledged.is_none())
                        .map(|phone| Step::Push(phone, at)),
                ),
                Server::Received { .. } => steps.extend([Step::Lock(at), Step::Fail(at)]),
                Server::Locked { .. } => steps.extend([Step::Allocate(at), Step::Fail(at)]),
                Server::Allocated { .. } => steps.extend([Step::Commit(at), Step::Fail(at)]),
                Server::Done { .. } => steps.extend([Step::Answer(at), Step::LoseAnswer(at)]),
            }
        }
        steps.extend((0..state.phones.len()).map(Step::Pull));
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Push(phone, server) => {
                state.servers[server] = Server::Received { phone, known: state.row_of(phone) };
            }
            Step::Lock(server) => self.lock(&mut state, server)?,
            Step::Allocate(server) => self.allocate(&mut state, server)?,
            Step::Commit(server) => self.commit(&mut state, server)?,
            Step::Fail(server) | Step::LoseAnswer(server) => state.free(server),
            Step::Answer(server) => self.answer(&mut state, server)?,
            Step::Pull(phone) => Self::pull(&mut state, phone),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(DENSE, |_, state: &State| state.rows.iter().map(|(seq, _)| *seq).eq(1..=state.head)),
            Property::always(NOTHING_MISSED, |_, state: &State| {
                let told =
                    |phone: &Phone| state.rows.iter().all(|row| row.0 > phone.cursor || phone.seen.contains(row));
                state.phones.iter().all(told)
            }),
            Property::always(NOTHING_TWICE, |_, state: &State| {
                (0..state.phones.len()).all(|phone| state.rows.iter().filter(|(_, of)| *of == phone).count() <= 1)
            }),
            Property::always(NOTHING_LOST, |_, state: &State| {
                (state.phones.iter().enumerate())
                    .all(|(at, phone)| phone.acknowledged.is_none_or(|seq| state.rows.contains(&(seq, at))))
            }),
            Property::sometimes(ALL_IS_SAID_AND_TOLD, |_, state: &State| {
                let done = |phone: &Phone| phone.acknowledged.is_some() && phone.seen.len() == 2;
                state.phones.iter().all(done)
            }),
        ]
    }

    /// A sequence never comes back to a number: without this there would be no end.
    fn within_boundary(&self, state: &State) -> bool {
        state.sequence <= 3
    }
}

const DENSE: &str = "the log has no gap and no seq twice";
const NOTHING_MISSED: &str = "whoever has pulled to a seq was told of everything up to it";
const NOTHING_TWICE: &str = "no submission stands twice";
const NOTHING_LOST: &str = "what was acknowledged is there";
const ALL_IS_SAID_AND_TOLD: &str = "everything can be acknowledged and told to everybody";

/// What does not hold, by name, in order.
fn broken(variant: Variant) -> Vec<&'static str> {
    let checker = Cursor(variant).checker().spawn_bfs().join();
    assert!(checker.is_done());
    println!("{variant:?}: {} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 1_000, "the model does next to nothing");
    // A state that is looked for and found is no fault.
    let found = checker.discoveries();
    let fault = |name: &&str| found.contains_key(*name) != (**name == *ALL_IS_SAID_AND_TOLD);
    [DENSE, NOTHING_MISSED, NOTHING_TWICE, NOTHING_LOST, ALL_IS_SAID_AND_TOLD].into_iter().filter(fault).collect()
}

#[test]
fn with_lock_allocation_and_commit_in_this_order_nothing_is_lost_doubled_or_missed() {
    assert_eq!(broken(Variant::AsBuilt), Vec::<&str>::new());
}

#[test]
fn without_the_lock_a_change_can_be_missed() {
    assert!(broken(Variant::WithoutLock).contains(&NOTHING_MISSED));
}

#[test]
fn when_the_lock_is_let_go_before_the_commit_is_visible_a_seq_is_given_out_twice() {
    assert!(broken(Variant::LockLetGoEarly).contains(&DENSE));
}

#[test]
fn a_cursor_that_was_learnt_from_a_push_misses_what_others_have_said() {
    assert_eq!(broken(Variant::CursorFromPush), [NOTHING_MISSED]);
}

#[test]
fn what_is_looked_for_before_the_lock_is_received_twice() {
    assert!(broken(Variant::LookedForBeforeLock).contains(&NOTHING_TWICE));
}
