// Who comes first when there is more to do than can be done: told from path and credential, without any look-up.
import type { Context } from '../routing.ts'

/** `life`: heartbeats and refreshes of credentials that proved a license before. They are the last to be refused. */
export const LOAD_CLASSES = ['life', 'heartbeat', 'admin', 'other'] as const
export type LoadClass = (typeof LOAD_CLASSES)[number]

const SIGNS_OF_LIFE = new Set(['/api/v1/instances/heartbeat', '/api/v1/licenses/refresh'])

export const isSignOfLife = (path: string): boolean => SIGNS_OF_LIFE.has(path)

export function loadClassOf(c: Context): LoadClass {
  if (isSignOfLife(c.req.path)) return c.get('isKnown') ? 'life' : 'heartbeat'
  return c.req.path.startsWith('/api/v1/admin/') ? 'admin' : 'other'
}
