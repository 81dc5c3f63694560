//! The query of a GET: read by name, each value parsed here and nowhere else, everything that is wrong with it told at
//! once. Knows no parameter but the two that every list has, `limit` and `cursor`.

use super::error::Problem;
use super::page::{Cursor, PageAsked};
use actix_web::HttpRequest;
use actix_web::web::Query;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use muong_domain::refusal::Finding;
use muong_domain::text::{search_key, single_line};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::str::FromStr;
use uuid::Uuid;

/// How many items a page has unless the query says so.
pub const DEFAULT_LIMIT: usize = 50;
/// How many it may have.
pub const MAX_LIMIT: usize = 500;
/// The longest text that a filter may be, in characters: no name and no code is longer.
const MAX_TEXT: usize = 200;

/// The parameters of a query, taken one by one.
#[derive(Debug)]
pub struct Params {
    list: String,
    given: BTreeMap<String, String>,
    taken: BTreeMap<String, String>,
    faults: Vec<Finding>,
}

impl Params {
    /// Reads the query of a request.
    pub fn read(request: &HttpRequest) -> Result<Self, Problem> {
        Self::parse(request.path(), request.query_string())
    }

    /// Reads the query of a list (its path).
    pub fn parse(list: &str, query: &str) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::from_query(query);
        let pairs = pairs.map_err(|_unreadable| Problem::new("request.query_invalid"))?.into_inner();
        let mut params =
            Self { list: list.to_owned(), given: BTreeMap::new(), taken: BTreeMap::new(), faults: Vec::new() };
        for (name, value) in pairs {
            if let Some(_first) = params.given.insert(name.clone(), value) {
                params.fault("request.parameter_repeated", &name, Value::Null);
            }
        }
        Ok(params)
    }

    /// A short text of one line.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.parsed(name, json!("text"), short_line)
    }

    /// The id of something.
    pub fn id<T: From<Uuid>>(&mut self, name: &str) -> Option<T> {
        self.parsed(name, json!("reference"), |value| Uuid::try_parse(value).ok()).map(T::from)
    }

    /// A local date, as it is written in a year of four digits: chrono alone also takes signs and longer years, which the
    /// databases hold against their own dates in different ways.
    pub fn date(&mut self, name: &str) -> Option<NaiveDate> {
        let written = |value: &&str| {
            value.len() == 10
                && value.bytes().enumerate().all(|(at, byte)| match at {
                    4 | 7 => byte == b'-',
                    _ => byte.is_ascii_digit(),
                })
        };
        self.parsed(name, json!("date"), |value| {
            Some(value).filter(written).and_then(|value| NaiveDate::from_str(value).ok())
        })
    }

    /// Notes that a parameter must be given; what is answered stands for its value until the query is finished.
    pub fn required<T>(&mut self, name: &str, given: Option<T>, stand_in: T) -> T {
        if given.is_none() && !self.taken.contains_key(name) {
            self.fault("request.parameter_missing", name, Value::Null);
        }
        given.unwrap_or(stand_in)
    }

    /// A text to search names by: something must be left of it without its marks.
    pub fn name(&mut self, name: &str) -> Option<String> {
        self.parsed(name, json!("name"), |value| short_line(value).filter(|text| !search_key(text).is_empty()))
    }

    /// An instant, cut to microseconds: what is stored.
    pub fn instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.parsed(name, json!("date-time"), |value| {
            let instant = DateTime::parse_from_rfc3339(value).ok()?.to_utc();
            DateTime::from_timestamp_micros(instant.timestamp_micros()).filter(|at| (1..=9999).contains(&at.year()))
        })
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.one_of(name, &[("true", true), ("false", false)])
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let expected: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.parsed(name, json!(expected), |value| words.iter().find(|(word, _)| *word == value).map(|(_, t)| *t))
    }

    /// From which end a list goes that is in order of adding: whether from the newest.
    pub fn newest_first(&mut self) -> bool {
        self.one_of("sort", &[("added", false), ("newest", true)]).unwrap_or_default()
    }

    /// From which end a list goes that is in order of something else: whether from the last.
    pub fn descending(&mut self, by: &str) -> bool {
        let down = format!("{by}_descending");
        self.one_of("sort", &[(by, false), (&down, true)]).unwrap_or_default()
    }

    /// A code in a scheme, `scheme:code`. The code is a text: its leading zeros count.
    pub fn code(&mut self, name: &str) -> Option<(String, String)> {
        self.parsed(name, json!("scheme:code"), |value| {
            let (scheme, code) = value.split_once(':')?;
            let short = !scheme.is_empty() && !code.is_empty() && value.chars().count() <= MAX_TEXT;
            short.then(|| (scheme.to_owned(), code.to_owned()))
        })
    }

    /// Whether there is such a parameter, for a list that is one page unless asked otherwise.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// For an address that takes no parameters at all.
    pub fn finish_bare(mut self) -> Result<(), Problem> {
        self.refuse_the_rest()
    }

    /// Which page, when everything else has been taken; or all that is wrong with the query.
    pub fn finish(self) -> Result<PageAsked, Problem> {
        let (limit, after, list) = self.finish_with(|position| Uuid::from_slice(position).ok())?;
        Ok(PageAsked { limit, after, list })
    }

    /// The same for a list whose positions are no ids: how many items, after which position, and what makes the cursor.
    pub fn finish_with<T>(
        mut self,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<(usize, Option<T>, Cursor), Problem> {
        let number = |value: &str| value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = self.parsed("limit", json!(format!("1–{MAX_LIMIT}")), number);
        let cursor = self.given.remove("cursor");
        self.refuse_the_rest()?;
        self.taken.remove("limit");
        let list = Cursor::of(&self.list, &self.taken);
        let after = cursor.map(|cursor| list.position(&cursor, read)).transpose()?;
        Ok((limit.unwrap_or(DEFAULT_LIMIT), after, list))
    }

    fn refuse_the_rest(&mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.given).into_keys() {
            self.fault("request.parameter_unknown", &name, Value::Null);
        }
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Problem::new("request.query_invalid").findings(std::mem::take(&mut self.faults))),
        }
    }

    fn parsed<T>(&mut self, name: &str, expected: Value, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.given.remove(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.fault("request.parameter_invalid", name, expected);
        }
        self.taken.insert(name.to_owned(), value);
        parsed
    }

    /// The place is the parameter's name; what was sent is never repeated, since a name that is searched is personal.
    fn fault(&mut self, code: &'static str, name: &str, expected: Value) {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        let pointer = format!("/{}", shown.replace('~', "~0").replace('/', "~1"));
        let finding = Finding::new(code, pointer).with("parameter", shown);
        self.faults.push(if expected.is_null() { finding } else { finding.with("expected", expected) });
    }
}

fn short_line(value: &str) -> Option<String> {
    let text = single_line(value).ok()?;
    (!text.is_empty() && text.chars().count() <= MAX_TEXT).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse("/v1/things", query).unwrap()
    }

    #[test]
    fn every_value_is_parsed_by_its_kind() {
        let mut given = params(
            "form=branch_meeting&unit=0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72&from=2026-03-05&mine=true&code=gso:03160&limit=7",
        );
        assert_eq!(given.text("form").as_deref(), Some("branch_meeting"));
        assert!(given.id::<Uuid>("unit").is_some());
        assert_eq!(given.date("from"), NaiveDate::from_ymd_opt(2026, 3, 5));
        assert_eq!(given.flag("mine"), Some(true));
        assert_eq!(given.code("code"), Some(("gso".to_owned(), "03160".to_owned())));
        assert_eq!(given.text("absent"), None);
        let page = given.finish().unwrap();
        assert_eq!((page.limit, page.after), (7, None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_by_the_name_of_its_parameter() {
        let mut given = params("unit=x&from=05/03/2026&limit=501&colour=red&state=dead&state=live&name=%00");
        given.id::<Uuid>("unit");
        given.date("from");
        given.text("name");
        given.one_of("state", &[("live", true), ("deleted", false)]);
        let problem = given.finish().unwrap_err();
        assert_eq!(problem.code(), "request.query_invalid");
        let told = format!("{problem:?}");
        for place in ["/unit", "/from", "/limit", "/colour", "/state", "/name"] {
            assert!(told.contains(&format!("\"{place}\"")), "{place}: {told}");
        }
    }

    #[test]
    fn a_date_has_a_year_of_four_digits_and_nothing_else() {
        for (text, date) in [
            ("2026-03-05", NaiveDate::from_ymd_opt(2026, 3, 5)),
            ("%2B99999-1-1", None),
            ("-9999-1-01", None),
            ("12026-3-05", None),
            ("2026-3-005", None),
            ("2026-02-30", None),
            ("%D9%A2%D9%A0-3-05", None),
        ] {
            let mut given = params(&format!("from={text}"));
            assert_eq!(given.date("from"), date, "{text}");
            assert_eq!(given.finish().is_ok(), date.is_some(), "{text}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_list_and_filters_whatever_the_size_of_the_page() {
        let page = |query: &str| {
            let mut given = params(query);
            given.text("form");
            given.finish()
        };
        let next = page("form=a&limit=2").unwrap().next(Some(Uuid::from_u128(5))).unwrap();
        assert_eq!(page(&format!("form=a&limit=9&cursor={next}")).unwrap().after, Some(Uuid::from_u128(5)));
        for other in [format!("form=b&cursor={next}"), format!("cursor={next}"), "form=a&cursor=AAAA".to_owned()] {
            assert_eq!(page(&other).unwrap_err().code(), "request.cursor_invalid", "{other}");
        }
        assert_eq!(page("form=a").unwrap().next(None::<Uuid>), None);
    }
}
