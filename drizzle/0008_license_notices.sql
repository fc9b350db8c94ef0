CREATE TABLE "license_notices" (
	"license_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"notice" text NOT NULL,
	"given_at" timestamp with time zone NOT NULL,
	CONSTRAINT "license_notices_pk" PRIMARY KEY("license_id","expires_at","notice"),
	CONSTRAINT "license_notices_notice_known" CHECK ("license_notices"."notice" in ('expiring_60d', 'expiring_30d', 'expiring_14d', 'expiring_7d', 'expiring_1d', 'expired',
        'grace_ended'))
);
--> statement-breakpoint
ALTER TABLE "license_notices" ADD CONSTRAINT "license_notices_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;