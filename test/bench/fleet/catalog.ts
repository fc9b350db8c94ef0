// What a vendor sets up before any instance runs: products, tiers, customers, licenses and their keys.
import { type Admin, inParallel } from './admin.ts'

export interface SoldLicense {
  /** `lic_…`. */
  id: string
  licenseKey: string
  /** `lk_…`. */
  licenseKeyId: string
  /** Empty unless asked for. */
  apiKey: string
}

/** Metrics that a product counts: 20 counters and 80 gauges, the most that one report may carry. */
export const METRICS = [
  'agent_count',
  'user_count',
  'org_count',
  'queries_total',
  ...Array.from({ length: 96 }, (_, i) => `metric_${String(i).padStart(2, '0')}`),
]

const isCounter = (name: string) => name === 'queries_total' || /[05]$/.test(name)
const AT_ONCE = 16
const FEATURES = ['oidc', 'audit_logs', 'api_access', 'custom_reports', 'docker_backup', 'multi_repo']
const CUSTOMERS = 100

/** A product with three tiers. No limit of the tiers is met by what the bench reports. */
export async function makeProduct(admin: Admin, code: string, instanceAuth: 'open' | 'token'): Promise<void> {
  const metric_map = Object.fromEntries(
    METRICS.map((name) => [name, { kind: isCounter(name) ? 'counter' : 'gauge' }]),
  )
  await admin('POST', '/products', { code, name: code, instance_auth: instanceAuth, metric_map })
  const tier = (name: string, rank: number, features: string[], max_agents: number) =>
    admin('POST', '/tiers', { product: code, code: name, name, rank, features, limits: { max_agents } })
  await tier('free', 0, [], 3)
  await tier('pro', 10, FEATURES, 1_000_000)
  await tier('enterprise', 20, [...FEATURES, 'sso_sync'], -1)
}

export async function makeCustomers(admin: Admin): Promise<string[]> {
  const made = await inParallel(CUSTOMERS, AT_ONCE, (i) =>
    admin<{ id: string }>('POST', '/customers', {
      name: `Customer ${i}`,
      company: `Company ${i}`,
      email: `office@company-${i}.example`,
    }),
  )
  return made.map(({ id }) => id)
}

/** Licenses for a year, each with a license key and, if wanted, an API key. Each has room for `seats` instances. */
export async function sellLicenses(
  admin: Admin,
  { product, count, seats, apiKeys }: { product: string; count: number; seats: number; apiKeys: boolean },
  customers: readonly string[],
): Promise<SoldLicense[]> {
  const expires_at = new Date(Date.now() + 365 * 86_400_000).toISOString()
  return inParallel(count, AT_ONCE, async (i) => {
    const license = await admin<{ id: string }>('POST', '/licenses', {
      product,
      tier: 'pro',
      customer_id: customers[i % customers.length],
      label: `${product} ${i}`,
      seat_limit: seats,
      expires_at,
    })
    const of = { license_id: license.id, name: 'main' }
    const key = await admin<{ id: string; license_key: string }>('POST', '/license-keys', of)
    const apiKey = apiKeys ? (await admin<{ api_key: string }>('POST', '/api-keys', of)).api_key : ''
    return { id: license.id, licenseKey: key.license_key, licenseKeyId: key.id, apiKey }
  })
}
