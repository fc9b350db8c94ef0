// What an answer of the vendor leaves behind: grants and words whose signatures hold, and whose credential was accepted.
import { ACTIONS, type DirectiveClaims } from '../../contract/claims.ts'
import { type HashProof, type ShownProof, shownJwt, shownProofs } from '../proofs.ts'
import type { Commits } from '../store/commits.ts'
import type { GrantStore, KeptGrant } from '../store/grants.ts'
import type { Turn } from '../store/latest-words.ts'
import type { WordStore } from '../store/words.ts'
import type { VendorKeys } from '../upstream/vendor-keys.ts'
import {
  type EndedSession,
  endedSession,
  type RefusedCredential,
  refusedCredentials,
} from './refused-credentials.ts'
import { type InstanceRequest, instanceIdOf, nonceOf, productOf, word } from './request.ts'

export interface Memory {
  commits: Commits
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

/** What of an answer is believed, once every signature was looked at. */
interface Believed {
  granted: Granted | null
  directive: DirectiveClaims | null
  entitlement: { licenseId: string; token: string } | null
  refused: RefusedCredential[]
  ended: EndedSession | null
}

/** When a request was sent on to the vendor. */
export interface Asked {
  turn: Turn
  /** Unix milliseconds. */
  at: number
}

/**
 * Keeps what the vendor signed in this answer. Nothing unsigned grants or takes anything; the plain `action` and
 * `config` are kept for clients that know no directive. Returns whose grant was kept, or null.
 */
export async function remember(
  memory: Memory,
  request: InstanceRequest,
  asked: Asked,
  status: number,
  answer: Record<string, unknown>,
): Promise<GrantName | null> {
  const instanceId = instanceIdOf(request)
  if (instanceId === null) return null
  const granted = await grantIn(memory.keys, request, instanceId, status, answer)
  const product = granted?.product ?? (await productAsked(memory, request, instanceId))
  if (product === null) return null
  const named = { product, instanceId }
  const believed = {
    granted,
    directive: await directiveIn(memory, request, named, answer),
    entitlement: status < 300 ? await entitlementIn(memory, named, answer) : null,
    refused: status === 401 ? await refusedCredentials(memory, request, named) : [],
    ended: status === 401 ? await endedSession(memory, request, named, answer) : null,
  }
  memory.commits.write(() => keep(memory, request, asked, named, believed, status < 300 ? answer : null))
  return granted && { ...named, licenseId: granted.licenseId }
}

interface Named {
  product: string
  instanceId: string
}

type GrantName = Named & { licenseId: string }
type Granted = Pick<KeptGrant, 'product' | 'licenseId' | 'jwt' | 'issuedAt' | 'expiresAt'>

/** All of it or nothing. `success`: the answer, where it is one. */
function keep(
  memory: Memory,
  request: InstanceRequest,
  asked: Asked,
  named: Named,
  { granted, directive, entitlement, refused, ended }: Believed,
  success: Record<string, unknown> | null,
): void {
  const { grants, words, now } = memory
  // A directive that answers this request's nonce is the newest word, for the relay too (T1, T3).
  const newestGrant =
    directive?.license_id == null ? 0 : grants.newestIssued(named.product, directive.license_id, asked.at)
  const action = directive && words.hear(directive, { asked: asked.turn, newestGrant, at: now() })
  for (const { hmac, until } of refused) grants.disown(hmac, named.instanceId, now(), until)
  if (ended !== null) partEnded(memory, named, ended)
  if (success !== null) noteInstance(memory, named, success, nonceOf(request) === null)
  if (action !== null) grants.obey(named.product, named.instanceId, action)
  if (success !== null && granted) {
    keepGrant(memory, { ...granted, ...named }, shownProofs(request, memory.hash), success)
  }
  if (entitlement) grants.entitle(named.product, named.instanceId, entitlement.licenseId, entitlement.token)
}

/** Unless the vendor has granted it anew meanwhile. */
function partEnded(
  { grants }: Memory,
  { product, instanceId }: Named,
  { licenseId, jwt }: EndedSession,
): void {
  const [kept] = grants.ofInstance(product, instanceId).filter((grant) => grant.jwt === jwt)
  if (kept) grants.part(product, instanceId, licenseId)
}

function keepGrant(
  { grants, hash, now }: Memory,
  granted: Granted & Named,
  proofs: readonly ShownProof[],
  answer: Record<string, unknown>,
): void {
  grants.keep({ ...granted, syncedAt: now(), answer: seatAnswer(answer), entitlement: null })
  for (const { hmac, kind } of proofs) grants.prove(hmac, kind, granted, now())
  const token = word(answer.instance_token, 256)
  if (token !== null) grants.prove(hash('instance_token', token), 'instance_token', granted, now())
  const chain = word(answer.refresh_token, 256)
  if (chain !== null) grants.proveChain(hash('refresh_token', chain), granted, now())
}

/** `plain`: who asks for no directive is told by plain words. Everybody else goes by what was signed alone (T1). */
function noteInstance(
  { grants, now }: Memory,
  named: Named,
  answer: Record<string, unknown>,
  plain: boolean,
): void {
  const said = plain ? ACTIONS.find((known) => known === answer.action) : undefined
  grants.touch({
    ...named,
    action: said ?? grants.instance(named.product, named.instanceId)?.action ?? 'none',
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

async function entitlementIn(
  { keys }: Memory,
  { product, instanceId }: Named,
  answer: Record<string, unknown>,
): Promise<Believed['entitlement']> {
  const token = word(answer.entitlement_token, 16_384)
  const claims = token === null ? null : await keys.entitlement(token, product, instanceId)
  return token === null || claims === null ? null : { licenseId: claims.license_id, token }
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

async function directiveIn(
  { keys }: Memory,
  request: InstanceRequest,
  { product, instanceId }: Named,
  answer: Record<string, unknown>,
): Promise<DirectiveClaims | null> {
  const nonce = nonceOf(request)
  const token = word(answer.directive, 16_384)
  return nonce === null || token === null ? null : keys.directive(token, product, instanceId, nonce)
}

/** The intervals, which outlast the answer; its refresh token and the vendor's own sync address do not. */
function configOf(answer: Record<string, unknown>): string | null {
  const config = answer.config
  if (typeof config !== 'object' || config === null) return null
  const { heartbeat_interval, refresh_interval } = config as Record<string, unknown>
  return JSON.stringify({ heartbeat_interval, refresh_interval })
}
