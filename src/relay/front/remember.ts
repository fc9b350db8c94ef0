// What an answer of the vendor leaves behind: grants and words whose signatures hold, and whose credential was accepted.
import { ACTIONS } from '../../contract/claims.ts'
import { type HashProof, type ShownProof, shownJwt, shownProofs } from '../proofs.ts'
import type { GrantStore, KeptGrant } from '../store/grants.ts'
import type { WordStore } from '../store/words.ts'
import type { VendorKeys } from '../upstream/vendor-keys.ts'
import { type InstanceRequest, instanceIdOf, nonceOf, productOf, word } from './request.ts'

export interface Memory {
  grants: GrantStore
  words: WordStore
  keys: VendorKeys
  hash: HashProof
  /** Unix milliseconds. */
  now(): number
}

/** What is signed or meant for one answer alone: never given again from the kept copy. */
const OWN_OF_AN_ANSWER = [
  'directive',
  'jwt',
  'entitlement_token',
  'refresh_token',
  'instance_token',
  'expires_in',
]

/**
 * Keeps what the vendor signed in this answer. Nothing unsigned grants or takes anything; the plain `action` and
 * `config` are kept for clients that know no directive.
 */
export async function remember(
  memory: Memory,
  request: InstanceRequest,
  status: number,
  answer: Record<string, unknown>,
): Promise<void> {
  const instanceId = instanceIdOf(request)
  if (instanceId === null) return
  const granted = await grantIn(memory.keys, request, instanceId, status, answer)
  const product = granted?.product ?? (await productAsked(memory, request, instanceId))
  if (product === null) return
  await hear(memory, request, { product, instanceId }, answer)
  const proofs = shownProofs(request, memory.hash)
  if (status === 401) {
    // Which of several credentials was meant is not told: then none of them is.
    const [only, ...more] = proofs
    if (only && more.length === 0) memory.grants.disown(only.hmac, instanceId, memory.now())
    const jwt = shownJwt(request)
    if (jwt !== null) memory.grants.disown(memory.hash('jwt', jwt), instanceId, memory.now())
  }
  if (status >= 300) return
  noteInstance(memory, { product, instanceId }, answer, nonceOf(request) === null)
  if (granted) keepGrant(memory, { ...granted, instanceId }, proofs, answer)
  await keepEntitlement(memory, { product, instanceId }, answer)
}

interface Named {
  product: string
  instanceId: string
}

type Granted = Pick<KeptGrant, 'product' | 'licenseId' | 'jwt' | 'issuedAt' | 'expiresAt'>

function keepGrant(
  { grants, hash, now }: Memory,
  granted: Granted & Named,
  proofs: readonly ShownProof[],
  answer: Record<string, unknown>,
): void {
  grants.keep({
    ...granted,
    syncedAt: now(),
    answer: seatAnswer(answer),
    entitlement: null,
    failedAt: null,
  })
  for (const { hmac, kind } of proofs) grants.prove(hmac, kind, granted, now())
  const token = word(answer.instance_token, 256)
  if (token !== null) grants.prove(hash('instance_token', token), 'instance_token', granted, now())
}

/** `plain`: who asks for no directive is told by plain words. Everybody else goes by what was signed alone (T1). */
function noteInstance(
  { grants, words, now }: Memory,
  named: Named,
  answer: Record<string, unknown>,
  plain: boolean,
): void {
  const action = plain
    ? ACTIONS.find((known) => known === answer.action)
    : words.ofInstance(named.product, named.instanceId)?.action
  const before = grants.instance(named.product, named.instanceId)
  grants.touch({
    ...named,
    action: action ?? before?.action ?? 'none',
    config: configOf(answer),
    syncedAt: now(),
    seenAt: now(),
  })
}

/** What activate and validate tell beside what is signed. */
function seatAnswer(answer: Record<string, unknown>): string | null {
  if (answer.status !== 'active' && answer.status !== 'valid') return null
  const lasting = Object.entries(answer).filter(([name]) => !OWN_OF_AN_ANSWER.includes(name))
  return JSON.stringify(Object.fromEntries(lasting))
}

async function keepEntitlement(
  { grants, keys }: Memory,
  { product, instanceId }: Named,
  answer: Record<string, unknown>,
): Promise<void> {
  const token = word(answer.entitlement_token, 16_384)
  const claims = token === null ? null : await keys.entitlement(token, product, instanceId)
  if (claims) grants.entitle(product, instanceId, claims.license_id, token)
}

/** The product that the body, the JWT or a credential known from before names. */
async function productAsked(
  { keys, grants, hash }: Memory,
  request: InstanceRequest,
  instanceId: string,
): Promise<string | null> {
  const named = productOf(request)
  if (named !== null) return named
  const jwt = shownJwt(request)
  const claims = jwt === null ? null : await keys.licenseJwt(jwt, null, instanceId)
  if (claims) return claims.aud
  for (const { hmac } of shownProofs(request, hash)) {
    const [known] = grants.proven(hmac, instanceId)
    if (known) return known.product
  }
  return null
}

async function grantIn(
  keys: VendorKeys,
  request: InstanceRequest,
  instanceId: string,
  status: number,
  answer: Record<string, unknown>,
): Promise<Granted | null> {
  const jwt = status < 300 ? word(answer.jwt, 65_536) : null
  if (jwt === null) return null
  const claims = await keys.licenseJwt(jwt, productOf(request), instanceId)
  if (!claims) return null
  return {
    product: claims.aud,
    licenseId: claims.license_id,
    jwt,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
  }
}

/** A directive that answers this request's nonce is the newest word, for the relay too (T1, T3). */
async function hear(
  { words, keys }: Memory,
  request: InstanceRequest,
  { product, instanceId }: Named,
  answer: Record<string, unknown>,
): Promise<void> {
  const nonce = nonceOf(request)
  const token = word(answer.directive, 16_384)
  if (nonce === null || token === null) return
  const directive = await keys.directive(token, product, instanceId, nonce)
  if (directive) words.hear(directive)
}

/** The intervals, which outlast the answer; its refresh token and the vendor's own sync address do not. */
function configOf(answer: Record<string, unknown>): string | null {
  const config = answer.config
  if (typeof config !== 'object' || config === null) return null
  const { heartbeat_interval, refresh_interval } = config as Record<string, unknown>
  return JSON.stringify({ heartbeat_interval, refresh_interval })
}
