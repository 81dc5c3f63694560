//! Every coded thing that muong says about an input: errors that refuse it and warnings that do not.
//! Codes only: their texts, Vietnamese and English, stand in the server's catalogue (or in the form that states the rule).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A stable dotted code (`meeting.roll_sum`): part of the API, never renamed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code that is built in.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }
    /// A code that a published form brings with it.
    pub fn from_form(code: String) -> Self {
        Self(Cow::Owned(code))
    }
    /// The dotted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text in the two languages of the product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Vietnamese, the default.
    pub vi: String,
    /// English.
    pub en: String,
}

/// As a value that a message quotes: its reader's language is chosen when it is shown.
impl From<Text> for Value {
    fn from(text: Text) -> Self {
        serde_json::json!({"vi": text.vi, "en": text.en})
    }
}

/// One coded error or warning about one place of an input.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What is the matter.
    pub code: Code,
    /// Where: a JSON pointer (RFC 6901) into the submission or body; empty for the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// Values that the message quotes (a limit, the other step …); never a personal value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, Value>,
    /// The text, when the form brings its own; otherwise the catalogue has it by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Text>,
}

impl Finding {
    /// A finding about `pointer`, its text to be found in the catalogue.
    pub fn new(code: &'static str, pointer: impl Into<String>) -> Self {
        Self { code: Code::new(code), pointer: pointer.into(), args: BTreeMap::new(), message: None }
    }
    /// Adds a value that the message quotes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }
}

/// Whether a finding refuses the submission or only accompanies it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The submission is not merged; it waits in quarantine.
    Error,
    /// The submission is merged; the warning stands in its result.
    Warning,
}
