-- Lists of users go on by name, and both databases must agree on what comes next: by bytes, as SQLite compares.
ALTER TABLE users ALTER COLUMN username TYPE text COLLATE "C";
