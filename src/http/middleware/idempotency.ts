// The Idempotency-Key header of the admin API's POST requests. Sits behind authentication, role and body checks.
import type { Context as HonoContext } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { answerOnce, type KeptAnswer } from '../../domain/idempotency/answer-once.ts'
import { readIdempotencyKey } from '../../domain/idempotency/read-key.ts'
import type { HttpEnv } from '../routing.ts'

/** What is given again beside status and body; all else belongs to the one exchange. */
const KEPT_HEADERS = ['Content-Type', 'Location', 'Link']

/** An answer below 400 is kept and given again byte for byte; a refusal has done nothing, and may be tried again. */
export const idempotency = () =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const header = c.req.header('Idempotency-Key')
    if (header === undefined || c.req.method !== 'POST') return next()
    const key = readIdempotencyKey(header)
    const ctx = c.get('ctx')
    const { method, path } = c.req
    const content = [new URL(c.req.url).search, await c.req.text()]
    const once = await answerOnce(
      ctx,
      { caller: ctx.actor.id, key, method, path, content },
      async (within) => {
        c.set('ctx', within)
        try {
          await next()
        } finally {
          c.set('ctx', ctx)
        }
        return c.res.status < 400 ? keep(c) : null
      },
    ).catch((error: unknown) => {
      // What was answered is undone: nothing of it may be told along with the refusal.
      if (c.finalized) for (const name of KEPT_HEADERS) c.res.headers.delete(name)
      throw error
    })
    if (!once?.replayed) return
    const { status, headers, body } = once.answer
    return c.body(body, status as ContentfulStatusCode, { ...headers, 'Idempotent-Replayed': 'true' })
  })

async function keep(c: HonoContext<HttpEnv>): Promise<KeptAnswer> {
  const headers: Record<string, string> = {}
  for (const name of KEPT_HEADERS) {
    const value = c.res.headers.get(name)
    if (value !== null) headers[name] = value
  }
  return { status: c.res.status, headers, body: await c.res.clone().text() }
}
