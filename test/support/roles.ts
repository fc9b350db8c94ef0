// The admin API as each role sees it.
import type { Role } from '../../src/contract/catalog.ts'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import type { TestApp } from './app.ts'

/** `app.admin` with a new key of that role. */
export async function withRole(app: TestApp, role: Role): Promise<TestApp['admin']> {
  const { secret } = await createAdminKey(app.ctx, { name: role, role, expires_at: null })
  return (method, path, body) => app.call(method, `/api/v1/admin${path}`, { bearer: secret, body })
}

/** Every page of a list, by following its links. */
export async function allPages(app: TestApp, path: string): Promise<{ id: string }[][]> {
  const pages: { id: string }[][] = []
  for (let next: string | undefined = `/api/v1/admin${path}`; next !== undefined; ) {
    const { body, headers } = await app.call('GET', next, { bearer: app.adminKey })
    pages.push(body)
    next = /^<([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1]
  }
  return pages
}
