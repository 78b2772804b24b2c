-- The least UUIDv7 of a moment.
CREATE FUNCTION aurax_first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;

-- Makes one partition of a table, closed like the table itself: nobody reads or writes it directly. Rows of its span
-- that came before it lie in the default partition, which would keep it from being made: they move into it.
CREATE FUNCTION aurax_make_partition(parent text, partition text, from_at timestamptz, to_at timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    strays text := parent || '_default';
    first_id uuid := aurax_first_id(from_at);
    end_id uuid := aurax_first_id(to_at);
BEGIN
    IF parent NOT IN ('messages', 'usage_logs') OR partition !~ '^(messages|usage_logs)_[0-9a-z]+$' THEN
        RAISE EXCEPTION 'no partition of % may be called %', parent, partition;
    END IF;
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
    -- Also against rows that would come while these move.
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', strays);
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', strays);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE id >= %L AND id < %L RETURNING *)
        INSERT INTO %I SELECT * FROM moved', strays, first_id, end_id, partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', strays);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition,
        first_id, end_id);
    RETURN true;
END
$$;

-- Monthly partitions of messages and weekly ones of usage, from the period before `at` to three periods after it.
CREATE FUNCTION aurax_make_partitions(at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made integer := 0;
    start_at timestamp;
BEGIN
    FOR i IN -1..3 LOOP
        start_at := date_trunc('month', at AT TIME ZONE 'UTC') + i * interval '1 month';
        IF aurax_make_partition('messages', 'messages_' || to_char(start_at, '"y"YYYY"m"MM'),
            start_at AT TIME ZONE 'UTC', (start_at + interval '1 month') AT TIME ZONE 'UTC') THEN
            made := made + 1;
        END IF;
        start_at := date_trunc('week', at AT TIME ZONE 'UTC') + i * interval '1 week';
        IF aurax_make_partition('usage_logs', 'usage_logs_' || to_char(start_at, '"y"IYYY"w"IW'),
            start_at AT TIME ZONE 'UTC', (start_at + interval '1 week') AT TIME ZONE 'UTC') THEN
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

-- Drops a partition that holds nothing any more.
CREATE FUNCTION aurax_drop_empty_partition(partition text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    is_empty boolean;
BEGIN
    IF partition !~ '^(messages_y[0-9]{4}m[0-9]{2}|usage_logs_y[0-9]{4}w[0-9]{2})$' OR to_regclass(partition) IS NULL THEN
        RAISE EXCEPTION 'there is no partition %', partition;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', partition);
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', partition) INTO is_empty;
    IF is_empty THEN
        EXECUTE format('DROP TABLE %I', partition);
    ELSE
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    END IF;
    RETURN is_empty;
END
$$;

REVOKE ALL ON FUNCTION aurax_make_partition(text, text, timestamptz, timestamptz), aurax_make_partitions(timestamptz),
    aurax_drop_empty_partition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aurax_make_partitions(timestamptz), aurax_drop_empty_partition(text) TO aurax_jobs;

-- Rows whose id lies outside all partitions: an alarm, not an error.
CREATE TABLE messages_default PARTITION OF messages DEFAULT;
CREATE TABLE usage_logs_default PARTITION OF usage_logs DEFAULT;
ALTER TABLE messages_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_logs_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT aurax_make_partitions(now());
