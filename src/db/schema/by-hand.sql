-- What the schema's TypeScript cannot say: functions and triggers. `npm run db:baseline` appends it to the baseline.

-- Room in each page for the next version of a row: an update that changes no indexed column then touches no index.
ALTER TABLE "instances" SET (fillfactor = 80);--> statement-breakpoint
ALTER TABLE "activations" SET (fillfactor = 80);--> statement-breakpoint
ALTER TABLE "report_streams" SET (fillfactor = 80);--> statement-breakpoint

-- A lease that was moved runs again.
CREATE FUNCTION activation_renewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  new.lapsed := false;
  new.lapse_due_at := new.lease_ends_at;
  RETURN new;
END $$;--> statement-breakpoint
CREATE TRIGGER activation_renewed BEFORE UPDATE ON "activations" FOR EACH ROW
  WHEN (old.lapsed AND new.lease_ends_at IS DISTINCT FROM old.lease_ends_at)
  EXECUTE FUNCTION activation_renewed();
