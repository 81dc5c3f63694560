//! The oracle: asks the database itself, past the program. Every submission that was acknowledged is there as the entry that
//! was named, once, and nothing that nobody said; whatever was said, acknowledged or not, has had its effect once at most; no
//! value is gone, and no meeting stands twice; the log is whole, and rebuilds the same store; each phone holds what its user
//! may see, and was never told of anything else.

use super::asked::{Columns, rows};
use super::crew::Notes;
use super::history::History;
use super::journal::{At, Said, all_said};
use super::sights::{self, Sights};
use super::values;
use super::{COMMUNES, MEETING, PERSON};
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
    /// Submissions, owed or not, that have had an effect more than once; and meetings that stand more than once.
    pub doubled: usize,
    /// Submissions, owed or not, that are there without their entry in the log, or the other way round.
    pub torn: usize,
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
    pub fn named(&self) -> [(&'static str, usize); 11] {
        [
            ("lost", self.lost),
            ("values gone", self.gone),
            ("doubled", self.doubled),
            ("half there", self.torn),
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
        doubled: said.keys().filter(|id| stored.is_doubled(**id)).count() + doubled(&mut conn)?,
        torn: said.keys().filter(|id| stored.is_torn(**id)).count(),
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

/// The submissions, as the database has them; and what has come of each, wherever that shows.
#[derive(Default)]
struct Stored {
    /// With the entry that recorded each, and how it was answered.
    submissions: HashMap<Uuid, (i64, String)>,
    /// The entries of the log that name each.
    entries: HashMap<Uuid, Vec<i64>>,
    /// Where it is named as having said something: in which records, as which entries.
    written: HashMap<Uuid, BTreeSet<(Uuid, i64)>>,
    /// Those that wait in quarantine.
    waiting: HashSet<Uuid>,
    /// How many records an entry has made.
    made: HashMap<i64, usize>,
    /// How many records the feed tells of as changed by an entry.
    told: HashMap<i64, usize>,
    /// Known by their ids alone: whom they were about has been erased.
    erased: HashSet<Uuid>,
}

impl Stored {
    fn of(conn: &mut Connection) -> Fallible<Self> {
        let found = rows(conn, Columns { text: "status", n: "seq", ..Columns::ID }, "submissions")?;
        let submissions = found.into_iter().map(|row| (row.id, (row.n, row.text.unwrap_or_default()))).collect();
        let mut stored = Self { submissions, ..Self::default() };
        for row in rows(conn, Columns { id: "ref", n: "seq", ..Columns::ID }, "log WHERE kind = 'submission'")? {
            stored.entries.entry(row.id).or_default().push(row.n);
        }
        for row in rows(conn, Columns { text: "cells", n: "created_seq", ..Columns::ID }, "records")? {
            *stored.made.entry(row.n).or_default() += 1;
            for (seq, submission) in writers(row.text.as_deref().unwrap_or_default())? {
                stored.written.entry(submission).or_default().insert((row.id, seq));
            }
        }
        let of_records = format!("feed WHERE kind IN ('{MEETING}', '{PERSON}')");
        for row in rows(conn, Columns { n: "seq", ..Columns::ID }, &of_records)? {
            *stored.told.entry(row.n).or_default() += 1;
        }
        let waiting = Columns { id: "submission_id", ..Columns::ID };
        let waiting = rows(conn, waiting, "quarantine WHERE closed_seq IS NULL")?;
        stored.waiting = waiting.into_iter().map(|row| row.id).collect();
        stored.erased = rows(conn, Columns::ID, "erased_submissions")?.into_iter().map(|row| row.id).collect();
        Ok(stored)
    }

    /// Whether a submission has had an effect more than once: by the log, by what stands in records or waits, by the records
    /// that were made, by what the feed tells. Not by the table of submissions, whose key forbids it.
    fn is_doubled(&self, id: Uuid) -> bool {
        let entries = self.entries.get(&id).map(Vec::as_slice).unwrap_or_default();
        let of_entries =
            |counted: &HashMap<i64, usize>| -> usize { entries.iter().filter_map(|seq| counted.get(seq)).sum() };
        let stands = self.written.get(&id).map_or(0, BTreeSet::len) + usize::from(self.waiting.contains(&id));
        let effects = [entries.len(), stands, of_entries(&self.made), of_entries(&self.told)];
        let is_doubled = effects.iter().any(|times| *times > 1);
        if is_doubled {
            eprintln!("{id} was taken in more than once: as {entries:?}, {:?}", self.written.get(&id));
        }
        is_doubled
    }

    /// Whether a part of a submission is there without the rest.
    fn is_torn(&self, id: Uuid) -> bool {
        let is_there = self.submissions.contains_key(&id);
        let has_effect = self.written.contains_key(&id) || self.waiting.contains(&id);
        let is_torn = is_there != self.entries.contains_key(&id) || (has_effect && !is_there);
        if is_torn {
            eprintln!("of {id} a part is there without the rest");
        }
        is_torn
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

/// Who has said what a record claims, by entry.
fn writers(cells: &str) -> Fallible<Vec<(i64, Uuid)>> {
    let cells: Value = serde_json::from_str(cells)?;
    let writer = |(seq, writer): (&String, &Value)| -> Fallible<(i64, Uuid)> {
        let submission = writer["submission"].as_str().ok_or("a writer without a submission")?;
        Ok((seq.parse()?, submission.parse()?))
    };
    cells["writers"].as_object().into_iter().flatten().map(writer).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(1);

    /// A store with one submission, recorded as entry 5, which made and changed one record.
    fn stored() -> Stored {
        let mut stored = Stored::default();
        stored.submissions.insert(ID, (5, "accepted".to_owned()));
        stored.entries.insert(ID, vec![5]);
        stored.written.insert(ID, BTreeSet::from([(Uuid::from_u128(7), 5)]));
        stored.made.insert(5, 1);
        stored.told.insert(5, 1);
        stored
    }

    #[test]
    fn whatever_a_submission_has_done_twice_is_found() {
        assert!(!stored().is_doubled(ID) && !stored().is_torn(ID));
        assert!(!stored().is_doubled(Uuid::from_u128(2)), "it never arrived");
        let twice: [fn(&mut Stored); 6] = [
            |stored| stored.entries.entry(ID).or_default().push(9),
            |stored| stored.written.entry(ID).or_default().extend([(Uuid::from_u128(8), 5)]),
            |stored| stored.written.entry(ID).or_default().extend([(Uuid::from_u128(7), 9)]),
            |stored| stored.waiting.extend([ID]),
            |stored| stored.made.extend([(5, 2)]),
            |stored| stored.told.extend([(5, 2)]),
        ];
        for (at, twice) in twice.into_iter().enumerate() {
            let mut stored = stored();
            twice(&mut stored);
            assert!(stored.is_doubled(ID), "the {at}th way");
        }
    }

    #[test]
    fn half_a_submission_is_found() {
        let parts: [fn(&mut Stored); 2] =
            [|stored| drop(stored.submissions.remove(&ID)), |stored| drop(stored.entries.remove(&ID))];
        for gone in parts {
            let mut stored = stored();
            gone(&mut stored);
            assert!(stored.is_torn(ID));
        }
    }

    #[test]
    fn who_wrote_is_read_as_the_store_has_it() {
        let cells = format!(r#"{{"cells":{{}},"writers":{{"5":{{"submission":"{ID}","device":"{ID}","n":1}}}}}}"#);
        assert_eq!(writers(&cells).unwrap(), [(5, ID)]);
        assert!(writers("{}").unwrap().is_empty());
    }
}
