CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
DROP INDEX refresh_tokens_by_issue;
