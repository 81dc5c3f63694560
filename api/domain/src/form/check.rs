//! From a written definition to a form: every place is checked, every expression compiled, before a phone sees it.
//!
//! Says of each fault where it is and why. Knows no file system: the name of the source is given.

mod field;
mod rules;

use super::definition::{Definition, Field, FieldType, ItemKey, ItemList, RuleText, Subject};
use super::rule::{Expression, Type, Variable};
use super::value;
use super::{DefinitionError, Form};
use crate::json::Objects;
use crate::refusal::Text;
use field::field_parts;
use regex_lite::Regex;
use rules::{placeholders, rules};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The largest definition that is read, in bytes.
const MAX_DEFINITION: usize = 256 * 1024;
/// The longest natural key, in bytes, beside the form's code and the unit: PostgreSQL's index holds 2,704 in a row.
const MAX_KEY: usize = 2_400;
/// The names that rules may read besides fields.
const TODAY: &str = "today";
/// Null when the unit's founding is not known.
const UNIT_FOUNDED_ON: &str = "unit_founded_on";
/// The name under which the rules of a list read the fields of one item.
const ITEM: &str = "item";
/// Names that the API itself uses beside fields.
const RESERVED: [&str; 4] = [TODAY, UNIT_FOUNDED_ON, ITEM, "masked"];

/// A field with what was compiled of it.
#[derive(Debug)]
pub(crate) struct FieldParts {
    pub(crate) field: Field,
    pub(crate) pattern: Option<Regex>,
    pub(crate) required_when: Option<Expression>,
    pub(crate) derived: Option<Expression>,
}

/// A list with its compiled fields.
#[derive(Debug)]
pub(crate) struct ListParts {
    pub(crate) key: ItemKey,
    pub(crate) max: usize,
    pub(crate) fields: BTreeMap<String, FieldParts>,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) text: RuleText,
    pub(crate) when: Option<Expression>,
    pub(crate) expr: Expression,
    /// Variables read by either.
    pub(crate) reads: BTreeSet<String>,
}

impl Rule {
    /// The variables that its message quotes, in either language.
    pub(crate) fn quoted(&self) -> BTreeSet<&str> {
        placeholders(&self.text.message.vi).chain(placeholders(&self.text.message.en)).collect()
    }
}

/// A compiled alternative of the natural key.
#[derive(Debug)]
pub(super) struct Key {
    pub(crate) when: Option<Expression>,
    pub(crate) fields: Vec<String>,
}

/// A fault: the place in the JSON and the reason.
type Fault = (String, String);
type Checked<T> = Result<T, Fault>;

fn fault<T>(place: impl Into<String>, reason: impl Into<String>) -> Checked<T> {
    Err((place.into(), reason.into()))
}

fn ensure(holds: bool, place: impl Into<String>, reason: impl Into<String>) -> Checked<()> {
    if holds { Ok(()) } else { fault(place, reason) }
}

/// The parser of CEL recurses for each bracket, some 50 KiB a level in a debug build: a short expression of brackets
/// alone would end the process on a usual stack. Memory that is not touched is not taken.
const PARSER_STACK: usize = 256 * 1024 * 1024;

/// Parses on a stack of its own, and holds back whatever panics in the parser. Not on a thread of its own: each leaves behind
/// pages of memory that hold little, but cannot be given back as long as the form is there.
pub(super) fn parse(source_name: &str, json: &str) -> Result<Form, DefinitionError> {
    let checked = stacker::grow(PARSER_STACK, || {
        std::panic::catch_unwind(|| read(json))
            .unwrap_or_else(|_| Err(whole("cannot be parsed: simplify its expressions".to_owned())))
    });
    checked.map_err(|(place, reason)| DefinitionError { source_name: source_name.to_owned(), place, reason })
}

fn whole(reason: String) -> Fault {
    (DefinitionError::WHOLE.to_owned(), reason)
}

fn read(json: &str) -> Checked<Form> {
    if json.len() > MAX_DEFINITION {
        return Err(whole(format!("is larger than {MAX_DEFINITION} bytes")));
    }
    let value = crate::json::parse(json.as_bytes()).map_err(|error| whole(error.to_string()))?;
    let definition = serde_path_to_error::deserialize(Objects(&value)).map_err(|error| match error.path() {
        path if path.iter().next().is_none() => whole(error.inner().to_string()),
        path => (path.to_string(), error.inner().to_string()),
    })?;
    build(definition)
}

fn build(definition: Definition) -> Checked<Form> {
    check_head(&definition)?;
    check_names(&definition)?;
    check_groups(&definition)?;
    let variables = plain_variables(&definition);
    let mut fields = BTreeMap::new();
    for (n, field) in definition.fields.iter().enumerate() {
        fields.insert(field.name.clone(), field_parts(field, &format!("fields[{n}]"), &definition, &variables)?);
    }
    check_derived(&definition, &fields)?;
    let lists = list_parts(&definition, &variables)?;
    let rules = rules(&definition, &variables)?;
    let keys = keys(&definition)?;
    check_subject(&definition)?;
    let canonical =
        serde_json_canonicalizer::to_string(&definition).map_err(|error| ("(whole)".to_owned(), error.to_string()))?;
    Ok(Form { groups: group_members(&definition), definition, canonical, fields, lists, rules, keys })
}

/// `snake_case`, so that a name is a variable in CEL, a key in JSON and a column in an export.
fn is_name(text: &str) -> bool {
    text.len() <= 48
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `family.finding`: at least two names, joined by dots.
fn is_dotted(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_name)
}

fn check_text(text: &Text, place: &str) -> Checked<()> {
    let filled = !text.vi.trim().is_empty() && !text.en.trim().is_empty();
    ensure(filled, place, "needs a text in both languages")
}

fn check_head(definition: &Definition) -> Checked<()> {
    ensure(is_name(&definition.code), "code", "is not snake_case")?;
    ensure(definition.version >= 1, "version", "is below 1")?;
    let ends = definition.valid_to.is_none_or(|to| definition.valid_from < to);
    ensure(ends, "valid_to", "is not after valid_from")?;
    check_text(&definition.label, "label")?;
    check_text(&definition.source, "source")?;
    ensure(!definition.unit_kinds.is_empty(), "unit_kinds", "names no kind of unit")?;
    ensure(definition.unit_kinds.iter().all(|kind| is_name(kind)), "unit_kinds", "has a kind that is not snake_case")
}

fn check_names(definition: &Definition) -> Checked<()> {
    let mut seen = BTreeSet::new();
    let mut claim = |name: &str, place: String| {
        ensure(is_name(name), &place, format!("{name} is not snake_case"))?;
        ensure(!RESERVED.contains(&name), &place, format!("{name} is a name that muong uses itself"))?;
        ensure(
            seen.insert(name.to_owned()),
            &place,
            format!("{name} is used twice: fields, groups and items share one name space"),
        )
    };
    for (n, field) in definition.fields.iter().enumerate() {
        claim(&field.name, format!("fields[{n}].name"))?;
    }
    for (n, group) in definition.groups.iter().enumerate() {
        claim(&group.name, format!("groups[{n}].name"))?;
        check_text(&group.label, &format!("groups[{n}].label"))?;
    }
    for (n, list) in definition.items.iter().enumerate() {
        claim(&list.name, format!("items[{n}].name"))?;
        check_text(&list.label, &format!("items[{n}].label"))?;
        let names: BTreeSet<_> = list.fields.iter().map(|field| &field.name).collect();
        ensure(names.len() == list.fields.len(), format!("items[{n}].fields"), "has a name twice")?;
        ensure(
            list.fields.iter().all(|field| is_name(&field.name)),
            format!("items[{n}].fields"),
            "has a name that is not snake_case",
        )?;
    }
    Ok(())
}

fn group_members(definition: &Definition) -> BTreeMap<String, BTreeSet<String>> {
    let members = |group: &str| {
        let of_group =
            definition.fields.iter().filter(|field| field.group.as_deref() == Some(group) && field.derived.is_none());
        of_group.map(|field| field.name.clone()).collect()
    };
    definition.groups.iter().map(|group| (group.name.clone(), members(&group.name))).collect()
}

fn check_groups(definition: &Definition) -> Checked<()> {
    let groups = group_members(definition);
    for (n, field) in definition.fields.iter().enumerate() {
        if let Some(group) = &field.group {
            ensure(
                groups.contains_key(group),
                format!("fields[{n}].group"),
                format!("{group} is no group of this form"),
            )?;
        }
    }
    for (n, group) in definition.groups.iter().enumerate() {
        let members = &groups[&group.name];
        ensure(!members.is_empty(), format!("groups[{n}]"), "has no field")?;
        let personal = definition.fields.iter().filter(|field| members.contains(&field.name) && field.personal).count();
        let whole = personal == 0 || personal == members.len();
        ensure(
            whole,
            format!("groups[{n}]"),
            "mixes personal fields with others, but is merged, masked and erased as one",
        )?;
    }
    Ok(())
}

fn codes(field: &Field) -> Vec<String> {
    field.list.iter().map(|entry| entry.code.clone()).collect()
}

fn plain_variables(definition: &Definition) -> BTreeMap<String, Variable> {
    definition.fields.iter().map(|field| (field.name.clone(), Variable::of(field.kind, &codes(field)))).collect()
}

/// What rules may read besides fields: the day of the receipt and the founding of the unit.
fn with_context(mut variables: BTreeMap<String, Variable>) -> BTreeMap<String, Variable> {
    for name in [TODAY, UNIT_FOUNDED_ON] {
        variables.insert(name.to_owned(), Variable::of(FieldType::Date, &[]));
    }
    variables
}

fn with_item(variables: &BTreeMap<String, Variable>, list: &ItemList) -> BTreeMap<String, Variable> {
    let fields =
        list.fields.iter().map(|field| (format!("{ITEM}.{}", field.name), Variable::of(field.kind, &codes(field))));
    variables.clone().into_iter().chain(fields).collect()
}

fn compile(
    source: &str,
    place: &str,
    variables: &BTreeMap<String, Variable>,
    wanted: Type,
    nullable: bool,
) -> Checked<Expression> {
    Expression::compile(source, variables, wanted, nullable).map_err(|reason| (place.to_owned(), reason))
}

fn check_derived(definition: &Definition, fields: &BTreeMap<String, FieldParts>) -> Checked<()> {
    for (n, field) in definition.fields.iter().enumerate() {
        let Some(derived) = &fields[&field.name].derived else { continue };
        let place = format!("fields[{n}].derived");
        for read in derived.reads() {
            ensure(fields[read].derived.is_none(), &place, format!("reads {read}, which is derived itself"))?;
            let marked = field.personal || !fields[read].field.personal;
            ensure(marked, &place, format!("reads {read}, which is personal: mark this one too"))?;
        }
    }
    Ok(())
}

fn list_parts(definition: &Definition, variables: &BTreeMap<String, Variable>) -> Checked<BTreeMap<String, ListParts>> {
    let mut lists = BTreeMap::new();
    for (n, list) in definition.items.iter().enumerate() {
        ensure((1..=500).contains(&list.max), format!("items[{n}].max"), "is not between 1 and 500")?;
        let variables = with_item(variables, list);
        let mut fields = BTreeMap::new();
        for (m, field) in list.fields.iter().enumerate() {
            let place = format!("items[{n}].fields[{m}]");
            let plain = field.group.is_none() && field.derived.is_none();
            ensure(plain, &place, "is in a group or derived, which only plain fields can be")?;
            fields.insert(field.name.clone(), field_parts(field, &place, definition, &variables)?);
        }
        lists.insert(list.name.clone(), ListParts { key: list.key, max: list.max, fields });
    }
    Ok(lists)
}

fn keys(definition: &Definition) -> Checked<Vec<Key>> {
    let variables = plain_variables(definition);
    let mut keys = Vec::with_capacity(definition.natural_key.len());
    for (n, alternative) in definition.natural_key.iter().enumerate() {
        let place = format!("natural_key[{n}]");
        ensure(!alternative.fields.is_empty(), format!("{place}.fields"), "names no field")?;
        for name in &alternative.fields {
            let field = definition.fields.iter().find(|field| &field.name == name);
            let field = field.ok_or_else(|| (format!("{place}.fields"), format!("{name} is no field of this form")))?;
            let usable = field.derived.is_none() && (!field.personal || field.kind == FieldType::Reference);
            ensure(
                usable,
                format!("{place}.fields"),
                format!("{name} is derived or personal, and a key is kept in clear"),
            )?;
        }
        let longest =
            alternative.fields.iter().filter_map(|name| definition.fields.iter().find(|field| field.name == *name));
        let longest: usize = longest.map(|field| field.name.len() + longest_value(field)).sum();
        ensure(
            longest <= MAX_KEY,
            format!("{place}.fields"),
            format!(
                "a key may come to {longest} bytes, and no more than {MAX_KEY} can be looked up: set a lower max_length"
            ),
        )?;
        let when = alternative.when.as_deref();
        let when =
            when.map(|source| compile(source, &format!("{place}.when"), &variables, Type::Bool, true)).transpose()?;
        keys.push(Key { when, fields: alternative.fields.clone() });
    }
    check_occurred_on(definition)?;
    Ok(keys)
}

/// The longest value of a field as it stands in a key, in bytes: a character of a text may take four, and what is quoted in JSON
/// (`"`, `\\`) two.
fn longest_value(field: &Field) -> usize {
    let longest_code = || field.list.iter().map(|entry| entry.code.len() + 3).max().unwrap_or(0);
    match field.kind {
        FieldType::Text => field.max_length.unwrap_or(value::DEFAULT_LENGTH) * 4,
        FieldType::Multiline => field.max_length.unwrap_or(value::DEFAULT_MULTILINE) * 4,
        FieldType::Code => longest_code(),
        FieldType::Codes => field.list.iter().map(|entry| entry.code.len() + 3).sum(),
        _ => 40,
    }
}

fn check_occurred_on(definition: &Definition) -> Checked<()> {
    for (n, name) in definition.occurred_on.iter().enumerate() {
        let dated = |field: &Field| &field.name == name && matches!(field.kind, FieldType::Date | FieldType::Period);
        ensure(
            definition.fields.iter().any(dated),
            format!("occurred_on[{n}]"),
            format!("{name} is no date or period of this form"),
        )?;
    }
    Ok(())
}

/// Personal values are kept, encrypted and erased by the person whom they are about.
fn check_subject(definition: &Definition) -> Checked<()> {
    let items = definition.items.iter().flat_map(|list| &list.fields);
    let personal = definition.fields.iter().chain(items).any(|field| field.personal);
    match &definition.subject {
        Subject::None => ensure(!personal, "subject", "is missing, but there are personal fields: whose are they?"),
        Subject::Named => {
            ensure(personal, "subject", "says that somebody is named, but no field is personal")?;
            // Whoever may not see the names sees the record: what is asked of it, and found wrong with it, quotes coded values
            // and dates, and keys are kept in the open.
            let items = definition.items.iter().flat_map(|list| &list.fields);
            let all = definition.fields.iter().chain(items);
            let closed = |field: &&Field| !matches!(field.kind, FieldType::Text | FieldType::Multiline);
            let wrong = all.filter(|field| field.personal).find(closed);
            let name = wrong.map_or("", |field| field.name.as_str());
            ensure(wrong.is_none(), "subject", format!("{name} is personal and no text: others see the record"))?;
            let keyed = definition.natural_key.iter().flat_map(|key| &key.fields);
            let is_personal = |name: &&String| definition.fields.iter().any(|f| f.name == **name && f.personal);
            let wrong = keyed.into_iter().find(is_personal);
            let name = wrong.map_or("", String::as_str);
            ensure(wrong.is_none(), "subject", format!("{name} is personal and a part of the key"))
        }
        Subject::Itself => Ok(()),
        Subject::Field(name) => {
            let field = definition.fields.iter().find(|field| &field.name == name);
            let person =
                field.is_some_and(|f| f.reference == Some(super::ReferenceKind::Person) && f.required && !f.personal);
            ensure(person, "subject.field", format!("{name} is no required, open reference to a person"))
        }
    }
}

/// A value as a message quotes it: dates as people here write them.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => {
            value::date(text).map_or_else(|| text.clone(), |date| date.format("%d/%m/%Y").to_string())
        }
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}
