//! The rules between fields: their expressions, where they point, what their messages quote.

use super::{Checked, Rule, check_text, compile, ensure, is_dotted, with_context, with_item};
use crate::form::definition::{Definition, RuleText};
use crate::form::rule::{Expression, Type, Variable};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn rules(definition: &Definition, variables: &BTreeMap<String, Variable>) -> Checked<Vec<Rule>> {
    let plain = with_context(variables.clone());
    let mut seen = BTreeSet::new();
    let mut rules = Vec::with_capacity(definition.rules.len());
    for (n, text) in definition.rules.iter().enumerate() {
        let place = format!("rules[{n}]");
        ensure(is_dotted(&text.code), format!("{place}.code"), format!("{} is not dotted snake_case", text.code))?;
        ensure(!text.code.starts_with("form."), format!("{place}.code"), "begins with form., which is muong's own")?;
        let place_is_new = seen.insert((&text.code, &text.pointer));
        ensure(place_is_new, format!("{place}.code"), format!("{} is used twice for {}", text.code, text.pointer))?;
        let variables = match &text.each {
            None => plain.clone(),
            Some(each) => {
                let list = definition.items.iter().find(|list| &list.name == each);
                with_item(
                    &plain,
                    list.ok_or_else(|| (format!("{place}.each"), format!("{each} is no list of this form")))?,
                )
            }
        };
        rules.push(rule(text, &place, definition, &variables)?);
    }
    Ok(rules)
}

fn rule(
    text: &RuleText,
    place: &str,
    definition: &Definition,
    variables: &BTreeMap<String, Variable>,
) -> Checked<Rule> {
    let compiled =
        |source: &str, key: &str| compile(source, &format!("{place}.{key}"), variables, Type::Bool, text.nullable);
    let when = text.when.as_deref().map(|source| compiled(source, "when")).transpose()?;
    let expr = compiled(&text.expr, "expr")?;
    let reads: BTreeSet<String> = when.iter().chain([&expr]).flat_map(Expression::reads).map(str::to_owned).collect();
    check_pointer(text, place, definition)?;
    check_message(text, place, definition, &reads)?;
    Ok(Rule { text: text.clone(), when, expr, reads })
}

fn check_pointer(text: &RuleText, place: &str, definition: &Definition) -> Checked<()> {
    let parts: Vec<&str> = text.pointer.split('/').skip(1).collect();
    let found = match (parts.as_slice(), &text.each) {
        (["set", field], _) => definition.fields.iter().any(|known| known.name == *field),
        (["items", list, "*", field], Some(each)) => {
            list == each
                && definition
                    .items
                    .iter()
                    .any(|known| known.name == *list && known.fields.iter().any(|f| f.name == *field))
        }
        _ => false,
    };
    ensure(
        found,
        format!("{place}.pointer"),
        format!("{} points to no field (/set/<field>, or /items/<list>/*/<field> with each)", text.pointer),
    )
}

/// A message quotes `{field}`s that its rule reads; never personal ones, for it travels further than the record.
fn check_message(text: &RuleText, place: &str, definition: &Definition, reads: &BTreeSet<String>) -> Checked<()> {
    check_text(&text.message, &format!("{place}.message"))?;
    for (language, message) in [("vi", &text.message.vi), ("en", &text.message.en)] {
        for quoted in placeholders(message) {
            let place = format!("{place}.message.{language}");
            ensure(reads.contains(quoted), &place, format!("quotes {{{quoted}}}, which the rule does not read"))?;
            ensure(!is_personal(definition, text, quoted), &place, format!("quotes {{{quoted}}}, which is personal"))?;
        }
    }
    Ok(())
}

fn is_personal(definition: &Definition, text: &RuleText, variable: &str) -> bool {
    let fields = match variable.strip_prefix("item.") {
        Some(_) => definition.items.iter().find(|list| Some(&list.name) == text.each.as_ref()).map(|list| &list.fields),
        None => Some(&definition.fields),
    };
    let name = variable.strip_prefix("item.").unwrap_or(variable);
    fields.into_iter().flatten().any(|field| field.name == name && field.personal)
}

/// The names between braces.
pub(super) fn placeholders(message: &str) -> impl Iterator<Item = &str> {
    message.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}
