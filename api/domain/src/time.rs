//! Local dates, months, ages and working days: arithmetic over dates that are given.
//! Knows no clock, and no rule of the domain beyond how its dates are counted.

use crate::data::{self, DataError};
use crate::refusal::Text;
use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

/// An instant cut to microseconds: what both databases keep, so that one that was sent compares as it is stored.
pub fn microseconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(instant.timestamp_micros()).unwrap_or(instant)
}

/// The first instant of a local day: seven hours before the same midnight in UTC.
pub fn first_instant(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(7)
}

/// The local date of an instant in Asia/Ho_Chi_Minh.
///
/// +07:00 without exception: Vietnam has kept it, without summer time, since 13 June 1975, and the instants here are
/// receipts and captures of this century. A time zone database would be one more thing to keep up to date for nothing.
pub fn local_date(instant: DateTime<Utc>) -> NaiveDate {
    let hanoi = FixedOffset::east_opt(7 * 3600).expect("seven hours is an offset");
    instant.with_timezone(&hanoi).date_naive()
}

/// The same day `months` later, clamped to the month's end: 31/01 + 1 = 28/02, 29/02/2024 + 12 = 28/02/2025.
///
/// At the end of the calendar's range (year 262142) it stands still, so that no typed date can make it fail.
pub fn add_months(date: NaiveDate, months: u32) -> NaiveDate {
    date.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// Completed months from `from` to `to`, clamped as [`add_months`]; negative when `to` is earlier.
pub fn months_between(from: NaiveDate, to: NaiveDate) -> i32 {
    if to < from {
        return -months_between(to, from);
    }
    let months = (to.year() - from.year()) * 12 + to.month0() as i32 - from.month0() as i32;
    if add_months(from, months.unsigned_abs()) > to { months - 1 } else { months }
}

/// Completed years from `from` to `to`, clamped as [`add_months`]; negative when `to` is earlier.
pub fn years_between(from: NaiveDate, to: NaiveDate) -> i32 {
    months_between(from, to) / 12
}

/// Whether somebody born on `birth` has completed `years` on the day `on`. A birthday of 29 February is kept on the 28th
/// in other years, so whoever was born on 29/02/2008 is 18 from 28/02/2026 on.
pub fn age_completed(birth: NaiveDate, on: NaiveDate, years: u32) -> bool {
    on >= add_months(birth, years * 12)
}

/// One calendar month, written `2026-03`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    year: i32,
    month: u32,
}

/// A text that is no month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a period is written YYYY-MM, as 2026-03")]
pub struct NotAPeriod;

impl Period {
    /// The month that `date` lies in; none outside of the years 1 to 9999, which have no written form.
    pub fn of(date: NaiveDate) -> Option<Self> {
        (1..=9999).contains(&date.year()).then(|| Self { year: date.year(), month: date.month() })
    }
    /// The first day.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("a period is a month of the years 1 to 9999")
    }
    /// The last day.
    pub fn last_day(self) -> NaiveDate {
        add_months(self.first_day(), 1).pred_opt().expect("every month has a day before the next one")
    }
    /// Whether `date` lies in the month.
    pub fn contains(self, date: NaiveDate) -> bool {
        date.year() == self.year && date.month() == self.month
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;
    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let (year, month) = text.split_once('-').ok_or(NotAPeriod)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(NotAPeriod);
        }
        let (year, month) = (year.parse().map_err(|_| NotAPeriod)?, month.parse().map_err(|_| NotAPeriod)?);
        NaiveDate::from_ymd_opt(year, month, 1).and_then(Self::of).ok_or(NotAPeriod)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl TryFrom<String> for Period {
    type Error = NotAPeriod;
    fn try_from(text: String) -> Result<Self, NotAPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Where the days of a year in the calendar come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The days off as announced for that year, exchanged days included.
    Announced,
    /// The days that the law names; the announcement of that year, with its exchanged days, is not known.
    Rule,
}

/// Which days are worked: the weekends, and the public holidays and exchanged days as the data has them.
///
/// A year that the data does not have counts its weekends only; [`Calendar::is_known`] tells, and whoever shows such a
/// figure says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    years: BTreeMap<i32, Basis>,
    off: BTreeSet<NaiveDate>,
    worked: BTreeSet<NaiveDate>,
}

const CALENDAR: &str = "calendar.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    #[serde(rename = "source")]
    _source: Text,
    years: BTreeMap<i32, YearFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct YearFile {
    basis: Basis,
    off: Vec<DayOff>,
    #[serde(default)]
    worked: Vec<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DayOff {
    on: NaiveDate,
    #[serde(rename = "name")]
    _name: Text,
}

impl Calendar {
    /// Reads `calendar.json`. A day that stands under another year, twice, or as a day off on a weekend (it would have no
    /// effect, so something else was meant) is refused, as is a worked day that is worked anyway.
    pub fn parse(json: &str) -> Result<Self, DataError> {
        let file: CalendarFile = data::parse(CALENDAR, json)?;
        let mut calendar = Self { years: BTreeMap::new(), off: BTreeSet::new(), worked: BTreeSet::new() };
        for (year, days) in file.years {
            let (off, worked) = (days.off.into_iter().map(|day| (day.on, true)), days.worked.into_iter());
            for (day, is_off) in off.chain(worked.map(|on| (on, false))) {
                calendar.add(year, day, is_off)?;
            }
            calendar.years.insert(year, days.basis);
        }
        Ok(calendar)
    }

    fn add(&mut self, year: i32, day: NaiveDate, is_off: bool) -> Result<(), DataError> {
        let list = if is_off { "off" } else { "worked" };
        let refuse = |reason: &str| Err(DataError::new(CALENDAR, format!("years/{year}/{list}: {day}"), reason));
        if day.year() != year {
            return refuse("the day belongs to another year");
        }
        if is_weekend(day) == is_off {
            return refuse(if is_off { "is a weekend already" } else { "is worked already" });
        }
        if !(if is_off { &mut self.off } else { &mut self.worked }).insert(day) {
            return refuse("stands there twice");
        }
        Ok(())
    }

    /// Whether the data has the year's public holidays.
    pub fn is_known(&self, year: i32) -> bool {
        self.years.contains_key(&year)
    }

    /// Whether the data has the public holidays of every year from one day to another.
    pub fn is_known_between(&self, from: NaiveDate, to: NaiveDate) -> bool {
        (from.year()..=to.year()).all(|year| self.is_known(year))
    }

    /// Where the year's days come from; none when the data does not have it.
    pub fn basis(&self, year: i32) -> Option<Basis> {
        self.years.get(&year).copied()
    }

    /// Whether the day is worked.
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        self.worked.contains(&day) || !(is_weekend(day) || self.off.contains(&day))
    }

    /// The `n`th working day after `day`. Day one is the day after the event, or the first working day that follows.
    pub fn working_days_after(&self, day: NaiveDate, n: u32) -> NaiveDate {
        let mut days = day.iter_days().skip(1).filter(|day| self.is_working_day(*day));
        match n.checked_sub(1) {
            None => day,
            Some(before) => days.nth(before as usize).unwrap_or(NaiveDate::MAX),
        }
    }

    /// The working days after `from` up to and including `to`; none when `to` is not later.
    ///
    /// By weeks, not by days: a typed date may lie thousands of years back, and must cost no more than another.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> u32 {
        let Ok(days) = u32::try_from((to - from).num_days()) else { return 0 };
        if days == 0 {
            return 0;
        }
        let odd_days = from.iter_days().skip(1).take((days % 7) as usize);
        let weekdays = days / 7 * 5 + count(odd_days.filter(|day| !is_weekend(*day)));
        let span = (Bound::Excluded(from), Bound::Included(to));
        weekdays + count(self.worked.range(span)) - count(self.off.range(span))
    }
}

fn count(days: impl Iterator) -> u32 {
    days.map(|_| 1u32).sum()
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day before, except at the very beginning of the calendar.
pub fn day_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A date written as people here write it: day, month, year.
    pub(crate) fn d(day: u32, month: u32, year: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a date of a test exists")
    }

    pub(crate) fn built_in() -> Calendar {
        Calendar::parse(include_str!("../../../forms/calendar.json")).expect("the built-in calendar is right")
    }

    #[test]
    fn the_local_day_begins_at_seventeen_hours_utc() {
        let at = |text: &str| local_date(text.parse().expect("an instant"));
        assert_eq!(at("2026-03-05T16:59:59.999999Z"), d(5, 3, 2026));
        assert_eq!(at("2026-03-05T17:00:00Z"), d(6, 3, 2026));
    }

    #[test]
    fn months_clamp_to_the_end() {
        assert_eq!(add_months(d(31, 1, 2026), 1), d(28, 2, 2026));
        assert_eq!(add_months(d(29, 2, 2024), 12), d(28, 2, 2025));
        assert_eq!(add_months(d(29, 2, 2024), 48), d(29, 2, 2028));
        assert_eq!(add_months(NaiveDate::MAX, 1), NaiveDate::MAX);
    }

    #[test]
    fn months_and_years_count_what_is_completed() {
        assert_eq!(months_between(d(31, 1, 2026), d(27, 2, 2026)), 0);
        assert_eq!(months_between(d(31, 1, 2026), d(28, 2, 2026)), 1);
        assert_eq!(months_between(d(28, 2, 2026), d(31, 1, 2026)), -1);
        assert_eq!(years_between(d(12, 4, 2001), d(11, 4, 2026)), 24);
        assert_eq!(years_between(d(12, 4, 2001), d(12, 4, 2026)), 25);
    }

    #[test]
    fn the_eighteenth_birthday_counts_and_the_day_before_does_not() {
        assert!(!age_completed(d(1, 3, 2008), d(28, 2, 2026), 18));
        assert!(age_completed(d(1, 3, 2008), d(1, 3, 2026), 18));
        assert!(!age_completed(d(29, 2, 2008), d(27, 2, 2026), 18));
        assert!(age_completed(d(29, 2, 2008), d(28, 2, 2026), 18));
    }

    #[test]
    fn a_period_is_one_month_in_one_spelling() {
        let march: Period = "2026-03".parse().expect("a period");
        assert!(march.contains(d(31, 3, 2026)) && !march.contains(d(1, 4, 2026)) && !march.contains(d(5, 3, 2025)));
        assert_eq!((march.first_day(), march.last_day()), (d(1, 3, 2026), d(31, 3, 2026)));
        assert_eq!(march.to_string(), "2026-03");
        assert_eq!(serde_json::to_string(&march).expect("json"), "\"2026-03\"");
        for wrong in ["2026-3", "2026-13", "2026-00", "26-03", "2026/03", "+026-03", "2026-03-01", "0000-01", ""] {
            assert_eq!(wrong.parse::<Period>(), Err(NotAPeriod), "{wrong}");
        }
    }

    #[test]
    fn working_days_step_over_the_lunar_new_year() {
        let calendar = built_in();
        // Friday 13/02/2026; the week of 16 to 20 February is off, so day one is Monday 23.
        assert_eq!(calendar.working_days_after(d(13, 2, 2026), 1), d(23, 2, 2026));
        assert_eq!(calendar.working_days_between(d(13, 2, 2026), d(23, 2, 2026)), 1);
        assert_eq!(calendar.working_days_between(d(13, 2, 2026), d(22, 2, 2026)), 0);
        assert_eq!(calendar.working_days_between(d(23, 2, 2026), d(13, 2, 2026)), 0);
        assert_eq!(calendar.working_days_after(d(14, 2, 2026), 0), d(14, 2, 2026));
        assert!(calendar.working_days_between(NaiveDate::MIN, NaiveDate::MAX) > 100_000_000);
    }

    #[test]
    fn exchanged_days_are_worked_and_days_of_compensation_are_not() {
        let calendar = built_in();
        assert!(calendar.is_working_day(d(22, 8, 2026)), "a Saturday worked for Monday 31/08");
        assert!(!calendar.is_working_day(d(31, 8, 2026)));
        assert!(!calendar.is_working_day(d(27, 4, 2026)), "for Hùng Kings' day, a Sunday");
        assert!(!calendar.is_working_day(d(3, 9, 2021)), "two days since 2021");
        assert!(calendar.is_working_day(d(3, 9, 2020)), "one day before");
    }

    #[test]
    fn a_year_without_data_counts_weekends_and_says_so() {
        let calendar = built_in();
        assert!(!calendar.is_known(2031) && calendar.basis(2031).is_none());
        assert!(!calendar.is_known_between(d(1, 12, 2027), d(5, 1, 2028)));
        assert!(calendar.is_working_day(d(1, 1, 2031)));
        assert_eq!(calendar.basis(2027), Some(Basis::Rule));
        assert!((2015..=2027).all(|year| calendar.is_known(year)));
    }

    #[test]
    fn a_wrong_calendar_is_refused_with_place_and_reason() {
        let parse = |years: &str| {
            Calendar::parse(&format!(r#"{{"source": {{"vi": "", "en": ""}}, "years": {years}}}"#))
                .expect_err("wrong")
                .to_string()
        };
        let day = |on: &str| format!(r#"{{"on": "{on}", "name": {{"vi": "", "en": ""}}}}"#);
        let off = |on: &str| format!(r#"{{"2026": {{"basis": "rule", "off": [{}]}}}}"#, day(on));
        assert_eq!(
            parse(&off("2025-01-01")),
            "calendar.json: years/2026/off: 2025-01-01: the day belongs to another year"
        );
        assert!(parse(&off("2026-02-14")).ends_with("is a weekend already"));
        assert!(parse(&off("2026-02-30")).contains("line 1, column"));
        assert!(
            parse(r#"{"2026": {"basis": "rule", "off": [], "worked": ["2026-02-13"]}}"#).contains("worked already")
        );
        let twice = format!(r#"{{"2026": {{"basis": "rule", "off": [{0}, {0}]}}}}"#, day("2026-01-01"));
        assert!(parse(&twice).ends_with("twice"));
    }

    fn any_day() -> impl Strategy<Value = NaiveDate> {
        (0u64..9000).prop_map(|n| d(1, 1, 2010).checked_add_days(Days::new(n)).expect("in range"))
    }

    proptest! {
        #[test]
        fn the_nth_working_day_is_n_working_days_away(day in any_day(), n in 1u32..120) {
            let calendar = built_in();
            let reached = calendar.working_days_after(day, n);
            prop_assert!(calendar.is_working_day(reached));
            prop_assert_eq!(calendar.working_days_between(day, reached), n);
            prop_assert_eq!(calendar.working_days_between(day, day_before(reached)), n - 1);
            let one_by_one = day.iter_days().skip(1).take_while(|day| *day <= reached);
            prop_assert_eq!(one_by_one.filter(|day| calendar.is_working_day(*day)).count(), n as usize);
        }

        #[test]
        fn completed_months_are_the_most_that_fit(from in any_day(), to in any_day()) {
            let (from, to) = (from.min(to), from.max(to));
            let months = months_between(from, to).unsigned_abs();
            prop_assert!(add_months(from, months) <= to && add_months(from, months + 1) > to);
        }
    }

    #[test]
    fn a_local_day_begins_seven_hours_before_the_same_midnight_in_utc() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 6).unwrap();
        let first = first_instant(day);
        assert_eq!(first.to_rfc3339(), "2026-03-05T17:00:00+00:00");
        assert_eq!(local_date(first), day);
        assert_eq!(local_date(first - TimeDelta::microseconds(1)), day.pred_opt().unwrap());
    }
}
