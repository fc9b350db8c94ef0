// The nested options: trust and tiers. Adds to the list of mistakes; throws nothing.
import type { PinnedKey, TierGrant, TrustOptions } from '../options.ts'
import { readPublicKey } from '../trust/keys.ts'

export type Mistakes = string[]

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * `offline`: there is no server, so issuer and roots may both be left out. An issuer without roots needs keys of both
 * uses that name it.
 */
export function checkTrust(value: unknown, offline: boolean, mistakes: Mistakes): TrustOptions {
  const trust: TrustOptions = { issuer: '', roots: [] }
  if (!isObject(value)) {
    mistakes.push('trust must be { issuer, roots: [..] }')
    return trust
  }
  const { issuer, roots, keys, minNumber } = value
  const isOffline = offline && issuer === undefined && roots === undefined
  if (isOffline) trust.issuer = ''
  else if (typeof issuer === 'string' && issuer !== '') trust.issuer = issuer
  else mistakes.push('trust.issuer must be the exact iss of the server')
  const byHand = roots === undefined && keys !== undefined
  if (isOffline || byHand) trust.roots = []
  else if (
    isList(roots) &&
    roots.length >= 1 &&
    roots.length <= 2 &&
    roots.every((root) => readPublicKey(root))
  ) {
    trust.roots = roots as string[]
  } else {
    mistakes.push('trust.roots must be one or two Ed25519 public keys (hex, base64url or SPKI base64)')
  }
  if (keys !== undefined) {
    if (isList(keys) && keys.every(isPinnedKey)) trust.keys = keys
    else mistakes.push('trust.keys must be a list of { x, use: "license" | "control" | "raw", kid? }')
  }
  if (byHand && !isOffline && trust.keys) mistakes.push(...missingUses(trust.keys))
  if (minNumber !== undefined) {
    if (Number.isSafeInteger(minNumber) && Number(minNumber) >= 0) trust.minNumber = Number(minNumber)
    else mistakes.push('trust.minNumber must be a whole number from 0')
  }
  return trust
}

/** Without a root, nothing but these keys says whose license JWTs and whose directives count (T4). */
function missingUses(keys: readonly PinnedKey[]): string[] {
  const has = (use: PinnedKey['use']) => keys.some((key) => key.use === use)
  const otherwise = 'Pin the root key in trust.roots, whose key set names all keys, or add'
  return [
    ...(has('license')
      ? []
      : [
          `trust.keys has no license key: no license JWT could be verified. ${otherwise} { x, use: "license" }`,
        ]),
    ...(has('control')
      ? []
      : [
          `trust.keys has no control key: no directive could be verified, so that a suspension or an action never took effect. ${otherwise} { x, use: "control" }`,
        ]),
  ]
}

/** Features and limits of a tier. */
export function checkRights(name: string, value: unknown, mistakes: Mistakes): TierGrant {
  if (value === undefined) return {}
  if (!isObject(value)) {
    mistakes.push(`${name} must be an object`)
    return {}
  }
  const { tier, features, limits } = value
  const rights: TierGrant = {}
  if (tier !== undefined && (typeof tier !== 'string' || tier === ''))
    mistakes.push(`${name}.tier must be a name`)
  if (features !== undefined) {
    if (isList(features) && features.every((feature) => typeof feature === 'string'))
      rights.features = features
    else mistakes.push(`${name}.features must be a list of names`)
  }
  if (limits !== undefined) {
    if (isObject(limits) && Object.values(limits).every(isLimit))
      rights.limits = limits as Record<string, number>
    else mistakes.push(`${name}.limits must be numbers from 0, or -1 or Infinity for unlimited`)
  }
  return rights
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value)

function isLimit(value: unknown): boolean {
  return value === undefined || value === -1 || (typeof value === 'number' && value >= 0)
}

function isPinnedKey(value: unknown): value is PinnedKey {
  if (!isObject(value)) return false
  const { x, use, kid } = value
  return (
    readPublicKey(x) !== null &&
    (use === 'license' || use === 'control' || use === 'raw') &&
    (kid === undefined || typeof kid === 'string')
  )
}
