//! Simulated phones: who they are, and what their users report. Where only the server is to be measured, a push is written
//! to the last byte before the clock of a measure starts; where a phone's whole sync is, the reference phone makes it of the
//! same reports. Repeats itself from run to run. Knows no socket and no clock.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use muong_phone::{Draft, Phone as Reference};
use std::fmt::Write;
use uuid::Uuid;

/// Committees of communes; each has one reporter, whose grant covers its branches.
pub const COMMUNES: usize = 64;
/// Phones of one reporter.
const PHONES_EACH: usize = 8;
/// All phones: more than connections, as behind a proxy.
pub const PHONES: usize = COMMUNES * PHONES_EACH;
/// Branches that one phone reports for.
const BRANCHES_EACH: usize = 4;
/// Branches of one commune.
pub const BRANCHES: usize = PHONES_EACH * BRANCHES_EACH;

/// What may be held several times; with the day it is the natural key of a meeting.
const TYPES: [&str; 3] = ["thematic", "extraordinary", "congress"];
/// How long a phone may have been without a signal. Ids are as old as that, so they arrive scattered.
const AWAY_MS: u64 = 3 * 24 * 3600 * 1000;

/// What phones call themselves.
pub const CLIENT: &str = "muong-bench/1.0";
/// Of a hundred reports that the reference phone carries, so many go over a link that breaks before the answer has come: few,
/// so that figures stay those of the others.
const LINKS_BREAK: u64 = 2;
/// Of a hundred such reports, so many are from a phone whose clock is off.
const CLOCKS_OFF: u64 = 5;
/// How far it is off, in days: a battery that was empty, a day set wrongly, and years ahead of every server.
const OFF_DAYS: [i64; 4] = [-4_000, -1, 1, 1_200];

/// How fast all phones together report, by their own clocks. Ids are as old as their phones were away: the faster it goes,
/// the more ids the newest may lie among.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Everybody at once: 1,000,000 in three days.
    Rush,
    /// Year in, year out, as 250,000 branches do with two reports a month: 1,000,000 in two months.
    Steady,
}

impl Pace {
    /// How far apart two submissions of all phones are.
    const fn apart_ms(self) -> u64 {
        match self {
            Self::Rush => 250,
            Self::Steady => 5_000,
        }
    }

    /// When the submission of this number among all is sent, by the phones' clocks: ten million end before the year 2026 does.
    fn arrival(self, number: u64) -> DateTime<Utc> {
        let begin = match self {
            Self::Rush => 1_767_225_600_000,   // with 2026
            Self::Steady => 1_735_689_600_000, // with 2025
        };
        let millis = begin + AWAY_MS + number * self.apart_ms();
        DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or_default()
    }
}

/// A phone that has signed in.
#[derive(Clone, Debug)]
pub struct Phone {
    pace: Pace,
    number: usize,
    device: Uuid,
    token: String,
    /// How many submissions it has numbered.
    numbered: u64,
    /// How many records it has created.
    created: u64,
}

/// A report as its user has filled it in, and what is wrong with the phone that is to send it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The id of the submission.
    pub id: Uuid,
    /// What it says.
    pub draft: Draft,
    /// When it is sent, by the phone's own clock (RFC 3339).
    pub sent_at: String,
    /// Whether that clock is off.
    pub clock_is_off: bool,
    /// Whether the link breaks before the answer has come.
    pub link_breaks: bool,
}

/// What stood in the store when an edit was made.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The history.
    pub epoch: Uuid,
    /// The last entry of the log.
    pub head: i64,
}

/// The unit of a branch, by its commune and its number there.
pub fn branch(commune: usize, number: usize) -> Uuid {
    Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_0001_0000 + (commune * BRANCHES + number) as u128)
}

impl Phone {
    /// The phone of this number, with what it was given when it signed in.
    pub fn new(number: usize, device: Uuid, token: String) -> Self {
        Self { pace: Pace::Rush, number, device, token, numbered: 0, created: 0 }
    }

    /// The same at another pace, before it has said anything.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Which one it is.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How many records it has created.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// What authorises its requests.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The reference phone as which it goes on, with an empty copy. One at a time, since both number what they send.
    pub fn reference(&self) -> Reference {
        Reference::new(self.device, CLIENT).numbered_up_to(i64::try_from(self.numbered).unwrap_or(i64::MAX))
    }

    /// A new report for the reference phone to carry: what [`Phone::creates`] writes, but for clocks that are off.
    pub fn report(&mut self) -> Report {
        let luck = mix(mix(self.number as u64, self.created), 5);
        let off = (luck >> 32) % 100 < CLOCKS_OFF;
        let days = if off { OFF_DAYS[usize::try_from(luck >> 16 & 3).unwrap_or_default()] } else { 0 };
        self.numbered += 1;
        let at = self.pace.arrival(self.moment()) + TimeDelta::days(days);
        let draft = self.meeting(self.created).draft().with("captured_at", captured(at));
        self.created += 1;
        Report {
            id: self.submission(at),
            draft,
            sent_at: instant(at),
            clock_is_off: off,
            link_breaks: luck % 100 < LINKS_BREAK,
        }
    }

    /// A push of so many new reports, as the bytes of a whole request. Written without the reference phone: under the load of
    /// pushes, which is compared with floors, the generator has to cost nothing while the clock runs, and no answer is read
    /// further than to its statuses.
    pub fn creates(&mut self, count: usize) -> Vec<u8> {
        self.push(count, |phone, out| {
            phone.create(phone.created, out);
            phone.created += 1;
        })
    }

    /// A push that corrects reports which it created, each once, from the one numbered `first` on.
    pub fn edits(&mut self, first: u64, count: usize, seen: Seen) -> Vec<u8> {
        let mut k = first;
        self.push(count, |phone, out| {
            phone.edit(k, seen, out);
            k += 1;
        })
    }

    fn push(&mut self, count: usize, mut say: impl FnMut(&mut Self, &mut String)) -> Vec<u8> {
        let mut body = String::with_capacity(200 + count * 760);
        let sent_at = self.pace.arrival(self.moment());
        write!(
            body,
            r#"{{"protocol":1,"device":"{}","client":"{CLIENT}","sent_at":"{}","submissions":["#,
            self.device,
            instant(sent_at),
        )
        .expect("text can be written");
        for n in 0..count {
            if n > 0 {
                body.push(',');
            }
            self.numbered += 1;
            say(self, &mut body);
        }
        body.push_str("]}");
        post(&self.token, &body)
    }

    /// How many submissions the whole province has made by now, about.
    fn moment(&self) -> u64 {
        self.numbered * PHONES as u64 + self.number as u64
    }

    /// What does not change about a report of this phone: so an edit can say what it saw.
    fn meeting(&self, k: u64) -> Meeting {
        let chance = mix(self.number as u64, k);
        let slot = k / BRANCHES_EACH as u64;
        let of_phone = usize::try_from(k % BRANCHES_EACH as u64).unwrap_or_default();
        let (commune, number) = (self.number / PHONES_EACH, self.number % PHONES_EACH * BRANCHES_EACH + of_phone);
        let first_day = NaiveDate::from_ymd_opt(2015, 1, 1).expect("a day");
        let official = 10 + chance % 30;
        Meeting {
            record: id(mix(chance, 1), self.pace.arrival(k * PHONES as u64 + self.number as u64)),
            unit: branch(commune, number),
            held_on: first_day + Days::new(slot / 3 % 4_000),
            kind: TYPES[usize::try_from(slot % 3).unwrap_or_default()],
            official,
            probationary: chance >> 8 & 3,
            excused: chance >> 16 & 3,
            unexcused: chance >> 24 & 1,
        }
    }

    fn create(&self, k: u64, out: &mut String) {
        let Meeting { record, unit, held_on, kind, official, probationary, excused, unexcused } = self.meeting(k);
        let on_roll = official + probationary;
        self.envelope("create", record, unit, out);
        write!(
            out,
            concat!(
                r#","set":{{"period":{{"to":"{}"}},"type":{{"to":"{}"}},"held":{{"to":true}},"held_on":{{"to":"{}"}},"#,
                r#""started":{{"to":"19:30"}},"ended":{{"to":"21:15"}},"on_roll":{{"to":{}}},"official":{{"to":{}}},"#,
                r#""probationary":{{"to":{}}},"present":{{"to":{}}},"excused":{{"to":{}}},"unexcused":{{"to":{}}}}}}}"#,
            ),
            held_on.format("%Y-%m"),
            kind,
            held_on,
            on_roll,
            official,
            probationary,
            on_roll - excused - unexcused,
            excused,
            unexcused,
        )
        .expect("text can be written");
    }

    /// It ended later, and the place was forgotten.
    fn edit(&self, k: u64, seen: Seen, out: &mut String) {
        let Meeting { record, unit, .. } = self.meeting(k);
        self.envelope("edit", record, unit, out);
        write!(
            out,
            concat!(
                r#","base":{{"epoch":"{}","v":{}}},"set":{{"started":{{"from":"19:30","to":"19:30"}},"#,
                r#""ended":{{"from":"21:15","to":"21:40"}},"place":{{"from":null,"to":"Nhà văn hóa bản"}}}}}}"#,
            ),
            seen.epoch, seen.head,
        )
        .expect("text can be written");
    }

    fn envelope(&self, kind: &str, record: Uuid, unit: Uuid, out: &mut String) {
        let at = self.pace.arrival(self.moment());
        write!(
            out,
            concat!(
                r#"{{"id":"{}","n":{},"kind":"{}","form":"branch_meeting","form_version":1,"#,
                r#""record":"{}","unit":"{}","captured_at":"{}""#,
            ),
            self.submission(at),
            self.numbered,
            kind,
            record,
            unit,
            captured(at),
        )
        .expect("text can be written");
    }

    /// The id of what it numbered last.
    fn submission(&self, at: DateTime<Utc>) -> Uuid {
        id(mix(self.number as u64, self.numbered << 20 | 0xf_ffff), at)
    }
}

struct Meeting {
    record: Uuid,
    unit: Uuid,
    held_on: NaiveDate,
    kind: &'static str,
    official: u64,
    probationary: u64,
    excused: u64,
    unexcused: u64,
}

impl Meeting {
    /// The report of it, as [`Phone::create`] writes it.
    fn draft(&self) -> Draft {
        let Self { record, unit, held_on, kind, official, probationary, excused, unexcused } = *self;
        let on_roll = official + probationary;
        Draft::create("branch_meeting", 1, record, unit)
            .to("period", held_on.format("%Y-%m").to_string())
            .to("type", kind)
            .to("held", true)
            .to("held_on", held_on.to_string())
            .to("started", "19:30")
            .to("ended", "21:15")
            .to("on_roll", on_roll)
            .to("official", official)
            .to("probationary", probationary)
            .to("present", on_roll - excused - unexcused)
            .to("excused", excused)
            .to("unexcused", unexcused)
    }
}

/// An instant in UTC.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The same as a phone in Hanoi writes it.
fn captured(at: DateTime<Utc>) -> String {
    (at + TimeDelta::hours(7)).format("%Y-%m-%dT%H:%M:%S+07:00").to_string()
}

/// A push, as a whole request.
fn post(token: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /v1/sync/push HTTP/1.1\r\nhost: localhost\r\nuser-agent: muong-bench/1.0\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// The same body to another path of another server.
pub fn redirected(request: &[u8], path: &str) -> Vec<u8> {
    let end = memchr::memchr(b'\r', request).unwrap_or(request.len());
    [format!("POST {path} HTTP/1.1").as_bytes(), &request[end..]].concat()
}

/// A question without a body.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: muong-bench/1.0\r\n{authorization}\r\n").into_bytes()
}

/// An id in the layout of a UUIDv7, made at some time before it is sent.
fn id(chance: u64, sent: DateTime<Utc>) -> Uuid {
    let made = u64::try_from(sent.timestamp_millis()).unwrap_or_default() - mix(chance, 2) % AWAY_MS;
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mix(chance, 3).to_be_bytes());
    random[8..].copy_from_slice(&mix(chance, 4).to_be_bytes()[..2]);
    uuid::Builder::from_unix_timestamp_millis(made, &random).into_uuid()
}

/// Chance that repeats itself: the finaliser of SplitMix64 over both.
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use muong_phone::{Moment, Next};
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn phone(number: usize) -> Phone {
        Phone::new(number, Uuid::from_u128(7), "token".to_owned())
    }

    fn said(request: &[u8]) -> Vec<Value> {
        let start = memchr::memmem::find(request, b"\r\n\r\n").unwrap() + 4;
        let body: Value = serde_json::from_slice(&request[start..]).unwrap();
        body["submissions"].as_array().unwrap().clone()
    }

    #[test]
    fn no_two_reports_are_of_the_same_meeting_and_no_id_comes_twice() {
        let (mut ids, mut meetings) = (BTreeSet::new(), BTreeSet::new());
        for number in [0, 1, 8, PHONES - 1] {
            let mut phone = phone(number);
            let edited = phone.clone().creates(300);
            for item in said(&phone.creates(300)).iter().chain(&said(&phone.edits(0, 300, seen()))) {
                assert!(ids.insert(item["id"].to_string()), "{item}");
                if item["kind"] == "create" {
                    assert_eq!(item["set"].as_object().unwrap().len(), 12);
                    let key = [&item["unit"], &item["set"]["type"]["to"], &item["set"]["held_on"]["to"]];
                    assert!(meetings.insert(key.map(Value::to_string)), "{item}");
                }
            }
            assert_eq!(said(&edited).len(), 300);
        }
    }

    fn seen() -> Seen {
        Seen { epoch: Uuid::from_u128(1), head: 9 }
    }

    #[test]
    fn an_edit_is_of_a_record_that_was_created() {
        let mut phone = phone(3);
        let created = said(&phone.creates(5));
        let edited = said(&phone.edits(2, 3, seen()));
        assert_eq!(created[2]["record"], edited[0]["record"]);
        assert_eq!(edited[0]["n"], 6);
    }

    /// What the reference phone pushes of so many reports, beside the reports.
    fn carried(phone: &mut Phone, count: usize) -> (Vec<Value>, Vec<Report>) {
        let mut reference = phone.reference();
        let reports: Vec<Report> = (0..count).map(|_| phone.report()).collect();
        for Report { id, draft, .. } in &reports {
            reference.say(*id, draft.clone()).unwrap();
        }
        let Next::Ask(request) = reference.next(Moment::at(0)) else { panic!("it says nothing") };
        (request.body()["submissions"].as_array().unwrap().clone(), reports)
    }

    #[test]
    fn the_reference_phone_pushes_what_is_written_without_it_but_for_clocks_that_are_off() {
        let (mut written, mut phone) = (phone(3), phone(3));
        assert_eq!(said(&written.creates(7)).len(), said(&phone.creates(7)).len());
        let (pushed, reports) = carried(&mut phone, 100);
        for ((written, pushed), report) in said(&written.creates(100)).iter().zip(&pushed).zip(&reports) {
            assert_eq!(written == pushed, !report.clock_is_off, "{pushed}");
            assert_eq!([&written["n"], &written["set"]], [&pushed["n"], &pushed["set"]]);
        }
        // What is written afterwards is numbered after it.
        assert_eq!(said(&phone.creates(1))[0]["n"], 108);
    }

    #[test]
    fn with_few_phones_something_is_wrong_and_each_kind_of_it_happens() {
        let mut phone = phone(5);
        let reports: Vec<Report> = (0..1_000).map(|_| phone.report()).collect();
        let broken = reports.iter().filter(|report| report.link_breaks).count();
        let off = reports.iter().filter(|report| report.clock_is_off).count();
        assert!((1..50).contains(&broken) && (1..100).contains(&off), "{broken} {off}");
        let years: BTreeSet<&str> = reports.iter().map(|report| &report.sent_at[..4]).collect();
        assert!(years.iter().any(|year| *year < "2016") && years.iter().any(|year| *year > "2028"), "{years:?}");
    }
}
