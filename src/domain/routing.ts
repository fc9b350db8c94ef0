// What the routes of every domain share: the request's environment and its one Bearer credential. Looks nothing up.
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context as HonoContext } from 'hono'
import { type CredentialKind, credentialKind } from '../platform/credentials.ts'
import { type Ctx, Refusal } from './context.ts'

export interface HttpEnv {
  Variables: {
    requestId: string
    ctx: Ctx
    address: string
  }
}

export type Context = HonoContext<HttpEnv>
export type Router = OpenAPIHono<HttpEnv>

export interface Bearer {
  kind: CredentialKind | 'jwt'
  text: string
}

const LONGEST = 65_536

/**
 * The credential of an RFC 6750 header, its kind told by its prefix (T8), or null without an Authorization header.
 * @throws Refusal `credential_unknown` when a header is there but holds nothing that could be one.
 */
export function bearerOf(c: Context): Bearer | null {
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
