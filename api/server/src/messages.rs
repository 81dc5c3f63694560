//! The catalogue of texts: every stable code in Vietnamese and English, and the choice between them by `Accept-Language`.
//! The texts themselves stand in `messages/{vi,en}.ftl` (Project Fluent); an id is the code with `-` for `.`.
//! Decides nothing: it is told a code and its arguments.

use chrono::NaiveDate;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::resolver::ResolverError;
use fluent_bundle::resolver::errors::ReferenceKind;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};
use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};
use muong_domain::refusal::{Finding, Text};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The values that a text quotes, by name.
pub type Args = BTreeMap<String, Value>;

/// The languages of the product. Vietnamese is the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lang {
    /// Tiếng Việt.
    #[default]
    Vi,
    /// English.
    En,
}

impl Lang {
    /// As it stands in `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }

    /// Chooses by an `Accept-Language` header (RFC 9110 §12.5.4); Vietnamese when it asks for neither.
    pub fn negotiate(accept: Option<&str>) -> Self {
        // fluent-langneg goes by order and ignores weights, so the header is put in order first.
        let mut ranges: Vec<(&str, f32)> = accept.unwrap_or_default().split(',').filter_map(weighted).collect();
        ranges.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let wanted: Vec<LanguageIdentifier> = ranges.iter().filter_map(|(tag, _)| tag.parse().ok()).collect();
        let best = negotiate_languages(&wanted, &*AVAILABLE, AVAILABLE.first(), NegotiationStrategy::Lookup);
        match best.first() {
            Some(id) if id.language == AVAILABLE[1].language => Self::En,
            _ => Self::Vi,
        }
    }
}

/// Vietnamese, then English.
static AVAILABLE: LazyLock<[LanguageIdentifier; 2]> =
    LazyLock::new(|| ["vi", "en"].map(|tag| tag.parse().expect("a well-formed language tag")));

/// One range of `Accept-Language` with its weight; a weight of 0 means "not this one". `*` is Vietnamese to us.
fn weighted(range: &str) -> Option<(&str, f32)> {
    let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok())?;
    let tag = match tag.trim() {
        "*" => "vi",
        tag => tag,
    };
    (weight > 0.0 && weight <= 1.0).then_some((tag, weight))
}

type Bundle = FluentBundle<FluentResource>;

static CATALOGUE: LazyLock<[Bundle; 2]> = LazyLock::new(|| {
    [bundle("vi", include_str!("../messages/vi.ftl")), bundle("en", include_str!("../messages/en.ftl"))]
});

fn bundle(tag: &str, source: &str) -> Bundle {
    let lang: unic_langid::LanguageIdentifier = tag.parse().expect("a well-formed language tag");
    let resource = FluentResource::try_new(source.to_owned()).expect("the catalogue parses: a unit test reads it");
    let mut bundle = FluentBundle::new_concurrent(vec![lang]);
    // Texts are shown by phones as they are; invisible bidi marks around values would end up in copied text.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).expect("no id stands twice in the catalogue: a unit test reads it");
    bundle
}

/// Which part of an entry is meant.
#[derive(Clone, Copy)]
enum Part {
    /// What happened and what to do next.
    Text,
    /// The same in three or four words, for the title of a problem document.
    Title,
}

/// The text of a code in both languages.
pub fn text(code: &str, args: &Args) -> Text {
    Text { vi: localised(Lang::Vi, code, args), en: localised(Lang::En, code, args) }
}

/// The text of a code in one language; for a code without an entry, a sentence that at least names it.
pub fn localised(lang: Lang, code: &str, args: &Args) -> String {
    look_up(lang, code, Part::Text, args).unwrap_or_else(|| {
        tracing::error!(code, "the catalogue has no text for this code");
        let args = Args::from([("code".to_owned(), Value::from(code))]);
        look_up(lang, "unknown.code", Part::Text, &args).unwrap_or_else(|| code.to_owned())
    })
}

/// The title of a code in one language; a general one for codes that have none of their own.
pub fn title(lang: Lang, code: &str) -> String {
    let none = Args::new();
    look_up(lang, code, Part::Title, &none)
        .or_else(|| look_up(lang, "unknown.code", Part::Title, &none))
        .unwrap_or_default()
}

/// The text of a finding: its own, when the form brought one, else the catalogue's.
pub fn of_finding(finding: &Finding) -> Text {
    finding.message.clone().unwrap_or_else(|| text(finding.code.as_str(), &finding.args))
}

fn look_up(lang: Lang, code: &str, part: Part, args: &Args) -> Option<String> {
    let bundle = &CATALOGUE[lang as usize];
    let message = bundle.get_message(&code.replace('.', "-"))?;
    let pattern = match part {
        Part::Text => message.value()?,
        Part::Title => message.get_attribute("title")?.value(),
    };
    let mut values = fluent_args(lang, args);
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&values), &mut errors);
    if errors.is_empty() {
        return Some(text.into_owned());
    }
    // A finding may leave out a value that does not apply (an open end of a range): a dash stands for it.
    for name in errors.iter().filter_map(missing) {
        values.set(name, ABSENT);
    }
    Some(bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned())
}

/// What is shown for a value that is not there.
const ABSENT: &str = "–";

fn missing(error: &FluentError) -> Option<String> {
    match error {
        FluentError::ResolverError(ResolverError::Reference(ReferenceKind::Variable { id })) => Some(id.clone()),
        _ => None,
    }
}

fn fluent_args(lang: Lang, args: &Args) -> FluentArgs<'static> {
    args.iter()
        .map(|(name, value)| {
            let text = word(lang, name, value).unwrap_or_else(|| shown(lang, value));
            (name.clone(), FluentValue::String(Cow::Owned(text)))
        })
        .collect()
}

/// A value that is a code of ours, such as a kind of step, in words. A code that the author sent is quoted as it is.
fn word(lang: Lang, name: &str, value: &Value) -> Option<String> {
    const WORDS: [&str; 8] = ["step", "missing", "relation", "expected", "discipline", "status", "unit_kind", "place"];
    let code = value.as_str().filter(|_| WORDS.contains(&name))?;
    let bundle = &CATALOGUE[lang as usize];
    let pattern = bundle.get_message(&format!("word-{code}"))?.value()?;
    Some(bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned())
}

/// A value as a reader expects it. Numbers become text here, because Fluent holds them as floats.
fn shown(lang: Lang, value: &Value) -> String {
    match value {
        Value::String(text) => date(lang, text).unwrap_or_else(|| text.clone()),
        Value::Array(items) => items.iter().map(|item| shown(lang, item)).collect::<Vec<_>>().join(", "),
        // A label of a form, in both languages.
        Value::Object(texts) => texts.get(lang.tag()).and_then(Value::as_str).unwrap_or(ABSENT).to_owned(),
        Value::Null => ABSENT.to_owned(),
        other => other.to_string(),
    }
}

/// Vietnamese readers write 05/03/2026; English ones get the ISO date, which cannot be misread.
fn date(lang: Lang, text: &str) -> Option<String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)?;
    (lang == Lang::Vi).then(|| date.format("%d/%m/%Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Id (with `.attribute`) → the names of its arguments, and its text.
    fn entries(source: &str) -> BTreeMap<String, (BTreeSet<String>, String)> {
        let mut entries: BTreeMap<String, (BTreeSet<String>, String)> = BTreeMap::new();
        let mut id = String::new();
        for line in source.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let text = if let Some(attribute) = line.strip_prefix("    .") {
                let (name, text) = attribute.split_once(" = ").expect("an attribute");
                id = format!("{}.{name}", id.split('.').next().unwrap_or_default());
                text
            } else if line.starts_with(' ') {
                line
            } else {
                let (name, text) = line.split_once(" =").expect("a message");
                assert!(!entries.contains_key(name), "{name} stands twice");
                id = name.to_owned();
                text
            };
            let (args, whole) = entries.entry(id.clone()).or_default();
            args.extend(text.split("{ $").skip(1).map(|rest| rest.split(' ').next().unwrap_or_default().to_owned()));
            whole.push_str(text.trim());
        }
        entries
    }

    #[test]
    fn both_catalogues_have_the_same_codes_with_the_same_arguments_and_no_empty_text() {
        let vi = entries(include_str!("../messages/vi.ftl"));
        let en = entries(include_str!("../messages/en.ftl"));
        assert_eq!(vi.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
        for (id, (args, text)) in &vi {
            assert_eq!(args, &en[id].0, "arguments of {id}");
            assert!(!text.trim().is_empty() && !en[id].1.trim().is_empty(), "{id} is empty");
        }
    }

    #[test]
    fn every_entry_is_found_by_its_code_in_both_languages() {
        for (id, (names, _)) in entries(include_str!("../messages/vi.ftl")) {
            let args: Args = names.iter().map(|name| (name.clone(), Value::from("value"))).collect();
            let code = id.split('.').next().unwrap_or_default();
            for lang in [Lang::Vi, Lang::En] {
                let text = look_up(lang, code, Part::Text, &args).unwrap_or_else(|| panic!("{code}"));
                assert!(!text.contains('$'), "{text}");
            }
        }
    }

    /// Every dotted code that the program's own lines (not its tests) spell out.
    fn codes_of(directory: &std::path::Path, families: &BTreeSet<&str>, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).expect("the sources are here") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                codes_of(&path, families, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).expect("a source");
                let program = source.split("#[cfg(test)]").next().unwrap_or_default();
                let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                found.extend(
                    program
                        .split('"')
                        .filter(|word| word.split_once('.').is_some_and(|(f, c)| families.contains(f) && plain(c)))
                        .map(str::to_owned),
                );
            }
        }
    }

    #[test]
    fn every_code_that_the_program_spells_out_has_its_texts() {
        let entries = entries(include_str!("../messages/vi.ftl"));
        let families = entries.keys().filter_map(|id| id.split_once('-')).map(|(family, _)| family).collect();
        let mut codes = BTreeSet::new();
        for sources in ["src", "../store/src", "../domain/src"] {
            codes_of(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(sources), &families, &mut codes);
        }
        assert!(codes.len() > 40, "the sources were read");
        codes.retain(|code| !entries.contains_key(&code.replace('.', "-")));
        assert!(codes.is_empty(), "without texts: {codes:?}");
    }

    #[test]
    fn every_text_is_of_a_code_that_the_program_or_a_form_spells_out() {
        let catalogue = entries(include_str!("../messages/vi.ftl"));
        let codes: BTreeSet<&String> =
            catalogue.keys().filter(|id| !id.contains('.') && !id.starts_with("word-")).collect();
        let families = codes.iter().filter_map(|id| id.split_once('-')).map(|(family, _)| family).collect();
        let mut named = BTreeSet::new();
        for sources in ["src", "../store/src", "../domain/src"] {
            codes_of(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(sources), &families, &mut named);
        }
        let unused = |id: &&&String| !named.contains(&id.replace('-', "."));
        let unused: Vec<_> = codes.iter().filter(unused).collect();
        assert!(unused.is_empty(), "nobody says {unused:?}");
    }

    #[test]
    fn the_language_follows_the_weights_and_falls_back_to_vietnamese() {
        let cases = [
            (None, Lang::Vi),
            (Some("en"), Lang::En),
            (Some("en-GB,en;q=0.9"), Lang::En),
            (Some("en;q=0.3, vi-VN;q=0.8"), Lang::Vi),
            (Some("fr, en;q=0.5, *;q=0.1"), Lang::En),
            (Some("en;q=0, *"), Lang::Vi),
            (Some("de"), Lang::Vi),
            (Some(";;;,q=,\u{fffd}"), Lang::Vi),
        ];
        for (header, expected) in cases {
            assert_eq!(Lang::negotiate(header), expected, "{header:?}");
        }
    }

    #[test]
    fn dates_are_written_as_the_reader_writes_them() {
        assert_eq!(shown(Lang::Vi, &Value::from("2026-03-05")), "05/03/2026");
        assert_eq!(shown(Lang::En, &Value::from("2026-03-05")), "2026-03-05");
        assert_eq!(shown(Lang::Vi, &serde_json::json!(["a", 1500])), "a, 1500");
    }

    #[test]
    fn labels_are_quoted_in_the_language_of_the_text() {
        let label = |vi: &str, en: &str| Value::from(Text { vi: vi.to_owned(), en: en.to_owned() });
        let missing = vec![label("Có mặt", "Present"), label("Vắng có lý do", "Absent with excuse")];
        let told = text("form.group_incomplete", &Args::from([("missing".to_owned(), missing.into())]));
        assert!(told.vi.contains("Có mặt, Vắng có lý do"), "{}", told.vi);
        assert!(told.en.contains("Present, Absent with excuse"), "{}", told.en);
    }

    #[test]
    fn values_that_are_codes_become_words_and_absent_ones_a_dash() {
        let args = Args::from([("step".to_owned(), "ceremony_held".into()), ("on".to_owned(), "2026-02-19".into())]);
        let text = text("step.already_held", &args);
        assert!(text.vi.starts_with("Bước “lễ kết nạp” đã được ghi vào ngày 19/02/2026"), "{}", text.vi);
        let open = localised(Lang::En, "form.range", &Args::from([("min".to_owned(), 0.into())]));
        assert!(open.contains("least: 0, greatest: –"), "{open}");
    }

    #[test]
    fn an_unknown_code_is_still_answered_with_a_sentence() {
        assert!(localised(Lang::En, "no.such_code", &Args::new()).contains("no.such_code"));
    }
}
