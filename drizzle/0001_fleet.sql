CREATE TABLE "forgotten_seats" (
	"instance_key" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"seat_id" uuid NOT NULL,
	"lease_ends_at" timestamp with time zone NOT NULL,
	CONSTRAINT "forgotten_seats_pk" PRIMARY KEY("instance_key","license_id")
);
--> statement-breakpoint
ALTER TABLE "activations" ADD COLUMN "lease_issued_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "activations" ADD COLUMN "tombstone_lifted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "replaced_by" uuid;--> statement-breakpoint
ALTER TABLE "license_keys" ADD COLUMN "replaced_by" uuid;--> statement-breakpoint
CREATE INDEX "forgotten_seats_lease_idx" ON "forgotten_seats" USING btree ("lease_ends_at");