//! Lists forms: every published version, as it was published. Whoever is signed in may read them: a phone keeps old
//! drafts, and so needs old versions.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::reader::{Reader, read_as};
use crate::state::App;
use muong_domain::form::Form;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Published versions, as of today.
#[derive(Clone, Debug)]
pub struct Forms {
    /// The versions, by code and version, each with whether it is the one that phones offer today.
    pub forms: Vec<(Arc<Form>, bool)>,
    /// The last of them, if there are more.
    pub last: Option<Version>,
}

impl Forms {
    /// Changes when a version is added, here or on a next page, and on the day when one comes into force or ends.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (form, in_force) in &self.forms {
            hash.update([u8::from(*in_force)]);
            hash.update(form.definition_json());
            hash.update([0]);
        }
        hash.update([u8::from(self.last.is_some())]);
        hash.finalize().into()
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct FormQuery {
    /// Only this form.
    pub code: Option<String>,
    /// Only those that phones offer today, or only the others.
    pub in_force: Option<bool>,
    /// From the last code and version to the first.
    pub descending: bool,
    /// After this version.
    pub after: Option<Version>,
    /// At most so many; none: all.
    pub limit: Option<usize>,
}

/// A version of a form, as a place in the list: its code and number.
pub type Version = (String, i32);

/// Every version of every form that is asked for, by code and version.
pub async fn list_forms(app: &App, who: &Authenticated, query: FormQuery) -> Result<Forms, Failure> {
    read_as(app, who, None, move |_, reader| {
        let mut found = forms(reader, reader.reference().catalog.iter().cloned());
        let place = |form: &Form| (form.code().to_owned(), form.version());
        found.forms.retain(|(form, in_force)| {
            query.code.as_deref().is_none_or(|code| code == form.code())
                && query.in_force.is_none_or(|wanted| wanted == *in_force)
                && query
                    .after
                    .as_ref()
                    .is_none_or(|after| (place(form) > *after) != query.descending && place(form) != *after)
        });
        found.forms.sort_by_key(|(form, _)| place(form));
        if query.descending {
            found.forms.reverse();
        }
        let limit = query.limit.filter(|limit| *limit < found.forms.len());
        found.forms.truncate(limit.unwrap_or(usize::MAX));
        found.last = found.forms.last().filter(|_| limit.is_some()).map(|(form, _)| place(form));
        Ok(found)
    })
    .await
}

/// One form: the version in force, or else the newest; or the version that is asked for.
pub async fn read_form(app: &App, who: &Authenticated, code: String, version: Option<i32>) -> Result<Forms, Failure> {
    read_as(app, who, None, move |_, reader| {
        let catalog = &reader.reference().catalog;
        let found = match version {
            Some(version) => catalog.get(&code, version),
            None => catalog.current(&code, reader.today()).or_else(|| catalog.newest(&code)),
        };
        let found = found.ok_or_else(|| Failure::refused("access.not_found"))?;
        Ok(forms(reader, [Arc::clone(found)]))
    })
    .await
}

fn forms(reader: &Reader, found: impl IntoIterator<Item = Arc<Form>>) -> Forms {
    // Old ones stay valid for old drafts, so several hold on a day; phones offer the highest of them.
    let current = |code: &str| reader.reference().catalog.current(code, reader.today()).map(|form| form.version());
    let marked = |form: Arc<Form>| {
        let in_force = current(form.code()) == Some(form.version());
        (form, in_force)
    };
    Forms { forms: found.into_iter().map(marked).collect(), last: None }
}
