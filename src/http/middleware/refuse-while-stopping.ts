// A server that is about to stop takes no new work: the caller is sent elsewhere, with nothing done.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import type { HttpEnv } from '../routing.ts'

export const refuseWhileStopping = (isStopping: () => boolean) =>
  createMiddleware<HttpEnv>(async (_c, next) => {
    if (isStopping()) {
      throw new Refusal('shutting_down', 'This server is stopping. Nothing was done; try again.', {
        fix: 'Send the request again: another process, or this one after its restart, answers it.',
      })
    }
    await next()
  })
