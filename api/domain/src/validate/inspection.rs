//! A record, or the part of one that a submission tells, held against the requirements and rules of its form.
//!
//! Knows shown values and the context; who said what, and what becomes of a finding, is the caller's business.

use super::{Broken, Context, escaped};
use crate::form::{FieldParts, Form, ListParts, Rule, Scope, View, quoted};
use crate::record::Path;
use crate::refusal::{Code, Finding, Level, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The context as rules read it.
pub(super) struct ContextValues {
    today: Value,
    unit_founded_on: Value,
}

impl ContextValues {
    pub(super) fn new(context: &Context) -> Self {
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

/// What makes an item exist.
fn stands(item: Option<Item<'_>>) -> Vec<Path> {
    let Some((list, key, values)) = item else { return Vec::new() };
    values.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| Path::item(list, key, name)).collect()
}

/// Whether a field is known, of the record or of the item of a list and key.
pub(super) type Known<'a> = &'a dyn Fn(&str, Option<(&str, &str)>) -> bool;

/// A record, or the part of it that a submission tells, held against the form.
pub(super) struct Inspection<'a> {
    pub(super) form: &'a Form,
    pub(super) view: &'a View,
    pub(super) context: ContextValues,
    /// What is known here.
    pub(super) known: Known<'a>,
}

impl Inspection<'_> {
    pub(super) fn run(&self) -> Vec<Broken> {
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

    fn is_known(&self, variable: &str, item: Option<Item<'_>>) -> bool {
        let known = self.known;
        match variable.strip_prefix("item.") {
            Some(field) => known(field, item.map(|(list, key, _)| (list, key))),
            None => self.form.read_for(variable).all(|field| known(field, None)),
        }
    }

    fn paths<'b>(&self, variables: impl Iterator<Item = &'b str>, item: Option<Item<'_>>) -> Vec<Path> {
        let mut paths: BTreeSet<Path> = BTreeSet::new();
        for variable in variables {
            match (variable.strip_prefix("item."), item) {
                (Some(field), Some((list, key, _))) => {
                    paths.insert(Path::item(list, key, field));
                }
                (Some(field), None) => {
                    paths.insert(self.form.path_of(field));
                }
                (None, _) => paths.extend(self.form.read_for(variable).map(|field| self.form.path_of(field))),
            }
        }
        paths.into_iter().collect()
    }

    fn missing(&self, parts: &FieldParts, item: Option<Item<'_>>) -> Option<Broken> {
        let name = parts.field.name.as_str();
        let scope = self.scope(item);
        let value = match item {
            Some((_, _, values)) => values.get(name),
            None => self.view.get(name),
        };
        let condition = parts.required_when.as_ref();
        if value.is_some_and(|value| !value.is_null()) || (!parts.field.required && condition.is_none()) {
            return None;
        }
        let variable = if item.is_some() { format!("item.{name}") } else { name.to_owned() };
        if !self.is_known(&variable, item) {
            return None;
        }
        let asked = condition
            .is_some_and(|when| when.reads().all(|read| self.is_known(read, item)) && when.holds(&scope) == Some(true));
        if !parts.field.required && !asked {
            return None;
        }
        let pointer = match item {
            Some((list, key, _)) => format!("/items/{list}/{}/{name}", escaped(key)),
            None => format!("/set/{name}"),
        };
        let finding = Finding::new("form.required", pointer).with("field", parts.field.label.clone());
        let reads = condition.into_iter().flat_map(|when| when.reads()).chain([variable.as_str()]);
        let reads = self.paths(reads, item);
        Some(Broken { code: finding.code.clone(), level: Level::Error, reads, stands: stands(item), finding })
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
        Some(Broken {
            code: finding.code.clone(),
            level: Level::Error,
            reads: reads.collect(),
            stands: Vec::new(),
            finding,
        })
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
        Some(Broken { code: finding.code.clone(), level: rule.text.level, reads, stands: stands(item), finding })
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
            args.iter()
                .fold(message.to_owned(), |told, (name, value)| told.replace(&format!("{{{name}}}"), &quoted(value)))
        };
        let message = Text { vi: told(&rule.text.message.vi), en: told(&rule.text.message.en) };
        Finding { code: Code::from_form(rule.text.code.clone()), pointer, args, message: Some(message) }
    }
}
