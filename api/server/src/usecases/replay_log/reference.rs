//! Units and forms, told again: the log holds them whole.

use super::command;
use muong_domain::form::Form;
use muong_domain::id::UnitId;
use muong_domain::unit::Unit;
use muong_store::feed::FeedRow;
use muong_store::log::{StoredEntry, append_copy};
use muong_store::units::Coverage;
use muong_store::{StoreError, Tx, feed, forms, units};
use serde::Deserialize;

/// What founded a unit; also what [`crate::usecases::found_units`] writes.
#[derive(Deserialize)]
struct Founded {
    unit: Unit,
    covers: Vec<Covered>,
}

#[derive(Deserialize)]
struct Covered {
    village: UnitId,
    from: chrono::NaiveDate,
}

/// What a unit was after a change; also what [`crate::usecases::change_unit`] writes.
#[derive(Deserialize)]
struct Changed {
    unit: Unit,
}

/// What a branch covers no more.
#[derive(Deserialize)]
struct Uncovered {
    village: UnitId,
    from: chrono::NaiveDate,
    to: chrono::NaiveDate,
}

pub(super) fn retell_unit(tx: &mut Tx<'_>, entry: &StoredEntry) -> Result<(), StoreError> {
    let authority = muong_domain::access::Authority::operator_of_the_server();
    let branch = UnitId::new(entry.reference());
    match entry.outcome() {
        "founded" => return retell_founding(tx, entry),
        "covers" => {
            let Covered { village, from } = command(entry)?;
            append_copy(tx, entry);
            units::cover(tx, &authority, &[Coverage { branch, village, from }])?;
        }
        "covers_no_more" => {
            let Uncovered { village, from, to } = command(entry)?;
            append_copy(tx, entry);
            units::uncover(tx, &authority, &Coverage { branch, village, from }, to)?;
        }
        _ => {
            let Changed { unit } = command(entry)?;
            let v = append_copy(tx, entry);
            units::write(tx, &authority, &unit, v)?;
        }
    }
    let (id, v) = (entry.reference(), tx.head().seq);
    feed::stamp(tx, vec![FeedRow { id, scope: branch, kind: feed::UNIT.to_owned(), seq: v, present: true }])?;
    tx.touch_reference();
    Ok(())
}

fn retell_founding(tx: &mut Tx<'_>, entry: &StoredEntry) -> Result<(), StoreError> {
    let Founded { unit, covers } = command(entry)?;
    let authority = muong_domain::access::Authority::operator_of_the_server();
    let v = append_copy(tx, entry);
    units::insert(tx, &authority, std::slice::from_ref(&unit), v)?;
    let coverage: Vec<Coverage> =
        covers.iter().map(|c| Coverage { branch: unit.id, village: c.village, from: c.from }).collect();
    units::cover(tx, &authority, &coverage)?;
    feed::stamp(
        tx,
        vec![FeedRow { id: unit.id.uuid(), scope: unit.id, kind: feed::UNIT.to_owned(), seq: v, present: true }],
    )?;
    tx.touch_reference();
    Ok(())
}

pub(super) fn retell_form(tx: &mut Tx<'_>, entry: &StoredEntry) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Published {
        definition: serde_json::Value,
    }
    let published: Published = command(entry)?;
    let form = Form::parse("the log", &published.definition.to_string())
        .map_err(|error| StoreError::corrupt("a form of the log", error))?;
    let authority = muong_domain::access::Authority::operator_of_the_server();
    let v = append_copy(tx, entry);
    forms::insert(tx, &authority, &form, v)?;
    let id = entry.reference();
    feed::stamp(tx, vec![FeedRow { id, scope: feed::EVERYBODY, kind: feed::FORM.to_owned(), seq: v, present: true }])?;
    tx.touch_reference();
    Ok(())
}
