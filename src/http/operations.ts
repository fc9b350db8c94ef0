// The operations that the app was mounted with, as their contracts declare them. Answers no request.
import { ROLES, type Role } from '../contract/catalog.ts'
import type { Router } from './routing.ts'

export interface Operation {
  /** In upper case. */
  method: string
  /** As the document has it: `/api/v1/admin/licenses/{id}`. */
  path: string
  /** The least role that may call it; null outside of the admin API. */
  role: Role | null
  /** Names of the query members that it knows. */
  query: ReadonlySet<string>
}

const ADMIN = '/api/v1/admin/'

/** Call it after the last route is mounted. @throws Error for an admin route that declares no role. */
export function operationsOf(app: Router): Operation[] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return []
    const { method, path } = definition.route
    const role = ROLES.find((known) => known === definition.route['x-role']) ?? null
    if (path.startsWith(ADMIN) && role === null) {
      throw new Error(`${method} ${path} declares no role: give its contract an x-role`)
    }
    return [
      {
        method: method.toUpperCase(),
        path,
        role,
        query: new Set(membersOf(definition.route.request?.query)),
      },
    ]
  })
}

/** @throws Error for a schema whose members cannot be told. */
function membersOf(schema: unknown): string[] {
  if (schema === undefined) return []
  const shape = (schema as { shape?: unknown }).shape
  if (typeof shape === 'object' && shape !== null) return Object.keys(shape)
  throw new Error('a query is declared by a schema that is no object')
}

/** The pattern under which Hono serves the path. */
export const servedPath = (path: string): string => path.replaceAll(/\{([^}]+)\}/g, ':$1')

/** The methods that a path answers to, for `Allow` (RFC 9110, section 10.2.1); none where nothing is. */
export function methodsOf(operations: readonly Operation[]): (path: string) => string[] {
  const patterns = operations.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}/?$`),
  }))
  return (path) => {
    const methods = new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))
    if (methods.has('GET')) methods.add('HEAD')
    return [...methods].sort()
  }
}
