-- Answers to requests with an Idempotency-Key, committed in the same transaction as their rows.

CREATE TABLE idempotent_request (
  tenant_id uuid NOT NULL,
  endpoint text NOT NULL,
  key_hash text NOT NULL,
  request_hash text NOT NULL,
  status smallint NOT NULL,
  headers jsonb NOT NULL,
  response bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, endpoint, key_hash));
CREATE INDEX idempotent_request_by_age ON idempotent_request (created_at);

ALTER TABLE idempotent_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotent_request FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotent_request TO aetherlink_api
  USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant());
CREATE POLICY cleaning ON idempotent_request TO aetherlink_relay USING (true);
GRANT SELECT, INSERT, UPDATE ON idempotent_request TO aetherlink_api;
GRANT SELECT, DELETE ON idempotent_request TO aetherlink_relay;
