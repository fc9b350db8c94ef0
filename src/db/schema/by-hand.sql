-- What the schema's TypeScript cannot say: functions and triggers. `npm run db:baseline` appends it to the baseline.

-- Room in each page for the next version of a row: an update that changes no indexed column then touches no index.
ALTER TABLE "instances" SET (fillfactor = 80);--> statement-breakpoint
ALTER TABLE "activations" SET (fillfactor = 80);--> statement-breakpoint
ALTER TABLE "report_streams" SET (fillfactor = 80);--> statement-breakpoint

-- A new seat is looked at when its lease ends; one whose lease was moved runs again, and is never looked at too late.
CREATE FUNCTION activation_renewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  new.lapsed := false;
  new.lapse_due_at := new.lease_ends_at;
  RETURN new;
END $$;--> statement-breakpoint
CREATE TRIGGER activation_renewed BEFORE UPDATE ON "activations" FOR EACH ROW
  WHEN (old.lapsed AND new.lease_ends_at IS DISTINCT FROM old.lease_ends_at
    OR new.lease_ends_at < old.lapse_due_at AND new.lapse_due_at = old.lapse_due_at)
  EXECUTE FUNCTION activation_renewed();--> statement-breakpoint
CREATE TRIGGER activation_taken BEFORE INSERT ON "activations" FOR EACH ROW
  WHEN (new.lapse_due_at = 'epoch')
  EXECUTE FUNCTION activation_renewed();--> statement-breakpoint

-- Every write of reference data leaves an event, whoever makes it: processes hold the data in memory and go by the
-- newest event. The application records its own changes; these triggers add an event at commit where it did not.

-- The first number that this transaction wrote, so that its events can be told from those before it.
CREATE FUNCTION note_own_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('leasehold.own_events_from', true), '') = '' THEN
    PERFORM set_config('leasehold.own_events_from', (SELECT min(number) FROM added)::text, true);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER events_note_own AFTER INSERT ON events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION note_own_events();
--> statement-breakpoint
-- As recordChange does it: numbered under the lock that makes number order commit order, and announced.
CREATE FUNCTION add_event(kind text, product uuid, license uuid, customer uuid, about text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  added bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'reference data can be changed in READ COMMITTED transactions only'
      USING HINT = 'The number of the newest event cannot be told from an older snapshot.';
  END IF;
  PERFORM pg_advisory_xact_lock(5027010);
  INSERT INTO events (number, at, type, product_id, license_id, customer_id, subject)
    SELECT greatest(coalesce(max(number), 0) + 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint),
      clock_timestamp(), kind, product, license, customer, about
    FROM events
    RETURNING number INTO added;
  PERFORM pg_notify('leasehold_events', added::text);
END $$;
--> statement-breakpoint
CREATE FUNCTION record_reference_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed jsonb;
  kind text;
  product uuid;
  license uuid;
  customer uuid;
  about text;
  own bigint;
  added int;
BEGIN
  -- One event for everything, after so many: an import has millions of rows.
  IF current_setting('leasehold.everything_recorded', true) = 'yes' THEN RETURN NULL; END IF;
  FOREACH changed IN ARRAY CASE TG_OP
    WHEN 'INSERT' THEN ARRAY[to_jsonb(NEW)]
    WHEN 'DELETE' THEN ARRAY[to_jsonb(OLD)]
    ELSE ARRAY[to_jsonb(OLD), to_jsonb(NEW)] END
  LOOP
    product := NULL;
    license := NULL;
    customer := NULL;
    about := replace(changed ->> 'id', '-', '');
    CASE TG_TABLE_NAME
      WHEN 'products' THEN
        kind := 'catalog.changed';
        product := changed ->> 'id';
        about := 'prd_' || about;
      WHEN 'tiers' THEN
        kind := 'catalog.changed';
        product := changed ->> 'product_id';
        about := 'tier_' || about;
      WHEN 'signing_keys' THEN
        kind := 'keys.changed';
        product := changed ->> 'product_id';
        about := changed ->> 'kid';
      WHEN 'key_sets' THEN
        kind := 'keys.changed';
        about := changed ->> 'number';
      WHEN 'customers' THEN
        kind := 'customer.changed';
        customer := changed ->> 'id';
        about := 'cus_' || about;
      WHEN 'licenses' THEN
        kind := 'license.changed';
        license := changed ->> 'id';
        product := changed ->> 'product_id';
        about := 'lic_' || about;
      WHEN 'relays' THEN
        kind := 'relay.changed';
        about := 'rly_' || about;
      WHEN 'relay_allotments' THEN
        kind := 'relay.changed';
        license := changed ->> 'license_id';
        about := 'rly_' || replace(changed ->> 'relay_id', '-', '');
      ELSE
        kind := 'license.changed';
        license := changed ->> 'license_id';
        about := CASE TG_TABLE_NAME WHEN 'api_keys' THEN 'key_' WHEN 'license_keys' THEN 'lk_' ELSE 'sjw_' END || about;
    END CASE;
    own := nullif(current_setting('leasehold.own_events_from', true), '')::bigint;
    CONTINUE WHEN own IS NOT NULL AND EXISTS (
      SELECT FROM events e WHERE e.number >= own AND CASE kind
        WHEN 'catalog.changed' THEN e.type = kind AND (e.product_id = product OR e.product_id IS NULL)
        WHEN 'keys.changed' THEN e.type IN ('keys.changed', 'catalog.changed')
          AND (e.product_id = product OR e.product_id IS NULL OR product IS NULL)
        WHEN 'license.changed' THEN e.type IN ('license.changed', 'instance.changed', 'relay.changed')
          AND e.license_id = license
        WHEN 'customer.changed' THEN e.customer_id = customer
        ELSE e.type = kind END);
    IF license IS NOT NULL AND product IS NULL THEN
      SELECT l.product_id INTO product FROM licenses l WHERE l.id = license;
    END IF;
    added := coalesce(nullif(current_setting('leasehold.events_added', true), ''), '0')::int + 1;
    PERFORM set_config('leasehold.events_added', added::text, true);
    IF added > 50 THEN
      PERFORM set_config('leasehold.everything_recorded', 'yes', true);
      PERFORM add_event('reference.changed', NULL, NULL, NULL, 'database');
      RETURN NULL;
    END IF;
    PERFORM add_event(kind, product, license, customer, about);
  END LOOP;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION record_truncation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_event('reference.changed', NULL, NULL, NULL, 'database');
  RETURN NULL;
END $$;
--> statement-breakpoint
DO $$
DECLARE
  -- What of a row is reference data, where it is not all of it.
  columns jsonb := '{
    "products": null, "tiers": null, "customers": null, "licenses": null, "api_keys": null, "license_keys": null,
    "key_sets": null,
    "static_jwts": ["id", "license_id", "refreshable", "expires_at", "revoked_at", "end_sessions"],
    "signing_keys": ["kid", "product_id", "use", "public_key_hex", "created_at", "not_before", "superseded_at",
      "retired_at", "revoked_at"],
    "relays": ["id", "customer_id", "name", "enrolment_hash", "enrolment_expires_at", "key_hash", "public_key",
      "enrolled_at", "revoked_at"],
    "relay_allotments": ["relay_id", "license_id", "share", "seats"]}';
  name text;
  own jsonb;
  differs text;
BEGIN
  FOR name, own IN SELECT * FROM jsonb_each(columns) LOOP
    differs := CASE jsonb_typeof(own)
      WHEN 'null' THEN 'OLD.* IS DISTINCT FROM NEW.*'
      ELSE (SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR ')
        FROM jsonb_array_elements_text(own) c) END;
    EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR DELETE ON %I DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION record_reference_change()', name || '_recorded', name);
    EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER UPDATE ON %I DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (%s) EXECUTE FUNCTION record_reference_change()', name || '_change_recorded', name, differs);
    EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %I
      FOR EACH STATEMENT EXECUTE FUNCTION record_truncation()', name || '_truncation_recorded', name);
  END LOOP;
END $$;
--> statement-breakpoint

-- Stable as what it calls, or PostgreSQL would call it for each row instead of putting it in its place.
CREATE FUNCTION fleet_minute(at timestamptz) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
  RETURN floor(date_part('epoch', at) / 60)::integer;--> statement-breakpoint

-- What domain/stats adds to its sums. One row of a statement's minutes, not one for each instance: a batch of heartbeats
-- pays for one insert.
CREATE FUNCTION instances_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF tg_op = 'INSERT' THEN
    INSERT INTO fleet_changes (instance_key) SELECT instance_key FROM new_rows;
    INSERT INTO fleet_age_changes (product_id, verified, gained)
    SELECT product_id, proof <> 'none', array_agg(fleet_minute(last_seen_at)) FROM new_rows
    WHERE deactivated_at IS NULL GROUP BY 1, 2;
  ELSIF tg_op = 'DELETE' THEN
    INSERT INTO fleet_changes (instance_key) SELECT instance_key FROM old_rows;
    INSERT INTO fleet_age_changes (product_id, verified, lost)
    SELECT product_id, proof <> 'none', array_agg(fleet_minute(last_seen_at)) FROM old_rows
    WHERE deactivated_at IS NULL GROUP BY 1, 2;
  ELSE
    -- No join of the two: they have no statistics, and a plan made for one row would serve five thousand.
    INSERT INTO fleet_age_changes (product_id, verified, gained, lost)
    SELECT product_id, verified, coalesce(array_agg(minute ORDER BY minute) FILTER (WHERE gained), '{}'),
      coalesce(array_agg(minute ORDER BY minute) FILTER (WHERE NOT gained), '{}')
    FROM (
      SELECT product_id, proof <> 'none' AS verified, fleet_minute(last_seen_at) AS minute, true AS gained
      FROM new_rows WHERE deactivated_at IS NULL
      UNION ALL
      SELECT product_id, proof <> 'none', fleet_minute(last_seen_at), false
      FROM old_rows WHERE deactivated_at IS NULL
    ) m
    GROUP BY product_id, verified
    HAVING array_agg(minute ORDER BY minute) FILTER (WHERE gained)
      IS DISTINCT FROM array_agg(minute ORDER BY minute) FILTER (WHERE NOT gained);
  END IF;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER instances_counted_insert AFTER INSERT ON "instances"
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION instances_counted();--> statement-breakpoint
CREATE TRIGGER instances_counted_delete AFTER DELETE ON "instances"
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION instances_counted();--> statement-breakpoint
CREATE TRIGGER instances_counted_update AFTER UPDATE ON "instances"
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION instances_counted();--> statement-breakpoint

CREATE FUNCTION facts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fleet_changes (instance_key) VALUES (new.instance_key);
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER instance_facts_changed AFTER UPDATE ON "instances" FOR EACH ROW
  WHEN (old.version IS DISTINCT FROM new.version OR old.os IS DISTINCT FROM new.os OR old.proof <> new.proof
    OR old.action <> new.action OR (old.action_set_at IS NULL) <> (new.action_set_at IS NULL)
    OR (old.action_acknowledged_at IS NULL) <> (new.action_acknowledged_at IS NULL)
    OR (old.deactivated_at IS NULL) <> (new.deactivated_at IS NULL))
  EXECUTE FUNCTION facts_changed();--> statement-breakpoint

CREATE FUNCTION seats_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF tg_op = 'INSERT' THEN
    INSERT INTO fleet_changes (instance_key) SELECT DISTINCT instance_key FROM new_rows;
  ELSE
    INSERT INTO fleet_changes (instance_key) SELECT DISTINCT instance_key FROM old_rows;
  END IF;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER seats_counted_insert AFTER INSERT ON "activations"
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION seats_counted();--> statement-breakpoint
CREATE TRIGGER seats_counted_delete AFTER DELETE ON "activations"
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION seats_counted();--> statement-breakpoint
CREATE TRIGGER seat_counted_update AFTER UPDATE ON "activations" FOR EACH ROW
  WHEN ((old.ended_at IS NULL) <> (new.ended_at IS NULL) OR old.lapsed <> new.lapsed)
  EXECUTE FUNCTION facts_changed();--> statement-breakpoint

-- Search for a part of an instance's id or host name. The extension is trusted since PostgreSQL 13, but its creation
-- needs CREATE on the database, and its files; without it the search is as right, and slow.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX instances_text_idx ON instances
    USING gin (lower(instance_id || ' ' || coalesce(hostname, '')) gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
  RAISE NOTICE 'pg_trgm is not available: the search for parts of names reads all instances';
END $$;
