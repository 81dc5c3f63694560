//! Puts a generated province into an empty store: units, accounts and grants as the command line does it, and every
//! report through the push code, batch by batch, as if the phones had sent them at the time.

use super::found_units::{Founding, FoundingRefusal, found_units};
use super::push::outcome::{ItemResult, Pushed, Status};
use super::push::said::{Origin, Said};
use super::push::{Prepared, PushRefusal, Turn, push_submissions, reference_now};
use crate::demo::{Batch, Expected, Province};
use crate::security::password::NO_PASSWORD;
use crate::state::App;
use indicatif::{ProgressBar, ProgressStyle};
use muong_domain::access::Authority;
use muong_store::grants::NewGrant;
use muong_store::units::Coverage;
use muong_store::users::NewUser;
use muong_store::{Outcome, StoreError, Writer, WriterError, devices, grants, users};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// How many batches may wait for the writer while the next is made: they then share a transaction.
const AHEAD: usize = 32;
/// The right by which a province is set up.
const OPERATOR: Authority = Authority::operator_of_the_server();

/// Why it is not filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The writer.
    #[error("the database: {0}")]
    Writer(#[from] WriterError),
    /// The province does not fit: a fault of the generator, or a store that is not empty.
    #[error("the sample data was refused: {0}")]
    Refused(String),
}

/// What was put in, by status.
#[derive(Debug, Default)]
pub struct Tally {
    statuses: BTreeMap<&'static str, usize>,
    unexpected: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{status} {count}")).collect();
        write!(f, "{}", parts.join(" · "))?;
        if self.unexpected > 0 { write!(f, " · answered otherwise than foreseen {}", self.unexpected) } else { Ok(()) }
    }
}

/// Whether the store has units.
pub fn is_filled(app: &App) -> Result<bool, StoreError> {
    let reference = reference_now(&app.database, &app.reference)?;
    Ok(reference.units.iter().next().is_some())
}

/// Fills the store behind `app`, with a progress bar on the terminal.
pub fn fill_province(app: &App, province: &Province, password_hash: &str) -> Result<Tally, FillError> {
    found(app, province)?;
    hire(app, province, password_hash)?;
    let bar = ProgressBar::new(province.submissions());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} reports, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    let mut tally = Tally::default();
    let mut ahead = VecDeque::new();
    for batch in province.batches() {
        if ahead.len() == AHEAD {
            finish(&mut ahead, &mut tally, &bar)?;
        }
        ahead.push_back(send(app, batch)?);
    }
    while !ahead.is_empty() {
        finish(&mut ahead, &mut tally, &bar)?;
    }
    bar.finish_and_clear();
    Ok(tally)
}

fn found(app: &App, province: &Province) -> Result<(), FillError> {
    let layout = &province.layout;
    let coverage = layout.coverage.iter().map(|&(branch, village, from)| Coverage { branch, village, from }).collect();
    let founding = Founding { units: layout.units.clone(), coverage };
    let shared = app.clone();
    let founded = app.writer.write(1, move |tx| found_units(tx, &shared.reference, &OPERATOR, &founding))?;
    match founded {
        Outcome::Commit(_) => Ok(()),
        Outcome::Refuse(FoundingRefusal::Exists(unit)) => Err(FillError::Refused(format!("unit {unit} exists"))),
        Outcome::Refuse(FoundingRefusal::Faulty(faults)) => Err(FillError::Refused(format!("{faults:?}"))),
    }
}

fn hire(app: &App, province: &Province, password_hash: &str) -> Result<(), FillError> {
    let staff = &province.staff;
    let new_users: Vec<NewUser> = (staff.accounts.iter())
        .map(|account| NewUser {
            id: account.id,
            username: account.username.clone(),
            display_name: account.display_name.clone(),
            password_hash: if account.signs_in { password_hash } else { NO_PASSWORD }.to_owned(),
        })
        .collect();
    let given: Vec<NewGrant> = (staff.grants.iter())
        .map(|g| NewGrant {
            id: g.id,
            user: g.user,
            role: g.role,
            unit: g.unit,
            valid_from: g.valid_from,
            valid_to: g.valid_to,
        })
        .collect();
    let phones = staff.devices.clone();
    let hired = app.writer.write(1, move |tx| {
        for user in &new_users {
            if users::add(tx, &OPERATOR, user)?.is_err() {
                return Ok(Outcome::Refuse(format!("user {} exists", user.username.as_str())));
            }
        }
        for phone in &phones {
            devices::register(tx, phone.id, phone.user, &phone.name, None)?;
        }
        for grant in &given {
            if let Err(refusal) = grants::add(tx, &OPERATOR, grant)? {
                return Ok(Outcome::Refuse(format!("grant {}: {refusal:?}", grant.id)));
            }
        }
        Ok(Outcome::Commit(()))
    })?;
    match hired {
        Outcome::Commit(()) => Ok(()),
        Outcome::Refuse(why) => Err(FillError::Refused(why)),
    }
}

/// A batch on its way, and what it should come to.
struct Sent {
    answer: Answer,
    expected: BTreeMap<muong_domain::id::SubmissionId, Expected>,
    count: u64,
}

type Answer = tokio::sync::oneshot::Receiver<Result<Outcome<Pushed, PushRefusal>, WriterError>>;

fn send(app: &App, batch: Batch) -> Result<Sent, FillError> {
    let Batch { pushed_by, device, received_at, submissions, expected } = batch;
    let reference = reference_now(&app.database, &app.reference)?;
    let said = submissions.iter().map(|submission| {
        let text = serde_json::to_vec(submission).expect("a submission serialises");
        Said::read(&text, &app.config.limits)
    });
    let origin = Origin { user: pushed_by, device, client: Some("demo".to_owned()), sent_at: Some(received_at) };
    let mut prepared = Prepared::new(origin, said.collect(), &reference, received_at);
    let (shared, count) = (app.clone(), submissions.len());
    let answer = Writer::submit(&app.writer, count, move |tx| {
        tx.set_received_at(received_at);
        let actor = Arc::new(grants::actor(tx, pushed_by)?);
        push_submissions(tx, &shared.reference, Turn { actor, push: &mut prepared })
    })?;
    Ok(Sent { answer, expected, count: count as u64 })
}

fn finish(ahead: &mut VecDeque<Sent>, tally: &mut Tally, bar: &ProgressBar) -> Result<(), FillError> {
    let Some(Sent { answer, expected, count }) = ahead.pop_front() else { return Ok(()) };
    let pushed = match answer.blocking_recv().unwrap_or(Err(WriterError::Stopped))? {
        Outcome::Commit(pushed) => pushed,
        Outcome::Refuse(refusal) => return Err(FillError::Refused(format!("{refusal:?}"))),
    };
    for result in &pushed.results {
        let (id, status) = match result {
            ItemResult::Recorded(recorded) => (recorded.id, recorded.status.as_str()),
            ItemResult::Duplicate(original, _) => (original.id, "duplicate"),
            ItemResult::Erased(id) => (*id, "duplicate"),
            ItemResult::Deferred { id, .. } => (*id, "deferred"),
        };
        *tally.statuses.entry(status).or_default() += 1;
        if !is_foreseen(status, expected.get(&id)) {
            tally.unexpected += 1;
            tracing::debug!(submission = %id, status, "a sample was answered otherwise than foreseen");
        }
    }
    bar.inc(count);
    Ok(())
}

/// What is not marked goes in: a new record is accepted, an edit merged.
fn is_foreseen(status: &str, expected: Option<&Expected>) -> bool {
    let foreseen = match expected {
        None => return [Status::Accepted.as_str(), Status::Merged.as_str()].contains(&status),
        Some(Expected::Merged) => Status::Merged.as_str(),
        Some(Expected::Conflict) => Status::Conflict.as_str(),
        Some(Expected::Rejected { .. }) => Status::Rejected.as_str(),
        Some(Expected::Forbidden) => Status::Forbidden.as_str(),
        Some(Expected::Duplicate) => "duplicate",
    };
    status == foreseen
}
