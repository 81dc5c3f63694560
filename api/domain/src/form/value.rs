//! One value of one field: from what a phone wrote to the one way in which it is stored and compared.
//!
//! Knows a field, nothing of records. Both `from` and `to` of a change come through here, so that equal things are equal.

use super::definition::{Field, FieldType};
use crate::json::MAX_INTEGER;
use crate::refusal::Finding;
use crate::text;
use chrono::{Datelike, NaiveDate, NaiveTime};
use regex_lite::Regex;
use serde_json::{Number, Value};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// The longest text where the field sets no limit, in characters.
pub const DEFAULT_LENGTH: usize = 200;
/// The longest text of several lines where the field sets no limit, in characters.
pub const DEFAULT_MULTILINE: usize = 4_000;
/// Years that a date may have: outside of them it is a slip of the finger.
const YEARS: RangeInclusive<i32> = 1900..=2199;

/// A number as it is stored: whole ones without a fraction, so that 1.0 and 1 are the same.
pub(crate) fn canonical_number(number: f64) -> Option<Value> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within ±2^53 both are exact")]
    if number.fract() == 0.0 && number.abs() <= MAX_INTEGER as f64 {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// The value as it is stored, or what is the matter with it; where that is, the caller knows. An empty text is no value.
pub(crate) fn normalise(
    field: &Field,
    pattern: Option<&Regex>,
    value: &Value,
    on: NaiveDate,
) -> Result<Value, Finding> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let wrong = || Finding::new("form.type", "").with("expected", type_name(field.kind));
    match field.kind {
        FieldType::Text | FieldType::Multiline => worded(field, pattern, value.as_str().ok_or_else(wrong)?),
        FieldType::Integer => in_range(field, integer(value).ok_or_else(wrong)?),
        FieldType::Decimal => in_range(field, decimal(value).ok_or_else(wrong)?),
        FieldType::Boolean => value.as_bool().map(Value::Bool).ok_or_else(wrong),
        FieldType::Date => value.as_str().and_then(date).map(|date| date.to_string().into()).ok_or_else(wrong),
        FieldType::Time => value.as_str().and_then(time).ok_or_else(wrong),
        FieldType::Period => value.as_str().and_then(period).ok_or_else(wrong),
        FieldType::Code => code(field, value.as_str().ok_or_else(wrong)?, on),
        FieldType::Codes => codes(field, value.as_array().ok_or_else(wrong)?, on),
        FieldType::Reference => value
            .as_str()
            .and_then(|text| Uuid::try_parse(text).ok())
            .map(|id| Value::String(id.hyphenated().to_string()))
            .ok_or_else(wrong),
    }
}

/// The name of a type as it stands in definitions.
fn type_name(kind: FieldType) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn worded(field: &Field, pattern: Option<&Regex>, raw: &str) -> Result<Value, Finding> {
    let several_lines = field.kind == FieldType::Multiline;
    let spelled = if several_lines { text::multi_line(raw) } else { text::single_line(raw) };
    let text = spelled.map_err(|damage| damage.finding(""))?;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let limit = if several_lines { DEFAULT_MULTILINE } else { DEFAULT_LENGTH };
    length(text.chars().count(), field.min_length.unwrap_or(0), field.max_length.unwrap_or(limit))?;
    match pattern {
        Some(pattern) if !pattern.is_match(&text) => Err(Finding::new("form.pattern", "")),
        _ => Ok(Value::String(text)),
    }
}

fn length(found: usize, min: usize, max: usize) -> Result<(), Finding> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Finding::new("form.length", "").with("min", min).with("max", max).with("found", found))
}

fn integer(value: &Value) -> Option<Value> {
    let number = value.as_i64().map(Value::from).or_else(|| canonical_number(value.as_f64()?))?;
    number.as_i64().filter(|n| (-MAX_INTEGER..=MAX_INTEGER).contains(n)).map(Value::from)
}

/// At most 15 significant digits survive a double unchanged; more would come back as another number.
fn decimal(value: &Value) -> Option<Value> {
    let number = canonical_number(value.as_f64()?)?;
    let digits = number.to_string();
    let plain = digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.'));
    (plain && digits.chars().filter(char::is_ascii_digit).count() <= 16).then_some(number)
}

fn in_range(field: &Field, number: Value) -> Result<Value, Finding> {
    let found = number.as_f64().unwrap_or_default();
    if field.min.is_none_or(|min| found >= min) && field.max.is_none_or(|max| found <= max) {
        return Ok(number);
    }
    let mut finding = Finding::new("form.range", "");
    for (name, limit) in [("min", field.min), ("max", field.max)] {
        if let Some(limit) = limit.and_then(canonical_number) {
            finding = finding.with(name, limit);
        }
    }
    Err(finding)
}

/// A date of a plausible year, written in full.
pub(crate) fn date(text: &str) -> Option<NaiveDate> {
    let date = any_date(text)?;
    (text.len() == 10 && YEARS.contains(&date.year())).then_some(date)
}

/// A date of any year. The way in which dates are stored is read digit by digit, since every rule about a date does.
pub(super) fn any_date(text: &str) -> Option<NaiveDate> {
    match text.as_bytes() {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] if [y1, y2, y3, y4, m1, m2, d1, d2].into_iter().all(is_digit) => {
            NaiveDate::from_ymd_opt((two(*y1, *y2) * 100 + two(*y3, *y4)).cast_signed(), two(*m1, *m2), two(*d1, *d2))
        }
        _ => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
    }
}

/// A time of day, to the minute.
pub(super) fn any_time(text: &str) -> Option<NaiveTime> {
    match text.as_bytes() {
        [h1, h2, b':', m1, m2] if [h1, h2, m1, m2].into_iter().all(is_digit) => {
            NaiveTime::from_hms_opt(two(*h1, *h2), two(*m1, *m2), 0)
        }
        _ => NaiveTime::parse_from_str(text, "%H:%M").ok(),
    }
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_digit()
}

/// Two digits.
fn two(tens: u8, ones: u8) -> u32 {
    u32::from(tens - b'0') * 10 + u32::from(ones - b'0')
}

/// The first day of a month.
pub(crate) fn first_of(period: &str) -> Option<NaiveDate> {
    (period.len() == 7).then(|| date(&format!("{period}-01"))).flatten()
}

fn time(text: &str) -> Option<Value> {
    let time = any_time(text)?;
    (text.len() == 5).then(|| Value::String(time.format("%H:%M").to_string()))
}

fn period(text: &str) -> Option<Value> {
    first_of(text).map(|_| Value::String(text.to_owned()))
}

fn listed(field: &Field, code: &str, on: NaiveDate) -> Result<usize, Finding> {
    let refused = || Finding::new("form.not_in_list", "").with("code", code.chars().take(64).collect::<String>());
    let position = field.list.iter().position(|entry| entry.code == code).ok_or_else(refused)?;
    let entry = &field.list[position];
    let in_force = entry.valid_from.is_none_or(|from| from <= on) && entry.valid_to.is_none_or(|to| on < to);
    if in_force { Ok(position) } else { Err(Finding::new("form.code_not_in_force", "").with("code", code)) }
}

fn code(field: &Field, code: &str, on: NaiveDate) -> Result<Value, Finding> {
    listed(field, code, on).map(|_| Value::String(code.to_owned()))
}

/// A set: each code once, in the order of the list, so that two ways to tick the same boxes are equal.
fn codes(field: &Field, sent: &[Value], on: NaiveDate) -> Result<Value, Finding> {
    let mut positions = Vec::with_capacity(sent.len().min(field.list.len()));
    for entry in sent {
        let code = entry.as_str().ok_or_else(|| Finding::new("form.type", "").with("expected", "codes"))?;
        positions.push(listed(field, code, on)?);
    }
    positions.sort_unstable();
    positions.dedup();
    if positions.is_empty() {
        return Ok(Value::Null);
    }
    length(positions.len(), field.min_length.unwrap_or(0), field.max_length.unwrap_or(usize::MAX))?;
    Ok(positions.into_iter().map(|position| Value::String(field.list[position].code.clone())).collect())
}
