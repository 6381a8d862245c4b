-- What operators do to the outbox: replays that run in the background, and an audit trail of who did what.

CREATE TABLE outbox_replay (
  id uuid PRIMARY KEY,
  tenant_id uuid,                               -- null: every tenant's events
  event_type text,                              -- null: every type
  since timestamptz NOT NULL,
  until timestamptz NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  total bigint NOT NULL,
  replayed bigint NOT NULL DEFAULT 0,
  last_published_at timestamptz NOT NULL DEFAULT '-infinity',  -- the keyset position: (last_published_at, last_id)
  last_id bigint NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  done_at timestamptz,
  CHECK (since < until));
CREATE INDEX outbox_replay_open ON outbox_replay (requested_at) WHERE done_at IS NULL;

CREATE TABLE outbox_audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenant_id uuid,
  actor text NOT NULL,
  action text NOT NULL CHECK (action IN ('requeue', 'discard', 'replay')),
  stream_key text,
  detail jsonb NOT NULL DEFAULT '{}');
CREATE INDEX outbox_audit_by_time ON outbox_audit (tenant_id, at);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['outbox_replay', 'outbox_audit'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format('CREATE POLICY relay ON %I TO aetherlink_relay USING (true) WITH CHECK (true)', one);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON outbox_replay TO aetherlink_relay;
GRANT SELECT, INSERT ON outbox_audit TO aetherlink_relay;  -- no UPDATE or DELETE: an audit trail
