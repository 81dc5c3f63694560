//! Published versions of forms, as the texts that were published.

use crate::error::StoreError;
use crate::schema::forms;
use crate::transaction::{Reading, Tx};
use chrono::NaiveDate;
use diesel::prelude::*;
use muong_domain::access::Authority;
use muong_domain::form::Form;
use muong_domain::id::Seq;

/// A published version as stored.
#[derive(Clone, Debug, Queryable)]
pub struct StoredForm {
    /// The form's code.
    pub code: String,
    /// The version.
    pub version: i32,
    /// The canonical text of the definition.
    pub definition: String,
}

/// Every version of every form, by code and version.
pub fn load_all(read: &mut impl Reading) -> Result<Vec<StoredForm>, StoreError> {
    Ok(on_backend!(read.conn(), c => forms::table
        .select((forms::code, forms::version, forms::definition))
        .order((forms::code, forms::version))
        .load(c))?)
}

#[derive(Insertable)]
#[diesel(table_name = forms, treat_none_as_default_value = false)]
struct FormRow<'a> {
    code: &'a str,
    version: i32,
    valid_from: NaiveDate,
    definition: &'a str,
    seq: i64,
}

/// Publishes a version, as entry `seq`.
pub fn insert(tx: &mut Tx<'_>, _authority: &Authority, form: &Form, seq: Seq) -> Result<(), StoreError> {
    let row = FormRow {
        code: form.code(),
        version: form.version(),
        valid_from: form.definition().valid_from,
        definition: form.definition_json(),
        seq: seq.0,
    };
    on_backend!(tx.conn(), c => diesel::insert_into(forms::table).values(&row).execute(c))?;
    Ok(())
}
