-- Three roles share the tables, none of which owns them or can pass row-level security by: `aurax_app` sees the rows
-- of the tenant that app.user_id names, `aurax_jobs` does what crosses tenants, `aurax_ledger` adds to the books.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger'] LOOP
        -- Who may make no roles finds them made, and given to it.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- Since 16, who makes a role is its member and may not become it yet.
        IF NOT pg_has_role(current_user, name, CASE WHEN current_setting('server_version_num')::int >= 160000
                                               THEN 'SET' ELSE 'MEMBER' END) THEN
            EXECUTE format('GRANT %I TO %I', name, current_user);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO aurax_app, aurax_jobs, aurax_ledger;

CREATE FUNCTION aurax_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN NULLIF(current_setting('app.user_id', true), '')::uuid;

-- Tables of tenants.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'api_keys', 'access_keys', 'refresh_tokens', 'identities', 'chat_sessions', 'messages', 'usage_logs',
        'usage_rollups', 'request_history', 'budgets', 'alerts', 'alert_events', 'idempotency_records', 'attempts',
        'settlements'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO aurax_app USING (user_id = aurax_user()) WITH CHECK (user_id = aurax_user())',
            name);
        EXECUTE format('CREATE POLICY jobs ON %I TO aurax_jobs USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users TO aurax_app USING (id = aurax_user()) WITH CHECK (id = aurax_user());
CREATE POLICY jobs ON users TO aurax_jobs USING (true) WITH CHECK (true);

GRANT SELECT, UPDATE, DELETE ON users TO aurax_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys, access_keys, refresh_tokens, chat_sessions, request_history, budgets,
    alerts, alert_events, idempotency_records TO aurax_app;
GRANT SELECT, INSERT, DELETE ON messages TO aurax_app;
GRANT SELECT, DELETE ON identities TO aurax_app;
GRANT SELECT ON usage_logs, usage_rollups, attempts, settlements, plans, settings TO aurax_app;
-- Whether a process lives decides whether its claims hold.
GRANT SELECT (id, heartbeat_at) ON replicas TO aurax_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON plans, users, api_keys, access_keys, refresh_tokens, chat_sessions,
    request_history, budgets, alerts, alert_events, idempotency_records, usage_rollups, replicas, job_leases, settings
    TO aurax_jobs;
GRANT SELECT, INSERT, DELETE ON identities, messages, usage_logs, attempts TO aurax_jobs;
GRANT SELECT, INSERT ON settlements TO aurax_jobs;

-- One batch of the ledger holds many tenants' rows. It can add to the books and read back no more than the ids.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['messages', 'usage_logs', 'attempts', 'settlements'] LOOP
        EXECUTE format('CREATE POLICY ledger_add ON %I FOR INSERT TO aurax_ledger WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY ledger_see ON %I FOR SELECT TO aurax_ledger USING (true)', name);
        EXECUTE format('GRANT INSERT, SELECT (id) ON %I TO aurax_ledger', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['budgets', 'chat_sessions'] LOOP
        EXECUTE format('CREATE POLICY ledger_see ON %I FOR SELECT TO aurax_ledger USING (true)', name);
        EXECUTE format('CREATE POLICY ledger_change ON %I FOR UPDATE TO aurax_ledger USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
-- Whether an attempt was settled in its writer's absence decides between a repeat and a correction.
GRANT SELECT (reason) ON settlements TO aurax_ledger;
GRANT SELECT, UPDATE (spent, reserved, unpriced, window_start, updated_at) ON budgets TO aurax_ledger;
-- `running` is how a session says that it is busy, and `turns` how far it has come; an intent takes the session by
-- comparing both.
GRANT SELECT (id, user_id, leaf, running, turns), UPDATE (leaf, running, running_owner, turns, updated_at)
    ON chat_sessions TO aurax_ledger;
GRANT SELECT, INSERT, UPDATE ON replicas TO aurax_ledger;

-- A search's operator is not leakproof, so that under row-level security its index would never be used: the policy
-- has to be asked first. This asks for the tenant itself, as a role whose policy lets it.
-- What is found is collected before it is put in order: the planner would rather walk through all ids from the latest
-- on, in the hope to find some soon.
CREATE FUNCTION aurax_search(wanted text, before uuid, most bigint) RETURNS SETOF uuid ROWS 50
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH found AS MATERIALIZED (
        SELECT id FROM messages
        WHERE user_id = aurax_user() AND aurax_words(words) @@ (
            SELECT string_agg(quote_literal(word), ' & ')::tsquery FROM unnest(string_to_array(wanted, ' ')) AS word
        )
    )
    SELECT id FROM found WHERE before IS NULL OR id < before ORDER BY id DESC LIMIT most
$$;
GRANT CREATE ON SCHEMA public TO aurax_jobs;
ALTER FUNCTION aurax_search(text, uuid, bigint) OWNER TO aurax_jobs;
REVOKE CREATE ON SCHEMA public FROM aurax_jobs;
REVOKE ALL ON FUNCTION aurax_search(text, uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aurax_search(text, uuid, bigint) TO aurax_app;
