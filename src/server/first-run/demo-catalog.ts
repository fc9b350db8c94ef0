// The demo catalog of the first run: Keldris with its tiers, and a customer with a pro license (reference, section 1).
import type { NewProduct, NewTier } from '../../contract/admin-catalog.schema.ts'
import type { NewCustomer } from '../../contract/admin-customers.schema.ts'
import type { NewLicense } from '../../contract/admin-licenses.schema.ts'
import { UNLIMITED } from '../../contract/catalog.ts'

const PRO_FEATURES = [
  'oidc',
  'audit_logs',
  'notification_slack',
  'notification_teams',
  'notification_pagerduty',
  'notification_discord',
  'storage_s3',
  'storage_b2',
  'storage_sftp',
  'storage_dropbox',
  'storage_rest',
  'docker_backup',
  'multi_repo',
  'api_access',
  'custom_reports',
  'custom_retention',
]

const ENTERPRISE_FEATURES = [
  ...PRO_FEATURES,
  'multi_org',
  'sla_tracking',
  'white_label',
  'air_gap',
  'dr_runbooks',
  'dr_tests',
  'sso_sync',
  'rbac',
  'geo_replication',
  'ransomware_protection',
  'legal_holds',
  'priority_support',
]

export const DEMO_PRODUCT: NewProduct = {
  code: 'keldris',
  name: 'Keldris',
  // Its clients send no credential.
  instance_auth: 'open',
  limits_claim: 'limits',
  metric_map: {
    agent_count: { kind: 'gauge', limit: 'max_agents' },
    user_count: { kind: 'gauge', limit: 'max_users' },
    org_count: { kind: 'gauge', limit: 'max_orgs' },
    uptime_hours: { kind: 'gauge' },
    queries_total: { kind: 'counter' },
    joins_total: { kind: 'counter' },
    mvs_active: { kind: 'gauge' },
    clusters_connected: { kind: 'gauge' },
  },
}

const tier = (code: string, name: string, rank: number, agents: number, users: number, orgs: number) => ({
  product: DEMO_PRODUCT.code,
  code,
  name,
  rank,
  limits: { max_agents: agents, max_users: users, max_orgs: orgs },
  seat_limit: null,
  seat_churn: null,
  trial_days: null,
})

/** Ranks leave room for a tier in between. */
export const DEMO_TIERS: readonly NewTier[] = [
  { ...tier('free', 'Free', 0, 3, 3, 1), features: [], grace_days: 0 },
  { ...tier('pro', 'Pro', 10, 100, 10, 3), features: PRO_FEATURES, grace_days: 30 },
  {
    ...tier('enterprise', 'Enterprise', 20, UNLIMITED, UNLIMITED, UNLIMITED),
    features: ENTERPRISE_FEATURES,
    grace_days: 30,
  },
]

export const DEMO_CUSTOMER: NewCustomer = {
  name: 'Demo customer',
  company: 'Example Ltd',
  email: null,
  metadata: { demo: true },
}

/** How the demo license is found again, whatever is changed about it. */
export const DEMO_MARK = { demo: true }

export const DEMO_LICENSE: Omit<NewLicense, 'customer_id'> = {
  product: DEMO_PRODUCT.code,
  tier: 'pro',
  expires_at: null,
  grace_days: null,
  features_added: [],
  features_removed: [],
  limits: {},
  // For many runs of the script, each of which is a new instance.
  seat_limit: 1000,
  tenant_id: null,
  label: 'Demo license',
  is_trial: false,
  fingerprint: null,
  metadata: DEMO_MARK,
}

/** Name of the license key, the API key and the admin key of the first run: healing knows them by it. */
export const FIRST_RUN_NAME = 'first run'
