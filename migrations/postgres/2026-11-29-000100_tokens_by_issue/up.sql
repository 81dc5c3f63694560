-- When a session was refreshed last, and which of its tokens have expired, is found without passing all that it ever had.
CREATE INDEX IF NOT EXISTS refresh_tokens_by_issue ON refresh_tokens (session_id, issued_at);
DROP INDEX refresh_tokens_by_session;

-- Tokens that a session has spent are of no use once it has ended.
DELETE FROM refresh_tokens
    WHERE used_at IS NOT NULL AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NOT NULL);
