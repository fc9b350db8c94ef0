// What a vendor may say when starting the SDK: the option types with their documented defaults. Checks nothing.
import type { Host, HostLog } from './host/port.ts'

/** A number from 0, or −1 or `Infinity` for unlimited. */
export type Limit = number

/** Features and limits that a product has without a license, or under a tier that a license key names. */
export interface TierGrant<F extends string = string, L extends string = string> {
  features?: readonly F[]
  limits?: Readonly<Partial<Record<L, Limit>>>
}

export interface CommunityTier<F extends string = string, L extends string = string> extends TierGrant<F, L> {
  /** Default `community`. */
  tier?: string
}

/** A signing key known in advance: verifies grants and directives, never a key set (T4). */
export interface PinnedKey {
  /** The raw 32 public bytes: 64 hex digits or 43 characters of base64url; the 44-byte SPKI in base64 works too. */
  x: string
  /**
   * `license` for license JWTs; `control` for directives, offline answers and a relay's allotments; `raw` for license
   * keys and envelopes.
   */
  use: 'license' | 'control' | 'raw'
  /** Default: the key's RFC 7638 thumbprint. */
  kid?: string
}

export interface TrustOptions {
  /** The exact `iss` of everything the server signs. */
  issuer: string
  /** One or two pinned root keys, in the forms of `PinnedKey.x`; they sign key sets and nothing else. */
  roots: readonly string[]
  /** Default none: keys come from the root-signed key set. */
  keys?: readonly PinnedKey[]
  /** Key sets with a lower number are refused. Default 0. */
  minNumber?: number
}

/**
 * Whom a product believes that pins no root: the server's keys of each use, by hand. Nothing renews or revokes them but
 * a new version of the product.
 */
export interface HandPinnedTrust {
  /** The exact `iss` of everything the server signs. */
  issuer: string
  /** At least one `license` and one `control` key: without the latter no directive could be verified (T1, T4). */
  keys: readonly PinnedKey[]
  roots?: never
  minNumber?: never
}

/** Whom a product believes that knows no server: pinned keys alone. */
export interface OfflineTrust {
  /** Default none: every license is refused. */
  keys?: readonly PinnedKey[]
  issuer?: never
  roots?: never
}

/** Numbers by name (`[a-z][a-z0-9_]{0,63}`). */
export type Numbers = Readonly<Record<string, number>>
export type NumbersCallback = () => Numbers | Promise<Numbers>

/**
 * What counts when the wall clock stands behind the floor (T7): `floor` counts the floor, `warn` believes the wall
 * clock, `deny` leaves the community tier until the clock is right. Each warns once.
 */
export type ClockPolicy = 'warn' | 'floor' | 'deny'

export interface LicenseOptions<F extends string = string, L extends string = string> {
  /** Product code: `[a-z0-9][a-z0-9._-]{0,63}`. */
  product: string
  /** Version of the product, at most 100 characters. */
  version: string
  /** Where the license server is. Left out: nothing is ever sent. */
  serverUrl?: string
  /** Whom to believe: pinned roots, whose key set names all keys; or keys that are pinned by hand. */
  trust: TrustOptions | HandPinnedTrust | OfflineTrust

  /** A static license JWT; first in the resolution order. */
  token?: string
  /** A file that holds one; read if `token` is not there or not good. */
  tokenFile?: string
  /** `sk-…`, exchanged for a license JWT. */
  apiKey?: string
  /** A signed license key: activated, and verified offline when the server was never reached (T6). */
  licenseKey?: string
  /** An offline license: `base64(payload).base64(signature)`. */
  envelope?: string

  /** Default `~/.<product>`, where `~` at its start is the home folder; `false` keeps all in memory. */
  dataDir?: string | false
  /** Default: `LEASEHOLD_INSTANCE_ID`, else the file `instance-id`, else a new UUID. */
  instanceId?: string
  /** Counters and gauges that are sent with refreshes and heartbeats. Default `false`: nothing. */
  telemetry?: NumbersCallback | false
  /** Numbers that count against limits, sent with heartbeats. Default none. */
  usage?: NumbersCallback
  /** What the product has without a license. Default `{ tier: 'community', features: [], limits: {} }`. */
  community?: CommunityTier<F, L>
  /** What the tiers mean that a license key may name, for when the server cannot be asked. Default none. */
  tiers?: Readonly<Record<string, TierGrant<F, L>>>
  /** Tenant that an envelope or a token must name, if any. Default: any. */
  tenantId?: string

  /** Milliseconds for one request, and for the start as a whole. Default 10 000; 100 to 60 000. */
  connectTimeout?: number
  /** Milliseconds between refreshes. Default 86 400 000 (24 h); 5 min to 30 days. */
  refreshInterval?: number
  /** Milliseconds between heartbeats until the server says otherwise. Default 21 600 000 (6 h); 5 min to 24 h. */
  heartbeatInterval?: number
  /** Grace in days of a license key that was not confirmed (T6). Default 30; 0 to 3650. */
  graceDays?: number
  /** Default `floor`. */
  clockPolicy?: ClockPolicy
  /** Lets `serverUrl` and `refresh_url` be plain `http` on other hosts than loopback. Default `false`. */
  allowInsecure?: boolean
  /** Whether to hear of changes at once where server and platform offer it (a WebSocket: Node 22). Default `true`. */
  sync?: boolean
  /** Opaque mark of this host, at most 256 characters. Default none. */
  fingerprint?: string
  /** Default: warnings and errors on standard error. */
  log?: HostLog
  /** The platform. Default: Node. */
  host?: Host
}
