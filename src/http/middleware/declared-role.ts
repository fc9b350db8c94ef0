// Holds an admin against the role that the route's contract declares, before anything else of the request is read.
import { requireRole } from '../../domain/kernel/context.ts'
import type { MatchedOperation } from '../matched-operation.ts'
import type { Context } from '../routing.ts'

/** A path without a route passes. */
export const declaredRole =
  (operationOf: MatchedOperation) =>
  (c: Context): void => {
    const role = operationOf(c)?.role
    if (role) requireRole(c.get('ctx'), role)
  }
