//! What the checks found, for a person and for a program. Holds no secret: the configuration redacts its own.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// It serves, but not as well or as safely as it could.
    Warning,
    Fault,
}

#[derive(Debug, Serialize)]
struct Found {
    check: &'static str,
    level: Level,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Serialize)]
struct Effective {
    value: Value,
    source: String,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    check: &'static str,
    found: Vec<Found>,
    configuration: BTreeMap<String, Effective>,
}

impl Report {
    /// What is found from now on belongs to this check.
    pub(super) fn begin(&mut self, check: &'static str) {
        self.check = check;
    }

    /// All is well.
    pub(super) fn ok(&mut self, says: impl Into<String>) {
        self.add(Level::Ok, says.into(), None);
    }

    /// It could be better.
    pub(super) fn warning(&mut self, says: impl Into<String>, remedy: impl Into<String>) {
        self.add(Level::Warning, says.into(), Some(remedy.into()));
    }

    /// It must be mended.
    pub(super) fn fault(&mut self, says: impl Into<String>, remedy: impl Into<String>) {
        self.add(Level::Fault, says.into(), Some(remedy.into()));
    }

    fn add(&mut self, level: Level, says: String, remedy: Option<String>) {
        self.found.push(Found { check: self.check, level, says, remedy });
    }

    /// The values of the configuration under dotted keys, and the source of each as `source` knows it.
    pub(super) fn values(&mut self, values: &Value, source: &dyn Fn(&str) -> Option<String>) {
        self.values_below("", values, source);
    }

    fn values_below(&mut self, prefix: &str, values: &Value, source: &dyn Fn(&str) -> Option<String>) {
        match values {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    self.values_below(&key, value, source);
                }
            }
            value => {
                let source = source(prefix).unwrap_or_else(|| "default".to_owned());
                self.configuration.insert(prefix.to_owned(), Effective { value: value.clone(), source });
            }
        }
    }

    /// How much is to be mended.
    pub(super) fn faults(&self) -> usize {
        self.found.iter().filter(|found| found.level == Level::Fault).count()
    }

    /// For a person.
    pub(super) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for (key, Effective { value, source }) in &self.configuration {
            writeln!(out, "{key} = {value}  ({source})")?;
        }
        if !self.configuration.is_empty() {
            writeln!(out)?;
        }
        for Found { check, level, says, remedy } in &self.found {
            let level = match level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Fault => "FAULT",
            };
            writeln!(out, "{level:<8} {check}: {says}")?;
            if let Some(remedy) = remedy {
                writeln!(out, "         what to do: {remedy}")?;
            }
        }
        Ok(())
    }

    /// For a program.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let all = json!({"ok": self.faults() == 0, "configuration": self.configuration, "found": self.found});
        serde_json::to_writer_pretty(&mut *out, &all)?;
        writeln!(out)
    }
}
