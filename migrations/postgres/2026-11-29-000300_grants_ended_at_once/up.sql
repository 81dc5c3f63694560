-- An end that an entry sets at once is an instant of the clock that wrote the entry; others may be behind it. From the entry
-- on (`seq`) such a grant holds never again, whatever a clock says. What was given with an end that was past is no such one.
ALTER TABLE grants ADD COLUMN ended boolean NOT NULL DEFAULT false;
UPDATE grants SET ended = true
    WHERE valid_to <= valid_from
       OR valid_to <= (SELECT log.received_at FROM log WHERE log.seq = grants.seq AND log.outcome = 'ended');

-- The ends that it had before `valid_to`, each since the entry that set it: JSON, [[seq, instant or null], …]. A cursor is
-- compared with what was held as of its entry.
ALTER TABLE grants ADD COLUMN earlier_ends text;
