// Every admin operation of the document against every role and against no role at all: a new route cannot escape.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES, type Role } from '../../src/contract/catalog.ts'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { mintCredential } from '../../src/platform/credentials.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

interface Operation {
  method: string
  path: string
  role: Role
  summary: string
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

let app: TestApp
let operations: Operation[]
const keys = {} as Record<Role, string>

beforeAll(async () => {
  app = await startTestApp()
  for (const role of ROLES) {
    keys[role] = (await createAdminKey(app.ctx, { name: role, role, expires_at: null })).secret
  }
  const { body } = await app.call('GET', '/openapi.json')
  operations = Object.entries(
    body.paths as Record<string, Record<string, { 'x-role'?: Role; summary?: string }>>,
  )
    .filter(([path]) => path.startsWith('/api/v1/admin/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => METHODS.includes(method))
        .map(([method, operation]) => ({
          method: method.toUpperCase(),
          path,
          role: operation['x-role'] as Role,
          summary: operation.summary ?? '',
        })),
    )
})
afterAll(() => app.stop())

/** Ids that do not exist and a body that no schema accepts: nothing happens, whatever the role. */
const send = ({ method, path }: Operation, bearer?: string) =>
  app.call(method, path.replaceAll(/\{[^}]+\}/g, 'nothing'), {
    bearer,
    ...(method === 'GET' || method === 'DELETE' ? {} : { body: { nobody_takes_this: true } }),
  })
const named = ({ method, path }: Operation) => `${method} ${path}`

test('every operation of the admin API declares its role', () => {
  expect(operations.length).toBeGreaterThan(50)
  expect(operations.filter(({ role }) => !ROLES.includes(role)).map(named)).toEqual([])
  // The verbs hold the role too: what the route lets through by mistake must differ from what people read.
  const unlike = operations.filter(({ summary, role }) => !summary.endsWith(`Role: ${role}.`))
  expect(unlike.map(named)).toEqual([])
})

describe('an operation', () => {
  // ROLES is ordered: each includes the ones after it.
  test.each(ROLES)('is refused to %s below its role and open to it from there on', async (role) => {
    for (const operation of operations) {
      const { status, body } = await send(operation, keys[role])
      const reaches = ROLES.indexOf(role) <= ROLES.indexOf(operation.role)
      if (reaches) expect([403, 401, 500], named(operation)).not.toContain(status)
      else {
        expect([named(operation), status, body.error]).toEqual([named(operation), 403, 'forbidden'])
        expect(body.needed_role).toBe(operation.role)
      }
    }
  })

  test('is refused without a credential, and with one of another kind or of nobody', async () => {
    const wrong = [undefined, mintCredential('admin_key').secret, mintCredential('api_key').secret, 'x']
    for (const operation of operations) {
      for (const bearer of wrong) {
        const { status, headers } = await send(operation, bearer)
        expect([named(operation), status]).toEqual([named(operation), 401])
        expect(headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
      }
    }
  })

  test('is not begun: nothing was written down', async () => {
    const { body } = await app.admin('GET', '/audit?limit=200')
    expect(body.map(({ action }: { action: string }) => action)).toEqual(
      Array(ROLES.length + 1).fill('admin_key.create'),
    )
  })
})

describe('a known path', () => {
  test('with another method is 405 and says which it answers to', async () => {
    const { status, body, headers } = await app.admin('PUT', '/licenses/lic_x')
    expect([status, body.error]).toEqual([405, 'method_not_allowed'])
    expect(headers.get('Allow')).toBe('GET, HEAD, PATCH')
    expect((await app.call('DELETE', '/healthz')).headers.get('Allow')).toBe('GET, HEAD')
    expect((await app.call('GET', '/api/v1/licenses/token')).headers.get('Allow')).toBe('POST')
    expect((await app.call('PUT', '/api/v1/admin/licenses')).status).toBe(401)
    expect((await app.admin('PUT', '/nothing')).status).toBe(404)
  })
})

test('what is created is found at its Location', async () => {
  const create = async (path: string, body: object) => {
    const made = await app.admin('POST', path, body)
    expect([path, made.status]).toEqual([path, 201])
    const found = await app.call('GET', made.headers.get('Location') ?? '', { bearer: app.adminKey })
    expect([path, found.status, found.body.id]).toEqual([path, 200, made.body.id])
    return made.body.id as string
  }
  await create('/products', { code: 'p', name: 'p' })
  await create('/tiers', { product: 'p', code: 't', name: 't', rank: 0 })
  const customer_id = await create('/customers', { name: 'Ada' })
  await create('/licenses', { product: 'p', tier: 't', customer_id })
})
