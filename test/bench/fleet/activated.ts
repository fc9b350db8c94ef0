// Instances that proved themselves to the real server, one by one, with all that they were given.
import { call, inParallel } from './admin.ts'
import type { SoldLicense } from './catalog.ts'

export interface Activated {
  instanceId: string
  /** Its place among the licenses. */
  license: number
  instanceToken: string
  jwt: string
  refreshToken: string
}

interface SeatAnswer {
  status: string
  instance_token: string
  jwt: string
  refresh_token: string
}

const AT_ONCE = 32

/** Activates `count` instances, spread evenly over the licenses. */
export function activateInstances(
  url: string,
  product: string,
  licenses: readonly SoldLicense[],
  { count, prefix }: { count: number; prefix: string },
): Promise<Activated[]> {
  return inParallel(count, AT_ONCE, async (i) => {
    const license = i % licenses.length
    const instanceId = `${prefix}${i}`
    const answer = await call<SeatAnswer>(url, 'POST', '/api/v1/licenses/activate', {
      body: {
        license_key: licenses[license]?.licenseKey,
        instance_id: instanceId,
        product,
        hostname: `host-${i}`,
        server_version: '1.4.0',
      },
    })
    if (answer.status !== 'active') throw new Error(`${instanceId}: ${JSON.stringify(answer)}`)
    return {
      instanceId,
      license,
      instanceToken: answer.instance_token,
      jwt: answer.jwt,
      refreshToken: answer.refresh_token,
    }
  })
}
