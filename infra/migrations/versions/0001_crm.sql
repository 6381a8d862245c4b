-- The CRM's tables. A transaction sees only the rows of the tenant that it names.

DO $$ BEGIN
  CREATE ROLE aetherlink_api NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  CREATE ROLE aetherlink_relay NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;

CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('app.tenant', true), '')::uuid;

CREATE TABLE account (
  tenant_id uuid NOT NULL, id uuid NOT NULL, version int NOT NULL CHECK (version > 0),
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  industry text, website text, phone text,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX account_by_age ON account (tenant_id, created_at, id);

CREATE TABLE contact (
  tenant_id uuid NOT NULL, id uuid NOT NULL, version int NOT NULL CHECK (version > 0),
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  account_id uuid,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  email text, phone text, title text,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT contact_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id));
CREATE UNIQUE INDEX contact_email_key ON contact (tenant_id, lower(email));
CREATE INDEX contact_by_age ON contact (tenant_id, created_at, id);
CREATE INDEX contact_by_account ON contact (tenant_id, account_id, created_at, id);

CREATE TABLE job (
  tenant_id uuid NOT NULL, id uuid NOT NULL, version int NOT NULL CHECK (version > 0),
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  account_id uuid NOT NULL, contact_id uuid,
  title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  description text,
  status text NOT NULL CHECK (status IN ('Open', 'Scheduled', 'InProgress', 'OnHold', 'Completed', 'Cancelled')),
  scheduled_for timestamptz,
  amount_cents bigint CHECK (amount_cents >= 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT job_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id),
  CONSTRAINT job_contact_fkey FOREIGN KEY (tenant_id, contact_id) REFERENCES contact (tenant_id, id));
CREATE INDEX job_by_age ON job (tenant_id, created_at, id);
CREATE INDEX job_by_account ON job (tenant_id, account_id, created_at, id);
CREATE INDEX job_by_contact ON job (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX job_by_status ON job (tenant_id, status, created_at, id);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['account', 'contact', 'job'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())', one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO aetherlink_api', one);
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO aetherlink_api, aetherlink_relay;
