-- The twin of the PostgreSQL migration of the same name: SQLite compares texts by bytes already.
SELECT 1;
