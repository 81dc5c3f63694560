//! One field: what its type allows it to say, its pattern, its list, its default, its expressions.

use super::{Checked, FieldParts, check_text, compile, ensure, is_name, with_context};
use crate::form::definition::{Definition, Field, FieldType, ReferenceKind};
use crate::form::rule::{Type, Variable};
use crate::form::value;
use chrono::NaiveDate;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn field_parts(
    field: &Field,
    place: &str,
    definition: &Definition,
    variables: &BTreeMap<String, Variable>,
) -> Checked<FieldParts> {
    check_field(field, place)?;
    let with_context = with_context(variables.clone());
    let required_when = field.required_when.as_deref();
    let derived = field.derived.as_deref();
    if derived.is_some() {
        ensure(
            !field.required && required_when.is_none(),
            place,
            "is derived, so nobody can be required to fill it in",
        )?;
        let group = definition.groups.iter().find(|group| Some(&group.name) == field.group.as_ref());
        ensure(!group.is_some_and(|group| group.guarded), place, "is derived, so it cannot stand in a guarded group")?;
    }
    Ok(FieldParts {
        field: field.clone(),
        pattern: pattern(field, place)?,
        required_when: required_when
            .map(|when| compile(when, &format!("{place}.required_when"), &with_context, Type::Bool, true))
            .transpose()?,
        derived: derived
            .map(|text| compile(text, &format!("{place}.derived"), variables, field.kind.into(), false))
            .transpose()?,
    })
}

fn check_field(field: &Field, place: &str) -> Checked<()> {
    use FieldType::{Code, Codes, Decimal, Integer, Multiline, Reference, Text};
    check_text(&field.label, &format!("{place}.label"))?;
    if let Some(help) = &field.help {
        check_text(help, &format!("{place}.help"))?;
    }
    let number = matches!(field.kind, Integer | Decimal);
    let text = matches!(field.kind, Text | Multiline);
    let listed = matches!(field.kind, Code | Codes);
    ensure(number || (field.min.is_none() && field.max.is_none()), place, "has min or max, but is no number")?;
    ensure(ordered(field.min, field.max), format!("{place}.min"), "is above max")?;
    let lengths = field.min_length.is_some() || field.max_length.is_some();
    ensure(text || field.kind == Codes || !lengths, place, "has a length, but is no text")?;
    ensure(ordered(field.min_length, field.max_length), format!("{place}.min_length"), "is above max_length")?;
    ensure(
        field.kind == Text || field.pattern.is_none(),
        format!("{place}.pattern"),
        "stands on what is not one line of text",
    )?;
    ensure(
        listed != field.list.is_empty(),
        format!("{place}.list"),
        "belongs to the types code and codes, and they need it",
    )?;
    let names_kind = (field.kind == Reference) == field.reference.is_some();
    ensure(names_kind, format!("{place}.reference"), "belongs to the type reference, and it needs it")?;
    let names_unit = field.reference == Some(ReferenceKind::Unit);
    ensure(
        names_unit || field.unit_kinds.is_empty(),
        format!("{place}.unit_kinds"),
        "stands on what is no reference to a unit",
    )?;
    check_list(field, place)?;
    check_default(field, place)
}

fn ordered<T: PartialOrd>(least: Option<T>, greatest: Option<T>) -> bool {
    least.zip(greatest).is_none_or(|(least, greatest)| least <= greatest)
}

fn check_list(field: &Field, place: &str) -> Checked<()> {
    let mut seen = BTreeSet::new();
    for (n, entry) in field.list.iter().enumerate() {
        let place = format!("{place}.list[{n}]");
        ensure(is_name(&entry.code), format!("{place}.code"), format!("{} is not snake_case", entry.code))?;
        ensure(seen.insert(&entry.code), format!("{place}.code"), format!("{} is listed twice", entry.code))?;
        let ends = ordered(entry.valid_from, entry.valid_to);
        ensure(ends, format!("{place}.valid_to"), "is before valid_from")?;
        check_text(&entry.label, &format!("{place}.label"))?;
    }
    Ok(())
}

/// Outside of a group an unsent field makes no claim, so a default would put words into the author's mouth.
fn check_default(field: &Field, place: &str) -> Checked<()> {
    let place = format!("{place}.default");
    if field.default.is_null() {
        return Ok(());
    }
    ensure(
        field.group.is_some() && field.derived.is_none(),
        &place,
        "stands on a field outside of a group, or on a derived one",
    )?;
    let typed = value::normalise(field, None, &field.default, NaiveDate::MAX);
    ensure(typed.is_ok_and(|value| value == field.default), place, "is not a value of the field, as it would be stored")
}

/// `\d` and `\w` mean other things in Rust than in JavaScript, and look-around exists in one of them only.
fn pattern(field: &Field, place: &str) -> Checked<Option<Regex>> {
    let Some(pattern) = field.pattern.as_deref() else { return Ok(None) };
    let place = format!("{place}.pattern");
    let anchored = pattern.starts_with('^') && pattern.ends_with('$') && !pattern.contains('|');
    ensure(anchored, &place, "does not run from ^ to $ without alternatives, so it would not cover the whole text")?;
    let escapes = pattern.as_bytes().windows(2).filter(|pair| pair[0] == b'\\');
    let portable = escapes.clone().all(|pair| pair[1].is_ascii_punctuation()) && !pattern.contains("(?");
    ensure(portable, &place, "uses what Rust and JavaScript read differently: write [0-9] for \\d, no (?…)")?;
    Regex::new(pattern).map(Some).map_err(|error| (place, format!("is no regular expression: {error}")))
}
