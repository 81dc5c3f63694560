//! The offices of the province: over the same bad links they give grants and end them, move branches from one commune to
//! another and back, put records into other branches, and erase people whom phones have reported.

use super::chance::Chance;
use super::link::{Answer, Link};
use super::tally::Event;
use super::{COMMUNES, MEETING, MET};
use crate::Fallible;
use crate::phones::branch;
use crate::province::{self, ADMIN, DEPARTMENT, PASSWORD};
use chrono::{Days, NaiveDate};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Where everybody signs in.
const SIGN_IN: &str = "/v1/auth/sign-in";
/// How long a server may take to have written all that it was asked to.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two deeds, at most.
const PAUSE_MS: u64 = 60;

/// The people of whom phones have told, and those whom the server has erased for good.
#[derive(Default)]
pub struct People {
    told: Mutex<Vec<Uuid>>,
    erased: Mutex<BTreeSet<Uuid>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl People {
    /// A phone tells of somebody.
    pub fn tell(&self, person: Uuid) {
        lock(&self.told).push(person);
    }

    /// Who has been erased, as far as the offices were told.
    pub fn erased(&self) -> BTreeSet<Uuid> {
        lock(&self.erased).clone()
    }

    fn pick(&self, chance: &mut Chance) -> Option<Uuid> {
        let told = lock(&self.told);
        (!told.is_empty()).then(|| *chance.pick(&told))
    }
}

/// Somebody who sits in an office.
struct Official {
    login: &'static str,
    token: Option<String>,
}

impl Official {
    fn new(login: &'static str) -> Self {
        Self { login, token: None }
    }

    /// Asks as this person, who signs in first when that is needed. None when nothing came of it.
    fn ask(&mut self, link: &Link, path: &str, body: Option<&Value>, chance: &mut Chance) -> Option<Answer> {
        if self.token.is_none() {
            self.token = self.sign_in(link, chance);
        }
        let token = self.token.as_deref()?;
        let answer = match body {
            Some(body) => link.post(path, Some(token), body, chance),
            None => link.get(path, Some(token), chance),
        }?;
        if answer.status == 401 {
            self.token = None;
            return None;
        }
        Some(answer)
    }

    fn credentials(&self) -> Value {
        json!({"username": self.login, "password": PASSWORD, "device": {"name": "office"}})
    }

    fn sign_in(&self, link: &Link, chance: &mut Chance) -> Option<String> {
        #[derive(Deserialize)]
        struct SignedIn {
            access_token: String,
        }
        let answer = link.post(SIGN_IN, None, &self.credentials(), chance)?;
        serde_json::from_slice::<SignedIn>(&answer.body).ok().map(|answer| answer.access_token)
    }
}

/// A grant, as it is listed.
#[derive(Deserialize)]
struct Listed {
    id: Uuid,
    role: String,
    unit: Uuid,
}

/// The administrator, and the department that may erase and put records elsewhere.
pub struct Office {
    admin: Official,
    department: Official,
    /// The day of the next move: each is later than any before it.
    day: NaiveDate,
}

impl Office {
    /// Nothing has been done yet.
    pub fn open() -> Self {
        let day = NaiveDate::from_ymd_opt(2010, 1, 1).unwrap_or_default();
        Self { admin: Official::new(ADMIN), department: Official::new(DEPARTMENT), day }
    }

    /// Works until all comes to rest.
    pub fn work(&mut self, link: &Link, people: &People, chance: &mut Chance) -> Fallible<()> {
        while !link.rests() {
            match chance.below(10) {
                0..=3 => self.change_grants(link, chance)?,
                4..=5 => self.move_branch(link, chance)?,
                6..=7 => self.move_record(link, people, chance)?,
                _ => self.erase_somebody(link, people, chance)?,
            }
            sleep(Duration::from_millis(chance.below(PAUSE_MS)));
        }
        Ok(())
    }

    /// Waits until each server has written all that it was ever asked to, also for those who did not wait for its answer: a
    /// change that is made in its turn comes after them.
    pub fn close(&self, link: &Link) -> Fallible<()> {
        for address in link.stage.addresses() {
            let begun = Instant::now();
            let has_signed_in =
                || link.post_to(address, SIGN_IN, &self.admin.credentials()).is_some_and(|answer| answer.status == 200);
            while !has_signed_in() {
                if begun.elapsed() > PATIENCE {
                    return Err(format!("{address} does not write").into());
                }
                sleep(Duration::from_millis(PAUSE_MS));
            }
        }
        Ok(())
    }

    /// Gives a reporter a grant or ends one; of one commune the reporter keeps what they have.
    fn change_grants(&mut self, link: &Link, chance: &mut Chance) -> Fallible<()> {
        let commune = 1 + usize::try_from(chance.below(COMMUNES as u64 - 1))?;
        let user = province::user(commune);
        let path = format!("/v1/grants?user={user}&state=holds&limit=50");
        let Some(answer) = self.admin.ask(link, &path, None, chance).filter(|answer| answer.status == 200) else {
            return Ok(());
        };
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Listed>,
        }
        let held = serde_json::from_slice::<Page>(&answer.body)?.items;
        let of = |ahead: usize| (commune + ahead) % COMMUNES;
        let wanted = [
            ("cadre", province::committee(commune)),
            ("cadre", province::committee(of(1))),
            ("liaison", province::committee(of(2))),
            ("cadre", branch(of(3), 0)),
        ];
        if chance.percent(50) && !held.is_empty() {
            let path = format!("/v1/grants/{}/end", chance.pick(&held).id);
            let answer = self.admin.ask(link, &path, Some(&json!({})), chance);
            return noted(link, answer, Event::GrantEnded, 200, &[422, 404]);
        }
        let (role, unit) = *chance.pick(&wanted);
        if held.iter().any(|held| (held.role.as_str(), held.unit) == (role, unit)) {
            return Ok(());
        }
        let body = json!({"user": user, "role": role, "unit": unit});
        let answer = self.admin.ask(link, "/v1/grants", Some(&body), chance);
        noted(link, answer, Event::GrantGiven, 201, &[422])
    }

    fn move_branch(&mut self, link: &Link, chance: &mut Chance) -> Fallible<()> {
        let to = usize::try_from(chance.below(COMMUNES as u64))?;
        let unit = some_branch(chance)?;
        self.day = self.day + Days::new(1);
        let body = json!({"parent": province::committee(to), "on": self.day});
        let answer = self.admin.ask(link, &format!("/v1/units/{unit}/move"), Some(&body), chance);
        noted(link, answer, Event::BranchMoved, 200, &[422])
    }

    /// A meeting or a person goes to another branch, unless that has one like it, or they are there already.
    fn move_record(&mut self, link: &Link, people: &People, chance: &mut Chance) -> Fallible<()> {
        let record = if chance.percent(50) { people.pick(chance) } else { self.some_meeting(link, chance)? };
        let Some(record) = record else { return Ok(()) };
        let body = json!({"unit": some_branch(chance)?, "reason": "Báo cáo nhầm chi bộ"});
        let answer = self.department.ask(link, &format!("/v1/records/{record}/move"), Some(&body), chance);
        noted(link, answer, Event::RecordMoved, 200, &[404, 409, 422])
    }

    fn some_meeting(&mut self, link: &Link, chance: &mut Chance) -> Fallible<Option<Uuid>> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Meeting>,
        }
        #[derive(Deserialize)]
        struct Meeting {
            id: Uuid,
        }
        let path = format!("/v1/records?form={MEETING}&limit=100");
        let answer = self.department.ask(link, &path, None, chance).filter(|answer| answer.status == 200);
        let Some(answer) = answer else { return Ok(None) };
        let found = serde_json::from_slice::<Page>(&answer.body)?.items;
        Ok((!found.is_empty()).then(|| chance.pick(&found).id))
    }

    fn erase_somebody(&mut self, link: &Link, people: &People, chance: &mut Chance) -> Fallible<()> {
        let Some(person) = people.pick(chance) else { return Ok(()) };
        let path = format!("/v1/records/{person}/erasure");
        let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
        let answer = self.department.ask(link, &path, Some(&reason), chance);
        // Erased already: perhaps that answer was not heard.
        if answer.as_ref().is_some_and(|answer| [200, 409].contains(&answer.status)) {
            lock(&people.erased).insert(person);
        }
        noted(link, answer, Event::PersonErased, 200, &[409, 404])
    }
}

fn some_branch(chance: &mut Chance) -> Fallible<Uuid> {
    let commune = usize::try_from(chance.below(COMMUNES as u64))?;
    Ok(branch(commune, usize::try_from(chance.below(MET as u64))?))
}

/// Counts what was done. What is refused for a good reason is nobody's fault; any other refusal is.
fn noted(link: &Link, answer: Option<Answer>, event: Event, done: u16, refused: &[u16]) -> Fallible<()> {
    match answer {
        Some(answer) if answer.status == done => link.tally.count(event),
        Some(Answer { status, body, .. }) if status < 500 && status != 429 && !refused.contains(&status) => {
            return Err(format!("{}: {status}: {}", event.name(), String::from_utf8_lossy(&body)).into());
        }
        _ => {}
    }
    Ok(())
}
