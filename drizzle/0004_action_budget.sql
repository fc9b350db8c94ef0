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
CREATE INDEX "action_spending_at_idx" ON "action_spending" USING btree ("at");