//! The thresholds of member development: effective-dated data, since regulations are replaced every few years.

use crate::data::{self, DataError};
use crate::refusal::Text;
use crate::time::{Calendar, add_months};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

const FILE: &str = "development-rules.json";

/// A part of a whole, compared without rounding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Above.
    pub numerator: u32,
    /// Below; never 0.
    pub denominator: u32,
}

impl Share {
    /// Whether `part` of `whole` reaches the share: for 2/3, `3 × part ≥ 2 × whole`.
    pub fn is_reached(self, part: u32, whole: u32) -> bool {
        u64::from(self.denominator) * u64::from(part) >= u64::from(self.numerator) * u64::from(whole)
    }
}

/// The thresholds in force from a day on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// The first day.
    pub valid_from: NaiveDate,
    /// The regulation that says so.
    pub source: Text,
    /// Years completed when the branch resolves.
    pub min_age_years: u32,
    /// The last age that passes, with 0 months; above it an exception is needed.
    pub max_age_years: u32,
    /// How old the awareness certificate may be at the branch resolution.
    pub certificate_years: u32,
    /// The share of the eligible votes that carries a branch resolution.
    pub carried: Share,
    /// Working days from the branch resolution to the decision.
    pub decision_working_days: u32,
    /// Working days from the decision to the ceremony.
    pub ceremony_working_days: u32,
    /// Months from the ceremony to the official date.
    pub probation_months: u32,
    /// Working days after the probation within which the branch reviews it.
    pub review_working_days: u32,
    /// Months of the probation at which somebody is reminded of its end.
    pub alert_months: Vec<u32>,
}

impl RuleSet {
    /// The day on which a probation that began with this ceremony is over: the official date.
    pub fn probation_ends_on(&self, ceremony: NaiveDate) -> NaiveDate {
        add_months(ceremony, self.probation_months)
    }
    /// The days of the reminders of a probation that began with this ceremony.
    pub fn alerts(&self, ceremony: NaiveDate) -> Vec<NaiveDate> {
        self.alert_months.iter().map(|months| add_months(ceremony, *months)).collect()
    }
    /// The last day for the branch to review a probation that began with this ceremony.
    pub fn review_due_on(&self, ceremony: NaiveDate, calendar: &Calendar) -> NaiveDate {
        calendar.working_days_after(self.probation_ends_on(ceremony), self.review_working_days)
    }
    /// Whether `on` lies within the last month that passes: 60 years and 0 months completed.
    pub fn is_within_max_age(&self, birth: NaiveDate, on: NaiveDate) -> bool {
        on < add_months(birth, self.max_age_years * 12 + 1)
    }
}

/// Every version of the thresholds, by the day that it holds from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    versions: Vec<RuleSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    versions: Vec<RuleSet>,
}

impl Rules {
    /// Reads `development-rules.json`: at least one version, in the order of their days, none with a share above the
    /// whole or a number of years that no life has.
    pub fn parse(json: &str) -> Result<Self, DataError> {
        let versions = data::parse::<RulesFile>(FILE, json)?.versions;
        if versions.is_empty() {
            return Err(DataError::new(FILE, "versions", "there must be at least one"));
        }
        for (at, version) in versions.iter().enumerate() {
            let refuse =
                |field: &str, reason: &str| Err(DataError::new(FILE, format!("versions/{at}/{field}"), reason));
            if at > 0 && versions[at - 1].valid_from >= version.valid_from {
                return refuse("valid_from", "must be later than that of the version before");
            }
            if version.carried.denominator == 0 || version.carried.numerator > version.carried.denominator {
                return refuse("carried", "must be a share of at most the whole, with a denominator above 0");
            }
            if version.min_age_years > version.max_age_years || version.max_age_years > 150 {
                return refuse("max_age_years", "must be at least min_age_years and at most 150");
            }
            if version.probation_months > 1200 || version.certificate_years > 150 {
                return refuse("probation_months", "probation and certificate must fit into a life");
            }
            let waits = [version.decision_working_days, version.ceremony_working_days, version.review_working_days];
            if waits.into_iter().any(|days| days > 1000) {
                return refuse("decision_working_days", "no wait may be longer than 1000 working days");
            }
            if version.alert_months.iter().any(|months| *months > version.probation_months) {
                return refuse("alert_months", "a reminder comes at the latest with the end of the probation");
            }
        }
        Ok(Self { versions })
    }

    /// The thresholds in force on a day; none before the first version: what held then is not known here, and not
    /// judged.
    pub fn at(&self, day: NaiveDate) -> Option<&RuleSet> {
        self.versions.iter().rev().find(|version| version.valid_from <= day)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::time::tests::{built_in as calendar, d};

    pub(crate) fn built_in() -> Rules {
        Rules::parse(include_str!("../../../../forms/development-rules.json")).expect("the built-in rules are right")
    }

    #[test]
    fn the_version_is_chosen_by_the_day() {
        let rules = built_in();
        assert!(rules.at(d(31, 10, 2011)).is_none());
        assert_eq!(rules.at(d(29, 7, 2021)).map(|set| set.valid_from), Some(d(1, 11, 2011)));
        assert_eq!(rules.at(d(30, 7, 2021)).map(|set| set.valid_from), Some(d(30, 7, 2021)));
    }

    #[test]
    fn of_seven_eligible_five_carry_and_four_do_not() {
        let share = Share { numerator: 2, denominator: 3 };
        assert!(share.is_reached(5, 7) && !share.is_reached(4, 7));
        assert!(share.is_reached(4, 6) && share.is_reached(u32::MAX, u32::MAX));
    }

    #[test]
    fn a_probation_has_its_days() {
        let rules = built_in();
        let set = rules.at(d(30, 4, 2025)).expect("in force");
        assert_eq!(set.probation_ends_on(d(29, 2, 2024)), d(28, 2, 2025));
        assert_eq!(set.alerts(d(30, 4, 2025)), [d(28, 2, 2026), d(30, 3, 2026), d(30, 4, 2026)]);
        // 30/04 and 01/05 are off: day one is Monday 04/05.
        assert_eq!(set.review_due_on(d(30, 4, 2025), &calendar()), d(12, 6, 2026));
    }

    #[test]
    fn wrong_rules_are_refused_with_place_and_reason() {
        let wrong = |from: &str, to: &str| {
            let json = include_str!("../../../../forms/development-rules.json").replacen(from, to, 1);
            Rules::parse(&json).expect_err("wrong").to_string()
        };
        assert!(wrong("2011-11-01", "2021-07-30").contains("versions/1/valid_from"));
        assert!(wrong("\"denominator\": 3", "\"denominator\": 0").contains("versions/0/carried"));
        assert!(wrong("\"max_age_years\": 60", "\"max_age_years\": 16").contains("versions/0/max_age_years"));
        assert!(wrong("min_age_years", "least_age").starts_with("development-rules.json: line 9"));
        assert!(Rules::parse(r#"{"versions": []}"#).is_err());
    }
}
