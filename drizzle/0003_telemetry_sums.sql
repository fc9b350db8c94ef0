CREATE TABLE "telemetry_presence" (
	"instance_key" uuid NOT NULL,
	"day" date NOT NULL,
	"marks" bigint[] NOT NULL,
	CONSTRAINT "telemetry_presence_pk" PRIMARY KEY("instance_key","day")
);
--> statement-breakpoint
CREATE TABLE "telemetry_sums" (
	"product_id" uuid NOT NULL,
	"metric" text NOT NULL,
	"grain" text NOT NULL,
	"dimension" text NOT NULL,
	"bucket" timestamp with time zone NOT NULL,
	"value" text NOT NULL,
	"samples" bigint NOT NULL,
	"samples_verified" bigint NOT NULL,
	"increase" double precision NOT NULL,
	"increase_verified" double precision NOT NULL,
	"gauge_sum" double precision NOT NULL,
	"gauge_sum_verified" double precision NOT NULL,
	"gauge_max" double precision,
	"gauge_max_verified" double precision,
	"instances" integer NOT NULL,
	"instances_verified" integer NOT NULL,
	CONSTRAINT "telemetry_sums_pk" PRIMARY KEY("product_id","metric","grain","dimension","bucket","value"),
	CONSTRAINT "telemetry_sums_grain_known" CHECK ("telemetry_sums"."grain" in ('hour', 'day')),
	CONSTRAINT "telemetry_sums_dimension_known" CHECK ("telemetry_sums"."dimension" in ('all', 'version', 'tier', 'license'))
);
--> statement-breakpoint
CREATE TABLE "telemetry_versions" (
	"product_id" uuid NOT NULL,
	"day" date NOT NULL,
	"version" text NOT NULL,
	"verified" boolean NOT NULL,
	CONSTRAINT "telemetry_versions_pk" PRIMARY KEY("product_id","day","version")
);
--> statement-breakpoint
ALTER TABLE "reports" ADD COLUMN "summed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "telemetry_presence_day_idx" ON "telemetry_presence" USING btree ("day");--> statement-breakpoint
CREATE INDEX "telemetry_sums_age_idx" ON "telemetry_sums" USING btree ("grain","bucket");--> statement-breakpoint
CREATE INDEX "telemetry_versions_day_idx" ON "telemetry_versions" USING btree ("day");--> statement-breakpoint
CREATE INDEX "reports_not_summed_idx" ON "reports" USING btree ("received_on","id") WHERE not "reports"."summed";