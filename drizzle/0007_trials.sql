CREATE TABLE "trials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"email_hash" text NOT NULL,
	"tier_id" uuid NOT NULL,
	"customer_id" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	CONSTRAINT "trials_product_email_unique" UNIQUE("product_id","email_hash")
);
--> statement-breakpoint
CREATE TABLE "usage_counts" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "usage_counts_pk" PRIMARY KEY("scope","key","window_start")
);
--> statement-breakpoint
ALTER TABLE "tiers" ADD COLUMN "trial_days" integer;--> statement-breakpoint
ALTER TABLE "trials" ADD CONSTRAINT "trials_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "usage_counts_age_idx" ON "usage_counts" USING btree ("window_start");--> statement-breakpoint
ALTER TABLE "tiers" ADD CONSTRAINT "tiers_trial_days_range" CHECK ("tiers"."trial_days" is null or "tiers"."trial_days" between 1 and 365);