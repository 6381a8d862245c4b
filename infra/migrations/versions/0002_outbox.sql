-- The outbox: unpublished events, the streams that order them, the shards that relays lease,
-- and the archive.

CREATE TABLE outbox_stream (
  stream_key text PRIMARY KEY CHECK (stream_key !~ '[[:cntrl:]]'),
  tenant_id uuid NOT NULL,
  shard smallint NOT NULL,                      -- fixed: changing the number of shards never moves a stream
  last_seq bigint NOT NULL,
  parked bool NOT NULL DEFAULT false) WITH (fillfactor = 70);
CREATE INDEX outbox_stream_parked ON outbox_stream (tenant_id, stream_key) WHERE parked;

CREATE TABLE outbox_event (
  id bigint GENERATED ALWAYS AS IDENTITY,       -- no index of its own: the planner would scan it over all shards
  event_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  shard smallint NOT NULL,
  stream_key text NOT NULL,
  stream_seq bigint NOT NULL,
  parked bool NOT NULL DEFAULT false,
  topic text NOT NULL CHECK (topic !~ '[[:cntrl:]]'),
  event_type text NOT NULL CHECK (event_type !~ '[[:cntrl:]]'),
  schema_version smallint NOT NULL DEFAULT 1,
  payload bytea NOT NULL,
  headers jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0,
  last_error text,
  UNIQUE (stream_key, stream_seq))
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX outbox_ready ON outbox_event (shard, id) WHERE NOT parked;

CREATE TABLE outbox_archive (
  LIKE outbox_event, published_at timestamptz NOT NULL, kafka_partition int, kafka_offset bigint)
  PARTITION BY RANGE (published_at);
CREATE INDEX outbox_archive_by_time ON outbox_archive (published_at, id);
CREATE TABLE outbox_archive_default PARTITION OF outbox_archive DEFAULT;

CREATE TABLE outbox_shard (
  shard smallint PRIMARY KEY,
  owner uuid,
  epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  retry_at timestamptz NOT NULL DEFAULT '-infinity');

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['outbox_stream', 'outbox_event', 'outbox_archive'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format('CREATE POLICY relay ON %I TO aetherlink_relay USING (true) WITH CHECK (true)', one);
    EXECUTE format('CREATE POLICY upkeep ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO aetherlink_relay', one);
  END LOOP;
END $$;
CREATE POLICY tenant ON outbox_stream TO aetherlink_api
  USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant());
CREATE POLICY tenant ON outbox_event FOR INSERT TO aetherlink_api WITH CHECK (tenant_id = app_tenant());
GRANT SELECT, INSERT, UPDATE (last_seq) ON outbox_stream TO aetherlink_api;
GRANT INSERT ON outbox_event TO aetherlink_api;
GRANT SELECT, UPDATE ON outbox_shard TO aetherlink_relay;

-- Adds the shards that are missing. Shards are never removed: streams keep theirs.
CREATE FUNCTION outbox_ensure_shards(wanted int) RETURNS int LANGUAGE sql AS $$
  WITH added AS (INSERT INTO outbox_shard (shard) SELECT generate_series(0, wanted - 1) ON CONFLICT DO NOTHING RETURNING 1)
  SELECT count(*)::int FROM added $$;

-- Creates the archive's daily partitions from today to `days_ahead` days on, moves rows of the default
-- partition into them, and drops partitions whose day ended `retention_days` ago. Days are UTC.
CREATE FUNCTION outbox_maintain(days_ahead int, retention_days int) RETURNS TABLE (action text, partition text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  day date; name text; first timestamptz; past timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('outbox_maintain'));
  FOR day IN SELECT generate_series(today, today + days_ahead, interval '1 day')::date LOOP
    name := 'outbox_archive_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    first := day::timestamp AT TIME ZONE 'UTC';
    past := (day + 1)::timestamp AT TIME ZONE 'UTC';
    CREATE TEMP TABLE caught ON COMMIT DROP AS
      SELECT * FROM outbox_archive_default WHERE published_at >= first AND published_at < past;
    DELETE FROM outbox_archive_default WHERE published_at >= first AND published_at < past;
    EXECUTE format('CREATE TABLE %I PARTITION OF outbox_archive FOR VALUES FROM (%L) TO (%L)', name, first, past);
    INSERT INTO outbox_archive SELECT * FROM caught;
    DROP TABLE caught;
    action := 'created'; partition := name; RETURN NEXT;
  END LOOP;
  FOR name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'outbox_archive'::regclass AND c.relname ~ '^outbox_archive_[0-9]{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - retention_days
    ORDER BY 1 LOOP
    EXECUTE format('DROP TABLE %I', name);
    action := 'dropped'; partition := name; RETURN NEXT;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION outbox_maintain(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_maintain(int, int) TO aetherlink_relay;
SELECT outbox_maintain(7, 36500);
