-- Which units a record has left: there its ids still stand for it, for whoever was in it while it was, and where it has left it
-- in the feed a row says so. `seq` is the entry with which it left last.
CREATE TABLE record_moves (
    record_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (record_id, unit_id)
);
