// What stands in each signed object, as it goes over the wire: plain types and constants (reference, section 0).
// All times are unix seconds. How an object is checked belongs to license/, how it is signed to mint/.

/** The `typ` of each JWS. A verifier pins exactly one (T4). */
export const LICENSE_TYP = 'leasehold-license+jwt'
export const DIRECTIVE_TYP = 'leasehold-directive+jwt'
export const KEY_SET_TYP = 'leasehold-keys+jwt'
export const ALLOTMENT_TYP = 'leasehold-allotment+jwt'
/** Signed by a relay's own key, never by a vendor's: mint/ does not know it. */
export const RELAY_LEASE_TYP = 'leasehold-lease+jwt'
export const ACTIVATION_TYP = 'leasehold-activation+jwt'

/** The one signature algorithm, as RFC 8037 names it in a JWS header. */
export const SIGNATURE_ALG = 'EdDSA'

export const DIRECTIVE_STATUSES = [
  'active',
  'in_grace',
  'unlicensed',
  'limit_reached',
  'suspended',
  'revoked',
  'expired',
] as const
export type DirectiveStatus = (typeof DIRECTIVE_STATUSES)[number]

/** The statuses that take a license away (T2); the others change nothing that is in force. */
export const TAKING_STATUSES = [
  'suspended',
  'revoked',
  'expired',
] as const satisfies readonly DirectiveStatus[]

export const ACTIONS = ['none', 'downgrade', 'kill'] as const
export type Action = (typeof ACTIONS)[number]

/**
 * A product's signing key has one use for life (T4): `license` signs license JWTs, `control` what directs an instance or
 * a relay, `raw` the objects without a header. The root key signs key sets only and is in none.
 */
export const KEY_USES = ['license', 'control', 'raw'] as const
export type KeyUse = (typeof KEY_USES)[number]

/** The use of the key that signs each `typ`, for signers and verifiers alike (T4). */
export const KEY_USE_OF_TYP = {
  [LICENSE_TYP]: 'license',
  [DIRECTIVE_TYP]: 'control',
  [ACTIVATION_TYP]: 'control',
  [ALLOTMENT_TYP]: 'control',
} as const satisfies Readonly<Record<string, KeyUse>>
/** The `typ` of each JWS that a product's key signs. */
export type ProductTyp = keyof typeof KEY_USE_OF_TYP

export const KEY_STATUSES = ['pending', 'active', 'retiring', 'retired', 'revoked'] as const
export type KeyStatus = (typeof KEY_STATUSES)[number]

/** Seconds from a directive's `iat` to its `exp`. */
export const DIRECTIVE_LIFE = 300
/** Seconds within which an offline answer has to be installed: 30 days, for a journey on foot. */
export const ACTIVATION_LIFE = 2_592_000
/** Seconds from an entitlement token's `issued_at` to its `expires_at`. */
export const ENTITLEMENT_TOKEN_LIFE = 86_400
/** Seconds from a key set's `iat` to its `exp`: 400 days. */
export const KEY_SET_LIFE = 34_560_000

/** Most seconds from an allotment's `nbf` to its `exp`: 30 days. */
export const ALLOTMENT_LIFE = 2_592_000

/** The last second that RFC 3339 can write, 9999-12-31T23:59:59Z: how a raw object says "perpetual". */
export const LAST_SECOND = 253_402_300_799

/** Limits by name, as on the wire: whole numbers, where `limits` says −1 for unlimited and `quotas` leaves out. */
export type LimitValues = Record<string, number>

interface LicenseClaimsBase {
  iss: string
  /** Product code. */
  aud: string
  /** Customer. */
  sub: string
  jti: string
  iat: number
  /** The lease's end (T6). */
  exp: number
  license_id: string
  tier: string
  features: string[]
  grace_days: number
  /** The license's own end; absent if perpetual. */
  license_exp?: number
  /** True on a lease that was issued past `license_exp`. */
  in_grace?: boolean
  instance_id?: string
  /** The seat. */
  act?: string
  org_name?: string
  trial?: boolean
  refresh_url?: string
  tenant_id?: string
  /** The credential that obtained this JWT (T8), Leasehold's private claim. */
  cred?: string
}

/** A license JWT's claims: the limits stand under exactly one of two names, which is a setting of the product. */
export type LicenseClaims = LicenseClaimsBase &
  ({ limits: LimitValues; quotas?: never } | { quotas: LimitValues; limits?: never })

export interface DirectiveClaims {
  iss: string
  /** Product code. */
  aud: string
  /** Instance id. */
  sub: string
  /** Null when no license could be identified. */
  license_id: string | null
  status: DirectiveStatus
  action: Action
  /** Names the state, for acknowledgement; orders nothing (T1). */
  seq: number
  /** The server's current key-set number. */
  keys: number
  /** The request's. */
  nonce: string
  iat: number
  exp: number
  /** Why, as a code; the empty string where there is nothing to explain. */
  reason: string
}

/** The answer to an offline activation: a lease and the action in force, for a site that no network reaches. */
export interface ActivationClaims {
  iss: string
  /** Product code. */
  aud: string
  instance_id: string
  license_id: string
  /** Of the request file; answered once. */
  nonce: string
  iat: number
  /** Until when it may be installed; the lease has an end of its own. */
  exp: number
  /** A killed instance is given no answer (T3). */
  action: Exclude<Action, 'kill'>
  /** Names the state, for acknowledgement, as in a directive. */
  seq: number
  reason: string
  /** A license JWT of the same license, bound to the same instance. */
  grant: string
}

export interface KeySetKey {
  kid: string
  /** The raw 32-byte public key in base64url (RFC 8037). */
  x: string
  product: string
  use: KeyUse
  status: KeyStatus
  /** Nothing signed before this second is this key's. */
  nbf: number
}

export interface KeySetClaims {
  iss: string
  /** Only ever rises (T4, T12). */
  number: number
  iat: number
  /** Past it the set still verifies grants, but no directive that takes. */
  exp: number
  keys: KeySetKey[]
}

/** What an instance that holds a lease of this allotment is granted. */
export interface AllotmentGrant {
  /** Customer. */
  customer_id: string
  tier: string
  features: string[]
  /** −1 is unlimited. */
  limits: LimitValues
  grace_days: number
  /** The license's own end; absent if perpetual. */
  license_exp?: number
  org_name?: string
  trial?: boolean
  tenant_id?: string
}

/** Seats of one license that one relay may give out by itself. */
export interface AllotmentClaims {
  iss: string
  /** Product code. */
  aud: string
  /** Relay. */
  sub: string
  jti: string
  /** Rises with each allotment of the same relay and license. */
  seq: number
  license_id: string
  seats: number
  /** When it was signed, which is what orders it against other words about the license (T3). */
  nbf: number
  /** At most `ALLOTMENT_LIFE` later, and never past the license's end and grace. */
  exp: number
  /** The relay's own public key, which signs its leases (RFC 7800). */
  cnf: { jwk: { kty: 'OKP'; crv: 'Ed25519'; x: string } }
  grant: AllotmentGrant
}

/** A seat that a relay gave out while the server was away. */
export interface RelayLeaseClaims {
  /** Relay: the `sub` of the allotment. */
  iss: string
  /** Product code. */
  aud: string
  /** Instance id. */
  sub: string
  /** The whole allotment, a compact JWS. */
  allotment: string
  iat: number
  /** Not after the allotment's. It has no grace: the seat passes on then (T10). */
  exp: number
}

/** Payload of the 24-hour entitlement token (reference, section 1). */
export interface EntitlementTokenPayload {
  iss: string
  product: string
  instance_id: string
  license_id: string
  tier: string
  features: string[]
  limits: LimitValues
  /** 16 random bytes in lower-case hex. */
  nonce: string
  issued_at: number
  expires_at: number
}

/** Payload of a license key (reference, section 1). */
export interface LicenseKeyPayload {
  product: string
  tier: string
  customer_id: string
  license_id: string
  /** True: a lease of its own, never confirmed online (T6). False: a credential. */
  offline: boolean
  issued_at: number
  /** `LAST_SECOND` if perpetual. */
  expires_at: number
}

/** How an envelope says unlimited; −1 would refuse everything (reference, section 4). */
export const ENVELOPE_UNLIMITED = 2_147_483_647

/** Payload of the offline envelope (reference, section 4). */
export interface EnvelopePayload {
  exp: number
  /** A whole number of days from `exp`. */
  gracePeriodDays: number
  iat: number
  label?: string
  /** A UUID. */
  licenseId: string
  /** `ENVELOPE_UNLIMITED` is unlimited; what is left out is the product's default. */
  limits: LimitValues
  tenantId: string
  tier?: string
  features?: string[]
  instanceId?: string
}

/** Each JWS `typ` that a vendor's key signs has one claims type. */
export interface JwsClaims {
  [LICENSE_TYP]: LicenseClaims
  [DIRECTIVE_TYP]: DirectiveClaims
  [KEY_SET_TYP]: KeySetClaims
  [ALLOTMENT_TYP]: AllotmentClaims
  [ACTIVATION_TYP]: ActivationClaims
}
export type JwsTyp = keyof JwsClaims

/** Each kind of raw object has one payload type. */
export interface RawPayloads {
  entitlement_token: EntitlementTokenPayload
  license_key: LicenseKeyPayload
  envelope: EnvelopePayload
}
export type RawKind = keyof RawPayloads
