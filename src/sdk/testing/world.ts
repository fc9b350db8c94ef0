// What the test server remembers: license, action, instances, credentials. Signs what is true of it now.
import {
  DIRECTIVE_LIFE,
  DIRECTIVE_TYP,
  type DirectiveStatus,
  LICENSE_TYP,
  type LicenseClaims,
} from '../../contract/claims.ts'
import type { TestChannel } from './channel.ts'
import type { TestKeys } from './keys.ts'
import { signJws } from './signing.ts'
import { type ActionRecord, type InstanceRecord, type LicenseRecord, licenseExp } from './standing.ts'

export interface World {
  issuer: string
  url: string
  product: string
  keys: TestKeys
  license: LicenseRecord
  /** What a downgraded instance is granted. */
  lowest: Pick<LicenseRecord, 'tier' | 'features' | 'limits'>
  action: ActionRecord
  instances: Map<string, InstanceRecord>
  apiKey: string
  /** License keys that were made here. */
  licenseKeys: Set<string>
  /** License JWTs that were issued here. */
  issued: Set<string>
  /** Seconds; an answer carries them. */
  intervals: { heartbeat: number; refresh: number }
  /** Null where it is not offered. */
  sync: TestChannel | null
  /** Unix seconds of the server's own clock. */
  now(): number
}

export const randomHex = (bytes: number): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')

export interface Lease {
  exp: number
  inGrace: boolean
  /** Left out: the JWT binds to no instance. */
  instanceId?: string
  /** Default true. */
  refreshable?: boolean
}

/** A license JWT for what the license is now, at the lowest tier while the instance is downgraded (T3). */
export async function issueJwt(world: World, lease: Lease, forged = false): Promise<string> {
  const { license, action } = world
  const rights = action.action === 'downgrade' ? world.lowest : license
  const end = licenseExp(license)
  const claims: LicenseClaims = {
    iss: world.issuer,
    aud: world.product,
    sub: license.customer,
    jti: randomHex(16),
    iat: world.now(),
    exp: lease.exp,
    license_id: license.id,
    tier: rights.tier,
    features: [...rights.features],
    limits: { ...rights.limits },
    grace_days: license.graceDays,
    trial: license.trial,
    ...(end === null ? {} : { license_exp: end }),
    ...(lease.inGrace ? { in_grace: true } : {}),
    ...(lease.instanceId === undefined ? {} : { instance_id: lease.instanceId }),
    ...(lease.refreshable === false ? {} : { refresh_url: `${world.url}/api/v1/licenses/refresh` }),
  }
  const jwt = await signJws(world.keys.license(forged), LICENSE_TYP, claims)
  if (!forged) world.issued.add(jwt)
  return jwt
}

export interface Word {
  instanceId: string
  nonce: string
  /** Null where the instance has shown no license. */
  licenseId: string | null
  status: DirectiveStatus
  reason: string
}

/** A directive with the state's action and number. */
export function issueDirective(world: World, word: Word, forged = false): Promise<string> {
  const { action, keys } = world
  const iat = world.now()
  return signJws(keys.control(forged), DIRECTIVE_TYP, {
    iss: world.issuer,
    aud: world.product,
    sub: word.instanceId,
    license_id: word.licenseId,
    status: word.status,
    action: action.action,
    seq: action.seq,
    keys: keys.number,
    nonce: word.nonce,
    iat,
    exp: iat + DIRECTIVE_LIFE,
    reason: action.action === 'none' ? word.reason : action.reason,
  })
}
