// A small vendor's world over the admin API: a product, its tiers, a customer, a license and its credentials.
import type { TestApp } from './app.ts'

/** A server whose admin API can be called. */
export type AdminCaller = Pick<TestApp, 'admin'>

export interface WorldOptions {
  product?: string
  instanceAuth?: 'open' | 'token'
  limitsClaim?: 'limits' | 'quotas'
  license?: Record<string, unknown>
}

export interface World {
  product: string
  customerId: string
  /** `lic_…`. */
  licenseId: string
  licenseKey: string
  licenseKeyId: string
  apiKey: string
  apiKeyId: string
  /** Another license of the same product, with its keys. */
  another(license?: Record<string, unknown>, customerId?: string): Promise<World>
}

export const PRO_FEATURES = ['audit_logs', 'oidc']

/** Tiers: free (rank 0), pro (10, 30 days of grace), enterprise (20). The license is pro, for a year, 3 seats. */
export async function createWorld(app: AdminCaller, options: WorldOptions = {}): Promise<World> {
  const product = options.product ?? 'keldris'
  const create = creator(app)
  await create('/products', {
    code: product,
    name: product,
    instance_auth: options.instanceAuth ?? 'open',
    limits_claim: options.limitsClaim ?? 'limits',
    metric_map: {
      agent_count: { kind: 'gauge', limit: 'max_agents' },
      queries_total: { kind: 'counter' },
    },
  })
  const tier = (code: string, rank: number, features: string[], max_agents: number, grace_days: number) =>
    create('/tiers', { product, code, name: code, rank, features, limits: { max_agents }, grace_days })
  await tier('free', 0, [], 3, 0)
  await tier('pro', 10, PRO_FEATURES, 100, 30)
  await tier('enterprise', 20, [...PRO_FEATURES, 'sso_sync'], -1, 30)
  return license(app, product, await newCustomer(app), options.license)
}

export async function newCustomer(app: AdminCaller): Promise<string> {
  return (await creator(app)('/customers', { name: 'Ada', company: 'Analytical Engines' })).id
}

async function license(
  app: AdminCaller,
  product: string,
  customerId: string,
  overrides: Record<string, unknown> = {},
): Promise<World> {
  const create = creator(app)
  const issued = await create('/licenses', {
    product,
    tier: 'pro',
    customer_id: customerId,
    seat_limit: 3,
    expires_at: '2027-03-01T12:00:00Z',
    ...overrides,
  })
  const licenseKey = await create('/license-keys', { license_id: issued.id, name: 'main' })
  const apiKey = await create('/api-keys', { license_id: issued.id, name: 'main' })
  return {
    product,
    customerId,
    licenseId: issued.id,
    licenseKey: licenseKey.license_key,
    licenseKeyId: licenseKey.id,
    apiKey: apiKey.api_key,
    apiKeyId: apiKey.id,
    another: (more, customer = customerId) => license(app, product, customer, more),
  }
}

const creator = (app: AdminCaller) => async (path: string, body: object) => {
  const answer = await app.admin('POST', path, body)
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
  return answer.body
}
