// Signs seat leases with the relay's own key, and nothing else: the rights stand in the vendor's allotment within (T4).
import { RELAY_LEASE_TYP, type RelayLeaseClaims } from '../../contract/claims.ts'

export interface LeaseTerms {
  /** The relay's id, as the allotment's `sub`. */
  relayId: string
  /** Product code. */
  product: string
  instanceId: string
  /** The allotment, whole, as the vendor signed it. */
  allotment: string
  /** Unix seconds. */
  issuedAt: number
  /** Not after the allotment's. */
  expiresAt: number
}

export type SignLease = (terms: LeaseTerms) => Promise<string>

/** `kid`: the RFC 7638 thumbprint that the allotment's `cnf` key has. */
export function leaseSigner(privateKey: InstanceType<typeof CryptoKey>, kid: string): SignLease {
  return async ({ relayId, product, instanceId, allotment, issuedAt, expiresAt }) => {
    const claims: RelayLeaseClaims = {
      iss: relayId,
      aud: product,
      sub: instanceId,
      allotment,
      iat: issuedAt,
      exp: expiresAt,
    }
    const input = `${encode({ alg: 'EdDSA', typ: RELAY_LEASE_TYP, kid })}.${encode(claims)}`
    const signature = await crypto.subtle.sign('Ed25519', privateKey, new TextEncoder().encode(input))
    return `${input}.${Buffer.from(signature).toString('base64url')}`
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
