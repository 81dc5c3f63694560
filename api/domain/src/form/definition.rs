//! The written form of a form: what stands in `forms/*.json` and what an administrator publishes.
//!
//! Only its shape. Whether it makes sense is decided in `check.rs`; what its rules say, in `rule.rs`.

use crate::refusal::{Level, Text};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A versioned, effective-dated form, as data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Stable code of the form (`branch_meeting`).
    pub code: String,
    /// Version, from 1; a published version never changes.
    pub version: i32,
    /// The first day on which phones offer this version.
    pub valid_from: NaiveDate,
    /// The day from which it is offered no more (exclusive); old drafts of it stay valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<NaiveDate>,
    /// What people call it.
    pub label: Text,
    /// The regulation that it rests on.
    pub source: Text,
    /// Kinds of units that a record of it may belong to.
    pub unit_kinds: Vec<String>,
    /// Alternatives, the first whose condition holds; none: the form has no natural key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub natural_key: Vec<KeyAlternative>,
    /// Date or period fields in order of preference; the first that is filled dates the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub occurred_on: Vec<String>,
    /// Whose record it is, for masking, encryption and erasure.
    #[serde(default, skip_serializing_if = "Subject::is_none")]
    pub subject: Subject,
    /// Who reports its records; left out: whoever reports for the unit.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub reported_by: ReportedBy,
    /// Groups of fields that only make sense together: each is one unit of merging.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Plain fields, in the order in which they are asked.
    pub fields: Vec<Field>,
    /// Lists of keyed items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemList>,
    /// What must hold between fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleText>,
}

/// One way to recognise the same thing reported twice; the unit is always a part of the key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAlternative {
    /// CEL: when this alternative counts; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The fields whose values, all present, make the key.
    pub fields: Vec<String>,
}

/// Whose record it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Nobody's: it holds no personal data.
    #[default]
    None,
    /// It is read like a report, but names somebody in an office of whom there is no record: what is personal in it is
    /// masked, sealed under a key of its own, and erased by the record's id.
    Named,
    /// The record is the person.
    #[serde(rename = "self")]
    Itself,
    /// The person whom this reference field names.
    Field(String),
}

impl Subject {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Who reports the records of a form. The others still read them, as far as they may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedBy {
    /// Whoever reports for the unit; what is about persons, whoever reports persons there.
    #[default]
    Reporters,
    /// Whoever reviews there: what a superior decides about a unit, the unit does not tell of itself.
    Reviewers,
}

/// Fields that are merged, contested and resolved as one value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its path.
    pub name: String,
    /// What people call it.
    pub label: Text,
    /// Never merges by itself under concurrency.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guarded: bool,
}

/// The type of a field's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// One line.
    Text,
    /// Several lines.
    Multiline,
    /// A whole number below 2^53 (of either sign), so that JavaScript keeps it exact.
    Integer,
    /// A number of at most 15 significant digits, so that a double keeps it exact.
    Decimal,
    /// Yes or no.
    Boolean,
    /// A local date, `YYYY-MM-DD`.
    Date,
    /// A local time of day, `HH:MM`.
    Time,
    /// A month, `YYYY-MM`.
    Period,
    /// One code of the field's list.
    Code,
    /// A set of codes of the field's list, kept in the order of the list.
    Codes,
    /// The id (UUID) of another thing.
    Reference,
}

/// What a reference names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    /// A unit.
    Unit,
    /// A record of the form `person`.
    Person,
    /// A supervision or liaison assignment.
    Assignment,
    /// Any other record.
    Record,
}

/// One entry of a coded list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntry {
    /// The stored code.
    pub code: String,
    /// What people read.
    pub label: Text,
    /// The first day on which it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<NaiveDate>,
    /// The day from which it may be used no more (exclusive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<NaiveDate>,
}

/// One field.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, unique over fields, groups and items.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// What people call it.
    pub label: Text,
    /// A sentence that helps to fill it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text>,
    /// Must have a value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// CEL: must have a value when this holds; may read empty fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_when: Option<String>,
    /// The value of an unsent field of a touched group.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub default: Value,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The least number of characters of a text (or codes of a set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// The greatest number of characters of a text (or codes of a set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// A regular expression for the whole text, in the subset that Rust and JavaScript read alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The coded list of a `code` or `codes` field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<ListEntry>,
    /// What a `reference` field names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceKind>,
    /// The kinds of unit that a reference to a unit may name; none: any. Whether it is one is asked where units are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit_kinds: Vec<String>,
    /// The group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// About a person: masked by role, kept out of logs and wide exports, erasable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub personal: bool,
    /// CEL: computed from other fields, never merged; a sent value is checked and dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<String>,
}

/// How the items of a list are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKey {
    /// An id that the phone chose.
    Uuid,
    /// The id of something else (an assignment): two reporters of it mean the same item.
    Reference,
    /// A short text of `a-z 0-9 . _ -`.
    Text,
    /// The SHA-256 of a content, in hexadecimal: the same photo sent twice is one item.
    Sha256,
}

/// A list of keyed items; each field of each item is a unit of merging of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemList {
    /// Its name, unique over fields, groups and items.
    pub name: String,
    /// What people call it.
    pub label: Text,
    /// The most items that a record may have.
    pub max: usize,
    /// How items are told apart.
    pub key: ItemKey,
    /// The fields of an item.
    pub fields: Vec<Field>,
}

/// What must hold between fields.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// The stable dotted code of the finding.
    pub code: String,
    /// Whether it refuses or warns.
    pub level: Level,
    /// CEL: when the rule counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// CEL: true when all is well.
    pub expr: String,
    /// The list over whose items the rule runs; their fields are read as `item.<field>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// Where the finding points; `*` stands for the key of the item.
    pub pointer: String,
    /// What it says and what to do next.
    pub message: Text,
    /// Runs also when fields that it reads are empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nullable: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual(by: &ReportedBy) -> bool {
    *by == ReportedBy::Reporters
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
