//! A submission against its form: normalised changes by path, errors that refuse it, warnings that do not.
//!
//! Runs before any lock and asks nothing of the store. What a merged record breaks is asked by `check_merged`.
//! Knows neither units nor persons: what a rule needs of them comes in the context.

use crate::form::{FieldParts, Form, ItemKey, ListParts, Rule, Scope, View};
use crate::record::Path;
use crate::refusal::{Code, Finding, Level, Text};
use crate::submission::{Change, Kind, Submission};
use chrono::NaiveDate;
use serde_json::{Map, Value};
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
    /// The place in the submission, for findings about this path.
    pub pointer: String,
}

/// A submission after validation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Checked {
    /// What it changes, by path.
    pub changes: Vec<PathChange>,
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
    /// The paths that it reads: whether its author set or saw them all decides who is at fault (`sync.md`, Merge).
    pub reads: Vec<Path>,
    /// What to tell.
    pub finding: Finding,
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

fn escaped(token: &str) -> String {
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
    view: View,
    /// Values of fields as they were seen and as they are to be.
    values: BTreeMap<&'a str, (Value, Value)>,
    /// What the submission says: fields, and `list/key/field`.
    said: BTreeSet<String>,
    /// What it says wrongly; rules that read it are not asked.
    faulty: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn new(form: &'a Form, submission: &'a Submission, context: &'a Context) -> Self {
        let mut dated = View::default();
        for (name, change) in &submission.set {
            dated.set(name, change.to.clone());
        }
        let on = form.occurred_on(&dated).unwrap_or(context.today);
        let (checked, view) = (Checked::default(), View::default());
        Self {
            form,
            submission,
            context,
            on,
            checked,
            view,
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
            let at = format!("/set/{}", escaped(name));
            let Some(parts) = form.parts().get(name) else {
                self.checked.errors.push(Finding::new("form.unknown_field", at).with("field", shortened(name)));
                continue;
            };
            self.said.insert(name.clone());
            let (from, to) = self.typed(parts, change, &at, name);
            if parts.derived.is_some() {
                continue;
            }
            if parts.field.group.is_none() {
                self.checked.changes.push(PathChange {
                    path: Path::field(name),
                    from: from.clone(),
                    to: to.clone(),
                    pointer: at,
                });
            }
            self.view.set(name, to.clone());
            self.values.insert(&parts.field.name, (from, to));
        }
    }

    /// Both ends of a change. A `from` that the form would refuse is kept as it is: it may stem from an older version.
    fn typed(&mut self, parts: &FieldParts, change: &Change, at: &str, name: &str) -> (Value, Value) {
        let normalise =
            |value: &Value| crate::form::normalise(&parts.field, parts.pattern.as_ref(), value, self.on, at);
        let from = if self.submission.kind == Kind::Create {
            Value::Null
        } else {
            normalise(&change.from).unwrap_or_else(|_| change.from.clone())
        };
        let to = normalise(&change.to).unwrap_or_else(|finding| {
            self.checked.errors.push(finding);
            self.faulty.insert(name.to_owned());
            Value::Null
        });
        (from, to)
    }

    fn read_groups(&mut self) {
        let form = self.form;
        for (group, members) in form.groups() {
            let sent: Vec<&String> = members.iter().filter(|name| self.values.contains_key(name.as_str())).collect();
            let Some(first) = sent.first() else { continue };
            let pointer = format!("/set/{first}");
            if !self.is_create() && sent.len() < members.len() {
                let missing: Vec<Value> =
                    members.iter().filter(|name| !sent.contains(name)).map(|name| name.as_str().into()).collect();
                let finding = Finding::new("form.group_incomplete", pointer)
                    .with("group", group.as_str())
                    .with("missing", missing);
                self.checked.errors.push(finding);
                continue;
            }
            let (from, to) = self.group_values(members);
            for name in members {
                self.view.set(name, to.get(name).cloned().unwrap_or_default());
                self.said.insert(name.clone());
            }
            let (from, to) = (group_value(from), group_value(to));
            self.checked.changes.push(PathChange { path: Path::field(group), from, to, pointer });
        }
    }

    /// Both ends of a group, with defaults where nothing was said. A group that was empty before stays so.
    fn group_values(&self, members: &BTreeSet<String>) -> (Map<String, Value>, Map<String, Value>) {
        let (mut from, mut to) = (Map::new(), Map::new());
        let was_empty =
            members.iter().all(|name| self.values.get(name.as_str()).is_none_or(|(from, _)| from.is_null()));
        let is_emptied = members.iter().all(|name| self.values.get(name.as_str()).is_none_or(|(_, to)| to.is_null()));
        for name in members {
            let default = self.form.field(name).map(|field| field.default.clone()).unwrap_or_default();
            let (old, new) = self.values.get(name.as_str()).cloned().unwrap_or_default();
            from.insert(name.clone(), if old.is_null() && !was_empty { default.clone() } else { old });
            to.insert(name.clone(), if new.is_null() && !is_emptied { default } else { new });
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
            let at = format!("{at}/{}", escaped(name));
            let Some(field) = parts.fields.get(name) else {
                self.checked.errors.push(Finding::new("form.unknown_field", at).with("field", shortened(name)));
                continue;
            };
            let path = Path::item(list, key, name);
            let (from, to) = self.typed(field, change, &at, path.as_str());
            self.said.insert(path.as_str().to_owned());
            if !to.is_null() {
                self.view.set_item(list, key, name, to.clone());
            }
            self.checked.changes.push(PathChange { path, from, to, pointer: at });
        }
    }

    /// A create is checked as the record that it would be; an edit as far as it says all that a rule reads.
    fn check(mut self) -> Checked {
        self.view.derive(self.form);
        self.check_derived();
        let is_create = self.is_create();
        let known = |name: &str, of: &str| {
            let asked = if of.is_empty() { name.to_owned() } else { format!("{of}/{name}") };
            !self.faulty.contains(&asked) && (is_create || self.said.contains(&asked))
        };
        let context = ContextValues::new(self.context);
        let broken = Inspection { form: self.form, view: &self.view, context, known: &known }.run();
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
            let expected = self.view.get(name).cloned().unwrap_or_default();
            let at = format!("/set/{name}");
            let sent = crate::form::normalise(&parts.field, None, &change.to, self.on, &at).unwrap_or_default();
            if sent.is_null() || expected.is_null() || sent == expected {
                continue;
            }
            let finding = Finding::new("form.derived_sent_differs", at).with("field", name.as_str());
            let open = !parts.field.personal;
            self.checked.errors.push(if open {
                finding.with("sent", sent).with("expected", expected)
            } else {
                finding
            });
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

/// The context as rules read it.
struct ContextValues {
    today: Value,
    unit_founded_on: Value,
}

impl ContextValues {
    fn new(context: &Context) -> Self {
        let founded = context.unit_founded_on.map_or(Value::Null, |date| date.to_string().into());
        Self { today: context.today.to_string().into(), unit_founded_on: founded }
    }
}

/// What a rule reads while it runs: the context, one item, the record.
struct RuleScope<'a> {
    view: &'a View,
    context: &'a ContextValues,
    item: Option<&'a BTreeMap<String, Value>>,
}

impl Scope for RuleScope<'_> {
    fn value(&self, name: &str) -> &Value {
        let found = match (name, name.strip_prefix("item.")) {
            ("today", _) => Some(&self.context.today),
            ("unit_founded_on", _) => Some(&self.context.unit_founded_on),
            (_, Some(field)) => self.item.and_then(|item| item.get(field)),
            (name, None) => self.view.get(name),
        };
        found.unwrap_or(&Value::Null)
    }
}

/// An item that a rule runs on: its list, its key, its values.
type Item<'a> = (&'a str, &'a str, &'a BTreeMap<String, Value>);

/// A record, or the part of it that a submission tells, held against the form.
struct Inspection<'a> {
    form: &'a Form,
    view: &'a View,
    context: ContextValues,
    /// Whether the field (of the item `list/key`) is known here.
    known: &'a dyn Fn(&str, &str) -> bool,
}

impl Inspection<'_> {
    fn run(&self) -> Vec<Broken> {
        let mut broken = Vec::new();
        for parts in self.form.parts().values() {
            broken.extend(self.missing(parts, None));
        }
        for (list, parts) in self.form.lists() {
            broken.extend(self.too_many(list, parts));
            for (key, values) in self.view.items(list) {
                broken.extend(parts.fields.values().filter_map(|field| self.missing(field, Some((list, key, values)))));
            }
        }
        for rule in self.form.rules() {
            match &rule.text.each {
                None => broken.extend(self.broken(rule, None)),
                Some(list) => {
                    broken.extend(
                        self.view.items(list).filter_map(|(key, values)| self.broken(rule, Some((list, key, values)))),
                    );
                }
            }
        }
        broken
    }

    fn scope<'b>(&'b self, item: Option<Item<'b>>) -> RuleScope<'b> {
        RuleScope { view: self.view, context: &self.context, item: item.map(|(_, _, values)| values) }
    }

    /// The merged fields, or fields of the item, that a variable stands for; none for the context.
    fn fields<'b>(&'b self, variable: &'b str) -> Vec<&'b str> {
        match variable.strip_prefix("item.") {
            Some(field) => vec![field],
            None if self.form.field(variable).is_some() => self.form.merged_fields(variable),
            None => Vec::new(),
        }
    }

    fn is_known(&self, variable: &str, item: Option<Item<'_>>) -> bool {
        let of = match (variable.starts_with("item."), item) {
            (true, Some((list, key, _))) => format!("{list}/{key}"),
            _ => String::new(),
        };
        self.fields(variable).into_iter().all(|field| (self.known)(field, &of))
    }

    fn paths<'b>(&self, variables: impl Iterator<Item = &'b str>, item: Option<Item<'_>>) -> Vec<Path> {
        let paths: BTreeSet<Path> = variables
            .flat_map(|variable| {
                let of_item = item.filter(|_| variable.starts_with("item."));
                let path = move |field: &str| match of_item {
                    Some((list, key, _)) => Path::item(list, key, field),
                    None => self.form.path_of(field),
                };
                self.fields(variable).into_iter().map(path).collect::<Vec<_>>()
            })
            .collect();
        paths.into_iter().collect()
    }

    fn missing(&self, parts: &FieldParts, item: Option<Item<'_>>) -> Option<Broken> {
        let name = parts.field.name.as_str();
        let variable = if item.is_some() { format!("item.{name}") } else { name.to_owned() };
        let scope = self.scope(item);
        if !scope.value(&variable).is_null() || !self.is_known(&variable, item) {
            return None;
        }
        let condition = parts.required_when.as_ref();
        let asked = condition
            .is_some_and(|when| when.reads().all(|read| self.is_known(read, item)) && when.holds(&scope) == Some(true));
        if !parts.field.required && !asked {
            return None;
        }
        let pointer = match item {
            Some((list, key, _)) => format!("/items/{list}/{}/{name}", escaped(key)),
            None => format!("/set/{name}"),
        };
        let finding = Finding::new("form.required", pointer).with("field", name);
        let reads = condition.into_iter().flat_map(|when| when.reads()).chain([variable.as_str()]);
        let reads = self.paths(reads, item);
        Some(Broken { code: finding.code.clone(), level: Level::Error, reads, finding })
    }

    fn too_many(&self, list: &str, parts: &ListParts) -> Option<Broken> {
        if self.view.items(list).count() <= parts.max {
            return None;
        }
        let finding = Finding::new("form.too_many_items", format!("/items/{list}")).with("max", parts.max);
        let reads = self
            .view
            .items(list)
            .flat_map(|(key, fields)| fields.keys().map(move |field| Path::item(list, key, field)));
        Some(Broken { code: finding.code.clone(), level: Level::Error, reads: reads.collect(), finding })
    }

    /// An expression that cannot be evaluated counts as broken: it is safer to ask a reviewer than to let it pass.
    fn broken(&self, rule: &Rule, item: Option<Item<'_>>) -> Option<Broken> {
        let scope = self.scope(item);
        if !rule.reads.iter().all(|read| self.is_known(read, item)) {
            return None;
        }
        if !rule.text.nullable && rule.reads.iter().any(|read| scope.value(read).is_null()) {
            return None;
        }
        let holds = match rule.when.as_ref().map_or(Some(true), |when| when.holds(&scope)) {
            Some(false) => return None,
            Some(true) => rule.expr.holds(&scope),
            None => None,
        };
        if holds == Some(true) {
            return None;
        }
        let finding = self.finding(rule, &scope, item, holds.is_none());
        let reads = self.paths(rule.reads.iter().map(String::as_str), item);
        Some(Broken { code: finding.code.clone(), level: rule.text.level, reads, finding })
    }

    fn finding(&self, rule: &Rule, scope: &RuleScope<'_>, item: Option<Item<'_>>, unevaluable: bool) -> Finding {
        let pointer = rule.text.pointer.replace('*', &item.map(|(_, key, _)| escaped(key)).unwrap_or_default());
        if unevaluable {
            return Finding::new("form.rule_unevaluable", pointer).with("rule", rule.text.code.as_str());
        }
        let mut args = BTreeMap::new();
        for read in rule.quoted() {
            args.insert(read.to_owned(), scope.value(read).clone());
        }
        let told = |message: &str| {
            args.iter().fold(message.to_owned(), |told, (name, value)| {
                told.replace(&format!("{{{name}}}"), &crate::form::quoted(value))
            })
        };
        let message = Text { vi: told(&rule.text.message.vi), en: told(&rule.text.message.en) };
        Finding { code: Code::from_form(rule.text.code.clone()), pointer, args, message: Some(message) }
    }
}
