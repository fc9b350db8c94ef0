// Which of the declared operations serves a request. Judges nothing.
import { matchedRoutes } from 'hono/route'
import { type Operation, servedPath } from './operations.ts'
import type { Context } from './routing.ts'

export type MatchedOperation = (c: Context) => Operation | undefined

/** `operations` is asked once, at the first request, when every route is mounted. */
export function matchedOperation(operations: () => readonly Operation[]): MatchedOperation {
  let known: Map<string, Operation> | undefined
  return (c) => {
    known ??= new Map(operations().map((one) => [`${one.method} ${servedPath(one.path)}`, one]))
    for (const { method, path } of matchedRoutes(c)) {
      const found = known.get(`${method} ${path}`)
      if (found) return found
    }
    return undefined
  }
}
