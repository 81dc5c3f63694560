//! The example file holds every key of the configuration, and nothing else. That what it shows are the defaults is tested
//! beside the configuration itself.

use super::Config;
use super::load::NOT_CONFIGURATION;
use serde_json::Value;
use std::collections::BTreeSet;

const EXAMPLE: &str = include_str!("../../../../muong.example.toml");

/// The keys below a part of the configuration; one within a section has the section's name before it.
fn keys(part: &Value, above: &str) -> BTreeSet<String> {
    let Value::Object(part) = part else { return BTreeSet::from([above.to_owned()]) };
    let within = |key: &str| if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    part.iter().flat_map(|(key, value)| keys(value, &within(key))).collect()
}

fn configured() -> BTreeSet<String> {
    keys(&serde_json::to_value(Config::default()).expect("a configuration serialises"), "")
}

/// What is set by a line, commented out or not: a name and a value that are joined by `by`.
fn set<'a>(line: &'a str, by: &str, may_be: impl Fn(char) -> bool) -> Option<&'a str> {
    let (name, _value) = line.trim_start_matches('#').trim().split_once(by)?;
    (!name.is_empty() && name.chars().all(|letter| letter == '_' || may_be(letter))).then_some(name)
}

/// What a variable of the environment sets, of `MUONG_SECTION__KEY`.
fn key_of(variable: &str) -> Option<String> {
    Some(variable.strip_prefix("MUONG_")?.to_lowercase().replace("__", "."))
}

/// What the lines set: in their section, or by the environment, as what is secret is.
fn set_in_lines(text: &str) -> BTreeSet<String> {
    let (mut section, mut found) = ("", BTreeSet::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(name) = set(line, " = ", |letter| letter.is_ascii_lowercase() || letter.is_ascii_digit()) {
            found.insert(if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") });
        } else if let Some(variable) = set(line, "=", |letter| letter.is_ascii_uppercase()) {
            found.extend(key_of(variable));
        }
    }
    found
}

/// The variables of the environment that are named anywhere in the text.
fn named_variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| letter != '_' && !letter.is_ascii_uppercase());
    words.filter_map(key_of).filter(|key| !key.is_empty() && !NOT_CONFIGURATION.contains(&key.as_str())).collect()
}

#[test]
fn the_example_file_sets_every_key_of_the_configuration_and_no_other() {
    let (configured, example) = (configured(), set_in_lines(EXAMPLE));
    let missing: Vec<_> = configured.difference(&example).collect();
    assert!(missing.is_empty(), "not in muong.example.toml: {missing:?}");
    let unknown: Vec<_> = example.difference(&configured).collect();
    assert!(unknown.is_empty(), "no keys of the configuration: {unknown:?}");
}

#[test]
fn every_variable_that_the_example_file_names_sets_a_key_of_the_configuration() {
    let (configured, named) = (configured(), named_variables(EXAMPLE));
    assert!(named.contains("log.format"), "they are found: {named:?}");
    let unknown: Vec<_> = named.difference(&configured).collect();
    assert!(unknown.is_empty(), "no keys of the configuration: {unknown:?}");
}

#[test]
fn keys_are_told_by_their_section_and_text_is_no_key() {
    let lines = [
        "# Text of a = b that sets nothing.",
        "# one = 1",
        "two = 2",
        "#   MUONG_LOG__LEVEL=warn",
        "[http]",
        "# one = 3",
        "# MUONG_LISTEN in a text sets nothing.",
    ];
    let expected = ["one", "two", "log.level", "http.one"].map(str::to_owned);
    assert_eq!(set_in_lines(&lines.join("\n")), BTreeSet::from(expected));
}
