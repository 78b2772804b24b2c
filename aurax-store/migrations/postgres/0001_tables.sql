-- Every table of a tenant carries user_id. Amounts are NUMERIC(38,18) US dollars; NULL is "not known", never zero.
-- JSON is kept as text: jsonb would change its bytes.

CREATE TABLE plans (
    name text PRIMARY KEY,
    message_days integer,
    requests_per_minute integer,
    tokens_per_minute integer
);
INSERT INTO plans (name, message_days) VALUES ('free', 90), ('pro', NULL), ('enterprise', NULL);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    hashed_password text,
    plan_type text NOT NULL DEFAULT 'free' REFERENCES plans (name),
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    is_active boolean NOT NULL DEFAULT TRUE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    key_name text NOT NULL,
    encrypted_key bytea NOT NULL,
    kek_id text NOT NULL,
    base_url text,
    last_four text NOT NULL,
    fingerprint text,
    is_active boolean NOT NULL DEFAULT TRUE,
    created_at timestamptz NOT NULL,
    last_validated timestamptz,
    UNIQUE (user_id, provider, key_name)
);
CREATE INDEX api_keys_kek ON api_keys (kek_id);

CREATE TABLE access_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    last_four text NOT NULL,
    scopes text NOT NULL,
    models text,
    requests_per_minute integer,
    tokens_per_minute integer,
    is_active boolean NOT NULL DEFAULT TRUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX access_keys_user ON access_keys (user_id, id);

CREATE TABLE refresh_tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    family_id uuid NOT NULL,
    hash bytea NOT NULL UNIQUE,
    label text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    family_expires_at timestamptz NOT NULL,
    rotated_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id, family_id);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (family_expires_at);

-- Who logs in elsewhere: an issuer of tokens, and its name for them.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE chat_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    title text,
    settings text NOT NULL,
    leaf uuid,
    turns bigint NOT NULL DEFAULT 0,
    running uuid,
    running_owner uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX chat_sessions_user ON chat_sessions (user_id, id);
CREATE INDEX chat_sessions_running ON chat_sessions (running_owner) WHERE running IS NOT NULL;

-- Partitions are by the time in the id, a UUIDv7, so that a primary key on the id alone is possible and the same id
-- can never be inserted twice.
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    parent_id uuid,
    seq bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool')),
    content text NOT NULL,
    words text NOT NULL,
    parts text,
    status text NOT NULL CHECK (status IN ('running', 'complete', 'partial', 'failed')),
    provider text,
    model text,
    tokens bigint,
    usage text,
    cost numeric(38, 18),
    cost_source text CHECK (cost_source IN ('exact', 'reported', 'estimated', 'partial', 'free', 'unpriced')),
    request_id uuid,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX messages_session ON messages (session_id, seq);
CREATE INDEX messages_user ON messages (user_id, created_at);
-- `words` holds each word of the message once, in lower case, as the program splits them: so a search finds the same
-- here and in SQLite, whatever the locale and version of the server.
CREATE FUNCTION aurax_words(words text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(string_to_array(words, ' '));
CREATE INDEX messages_words ON messages USING gin (aurax_words(words));

CREATE TABLE usage_logs (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    request_id uuid NOT NULL,
    session_id uuid,
    message_id uuid,
    access_key_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    request_type text NOT NULL,
    request_tokens bigint NOT NULL,
    response_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    buckets text NOT NULL,
    usage_source text CHECK (usage_source IN ('provider', 'counted', 'estimated')),
    cost_usd numeric(38, 18),
    cost_source text NOT NULL CHECK (cost_source IN ('exact', 'reported', 'estimated', 'partial', 'free', 'unpriced')),
    price_version text NOT NULL,
    response_time_ms bigint NOT NULL,
    ttft_ms bigint,
    outcome text NOT NULL CHECK (outcome IN ('not_sent', 'rejected', 'complete', 'partial', 'unknown')),
    status text NOT NULL CHECK (status IN ('success', 'error', 'cancelled')),
    error_kind text,
    error_message text,
    attempts integer NOT NULL,
    is_cached boolean NOT NULL,
    tags text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK ((cost_usd IS NULL) = (cost_source = 'unpriced'))
) PARTITION BY RANGE (id);
CREATE INDEX usage_logs_user ON usage_logs (user_id, created_at);
-- What everybody does is watched by time.
CREATE INDEX usage_logs_time ON usage_logs (created_at);
CREATE INDEX usage_logs_page ON usage_logs (user_id, id);
CREATE INDEX usage_logs_provider ON usage_logs (user_id, provider);
CREATE INDEX usage_logs_session ON usage_logs (session_id) WHERE session_id IS NOT NULL;

-- What usage rows that are no longer kept added up to.
CREATE TABLE usage_rollups (
    user_id uuid NOT NULL,
    day timestamptz NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    requests bigint NOT NULL,
    request_tokens bigint NOT NULL,
    response_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    cost_usd numeric(38, 18) NOT NULL,
    unpriced bigint NOT NULL,
    PRIMARY KEY (user_id, day, provider, model, status)
);

CREATE TABLE request_history (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    request_payload text NOT NULL,
    response_payload text,
    created_at timestamptz NOT NULL
);
CREATE INDEX request_history_user ON request_history (user_id, id);

CREATE TABLE budgets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    scope text NOT NULL CHECK (scope IN ('user', 'access_key', 'tag')),
    subject text NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
    is_hard boolean NOT NULL,
    limit_usd numeric(38, 18) NOT NULL CHECK (limit_usd >= 0),
    spent numeric(38, 18) NOT NULL,
    reserved numeric(38, 18) NOT NULL CHECK (reserved >= 0),
    unpriced bigint NOT NULL,
    window_start timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (user_id, scope, subject, period)
);

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    name text NOT NULL,
    metric text NOT NULL,
    threshold numeric(38, 18) NOT NULL,
    window_seconds bigint NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    webhook_url text,
    is_active boolean NOT NULL DEFAULT TRUE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (user_id, name)
);

CREATE TABLE alert_events (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    value numeric(38, 18) NOT NULL,
    message text NOT NULL,
    fired_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE INDEX alert_events_user ON alert_events (user_id, id);
CREATE INDEX alert_events_fired ON alert_events (fired_at);
CREATE INDEX alert_events_resolved ON alert_events (resolved_at) WHERE resolved_at IS NOT NULL;
-- An alert fires once until it is resolved, however many processes watch it.
CREATE UNIQUE INDEX alert_events_open ON alert_events (user_id, alert_id) WHERE resolved_at IS NULL;

CREATE TABLE idempotency_records (
    user_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    owner uuid NOT NULL,
    status integer,
    headers text,
    body bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_records_expiry ON idempotency_records (expires_at);

-- One row an attempt, committed before anything is sent.
CREATE TABLE attempts (
    id uuid PRIMARY KEY,
    charge_id uuid NOT NULL,
    request_id uuid NOT NULL,
    user_id uuid NOT NULL,
    owner uuid NOT NULL,
    access_key_id uuid,
    session_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    request_type text NOT NULL,
    is_stream boolean NOT NULL,
    tags text NOT NULL,
    holds text NOT NULL,
    input_tokens bigint NOT NULL,
    input_cost numeric(38, 18),
    input_cost_source text NOT NULL,
    price_version text NOT NULL,
    opened_at timestamptz NOT NULL
);
CREATE INDEX attempts_owner ON attempts (owner, id);
CREATE INDEX attempts_charge ON attempts (charge_id);

-- What became of an attempt: one row of kind `settle`, whose id is the attempt's; corrections are rows of kind
-- `adjust`, whose cost is the difference.
CREATE TABLE settlements (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('settle', 'adjust')),
    attempt_id uuid NOT NULL,
    charge_id uuid NOT NULL,
    request_id uuid NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    answered_by text,
    outcome text NOT NULL CHECK (outcome IN ('not_sent', 'rejected', 'complete', 'partial', 'unknown')),
    usage text,
    usage_source text CHECK (usage_source IN ('provider', 'counted', 'estimated')),
    cost numeric(38, 18),
    cost_source text NOT NULL CHECK (cost_source IN ('exact', 'reported', 'estimated', 'partial', 'free', 'unpriced')),
    computed_cost numeric(38, 18),
    computed_cost_source text NOT NULL,
    price_version text NOT NULL,
    error_kind text,
    error_message text,
    upstream_request_id text,
    duration_ms bigint NOT NULL,
    ttft_ms bigint,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    reason text,
    created_at timestamptz NOT NULL,
    CHECK (kind = 'adjust' OR id = attempt_id),
    CHECK (kind = 'adjust' OR (cost IS NULL) = (cost_source = 'unpriced'))
);
CREATE INDEX settlements_adjust ON settlements (attempt_id) WHERE kind = 'adjust';

-- Processes that write the ledger. One that is silent is dead, and what it left open is settled for it.
CREATE TABLE replicas (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    oldest_open uuid
);

CREATE TABLE job_leases (
    name text PRIMARY KEY,
    holder uuid,
    held_until timestamptz,
    progress text,
    finished_at timestamptz
);

CREATE TABLE settings (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
