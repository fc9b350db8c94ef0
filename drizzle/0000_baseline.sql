-- Made by `npm run db:baseline` from src/db/schema. To change it, change that, and run it again.
CREATE TABLE "action_budget_lifts" (
	"scope" text PRIMARY KEY NOT NULL,
	"lifted_at" timestamp with time zone NOT NULL,
	"lifted_until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "action_spending" (
	"id" uuid PRIMARY KEY NOT NULL,
	"admin_key_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"amount" integer NOT NULL,
	CONSTRAINT "action_spending_amount_positive" CHECK ("action_spending"."amount" > 0)
);
--> statement-breakpoint
CREATE TABLE "anomalies" (
	"instance_key" uuid NOT NULL,
	"id" uuid NOT NULL,
	"product_id" uuid NOT NULL,
	"type" text NOT NULL,
	"severity" text NOT NULL,
	"count" integer NOT NULL,
	"first_seen_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"evidence" jsonb NOT NULL,
	"proof" text NOT NULL,
	"resolved_at" timestamp with time zone,
	"resolved_by" text,
	"note" text,
	CONSTRAINT "anomalies_pk" PRIMARY KEY("instance_key","id"),
	CONSTRAINT "anomalies_proof_known" CHECK ("anomalies"."proof" in ('none', 'instance', 'license', 'relay')),
	CONSTRAINT "anomalies_severity_known" CHECK ("anomalies"."severity" in ('low', 'medium', 'high'))
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_id" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"reason" text,
	"details" jsonb NOT NULL,
	"request_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"number" bigint PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"product_id" uuid,
	"license_id" uuid,
	"instance_key" uuid,
	"customer_id" uuid,
	"subject" text NOT NULL,
	"mark" uuid DEFAULT gen_random_uuid() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"request_hash" text NOT NULL,
	"sealed_answer" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"leased_until" timestamp with time zone NOT NULL,
	"last_started_at" timestamp with time zone,
	"last_finished_at" timestamp with time zone,
	"last_error" text
);
--> statement-breakpoint
CREATE TABLE "fleet_age_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "fleet_age_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"product_id" uuid NOT NULL,
	"verified" boolean NOT NULL,
	"gained" integer[] DEFAULT '{}' NOT NULL,
	"lost" integer[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "fleet_ages" (
	"product_id" uuid NOT NULL,
	"minute" integer NOT NULL,
	"instances" bigint NOT NULL,
	"verified" bigint NOT NULL,
	CONSTRAINT "fleet_ages_pk" PRIMARY KEY("product_id","minute")
);
--> statement-breakpoint
CREATE TABLE "fleet_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "fleet_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"instance_key" uuid NOT NULL
);
--> statement-breakpoint
CREATE TABLE "fleet_counts" (
	"product_id" uuid NOT NULL,
	"facet" text NOT NULL,
	"key" uuid NOT NULL,
	"value" text NOT NULL,
	"instances" bigint NOT NULL,
	"verified" bigint NOT NULL,
	CONSTRAINT "fleet_counts_pk" PRIMARY KEY("product_id","facet","key")
);
--> statement-breakpoint
CREATE TABLE "fleet_facts" (
	"instance_key" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"verified" boolean NOT NULL,
	"facets" text[]
);
--> statement-breakpoint
CREATE TABLE "activations" (
	"instance_key" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"credential_source" text NOT NULL,
	"credential_id" uuid NOT NULL,
	"first_activated_at" timestamp with time zone NOT NULL,
	"activated_at" timestamp with time zone NOT NULL,
	"lease_ends_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"ended_by" text,
	"lease_issued_at" timestamp with time zone NOT NULL,
	"tombstone_lifted_at" timestamp with time zone,
	"lapse_due_at" timestamp with time zone DEFAULT 'epoch' NOT NULL,
	"lapsed" boolean DEFAULT false NOT NULL,
	CONSTRAINT "activations_pk" PRIMARY KEY("instance_key","license_id"),
	CONSTRAINT "activations_credential_source_known" CHECK ("activations"."credential_source" in ('api_key', 'license_key', 'static_jwt')),
	CONSTRAINT "activations_ended_by_known" CHECK ("activations"."ended_by" in ('instance', 'admin', 'expiry')),
	CONSTRAINT "activations_ended_together" CHECK (("activations"."ended_at" is null) = ("activations"."ended_by" is null))
);
--> statement-breakpoint
CREATE TABLE "forgotten_seats" (
	"instance_key" uuid NOT NULL,
	"license_id" uuid NOT NULL,
	"seat_id" uuid NOT NULL,
	"lease_ends_at" timestamp with time zone NOT NULL,
	CONSTRAINT "forgotten_seats_pk" PRIMARY KEY("instance_key","license_id")
);
--> statement-breakpoint
CREATE TABLE "instances" (
	"instance_key" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"instance_id" text NOT NULL,
	"hostname" text,
	"version" text,
	"os" text,
	"arch" text,
	"fingerprint" text,
	"reported_tier" text,
	"has_valid_entitlement" boolean,
	"metrics" jsonb NOT NULL,
	"feature_usage" text[] NOT NULL,
	"integrity_hash" text,
	"entitlement_hash" text,
	"entitlement_mismatch_at" timestamp with time zone,
	"first_seen_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"deactivated_at" timestamp with time zone,
	"action" text NOT NULL,
	"action_reason" text,
	"action_seq" bigint NOT NULL,
	"action_set_at" timestamp with time zone,
	"action_delivered_at" timestamp with time zone,
	"action_acknowledged_at" timestamp with time zone,
	"lineage" jsonb,
	"token_hash" text,
	"token_presented_at" timestamp with time zone,
	"proof" text NOT NULL,
	"proven_license_id" uuid,
	"seen_mark" timestamp with time zone DEFAULT 'epoch' NOT NULL,
	"silent" boolean DEFAULT false NOT NULL,
	CONSTRAINT "instances_action_known" CHECK ("instances"."action" in ('none', 'downgrade', 'kill')),
	CONSTRAINT "instances_proof_known" CHECK ("instances"."proof" in ('none', 'instance', 'license', 'relay'))
);
--> statement-breakpoint
CREATE TABLE "seat_bounds" (
	"license_id" uuid PRIMARY KEY NOT NULL,
	"taken" integer NOT NULL,
	"taken_exact_until" timestamp with time zone,
	"fresh" integer NOT NULL,
	"fresh_exact_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"license_id" uuid NOT NULL,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"name" text NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"end_sessions" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"replaced_by" uuid,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "customers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"company" text NOT NULL,
	"email" text,
	"metadata" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "license_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"license_id" uuid NOT NULL,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"name" text NOT NULL,
	"offline" boolean NOT NULL,
	"expires_at" timestamp with time zone,
	"retired_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"end_sessions" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"replaced_by" uuid,
	CONSTRAINT "license_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "licenses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"tier_id" uuid NOT NULL,
	"customer_id" uuid NOT NULL,
	"status" text NOT NULL,
	"status_reason" text,
	"status_changed_at" timestamp with time zone NOT NULL,
	"issued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"grace_days" integer,
	"features_added" text[] NOT NULL,
	"features_removed" text[] NOT NULL,
	"limits" jsonb NOT NULL,
	"seat_limit" integer,
	"tenant_id" text,
	"label" text,
	"is_trial" boolean NOT NULL,
	"fingerprint" text,
	"metadata" jsonb NOT NULL,
	"version" integer NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "licenses_status_known" CHECK ("licenses"."status" in ('active', 'suspended', 'revoked')),
	CONSTRAINT "licenses_grace_days_range" CHECK ("licenses"."grace_days" is null or "licenses"."grace_days" between 0 and 3650),
	CONSTRAINT "licenses_seat_limit_positive" CHECK ("licenses"."seat_limit" is null or "licenses"."seat_limit" >= 0)
);
--> statement-breakpoint
CREATE TABLE "static_jwts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"license_id" uuid NOT NULL,
	"name" text NOT NULL,
	"refreshable" boolean NOT NULL,
	"bound_instance_key" uuid,
	"expires_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone,
	"end_sessions" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
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
CREATE TABLE "envelopes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"license_id" uuid NOT NULL,
	"kid" text NOT NULL,
	"tenant_id" text NOT NULL,
	"label" text,
	"bound_instance_key" uuid,
	"issued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"grace_days" integer NOT NULL,
	"issued_by" text NOT NULL
);
--> statement-breakpoint
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
CREATE TABLE "products" (
	"id" uuid PRIMARY KEY NOT NULL,
	"code" text NOT NULL,
	"name" text NOT NULL,
	"instance_auth" text NOT NULL,
	"limits_claim" text NOT NULL,
	"metric_map" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "products_code_unique" UNIQUE("code"),
	CONSTRAINT "products_code_form" CHECK ("products"."code" ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
	CONSTRAINT "products_instance_auth_known" CHECK ("products"."instance_auth" in ('open', 'token')),
	CONSTRAINT "products_limits_claim_known" CHECK ("products"."limits_claim" in ('limits', 'quotas'))
);
--> statement-breakpoint
CREATE TABLE "tiers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"code" text NOT NULL,
	"name" text NOT NULL,
	"rank" integer NOT NULL,
	"features" text[] NOT NULL,
	"limits" jsonb NOT NULL,
	"grace_days" integer NOT NULL,
	"seat_limit" integer,
	"seat_churn" integer,
	"trial_days" integer,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "tiers_product_code_unique" UNIQUE("product_id","code"),
	CONSTRAINT "tiers_product_rank_unique" UNIQUE("product_id","rank"),
	CONSTRAINT "tiers_id_product_unique" UNIQUE("id","product_id"),
	CONSTRAINT "tiers_grace_days_range" CHECK ("tiers"."grace_days" between 0 and 3650),
	CONSTRAINT "tiers_seat_limit_positive" CHECK ("tiers"."seat_limit" is null or "tiers"."seat_limit" >= 0),
	CONSTRAINT "tiers_trial_days_range" CHECK ("tiers"."trial_days" is null or "tiers"."trial_days" between 1 and 365),
	CONSTRAINT "tiers_seat_churn_positive" CHECK ("tiers"."seat_churn" is null or "tiers"."seat_churn" >= 0)
);
--> statement-breakpoint
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
	"issued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"released" boolean DEFAULT false NOT NULL,
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
CREATE TABLE "report_streams" (
	"instance_key" uuid NOT NULL,
	"boot_id" uuid NOT NULL,
	"last_seq" bigint NOT NULL,
	"seen" "int8multirange" NOT NULL,
	"counters" jsonb NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"forget_due_at" timestamp with time zone DEFAULT 'epoch' NOT NULL,
	CONSTRAINT "report_streams_pk" PRIMARY KEY("instance_key","boot_id")
);
--> statement-breakpoint
CREATE TABLE "reports" (
	"instance_key" uuid NOT NULL,
	"received_on" date NOT NULL,
	"id" uuid NOT NULL,
	"product_id" uuid NOT NULL,
	"license_id" uuid,
	"kind" text NOT NULL,
	"proof" text NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"observed_at" timestamp with time zone NOT NULL,
	"boot_id" uuid,
	"seq" bigint,
	"version" text,
	"tier" text,
	"metrics" jsonb NOT NULL,
	"increases" jsonb NOT NULL,
	"features" text[] NOT NULL,
	"summed" boolean DEFAULT false NOT NULL,
	CONSTRAINT "reports_pk" PRIMARY KEY("instance_key","received_on","id"),
	CONSTRAINT "reports_kind_known" CHECK ("reports"."kind" in ('heartbeat', 'refresh', 'telemetry')),
	CONSTRAINT "reports_proof_known" CHECK ("reports"."proof" in ('none', 'instance', 'license', 'relay'))
) PARTITION BY RANGE ("received_on");
--> statement-breakpoint
CREATE TABLE "admin_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "admin_keys_hash_unique" UNIQUE("hash"),
	CONSTRAINT "admin_keys_role_known" CHECK ("admin_keys"."role" in ('owner', 'operator', 'support', 'auditor'))
);
--> statement-breakpoint
CREATE TABLE "key_sets" (
	"number" bigint PRIMARY KEY NOT NULL,
	"issued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"digest" text NOT NULL,
	"jws" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "server_secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"sealed" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"use" text NOT NULL,
	"public_key_hex" text NOT NULL,
	"sealed_private_key" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"not_before" timestamp with time zone NOT NULL,
	"superseded_at" timestamp with time zone,
	"retired_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "signing_keys_use_known" CHECK ("signing_keys"."use" in ('license', 'control', 'raw'))
);
--> statement-breakpoint
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
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "license_keys" ADD CONSTRAINT "license_keys_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "licenses" ADD CONSTRAINT "licenses_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "licenses" ADD CONSTRAINT "licenses_customer_id_customers_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "licenses" ADD CONSTRAINT "licenses_tier_of_product_fk" FOREIGN KEY ("tier_id","product_id") REFERENCES "public"."tiers"("id","product_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "static_jwts" ADD CONSTRAINT "static_jwts_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "license_notices" ADD CONSTRAINT "license_notices_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "envelopes" ADD CONSTRAINT "envelopes_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "offline_activations" ADD CONSTRAINT "offline_activations_license_id_licenses_id_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tiers" ADD CONSTRAINT "tiers_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relay_allotments" ADD CONSTRAINT "relay_allotments_relay_fk" FOREIGN KEY ("relay_id") REFERENCES "public"."relays"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relay_allotments" ADD CONSTRAINT "relay_allotments_license_fk" FOREIGN KEY ("license_id") REFERENCES "public"."licenses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relay_leases" ADD CONSTRAINT "relay_leases_relay_fk" FOREIGN KEY ("relay_id") REFERENCES "public"."relays"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "relays" ADD CONSTRAINT "relays_customer_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "trials" ADD CONSTRAINT "trials_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "action_spending_at_idx" ON "action_spending" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "anomalies_one_open" ON "anomalies" USING btree ("instance_key","type") WHERE "anomalies"."resolved_at" is null;--> statement-breakpoint
CREATE INDEX "anomalies_newest_idx" ON "anomalies" USING btree ("id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "audit_log_at_idx" ON "audit_log" USING btree ("at");--> statement-breakpoint
CREATE INDEX "audit_log_subject_idx" ON "audit_log" USING btree ("subject","at");--> statement-breakpoint
CREATE INDEX "audit_log_actor_idx" ON "audit_log" USING btree ("actor_id","action","at");--> statement-breakpoint
CREATE INDEX "events_at_idx" ON "events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "fleet_facts_no_seat_idx" ON "fleet_facts" USING btree ("instance_key") WHERE "fleet_facts"."facets" is null or split_part("fleet_facts"."facets"[6], '|', 3) = '' or "fleet_facts"."facets"[6] like 'downgrade|%';--> statement-breakpoint
CREATE INDEX "fleet_facts_proof_idx" ON "fleet_facts" USING btree (("facets"[3]),"instance_key") WHERE "fleet_facts"."facets"[3] in ('none', 'relay');--> statement-breakpoint
CREATE INDEX "activations_held_idx" ON "activations" USING btree ("license_id","instance_key") WHERE "activations"."ended_at" is null and not "activations"."lapsed";--> statement-breakpoint
CREATE INDEX "activations_lapse_idx" ON "activations" USING btree ("lapse_due_at") WHERE "activations"."ended_at" is null and not "activations"."lapsed";--> statement-breakpoint
CREATE INDEX "activations_credential_idx" ON "activations" USING btree ("credential_id");--> statement-breakpoint
CREATE INDEX "activations_churn_idx" ON "activations" USING btree ("license_id","first_activated_at");--> statement-breakpoint
CREATE INDEX "forgotten_seats_lease_idx" ON "forgotten_seats" USING btree ("lease_ends_at");--> statement-breakpoint
CREATE INDEX "instances_newest_idx" ON "instances" USING btree ("first_seen_at" DESC NULLS LAST,"instance_key" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "instances_product_newest_idx" ON "instances" USING btree ("product_id","first_seen_at" DESC NULLS LAST,"instance_key" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "instances_heard_idx" ON "instances" USING btree ("product_id","seen_mark","instance_key") WHERE not "instances"."silent" and "instances"."deactivated_at" is null;--> statement-breakpoint
CREATE INDEX "instances_id_idx" ON "instances" USING btree ("instance_id");--> statement-breakpoint
CREATE INDEX "instances_version_idx" ON "instances" USING btree ("version","first_seen_at" DESC NULLS LAST,"instance_key" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "instances_acted_on_idx" ON "instances" USING btree ("first_seen_at" DESC NULLS LAST,"instance_key" DESC NULLS LAST) WHERE "instances"."action" <> 'none';--> statement-breakpoint
CREATE INDEX "instances_silent_idx" ON "instances" USING btree ("product_id","first_seen_at" DESC NULLS LAST,"instance_key" DESC NULLS LAST) WHERE "instances"."silent";--> statement-breakpoint
CREATE INDEX "instances_unproven_idx" ON "instances" USING btree ("product_id","seen_mark") WHERE "instances"."proven_license_id" is null;--> statement-breakpoint
CREATE INDEX "instances_token_idx" ON "instances" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "api_keys_license_idx" ON "api_keys" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "license_keys_license_idx" ON "license_keys" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "licenses_customer_idx" ON "licenses" USING btree ("customer_id");--> statement-breakpoint
CREATE INDEX "licenses_product_status_idx" ON "licenses" USING btree ("product_id","status");--> statement-breakpoint
CREATE INDEX "licenses_expires_idx" ON "licenses" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "static_jwts_license_idx" ON "static_jwts" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "envelopes_license_idx" ON "envelopes" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "offline_activations_license_idx" ON "offline_activations" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "relay_allotments_license_idx" ON "relay_allotments" USING btree ("license_id");--> statement-breakpoint
CREATE INDEX "relay_leases_instance_idx" ON "relay_leases" USING btree ("instance_key");--> statement-breakpoint
CREATE INDEX "relay_leases_expires_idx" ON "relay_leases" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "relays_customer_idx" ON "relays" USING btree ("customer_id");--> statement-breakpoint
CREATE INDEX "report_streams_forget_idx" ON "report_streams" USING btree ("forget_due_at");--> statement-breakpoint
CREATE INDEX "reports_not_summed_idx" ON "reports" USING btree ("received_on","id") WHERE not "reports"."summed";--> statement-breakpoint
CREATE INDEX "signing_keys_product_use_idx" ON "signing_keys" USING btree ("product_id","use");--> statement-breakpoint
CREATE INDEX "telemetry_presence_day_idx" ON "telemetry_presence" USING btree ("day");--> statement-breakpoint
CREATE INDEX "telemetry_sums_age_idx" ON "telemetry_sums" USING btree ("grain","bucket");--> statement-breakpoint
CREATE INDEX "telemetry_versions_day_idx" ON "telemetry_versions" USING btree ("day");--> statement-breakpoint
CREATE INDEX "usage_counts_age_idx" ON "usage_counts" USING btree ("window_start");--> statement-breakpoint
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
