//! Inserts whose text never changes, so that a connection prepares them once. diesel writes its own anew for every number
//! of rows, and SQLite spent more time in reading them than in doing what they say. SQLite takes a row at a time, PostgreSQL
//! whole columns (`unnest`).

/// Declares `insert_rows(conn, &[Row])` for a row type: its table, its columns with their types, and what follows
/// the values (`ON CONFLICT …`).
macro_rules! insert_rows {
    (@name $column:ident) => { stringify!($column) };
    (@name $column:ident $name:literal) => { $name };
    ($row:ty => $table:literal { $($column:ident: $rust:ty, $sql:ty, $pg:literal $(as $name:literal)?;)+ } $tail:literal) => {
        /// One row, for SQLite.
        struct InsertRow<'a>(&'a $row);

        impl diesel::query_builder::QueryId for InsertRow<'_> {
            type QueryId = InsertRow<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> for InsertRow<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::QueryResult<()> {
                out.push_sql(concat!("INSERT INTO ", $table, " ("));
                let mut first = true;
                $(
                    if !std::mem::take(&mut first) { out.push_sql(","); }
                    out.push_sql(insert_rows!(@name $column $($name)?));
                )+
                out.push_sql(") VALUES (");
                let mut first = true;
                $(
                    if !std::mem::take(&mut first) { out.push_sql(","); }
                    out.push_bind_param::<$sql, $rust>(&self.0.$column)?;
                )+
                out.push_sql(concat!(") ", $tail));
                Ok(())
            }
        }

        impl diesel::RunQueryDsl<diesel::SqliteConnection> for InsertRow<'_> {}

        /// All rows by columns, for PostgreSQL.
        struct InsertColumns<'a> {
            $($column: Vec<&'a $rust>,)+
        }

        impl diesel::query_builder::QueryId for InsertColumns<'_> {
            type QueryId = InsertColumns<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for InsertColumns<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                out.push_sql(concat!("INSERT INTO ", $table, " ("));
                let mut first = true;
                $(
                    if !std::mem::take(&mut first) { out.push_sql(","); }
                    out.push_sql(insert_rows!(@name $column $($name)?));
                )+
                out.push_sql(") SELECT * FROM unnest(");
                let mut first = true;
                $(
                    if !std::mem::take(&mut first) { out.push_sql(","); }
                    out.push_bind_param::<diesel::sql_types::Array<$sql>, Vec<&$rust>>(&self.$column)?;
                    out.push_sql(concat!("::", $pg, "[]"));
                )+
                out.push_sql(concat!(") ", $tail));
                Ok(())
            }
        }

        impl diesel::RunQueryDsl<diesel::PgConnection> for InsertColumns<'_> {}

        /// Writes rows; none stands twice in one call.
        fn insert_rows(conn: &mut $crate::Connection, rows: &[$row]) -> diesel::QueryResult<()> {
            use diesel::RunQueryDsl;
            match conn {
                $crate::Connection::Sqlite(conn) => {
                    for row in rows {
                        InsertRow(row).execute(conn)?;
                    }
                }
                $crate::Connection::Postgres(_) if rows.is_empty() => {}
                $crate::Connection::Postgres(conn) => {
                    InsertColumns { $($column: rows.iter().map(|row| &row.$column).collect(),)+ }.execute(conn)?;
                }
            }
            Ok(())
        }
    };
}
