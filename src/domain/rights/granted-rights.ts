// Which tier, features and limits an instance is granted: its license's, or the lowest tier's while downgraded (T3).
import type { Action } from '../../contract/claims.ts'
import { effectiveRights } from '../../license/limits.ts'
import type { LicenseFacts } from './license-facts.ts'

export interface GrantedRights {
  tier: string
  features: string[]
  limits: Record<string, number>
  /** False while downgraded: no entitlement token then. */
  full: boolean
}

type Rights = Pick<LicenseFacts, 'tier' | 'lowestTier' | 'featuresAdded' | 'featuresRemoved' | 'limits'>

/** The license's own rights: tier, plus and minus features, limits of the license over the tier's. */
export function licensedRights(license: Rights): GrantedRights {
  return { tier: license.tier.code, ...effectiveRights(license.tier, license), full: true }
}

/** The rights without a license: those of the product's lowest tier. */
export function lowestRights(license: Pick<LicenseFacts, 'lowestTier'>): GrantedRights {
  const { code, features, limits } = license.lowestTier
  return { tier: code, features: [...features], limits: { ...limits }, full: false }
}

/** What is granted while `action` is in force. `kill` grants nothing and must be refused before. */
export function grantedRights(license: Rights, action: Action): GrantedRights {
  return action === 'downgrade' ? lowestRights(license) : licensedRights(license)
}
