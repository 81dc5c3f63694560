//! A submission against its form: normalised changes by path, errors that refuse it, warnings that do not.
//!
//! Runs before any lock and asks nothing of the store. What a merged record breaks is asked by `check_merged`.
//! Knows neither units nor persons: what a rule needs of them comes in the context.

mod inspection;

use crate::form::{FieldParts, Form, ItemKey, ListParts, View};
use crate::record::{Path, Record};
use crate::refusal::{Code, Finding, Level};
use crate::submission::{Change, Kind, Submission};
use chrono::NaiveDate;
use inspection::{ContextValues, Inspection};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Every code that this module gives, so that a test can hold the catalogue of texts against it.
pub const CODES: [&str; 19] = [
    "form.code_not_in_force",
    "form.delete_carries_values",
    "form.derived_sent_differs",
    "form.empty",
    "form.group_incomplete",
    "form.item_key",
    "form.length",
    "form.not_in_list",
    "form.pattern",
    "form.range",
    "form.required",
    "form.rule_unevaluable",
    "form.too_many_items",
    "form.type",
    "form.unit_kind",
    "form.unknown_field",
    "form.unknown_list",
    "form.unsaid_item",
    crate::text::CONTROL_CHARACTER,
];

/// What rules may know besides the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The local date of the receipt: the only "today" of rules.
    pub today: NaiveDate,
    /// The day on which the unit was founded, where known.
    pub unit_founded_on: Option<NaiveDate>,
    /// The kind of the unit.
    pub unit_kind: String,
}

/// One path's change, normalised. An empty group is null.
#[derive(Clone, PartialEq, Debug)]
pub struct PathChange {
    /// The unit of merging.
    pub path: Path,
    /// What its author changed.
    pub from: Value,
    /// What its author wants to stand.
    pub to: Value,
}

/// A submission after validation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Checked {
    /// What it changes, by path.
    pub changes: Vec<PathChange>,
    /// The record as the submission alone shows it.
    pub view: View,
    /// Why it cannot be merged as it stands.
    pub errors: Vec<Finding>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

/// A rule or requirement that a merged record does not meet.
#[derive(Clone, PartialEq, Debug)]
pub struct Broken {
    /// The rule.
    pub code: Code,
    /// Whether it refuses or warns.
    pub level: Level,
    /// The paths that it reads: whether its author set or saw them all decides who is at fault.
    pub reads: Vec<Path>,
    /// Of what is asked of a row: its fields that have a value. A row is there as long as one of them has.
    pub stands: Vec<Path>,
    /// What to tell.
    pub finding: Finding,
}

impl Broken {
    /// Whether its row is there by these changes alone.
    pub fn is_row_made_by(&self, is_changed: impl Fn(&Path) -> bool) -> bool {
        !self.stands.is_empty() && self.stands.iter().all(is_changed)
    }
}

/// Types and normalises what a submission says and checks all that can be checked from it alone.
pub fn normalise_and_check(form: &Form, submission: &Submission, context: &Context) -> Checked {
    let mut reading = Reading::new(form, submission, context);
    if submission.kind == Kind::Delete {
        reading.refuse_values();
        return reading.checked;
    }
    if !form.allows_unit_kind(&context.unit_kind) {
        reading
            .checked
            .errors
            .push(Finding::new("form.unit_kind", "/unit").with("unit_kind", context.unit_kind.clone()));
    }
    reading.read_fields();
    reading.read_groups();
    reading.read_items();
    if submission.kind == Kind::Edit && submission.set.is_empty() && submission.items.is_empty() {
        reading.checked.errors.push(Finding::new("form.empty", "/set"));
    }
    reading.check()
}

/// All that a merged record breaks: requirements, numbers of items, rules.
pub fn check_merged(form: &Form, view: &View, context: &Context) -> Vec<Broken> {
    Inspection { form, view, context: ContextValues::new(context), known: &|_, _| true }.run()
}

/// What a merged record breaks by what is agreed upon. What is in dispute is decided first: until then no rule is asked of it,
/// and it makes no row exist. So what is found depends on what is claimed alone, and not on which claim is shown.
pub fn check_agreed(form: &Form, record: &Record, context: &Context) -> Vec<Broken> {
    let is_agreed = |path: &Path| record.cells.get(path).is_none_or(|cell| cell.contest.is_none());
    let view = View::from_paths(form, record.shown().filter(|(path, _)| is_agreed(path)));
    let known = |name: &str, of: Option<(&str, &str)>| {
        is_agreed(&of.map_or_else(|| form.path_of(name), |(list, key)| Path::item(list, key, name)))
    };
    Inspection { form, view: &view, context: ContextValues::new(context), known: &known }.run()
}

/// What a question about a rule is about: what the rule reads, whether it is broken or not, and of a requirement, or a rule
/// about rows, the places where it is broken and what makes those rows exist.
pub fn concerned(form: &Form, record: &Record, context: &Context, code: &str) -> BTreeSet<Path> {
    let broken = check_agreed(form, record, context).into_iter().filter(|rule| rule.code.as_str() == code);
    let broken = broken.flat_map(|rule| rule.reads.into_iter().chain(rule.stands));
    let rules = form.rules().iter().filter(|rule| rule.text.code == code);
    let fields = rules.flat_map(|rule| &rule.reads).flat_map(|variable| form.read_for(variable));
    fields.map(|field| form.path_of(field)).chain(broken).collect()
}

/// A name as a part of a JSON pointer (RFC 6901).
pub fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// A submission while it is being read.
struct Reading<'a> {
    form: &'a Form,
    submission: &'a Submission,
    context: &'a Context,
    /// The day by which coded lists are read.
    on: NaiveDate,
    checked: Checked,
    /// Values of grouped fields as they were seen and as they are to be.
    values: BTreeMap<&'a str, (Value, Value)>,
    /// What an edit says: fields, and `list/key/field`. A create says everything.
    said: BTreeSet<Cow<'a, str>>,
    /// What it says wrongly; rules that read it are not asked.
    faulty: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn new(form: &'a Form, submission: &'a Submission, context: &'a Context) -> Self {
        let said = |name: &str| submission.set.get(name).map(|change| &change.to);
        let on = form.day_of(said).unwrap_or(context.today);
        Self {
            form,
            submission,
            context,
            on,
            checked: Checked::default(),
            values: BTreeMap::new(),
            said: BTreeSet::new(),
            faulty: BTreeSet::new(),
        }
    }

    fn is_create(&self) -> bool {
        self.submission.kind == Kind::Create
    }

    fn refuse_values(&mut self) {
        if !self.submission.set.is_empty() || !self.submission.items.is_empty() {
            self.checked.errors.push(Finding::new("form.delete_carries_values", "/set"));
        }
    }

    fn read_fields(&mut self) {
        let (form, submission) = (self.form, self.submission);
        for (name, change) in &submission.set {
            let at = || format!("/set/{}", escaped(name));
            let Some(parts) = form.parts().get(name) else {
                self.checked.errors.push(Finding::new("form.unknown_field", at()).with("field", shortened(name)));
                continue;
            };
            self.say(Cow::Borrowed(name));
            let (from, to) = self.typed(parts, change, &at, name);
            if parts.derived.is_some() {
                continue;
            }
            self.checked.view.set(name, to.clone());
            if parts.field.group.is_none() {
                self.checked.changes.push(PathChange { path: Path::field(name), from, to });
            } else {
                self.values.insert(&parts.field.name, (from, to));
            }
        }
    }

    fn say(&mut self, name: Cow<'a, str>) {
        if !self.is_create() {
            self.said.insert(name);
        }
    }

    /// Both ends of a change. A `from` that the form would refuse is kept as it is: it may stem from an older version.
    fn typed(&mut self, parts: &FieldParts, change: &Change, at: &dyn Fn() -> String, name: &str) -> (Value, Value) {
        let normalise = |value: &Value| crate::form::normalise(&parts.field, parts.pattern.as_ref(), value, self.on);
        let from = if self.submission.kind == Kind::Create {
            Value::Null
        } else {
            normalise(&change.from).unwrap_or_else(|_| change.from.clone())
        };
        let to = normalise(&change.to).unwrap_or_else(|finding| {
            self.checked.errors.push(Finding { pointer: at(), ..finding.with("field", parts.field.label.clone()) });
            self.faulty.insert(name.to_owned());
            Value::Null
        });
        (from, to)
    }

    fn read_groups(&mut self) {
        let form = self.form;
        for (group, members) in form.groups() {
            let is_sent = |name: &&String| self.values.contains_key(name.as_str());
            let Some(first) = members.iter().find(is_sent) else { continue };
            if !self.is_create() && !members.iter().all(|name| is_sent(&name)) {
                let missing: Vec<Value> =
                    members.iter().filter(|name| !is_sent(name)).map(|name| self.label(name)).collect();
                let finding = Finding::new("form.group_incomplete", format!("/set/{first}")).with("missing", missing);
                self.checked.errors.push(finding);
                continue;
            }
            let (from, to) = self.group_values(members);
            for (name, value) in &to {
                if self.checked.view.get(name) != Some(value) {
                    self.checked.view.set(name, value.clone());
                }
            }
            for name in members {
                self.say(Cow::Borrowed(name));
            }
            let (from, to) = (group_value(from), group_value(to));
            self.checked.changes.push(PathChange { path: Path::field(group), from, to });
        }
    }

    /// What people call a field.
    fn label(&self, name: &str) -> Value {
        self.form.field(name).map_or_else(|| name.into(), |field| field.label.clone().into())
    }

    /// Both ends of a group, with defaults where nothing was said. A group that was empty before stays so.
    fn group_values(&mut self, members: &BTreeSet<String>) -> (Map<String, Value>, Map<String, Value>) {
        let (mut from, mut to) = (Map::new(), Map::new());
        let was_empty =
            members.iter().all(|name| self.values.get(name.as_str()).is_none_or(|(from, _)| from.is_null()));
        let is_emptied = members.iter().all(|name| self.values.get(name.as_str()).is_none_or(|(_, to)| to.is_null()));
        for name in members {
            let default = || self.form.field(name).map(|field| field.default.clone()).unwrap_or_default();
            let (old, new) = self.values.remove(name.as_str()).unwrap_or_default();
            from.insert(name.clone(), if old.is_null() && !was_empty { default() } else { old });
            to.insert(name.clone(), if new.is_null() && !is_emptied { default() } else { new });
        }
        (from, to)
    }

    fn read_items(&mut self) {
        let (form, submission) = (self.form, self.submission);
        for (list, items) in &submission.items {
            let at = format!("/items/{}", escaped(list));
            let Some(parts) = form.list(list) else {
                self.checked.errors.push(Finding::new("form.unknown_list", at).with("list", shortened(list)));
                continue;
            };
            if items.len() > parts.max {
                self.checked.errors.push(Finding::new("form.too_many_items", at).with("max", parts.max));
                continue;
            }
            let mut keys = BTreeSet::new();
            for (key, changes) in items {
                let at = format!("{at}/{}", escaped(key));
                match item_key(parts.key, key).filter(|key| keys.insert(key.clone())) {
                    None => self.checked.errors.push(Finding::new("form.item_key", at)),
                    Some(_) if changes.is_empty() => self.checked.errors.push(Finding::new("form.unsaid_item", at)),
                    Some(key) => self.read_item(list, parts, &key, changes, &at),
                }
            }
        }
    }

    fn read_item(&mut self, list: &str, parts: &ListParts, key: &str, changes: &BTreeMap<String, Change>, at: &str) {
        for (name, change) in changes {
            let at = || format!("{at}/{}", escaped(name));
            let Some(field) = parts.fields.get(name) else {
                self.checked.errors.push(Finding::new("form.unknown_field", at()).with("field", shortened(name)));
                continue;
            };
            let path = Path::item(list, key, name);
            let (from, to) = self.typed(field, change, &at, path.as_str());
            self.say(Cow::Owned(path.as_str().to_owned()));
            if !to.is_null() {
                self.checked.view.set_item(list, key, name, to.clone());
            }
            self.checked.changes.push(PathChange { path, from, to });
        }
    }

    /// A create is checked as the record that it would be; an edit as far as it says all that a rule reads.
    fn check(mut self) -> Checked {
        self.checked.view.derive(self.form);
        self.check_derived();
        let (is_create, all_good) = (self.is_create(), self.faulty.is_empty());
        let known = |name: &str, of: Option<(&str, &str)>| {
            if is_create && all_good {
                return true;
            }
            let asked = of.map_or(Cow::Borrowed(name), |(list, key)| Cow::Owned(format!("{list}/{key}/{name}")));
            !self.faulty.contains(&*asked) && (is_create || self.said.contains(&*asked))
        };
        let context = ContextValues::new(self.context);
        let broken = Inspection { form: self.form, view: &self.checked.view, context, known: &known }.run();
        for Broken { level, finding, .. } in broken {
            match level {
                Level::Error => self.checked.errors.push(finding),
                Level::Warning => self.checked.warnings.push(finding),
            }
        }
        self.checked
    }

    /// A derived field that was sent says what its author's phone computed: another result is an error.
    fn check_derived(&mut self) {
        for (name, change) in &self.submission.set {
            let Some(parts) = self.form.parts().get(name).filter(|parts| parts.derived.is_some()) else { continue };
            let expected = self.checked.view.get(name).cloned().unwrap_or_default();
            let sent = crate::form::normalise(&parts.field, None, &change.to, self.on).unwrap_or_default();
            if sent.is_null() || expected.is_null() || sent == expected {
                continue;
            }
            let finding = Finding::new("form.derived_sent_differs", format!("/set/{name}"))
                .with("field", parts.field.label.clone());
            let open = !parts.field.personal;
            let expected = parts
                .field
                .list
                .iter()
                .find(|entry| expected == entry.code.as_str())
                .map_or(expected, |entry| entry.label.clone().into());
            self.checked.errors.push(if open { finding.with("expected", expected) } else { finding });
        }
    }
}

/// A group's value: an object of all its fields; null when none has a value, so that empty is always the same.
fn group_value(members: Map<String, Value>) -> Value {
    if members.values().all(Value::is_null) { Value::Null } else { Value::Object(members) }
}

/// An unknown name is quoted, but not at any length.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn item_key(kind: ItemKey, key: &str) -> Option<String> {
    match kind {
        ItemKey::Sha256 => {
            let hash = key.to_ascii_lowercase();
            (hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit())).then_some(hash)
        }
        ItemKey::Uuid | ItemKey::Reference => Uuid::try_parse(key).ok().map(|id| id.hyphenated().to_string()),
        ItemKey::Text => {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
            ((1..=64).contains(&key.len()) && key.chars().all(plain)).then(|| key.to_owned())
        }
    }
}
