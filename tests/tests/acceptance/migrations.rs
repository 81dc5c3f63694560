//! The schema: the same names on both databases, reached in one step or again, left without a trace.

use diesel::connection::SimpleConnection;
use muong_store::{Connection, DatabaseUrl, MigrationStatus, migrate, migration_status};
use muong_tests::Backend;
use muong_tests::database::{TestDatabase, texts};
use std::path::Path;

/// Every table but diesel's own, with its columns and indexes, in one line each.
fn schema(conn: &mut Connection) -> Vec<String> {
    let select = match conn {
        Connection::Sqlite(_) => {
            "SELECT 'table ' || m.name || ': ' || c.name || ' ' || lower(c.type) || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 \
             THEN ' not null' ELSE '' END AS name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' \
             UNION ALL SELECT 'index ' || name || ': ' || replace(replace(sql, char(10), ' '), '  ', ' ') \
             FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1"
        }
        Connection::Postgres(_) => {
            "SELECT name FROM (SELECT 'table ' || table_name || ': ' || column_name || ' ' || data_type || \
             CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END AS name FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%' \
             UNION ALL SELECT 'index ' || indexname || ': ' || replace(indexdef, 'public.', '') FROM pg_indexes \
             WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_diesel%' \
             UNION ALL SELECT 'constraint ' || conrelid::regclass || ': ' || pg_get_constraintdef(oid) \
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n' \
             AND conrelid::regclass::text NOT LIKE '\\_\\_diesel%') AS everything ORDER BY name COLLATE \"C\""
        }
    };
    texts(conn, select)
}

fn migrated(backend: Backend) -> (TestDatabase, Connection) {
    let database = TestDatabase::empty(backend);
    let mut conn = database.connect();
    migrate(&mut conn).expect("the migrations apply");
    (database, conn)
}

fn compare(backend: Backend, name: &str) {
    let (_database, mut conn) = migrated(backend);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description("Look at the change, then: INSTA_UPDATE=always cargo test -p muong-tests migrations");
    settings.bind(|| insta::assert_snapshot!(name, schema(&mut conn).join("\n")));
}

#[test]
fn the_schema_of_sqlite_is_the_one_that_is_checked_in() {
    compare(Backend::Sqlite, "schema_sqlite");
}

#[test]
fn the_schema_of_postgres_is_the_one_that_is_checked_in() {
    compare(Backend::Postgres, "schema_postgres");
}

#[test]
fn both_databases_have_the_same_tables_columns_and_indexes() {
    let names = [Backend::Sqlite, Backend::Postgres].map(|backend| {
        let (_database, mut conn) = migrated(backend);
        let select = match backend {
            Backend::Sqlite => {
                "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN '' ELSE '?' END AS name \
                 FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' \
                 UNION ALL SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            }
            Backend::Postgres => {
                "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '' ELSE '?' END AS name \
                 FROM information_schema.columns WHERE table_schema = 'public' \
                 UNION ALL SELECT i.indexname::text FROM pg_indexes i WHERE i.schemaname = 'public' AND NOT EXISTS \
                 (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)"
            }
        };
        let mut names = texts(&mut conn, select);
        names.retain(|name| !name.starts_with("__diesel"));
        names.sort();
        names
    });
    assert_eq!(names[0], names[1]);
}

fn is_migrated_once(backend: Backend) {
    let (_database, mut conn) = migrated(backend);
    assert_eq!(migration_status(&mut conn).expect("a status"), MigrationStatus::Current);
    assert!(migrate(&mut conn).expect("again").is_empty());
}

/// Several processes serve one PostgreSQL; SQLite has one.
fn two_at_once(backend: Backend) {
    let database = TestDatabase::empty(backend);
    let mut applied = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| {
            scope.spawn(|| migrate(&mut DatabaseUrl::parse(database.url()).expect("a URL").open().expect("it opens")))
        });
        both.map(|one| one.join().expect("it ends").expect("it migrates").len())
    });
    applied.sort_unstable();
    assert!(applied[0] == 0 && applied[1] > 0, "one of the two applies all of them: {applied:?}");
}

/// Down again, nothing is left.
fn goes_without_a_trace(backend: Backend, folder: &str) {
    let (_database, mut conn) = migrated(backend);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
    let mut versions: Vec<_> =
        std::fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("a file").path()).collect();
    versions.sort();
    for version in versions.iter().rev() {
        let down = std::fs::read_to_string(version.join("down.sql")).expect("a way down");
        match &mut conn {
            Connection::Sqlite(c) => c.batch_execute(&down),
            Connection::Postgres(c) => c.batch_execute(&down),
        }
        .expect("the way down works");
    }
    assert_eq!(schema(&mut conn), Vec::<String>::new());
}

mod sqlite {
    use muong_tests::Backend::Sqlite;

    #[test]
    fn a_migrated_database_is_not_migrated_again() {
        super::is_migrated_once(Sqlite);
    }
    #[test]
    fn a_new_file_is_its_owners_alone_and_so_are_those_beside_it() {
        use diesel::connection::SimpleConnection;
        use std::os::unix::fs::PermissionsExt;
        let (database, mut conn) = super::migrated(Sqlite);
        if let muong_store::Connection::Sqlite(conn) = &mut conn {
            conn.batch_execute("CREATE TABLE kept (id INTEGER)").expect("something is written");
        }
        let path = database.url().trim_start_matches("sqlite://").to_owned();
        for name in [path.clone(), format!("{path}-wal"), format!("{path}-shm")] {
            let mode = std::fs::metadata(&name).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    #[test]
    fn the_way_down_leaves_nothing() {
        super::goes_without_a_trace(Sqlite, "sqlite");
    }
}

mod postgres {
    use muong_tests::Backend::Postgres;

    #[test]
    fn a_migrated_database_is_not_migrated_again() {
        super::is_migrated_once(Postgres);
    }
    #[test]
    fn two_processes_that_start_together_migrate_once() {
        super::two_at_once(Postgres);
    }
    #[test]
    fn the_way_down_leaves_nothing() {
        super::goes_without_a_trace(Postgres, "postgres");
    }
}
