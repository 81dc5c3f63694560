//! The oracle: asks the database itself, past the program. Every submission that was acknowledged is there as the entry that
//! was named, once, and nothing that nobody said; no value is gone, and no meeting stands twice; the log is whole, and
//! rebuilds the same store; each phone holds what its user may see, and was never told of anything else.

use super::COMMUNES;
use super::MEETING;
use super::asked::{Columns, rows};
use super::crew::Notes;
use super::history::History;
use super::journal::{At, Said, all_said};
use super::sights::{self, Sights};
use super::values;
use crate::Fallible;
use crate::database::Scratch;
use crate::installation::Installation;
use muong_server::clock::Clock;
use muong_server::usecases::replay_log::{State, rebuild};
use muong_store::{Connection, Database, DatabaseUrl, Vault, log};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// Submissions that phones said.
    pub said: usize,
    /// Of them, those that some answer acknowledged.
    pub acknowledged: usize,
    /// Of those, the ones that the history which stands must have; the others were lost with a phone and in a restore.
    pub owed: usize,
    /// Submissions in the store.
    pub stored: usize,
    /// Pages whose contents were held against what their readers saw then.
    pub pages: usize,
    /// What must not be.
    pub faults: Faults,
}

/// What must not be. All of these are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Submissions that are owed, and not there as they were acknowledged, once.
    pub lost: usize,
    /// Values that were said and are nowhere.
    pub gone: usize,
    /// Meetings that stand more than once.
    pub doubled: usize,
    /// Submissions in the store that nobody said.
    pub made_up: usize,
    /// Whether the log has a gap or a false link.
    pub gaps: usize,
    /// Restores after which the log does not go on from the end of the backup.
    pub wrong_cuts: usize,
    /// Whether the log does not rebuild the same store.
    pub replay_unlike: usize,
    /// Erased people of whom something personal is there.
    pub back: usize,
    /// Phones that hold something else than their users may see, or than a new phone does.
    pub unlike: usize,
    /// Pages that told of what their readers did not see then.
    pub leaks: usize,
}

impl Faults {
    /// Each by its name.
    pub fn named(&self) -> [(&'static str, usize); 10] {
        [
            ("lost", self.lost),
            ("values gone", self.gone),
            ("doubled", self.doubled),
            ("made up", self.made_up),
            ("gaps in the log", self.gaps),
            ("restores cut elsewhere", self.wrong_cuts),
            ("replay unlike", self.replay_unlike),
            ("erased and back", self.back),
            ("phones unlike", self.unlike),
            ("told after a grant", self.leaks),
        ]
    }
}

impl Verdict {
    /// Whether everything is as it must be, and anything was tried at all.
    pub fn is_good(&self) -> bool {
        self.owed > 0 && self.pages > 0 && self.faults == Faults::default()
    }
}

/// Judges; `spare` is an empty database to rebuild the store in, and `cuts` are where restores cut the log.
pub fn judge(installation: &Installation, spare: &Scratch, cuts: Vec<At>, notes: &Notes) -> Fallible<Verdict> {
    let url = DatabaseUrl::parse(installation.database.url())?;
    let mut conn = url.open()?;
    let vault = installation.vault()?;
    let store = Database::open(url, Some(Arc::clone(&vault)), 1)?;
    let history = History::of(&store, cuts)?;
    let (said, stored) = (all_said(&notes.journals), Stored::of(&mut conn)?);
    let owed = said.iter().filter(|(_, said)| is_owed(said, &history));
    let lost = owed.clone().filter(|(id, said)| !stored.has(**id, said, &history)).count();
    let mut gone = Ok(0);
    store.read(|snapshot| {
        gone = values::gone(snapshot, &history);
        Ok(())
    })?;
    let pages = Sights::of(&store, &mut conn, COMMUNES)?.check(&history, &notes.journals);
    let faults = Faults {
        lost,
        gone: gone?,
        doubled: doubled(&mut conn)?,
        made_up: stored.submissions.keys().filter(|id| !said.contains_key(id)).count(),
        gaps: usize::from(store.read(|snapshot| log::first_break(snapshot))?.is_some()),
        wrong_cuts: history.wrong_cuts(),
        replay_unlike: usize::from(!rebuilds(&store, spare, &vault)?),
        back: back(&mut conn, &notes.erased)?,
        unlike: sights::unlike(&mut conn, &notes.journals, Clock::System.now())?,
        leaks: pages.leaks,
    };
    Ok(Verdict {
        said: said.len(),
        acknowledged: said.values().filter(|said| said.erased || !said.answers.is_empty()).count(),
        owed: owed.count(),
        stored: stored.submissions.len(),
        pages: pages.pages,
        faults,
    })
}

/// Whether the log rebuilds the same store. One that cannot be replayed does not.
fn rebuilds(store: &Database, spare: &Scratch, vault: &Arc<Vault>) -> Fallible<bool> {
    match rebuild(store, DatabaseUrl::parse(spare.url())?, vault, Clock::System.now()) {
        Ok(copy) => Ok(State::of(store)? == State::of(&copy)?),
        Err(error) => {
            eprintln!("the log cannot be replayed: {error}");
            Ok(false)
        }
    }
}

/// Whether a submission must be there: a phone can still say it, or it was acknowledged as an entry that no restore has
/// taken away since.
fn is_owed(said: &Said, history: &History) -> bool {
    said.held || said.answers.iter().any(|(at, _)| history.has(*at))
}

/// The submissions, as the database has them.
struct Stored {
    /// With the entry that recorded each, and how it was answered.
    submissions: HashMap<Uuid, (i64, String)>,
    /// The entries of the log that name each.
    entries: HashMap<Uuid, Vec<i64>>,
    /// Known by their ids alone: whom they were about has been erased.
    erased: HashSet<Uuid>,
}

impl Stored {
    fn of(conn: &mut Connection) -> Fallible<Self> {
        let found = rows(conn, Columns { text: "status", n: "seq", ..Columns::ID }, "submissions")?;
        let submissions = found.into_iter().map(|row| (row.id, (row.n, row.text.unwrap_or_default()))).collect();
        let mut entries: HashMap<Uuid, Vec<i64>> = HashMap::new();
        for row in rows(conn, Columns { id: "ref", n: "seq", ..Columns::ID }, "log WHERE kind = 'submission'")? {
            entries.entry(row.id).or_default().push(row.n);
        }
        let erased = rows(conn, Columns::ID, "erased_submissions")?.into_iter().map(|row| row.id).collect();
        Ok(Self { submissions, entries, erased })
    }

    /// Whether a submission is there as it was acknowledged.
    fn has(&self, id: Uuid, said: &Said, history: &History) -> bool {
        let Some((seq, status)) = self.submissions.get(&id) else {
            // A restore took it away, and the ledger of erasures keeps it from coming back.
            let is_named = said.answers.iter().any(|(at, _)| history.has(*at));
            let is_kept_out = said.erased && !is_named && self.erased.contains(&id);
            if !is_kept_out {
                eprintln!("{id} is not there: {said:?}");
            }
            return is_kept_out;
        };
        let is_entered_once = self.entries.get(&id).is_some_and(|entries| entries == &[*seq]);
        let mut named = said.answers.iter().filter(|(at, _)| history.has(*at));
        let is_as_answered = named.all(|(at, answered)| (at.seq, answered) == (*seq, status));
        if !is_entered_once || !is_as_answered {
            eprintln!("{id} is there as {status} of entry {seq}, not so: {said:?}; {:?}", self.entries.get(&id));
        }
        is_entered_once && is_as_answered
    }
}

/// Meetings of which more than one record stands. By what the records say, not by the key that the program made of it.
fn doubled(conn: &mut Connection) -> Fallible<usize> {
    let columns = Columns { id: "unit_id", text: "cells", ..Columns::ID };
    let meetings = rows(conn, columns, &format!("records WHERE form = '{MEETING}' AND state = 'live'"))?;
    let (records, mut keys) = (meetings.len(), HashSet::new());
    for meeting in meetings {
        let said: Value = serde_json::from_str(meeting.text.as_deref().unwrap_or_default())?;
        let identity = &said["cells"]["identity"]["claims"][0]["value"];
        let part = |name: &str| identity[name].clone();
        if part("type") != "regular" || !part("period").is_string() {
            return Err(format!("a meeting that no phone has said: {identity}").into());
        }
        keys.insert((meeting.id, part("period").to_string(), part("sitting").to_string()));
    }
    Ok(records - keys.len())
}

/// Erased people of whom something personal is there, or the key that opens it.
fn back(conn: &mut Connection, erased: &BTreeSet<Uuid>) -> Fallible<usize> {
    let personal = rows(conn, Columns::ID, "records WHERE personal IS NOT NULL")?;
    let mut there: BTreeSet<Uuid> = personal.into_iter().map(|row| row.id).collect();
    let keys = "data_keys WHERE kind = 'person' AND wrapped IS NOT NULL";
    there.extend(rows(conn, Columns { id: "owner", ..Columns::ID }, keys)?.into_iter().map(|row| row.id));
    Ok(erased.intersection(&there).count())
}
