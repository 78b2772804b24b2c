-- An answer that is kept to be given again goes with the session it is of.
ALTER TABLE idempotency_records ADD COLUMN session_id uuid;
CREATE INDEX idempotency_records_session ON idempotency_records (user_id, session_id) WHERE session_id IS NOT NULL;
