ALTER TABLE grants DROP COLUMN earlier_ends;
ALTER TABLE grants DROP COLUMN ended;
