-- Every table of a tenant carries user_id. Ids are text, times microseconds since 1970. An amount of US dollars is two
-- integers, nanodollars and the rest in units of 1e-18, so that sums are exact; NULL is "not known", never zero.
-- The tables that each call writes check words with OR: for IN, SQLite builds a table of the words at every statement.

CREATE TABLE plans (
    name text NOT NULL PRIMARY KEY,
    message_days integer,
    requests_per_minute integer,
    tokens_per_minute integer
) STRICT;
INSERT INTO plans (name, message_days) VALUES ('free', 90), ('pro', NULL), ('enterprise', NULL);

CREATE TABLE users (
    id text NOT NULL PRIMARY KEY,
    email text NOT NULL UNIQUE,
    hashed_password text,
    plan_type text NOT NULL DEFAULT 'free' REFERENCES plans (name),
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    is_active integer NOT NULL DEFAULT 1,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    provider text NOT NULL,
    key_name text NOT NULL,
    encrypted_key blob NOT NULL,
    kek_id text NOT NULL,
    base_url text,
    last_four text NOT NULL,
    fingerprint text,
    is_active integer NOT NULL DEFAULT 1,
    created_at integer NOT NULL,
    last_validated integer,
    UNIQUE (user_id, provider, key_name)
) STRICT;
CREATE INDEX api_keys_kek ON api_keys (kek_id);

CREATE TABLE access_keys (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    name text NOT NULL,
    hash blob NOT NULL UNIQUE,
    last_four text NOT NULL,
    scopes text NOT NULL,
    models text,
    requests_per_minute integer,
    tokens_per_minute integer,
    is_active integer NOT NULL DEFAULT 1,
    created_at integer NOT NULL,
    expires_at integer,
    last_used_at integer
) STRICT;
CREATE INDEX access_keys_user ON access_keys (user_id, id);

CREATE TABLE refresh_tokens (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    family_id text NOT NULL,
    hash blob NOT NULL UNIQUE,
    label text,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    family_expires_at integer NOT NULL,
    rotated_at integer,
    revoked_at integer
) STRICT;
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id, family_id);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (family_expires_at);

-- Who logs in elsewhere: an issuer of tokens, and its name for them.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id text NOT NULL,
    created_at integer NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE chat_sessions (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    title text,
    settings text NOT NULL,
    leaf text,
    turns integer NOT NULL DEFAULT 0,
    running text,
    running_owner text,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;
CREATE INDEX chat_sessions_user ON chat_sessions (user_id, id);
CREATE INDEX chat_sessions_running ON chat_sessions (running_owner) WHERE running IS NOT NULL;

-- The search refers to `number`, which stays what it is when the file is vacuumed; a hidden rowid would not.
CREATE TABLE messages (
    number integer PRIMARY KEY,
    id text NOT NULL UNIQUE,
    session_id text NOT NULL,
    user_id text NOT NULL,
    parent_id text,
    seq integer NOT NULL,
    role text NOT NULL CHECK (
        role = 'system' OR role = 'developer' OR role = 'user' OR role = 'assistant' OR role = 'tool'
    ),
    content text NOT NULL,
    words text NOT NULL,
    parts text,
    status text NOT NULL CHECK (
        status = 'running' OR status = 'complete' OR status = 'partial' OR status = 'failed'
    ),
    provider text,
    model text,
    tokens integer,
    usage text,
    cost_nano integer,
    cost_atto integer,
    cost_source text CHECK (
        cost_source = 'exact' OR cost_source = 'reported' OR cost_source = 'estimated' OR
        cost_source = 'partial' OR cost_source = 'free' OR cost_source = 'unpriced'
    ),
    request_id text,
    created_at integer NOT NULL
) STRICT;
CREATE INDEX messages_session ON messages (session_id, seq);
CREATE INDEX messages_user ON messages (user_id, created_at);
-- `words` holds each word of the message once, in lower case, as the program splits them: so a search finds the same
-- here and in PostgreSQL. The tokenizer has no more to do than to part them at the spaces.
CREATE VIRTUAL TABLE messages_words USING fts5 (
    words, content = 'messages', content_rowid = 'number', tokenize = 'ascii', detail = none, columnsize = 0
);
CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
    INSERT INTO messages_words (rowid, words) VALUES (new.number, new.words);
END;
CREATE TRIGGER messages_deleted AFTER DELETE ON messages BEGIN
    INSERT INTO messages_words (messages_words, rowid, words) VALUES ('delete', old.number, old.words);
END;

CREATE TABLE usage_logs (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    request_id text NOT NULL,
    session_id text,
    message_id text,
    access_key_id text,
    provider text NOT NULL,
    model text NOT NULL,
    request_type text NOT NULL,
    request_tokens integer NOT NULL,
    response_tokens integer NOT NULL,
    total_tokens integer NOT NULL,
    buckets text NOT NULL,
    usage_source text CHECK (usage_source = 'provider' OR usage_source = 'counted' OR usage_source = 'estimated'),
    cost_usd_nano integer,
    cost_usd_atto integer,
    cost_source text NOT NULL CHECK (
        cost_source = 'exact' OR cost_source = 'reported' OR cost_source = 'estimated' OR
        cost_source = 'partial' OR cost_source = 'free' OR cost_source = 'unpriced'
    ),
    price_version text NOT NULL,
    response_time_ms integer NOT NULL,
    ttft_ms integer,
    outcome text NOT NULL CHECK (
        outcome = 'not_sent' OR outcome = 'rejected' OR outcome = 'complete' OR outcome = 'partial' OR
        outcome = 'unknown'
    ),
    status text NOT NULL CHECK (status = 'success' OR status = 'error' OR status = 'cancelled'),
    error_kind text,
    error_message text,
    attempts integer NOT NULL,
    is_cached integer NOT NULL,
    tags text NOT NULL,
    created_at integer NOT NULL,
    CHECK ((cost_usd_nano IS NULL) = (cost_source = 'unpriced'))
) STRICT;
CREATE INDEX usage_logs_user ON usage_logs (user_id, created_at);
-- What everybody does is watched by time.
CREATE INDEX usage_logs_time ON usage_logs (created_at);
CREATE INDEX usage_logs_page ON usage_logs (user_id, id);
CREATE INDEX usage_logs_provider ON usage_logs (user_id, provider);
CREATE INDEX usage_logs_session ON usage_logs (session_id) WHERE session_id IS NOT NULL;

-- What usage rows that are no longer kept added up to.
CREATE TABLE usage_rollups (
    user_id text NOT NULL,
    day integer NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    requests integer NOT NULL,
    request_tokens integer NOT NULL,
    response_tokens integer NOT NULL,
    total_tokens integer NOT NULL,
    cost_usd_nano integer NOT NULL,
    cost_usd_atto integer NOT NULL,
    unpriced integer NOT NULL,
    PRIMARY KEY (user_id, day, provider, model, status)
) STRICT;

CREATE TABLE request_history (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    request_payload text NOT NULL,
    response_payload text,
    created_at integer NOT NULL
) STRICT;
CREATE INDEX request_history_user ON request_history (user_id, id);

CREATE TABLE budgets (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('user', 'access_key', 'tag')),
    subject text NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
    is_hard integer NOT NULL,
    limit_usd_nano integer NOT NULL CHECK (limit_usd_nano >= 0),
    limit_usd_atto integer NOT NULL,
    spent_nano integer NOT NULL,
    spent_atto integer NOT NULL,
    reserved_nano integer NOT NULL CHECK (reserved_nano >= 0),
    reserved_atto integer NOT NULL,
    unpriced integer NOT NULL,
    window_start integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    UNIQUE (user_id, scope, subject, period)
) STRICT;

CREATE TABLE alerts (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    name text NOT NULL,
    metric text NOT NULL,
    threshold_nano integer NOT NULL,
    threshold_atto integer NOT NULL,
    window_seconds integer NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    webhook_url text,
    is_active integer NOT NULL DEFAULT 1,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    UNIQUE (user_id, name)
) STRICT;

CREATE TABLE alert_events (
    id text NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    alert_id text NOT NULL,
    value_nano integer NOT NULL,
    value_atto integer NOT NULL,
    message text NOT NULL,
    fired_at integer NOT NULL,
    resolved_at integer
) STRICT;
CREATE INDEX alert_events_user ON alert_events (user_id, id);
CREATE INDEX alert_events_fired ON alert_events (fired_at);
CREATE INDEX alert_events_resolved ON alert_events (resolved_at) WHERE resolved_at IS NOT NULL;
-- An alert fires once until it is resolved, however many processes watch it.
CREATE UNIQUE INDEX alert_events_open ON alert_events (user_id, alert_id) WHERE resolved_at IS NULL;

CREATE TABLE idempotency_records (
    user_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash blob NOT NULL,
    owner text NOT NULL,
    status integer,
    headers text,
    body blob,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    PRIMARY KEY (user_id, route, key)
) STRICT;
CREATE INDEX idempotency_records_expiry ON idempotency_records (expires_at);

-- One row an attempt, committed before anything is sent.
CREATE TABLE attempts (
    id text NOT NULL PRIMARY KEY,
    charge_id text NOT NULL,
    request_id text NOT NULL,
    user_id text NOT NULL,
    owner text NOT NULL,
    access_key_id text,
    session_id text,
    provider text NOT NULL,
    model text NOT NULL,
    request_type text NOT NULL,
    is_stream integer NOT NULL,
    tags text NOT NULL,
    holds text NOT NULL,
    input_tokens integer NOT NULL,
    input_cost_nano integer,
    input_cost_atto integer,
    input_cost_source text NOT NULL,
    price_version text NOT NULL,
    opened_at integer NOT NULL
) STRICT;
CREATE INDEX attempts_owner ON attempts (owner, id);
CREATE INDEX attempts_charge ON attempts (charge_id);

-- What became of an attempt: one row of kind `settle`, whose id is the attempt's; corrections are rows of kind
-- `adjust`, whose cost is the difference.
CREATE TABLE settlements (
    id text NOT NULL PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('settle', 'adjust')),
    attempt_id text NOT NULL,
    charge_id text NOT NULL,
    request_id text NOT NULL,
    user_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    answered_by text,
    outcome text NOT NULL CHECK (
        outcome = 'not_sent' OR outcome = 'rejected' OR outcome = 'complete' OR outcome = 'partial' OR
        outcome = 'unknown'
    ),
    usage text,
    usage_source text CHECK (usage_source = 'provider' OR usage_source = 'counted' OR usage_source = 'estimated'),
    cost_nano integer,
    cost_atto integer,
    cost_source text NOT NULL CHECK (
        cost_source = 'exact' OR cost_source = 'reported' OR cost_source = 'estimated' OR
        cost_source = 'partial' OR cost_source = 'free' OR cost_source = 'unpriced'
    ),
    computed_cost_nano integer,
    computed_cost_atto integer,
    computed_cost_source text NOT NULL,
    price_version text NOT NULL,
    error_kind text,
    error_message text,
    upstream_request_id text,
    duration_ms integer NOT NULL,
    ttft_ms integer,
    started_at integer NOT NULL,
    ended_at integer NOT NULL,
    reason text,
    created_at integer NOT NULL,
    CHECK (kind = 'adjust' OR id = attempt_id),
    CHECK (kind = 'adjust' OR (cost_nano IS NULL) = (cost_source = 'unpriced'))
) STRICT;
CREATE INDEX settlements_adjust ON settlements (attempt_id) WHERE kind = 'adjust';

-- Processes that write the ledger. One that is silent is dead, and what it left open is settled for it.
CREATE TABLE replicas (
    id text NOT NULL PRIMARY KEY,
    started_at integer NOT NULL,
    heartbeat_at integer NOT NULL,
    oldest_open text
) STRICT;

CREATE TABLE job_leases (
    name text NOT NULL PRIMARY KEY,
    holder text,
    held_until integer,
    progress text,
    finished_at integer
) STRICT;

CREATE TABLE settings (
    name text NOT NULL PRIMARY KEY,
    value blob NOT NULL
) STRICT;
