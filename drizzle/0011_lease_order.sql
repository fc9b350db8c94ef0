ALTER TABLE "relay_leases" ADD COLUMN "issued_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "relay_leases" ADD COLUMN "released" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "relay_leases_instance_idx" ON "relay_leases" USING btree ("instance_key");