CREATE TABLE "offline_activations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"license_id" uuid NOT NULL,
	"instance_key" uuid NOT NULL,
	"nonce" text NOT NULL,
	"action" text NOT NULL,
	"told_action" text NOT NULL,
	"static_jwt_id" uuid NOT NULL,
	"issued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"lease_ends_at" timestamp with time zone NOT NULL,
	"issued_by" text NOT NULL,
	CONSTRAINT "offline_activations_nonce_unique" UNIQUE("instance_key","nonce")
);
--> statement-breakpoint
ALTER TABLE "offline_activations" ADD CONSTRAINT "offline_activations_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "offline_activations_license_idx" ON "offline_activations" USING btree ("license_id");