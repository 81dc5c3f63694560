//! How much there is in the feed, without reading it.

use crate::among::among;
use crate::columns::{Id, sql};
use crate::connection::Connection;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::feed;
use crate::transaction::Reading;
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt};
use muong_domain::id::UnitId;

/// How much is there in some scopes; `most` and one more when it is more than that, which is found out without looking at the
/// rest.
pub fn counted_in(read: &mut impl Reading, scopes: &[UnitId], most: i64) -> Result<i64, StoreError> {
    let (scopes, limit) = (scopes.iter().copied().map(Id::from).collect::<Vec<_>>(), most + 1);
    match read.conn() {
        Connection::Postgres(c) => Ok(diesel::sql_query(COUNTED)
            .bind::<Array<sql::Id>, _>(scopes)
            .bind::<BigInt, _>(limit)
            .get_result::<Number>(c)?
            .n),
        Connection::Sqlite(c) => {
            let mut counted = 0;
            for chunk in scopes.chunks(BIND_CHUNK) {
                let here = feed::table.filter(among(feed::scope, chunk.iter().copied())).filter(feed::present);
                counted += Rows(here.select(feed::seq).limit(limit - counted)).get_result::<i64>(c)?;
                if counted == limit {
                    break;
                }
            }
            Ok(counted)
        }
    }
}

/// For PostgreSQL. Scope by scope and in order, as changes are read (`OF_EACH_SCOPE`): the index is walked up to the limit,
/// whatever the statistics say. Where scopes are compared as a set, all of the table may be, or a bitmap is made of all that
/// lies in them.
pub const COUNTED: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM unnest($1::uuid[]) AS s(scope) CROSS JOIN LATERAL \
     (SELECT 1 FROM feed WHERE (feed.scope, feed.seq) >= (s.scope, 0) AND feed.scope <= s.scope AND feed.present \
     ORDER BY feed.scope, feed.seq LIMIT $2) AS f LIMIT $2) AS counted";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How many rows a query with a limit gives.
struct Rows<Q>(Q);

impl<Q> QueryId for Rows<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Rows<Q> {
    type SqlType = BigInt;
}

impl<Q, C> RunQueryDsl<C> for Rows<Q> {}

impl<Q: QueryFragment<B>, B: Backend> QueryFragment<B> for Rows<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, B>) -> QueryResult<()> {
        out.push_sql("SELECT count(*) FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS counted");
        Ok(())
    }
}
