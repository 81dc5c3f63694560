-- The SQLite twin of the PostgreSQL migration of the same name: here it is text already.
SELECT 1;
