//! What can be wrong with a data file (calendar, rules): named by file, place and reason, for whoever edits it.
//! Knows nothing of what the files say.

use serde::de::DeserializeOwned;

/// A data file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}: {place}: {reason}")]
pub struct DataError {
    /// The file, by the name that it has in `forms/`.
    pub file: &'static str,
    /// The line and column, or the path of the value.
    pub place: String,
    /// What is wrong, and what is expected.
    pub reason: String,
}

impl DataError {
    /// An error at `place` of `file`.
    pub fn new(file: &'static str, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { file, place: place.into(), reason: reason.into() }
    }
}

/// Parses the JSON of `file` into its shape.
pub(crate) fn parse<T: DeserializeOwned>(file: &'static str, json: &str) -> Result<T, DataError> {
    serde_json::from_str(json).map_err(|error| {
        DataError::new(file, format!("line {}, column {}", error.line(), error.column()), error.to_string())
    })
}
