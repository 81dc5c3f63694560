ALTER TABLE records ALTER COLUMN cells TYPE jsonb USING cells::jsonb;
