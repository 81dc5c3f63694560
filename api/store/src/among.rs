//! `column IN (…)` as a text that repeats, so that it is prepared once. diesel's `eq_any` is a new statement for every
//! number of values on SQLite, and preparing it takes longer than running it.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, Bool, HasSqlType, SingleValue};
use diesel::sqlite::Sqlite;

/// That a column holds one of some values.
#[derive(Debug)]
pub(crate) struct Among<C, T> {
    column: C,
    values: Vec<T>,
}

/// `column` holds one of `values`.
pub(crate) fn among<C, T>(column: C, values: impl IntoIterator<Item = T>) -> Among<C, T> {
    Among { column, values: values.into_iter().collect() }
}

impl<C: Expression, T> Expression for Among<C, T> {
    type SqlType = Bool;
}

impl<C: SelectableExpression<QS>, T, QS> SelectableExpression<QS> for Among<C, T> {}

impl<C: AppearsOnTable<QS>, T, QS> AppearsOnTable<QS> for Among<C, T> {}

impl<C: ValidGrouping<GB>, T, GB> ValidGrouping<GB> for Among<C, T> {
    type IsAggregate = C::IsAggregate;
}

/// The text depends on how many values there are.
impl<C, T> QueryId for Among<C, T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Filled up to a power of two with the last value once more: so there are few texts.
impl<C, T> QueryFragment<Sqlite> for Among<C, T>
where
    C: Expression + QueryFragment<Sqlite>,
    T: ToSql<C::SqlType, Sqlite>,
    Sqlite: HasSqlType<C::SqlType>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (");
        let Some(last) = self.values.last() else {
            out.push_sql(")");
            return Ok(());
        };
        for index in 0..self.values.len().next_power_of_two() {
            if index > 0 {
                out.push_sql(",");
            }
            out.push_bind_param(self.values.get(index).unwrap_or(last))?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<C, T> QueryFragment<Pg> for Among<C, T>
where
    C: Expression + QueryFragment<Pg>,
    C::SqlType: SingleValue,
    Vec<T>: ToSql<Array<C::SqlType>, Pg>,
    Pg: HasSqlType<C::SqlType> + Backend,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<C::SqlType>, Vec<T>>(&self.values)?;
        out.push_sql(")");
        Ok(())
    }
}
