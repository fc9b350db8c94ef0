// What all routes share: the request's environment and its one Bearer credential. Looks nothing up.
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context as HonoContext, MiddlewareHandler } from 'hono'
import type { ErrorCode } from '../contract/errors.ts'
import type { Bearer } from '../domain/kernel/bearer.ts'
import { type Ctx, Refusal } from '../domain/kernel/context.ts'
import { credentialKind, wellFormed } from '../platform/credentials.ts'

export interface HttpEnv {
  Variables: {
    requestId: string
    ctx: Ctx
    /** Where the request comes from: an address, or the network that one host has to itself. */
    network: string
    /** What `bearerOf` has found before. */
    bearer?: Bearer | null
    /** Whether this process has accepted the request's credential before, as `isAccepted` says. Says nothing of what it may. */
    isKnown?: boolean
    /** Whether the request's credential was verified and proves a license. Set through `ctx.credentialAccepted` alone. */
    isAccepted?: boolean
  }
}

export type Context = HonoContext<HttpEnv>
export type Router = OpenAPIHono<HttpEnv>

/** Says where what was just made is (RFC 9110, section 10.2.2), and hands it back: its `id` is under the request's path. */
export function located<T extends { id: string }>(c: Context, made: T): T {
  c.header('Location', `${c.req.path.replace(/\/$/, '')}/${made.id}`)
  return made
}

const LONGEST = 65_536

/**
 * The credential of an RFC 6750 header, its kind told by its prefix (T8), or null without an Authorization header.
 * @throws Refusal `credential_unknown` when a header is there but holds nothing that could be one.
 */
export function bearerOf(c: Context): Bearer | null {
  const known = c.get('bearer')
  if (known !== undefined) return known
  const found = readBearer(c)
  c.set('bearer', found)
  return found
}

function readBearer(c: Context): Bearer | null {
  const header = c.req.header('Authorization')
  if (header === undefined) return null
  const text = /^Bearer +(\S+)\s*$/i.exec(header)?.[1]
  const kind = text !== undefined && text.length <= LONGEST ? credentialKind(text) : null
  if (kind === null || text === undefined) {
    throw new Refusal('credential_unknown', 'The Authorization header holds no credential of a known kind.', {
      fix: 'Send Authorization: Bearer and an API key, instance token, license JWT or admin key.',
    })
  }
  return { kind, text }
}

/** The credential, which the route cannot do without; `wanted` names it for the caller. */
export function requiredBearer(c: Context, wanted: string): Bearer {
  const bearer = bearerOf(c)
  if (bearer) return bearer
  throw new Refusal('unauthorized', `This needs ${wanted}.`, {
    fix: `Send Authorization: Bearer and ${wanted}.`,
  })
}

/** Refuses a request that cannot be authenticated before its body is held against a schema. Looks nothing up. */
export const requireBearer =
  (kinds: readonly Bearer['kind'][], wanted: string): MiddlewareHandler<HttpEnv> =>
  async (c, next) => {
    const { kind, text } = requiredBearer(c, wanted)
    if (!kinds.includes(kind) || (kind !== 'jwt' && !wellFormed(kind, text))) {
      throw new Refusal(UNKNOWN[kind] ?? 'credential_unknown', `This is not ${wanted}.`, {
        fix: `Check that the whole of it was copied, and send ${wanted}.`,
      })
    }
    await next()
  }

const UNKNOWN: Partial<Record<Bearer['kind'], ErrorCode>> = {
  api_key: 'api_key_unknown',
  instance_token: 'instance_token_unknown',
  relay_key: 'relay_key_unknown',
  jwt: 'license_jwt_invalid',
}
