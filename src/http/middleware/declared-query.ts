// Refuses query members that the route's contract does not declare: a `dry_run` that nobody reads would be a write. Looks
// at names alone; what they hold is judged by the contract's schema.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import { escapePointer } from '../../platform/json-faults.ts'
import type { MatchedOperation } from '../matched-operation.ts'
import type { HttpEnv } from '../routing.ts'

/** As many as the validator tells of. */
const MOST_ERRORS = 50

/** A path without a route passes. Throws `invalid_request` that names each member. */
export const declaredQuery = (operationOf: MatchedOperation) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const declared = operationOf(c)?.query
    const foreign = declared ? Object.keys(c.req.queries()).filter((name) => !declared.has(name)) : []
    if (foreign.length > 0 && declared) throw unknownMembers(foreign, [...declared])
    await next()
  })

function unknownMembers(foreign: readonly string[], declared: readonly string[]): Refusal {
  const errors = foreign.slice(0, MOST_ERRORS).map((name) => ({
    pointer: `/${escapePointer(name)}`,
    message: `Unrecognized key: ${JSON.stringify(name)}`,
  }))
  return new Refusal('invalid_request', 'The query holds members that this route does not know.', {
    facts: { errors },
    fix:
      declared.length === 0
        ? 'Leave the query out: this route has none.'
        : `Leave them out: this route knows ${declared.join(', ')}.`,
  })
}
