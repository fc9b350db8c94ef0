// Keldris' tiers as the anomaly rules see them, cut down to a few features, and an instance that says nothing.
import type { AnomalyFacts } from '../../src/domain/anomalies/rules.ts'

export const FREE = {
  code: 'free',
  rank: 0,
  features: ['backup'],
  limits: { max_agents: 3, max_users: 3, max_orgs: 1 },
}
export const PRO = {
  code: 'pro',
  rank: 10,
  features: ['backup', 'oidc', 'audit_logs'],
  limits: { max_agents: 100, max_users: 10, max_orgs: 3 },
}
export const ENTERPRISE = {
  code: 'enterprise',
  rank: 20,
  features: [...PRO.features, 'rbac'],
  limits: { max_agents: -1, max_users: -1, max_orgs: -1 },
}

/** Keldris, and an instance of its free tier that reports nothing. */
export const SILENT: AnomalyFacts = {
  serverTier: FREE,
  tiers: [PRO, ENTERPRISE, FREE],
  featureUsage: [],
  metrics: {},
  limits: FREE.limits,
  hasSeatWithinGrace: false,
  metricMap: {
    agent_count: { kind: 'gauge', limit: 'max_agents' },
    user_count: { kind: 'gauge', limit: 'max_users' },
    org_count: { kind: 'gauge', limit: 'max_orgs' },
    uptime_hours: { kind: 'gauge' },
  },
}
