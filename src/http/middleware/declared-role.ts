// Holds an admin against the role that the route's contract declares, before anything else of the request is read.
import { matchedRoutes } from 'hono/route'
import type { Role } from '../../contract/catalog.ts'
import { requireRole } from '../../domain/context.ts'
import type { Context } from '../../domain/routing.ts'
import { type Operation, servedPath } from '../operations.ts'

/** `operations` is asked once, at the first request, when every route is mounted. A path without a route passes. */
export function declaredRole(operations: () => readonly Operation[]): (c: Context) => void {
  let roles: Map<string, Role> | undefined
  return (c) => {
    roles ??= new Map(
      operations().flatMap(({ method, path, role }) =>
        role ? [[`${method} ${servedPath(path)}`, role]] : [],
      ),
    )
    for (const { method, path } of matchedRoutes(c)) {
      const role = roles.get(`${method} ${path}`)
      if (role) requireRole(c.get('ctx'), role)
    }
  }
}
