-- What was replaced in quarantine, by the entry with which it left: an erasure asks what a person's submissions have replaced.
CREATE INDEX IF NOT EXISTS quarantine_replaced ON quarantine (closed_seq) WHERE closing = 'replaced';
