// Who comes first when there is more to do than can be done: told from path and credential, without any look-up.
import {
  activateRoute,
  deactivateRoute,
  exchangeRoute,
  heartbeatRoute,
  refreshRoute,
  registerRoute,
  signingKeyRoute,
  telemetryRoute,
  validateRoute,
} from '../../contract/routes.ts'
import type { Context } from '../routing.ts'

/** `life`: heartbeats and refreshes of credentials that proved a license before. They are the last to be refused. */
export const LOAD_CLASSES = ['life', 'heartbeat', 'admin', 'other'] as const
export type LoadClass = (typeof LOAD_CLASSES)[number]

const SIGNS_OF_LIFE: ReadonlySet<string> = new Set([heartbeatRoute.path, refreshRoute.path])
const OF_INSTANCES: ReadonlySet<string> = new Set([
  exchangeRoute.path,
  refreshRoute.path,
  registerRoute.path,
  heartbeatRoute.path,
  activateRoute.path,
  validateRoute.path,
  deactivateRoute.path,
  telemetryRoute.path,
])
const ADMIN = '/api/v1/admin'

export const isSignOfLife = (path: string): boolean => SIGNS_OF_LIFE.has(path)

/** What a running copy asks for. */
export const isInstancePath = (path: string): boolean => OF_INSTANCES.has(path)

export const isAdminPath = (path: string): boolean => path.startsWith(`${ADMIN}/`) || path === ADMIN

/** What is public and small, and verifies everything else: it is answered however much there is to do. */
export const isPublicKeyPath = (path: string): boolean =>
  path.startsWith('/.well-known/') || path === signingKeyRoute.path

export function loadClassOf(c: Context): LoadClass {
  const { path } = c.req
  if (isSignOfLife(path)) return c.get('isKnown') ? 'life' : 'heartbeat'
  return isAdminPath(path) ? 'admin' : 'other'
}
