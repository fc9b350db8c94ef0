CREATE TABLE "relay_allotments" (
	"relay_id" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"share" integer NOT NULL,
	"seq" bigint NOT NULL,
	"seats" integer NOT NULL,
	"expires_at" timestamp with time zone,
	"held_seats" integer NOT NULL,
	"held_until" timestamp with time zone,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "relay_allotments_pk" PRIMARY KEY("relay_id","license_id"),
	CONSTRAINT "relay_allotments_seats_positive" CHECK ("relay_allotments"."share" >= 0 and "relay_allotments"."seats" >= 0 and "relay_allotments"."held_seats" >= 0)
);
--> statement-breakpoint
CREATE TABLE "relay_leases" (
	"relay_id" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"instance_key" uuid NOT NULL,
	"allotment_seq" bigint NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"reported_at" timestamp with time zone NOT NULL,
	CONSTRAINT "relay_leases_pk" PRIMARY KEY("relay_id","license_id","instance_key")
);
--> statement-breakpoint
CREATE TABLE "relays" (
	"id" uuid PRIMARY KEY NOT NULL,
	"customer_id" uuid NOT NULL,
	"name" text NOT NULL,
	"enrolment_hash" text,
	"enrolment_expires_at" timestamp with time zone,
	"key_hash" text,
	"key_prefix" text,
	"public_key" text,
	"version" text,
	"lineage" jsonb,
	"created_at" timestamp with time zone NOT NULL,
	"enrolled_at" timestamp with time zone,
	"last_seen_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "relays_enrolment_unique" UNIQUE("enrolment_hash"),
	CONSTRAINT "relays_key_unique" UNIQUE("key_hash")
);
--> statement-breakpoint
ALTER TABLE "relay_allotments" ADD CONSTRAINT "relay_allotments_relay_fk" FOREIGN KEY ("relay_id") REFERENCES "public"."relays"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relay_allotments" ADD CONSTRAINT "relay_allotments_license_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relay_leases" ADD CONSTRAINT "relay_leases_relay_fk" FOREIGN KEY ("relay_id") REFERENCES "public"."relays"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relays" ADD CONSTRAINT "relays_customer_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "relay_allotments_license_idx" ON "relay_allotments" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "relay_leases_expires_idx" ON "relay_leases" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "relays_customer_idx" ON "relays" USING btree ("customer_id");