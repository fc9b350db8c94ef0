import { and, eq, ne, sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { products, serverSecrets, signingKeys } from '../../src/db/schema/index.ts'
import { transaction } from '../../src/db/transaction.ts'
import { createProduct } from '../../src/domain/catalog/create-product.ts'
import { createSigningKey } from '../../src/domain/signing/create-keys.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { rotateMasterKey } from '../../src/domain/signing/rotate-master-key.ts'
import { checkMasterKey, openPepper } from '../../src/domain/signing/server-secrets.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { StartError } from '../../src/platform/start-error.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
const newKey = randomBytes(32)

beforeEach(async () => {
  app = await startTestApp()
  for (const code of ['keldris', 'other']) await app.admin('POST', '/products', { code, name: code })
})
afterEach(() => app.stop())

const open = (key: Uint8Array) => keyringCache(app.services.db, key, app.clock).reload()
const pepperUnder = (key: Uint8Array) => openPepper(app.services.db, key, randomBytes, app.clock.now())
const stored = async () => ({
  keys: await app.services.db.select().from(signingKeys).orderBy(signingKeys.kid),
  secrets: await app.services.db.select().from(serverSecrets),
})
const product = (code: string) =>
  ({ code, name: code, instance_auth: 'token', limits_claim: 'limits', metric_map: {} }) as const

/** Until some statement in this database waits for a lock; gives up after two seconds. */
async function untilBlocked(): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    const [row] = await app.services.db.execute<{ waiting: boolean }>(sql`
      select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock') as waiting, pg_sleep(0.01)`)
    if (row?.waiting) return
  }
}

describe('rotating the master key', () => {
  test('seals every private key and the pepper anew; they themselves stay', async () => {
    const before = await open(app.services.masterKey)
    expect(await rotateMasterKey(app.ctx, newKey)).toEqual({ signingKeys: 6, secrets: 1 })
    const after = await open(newKey)
    expect([...after.trusted.keys()].sort()).toEqual([...before.trusted.keys()].sort())
    expect(await pepperUnder(newKey)).toEqual(app.services.pepper)
    await expect(open(app.services.masterKey)).rejects.toThrow(StartError)
    await expect(pepperUnder(app.services.masterKey)).rejects.toThrow(StartError)
  })

  test('is written down without either key', async () => {
    await rotateMasterKey(app.ctx, newKey)
    const { body, text } = await app.admin('GET', '/audit?action=master_key.rotate')
    expect(body[0].details).toEqual({ signing_keys: 6, secrets: 1 })
    for (const key of [newKey, app.services.masterKey]) {
      expect(text).not.toContain(Buffer.from(key).toString('base64'))
    }
  })

  test('with the wrong old key changes nothing and says which key it takes', async () => {
    const before = await stored()
    const work = rotateMasterKey({ ...app.ctx, masterKey: randomBytes(32) }, newKey)
    await expect(work).rejects.toMatchObject({ fix: expect.stringContaining('LEASEHOLD_MASTER_KEY') })
    expect(await stored()).toEqual(before)
  })

  test('with one row that does not open leaves all rows as they were', async () => {
    const { keys } = await stored()
    const last = keys.at(-1)
    await app.services.db
      .update(signingKeys)
      .set({ sealedPrivateKey: 'v1.broken.row' })
      .where(eq(signingKeys.kid, last?.kid ?? ''))
    const before = await stored()
    await expect(rotateMasterKey(app.ctx, newKey)).rejects.toThrow(last?.kid)
    expect(await stored()).toEqual(before)
  })

  test('leaves a process with the old key serving, but making no key that nobody could open', async () => {
    await rotateMasterKey(app.ctx, newKey)
    app.clock.advance(5_000)
    expect((await app.call('GET', '/.well-known/jwks.json')).body.keys).toHaveLength(2)
    expect((await app.services.keyring.current()).signer('keldris', 'license', app.clock.now()).use).toBe(
      'license',
    )
    await expect(createProduct(app.ctx, product('late'))).rejects.toThrow(/rotated/)
    await createProduct({ ...app.ctx, masterKey: newKey }, product('late'))
    expect((await open(newKey)).trusted.size).toBe(9)
  })

  test('waits for a key that is being made, and seals it too', async () => {
    const { db } = app.services
    const [owner] = await db.select().from(products).where(eq(products.code, 'keldris'))
    if (!owner) throw new Error('there is a product')
    const rotation = await transaction(db, async (tx) => {
      await checkMasterKey(tx, app.services.masterKey)
      const rotating = rotateMasterKey(app.ctx, newKey)
      await untilBlocked()
      const kid = await createSigningKey(tx, app.ctx, owner, 'license', app.clock.now())
      return { rotating, kid }
    })
    expect(await rotation.rotating).toEqual({ signingKeys: 7, secrets: 1 })
    expect([...(await open(newKey)).trusted.keys()]).toContain(rotation.kid)
  })

  test('while products are being made seals all or refuses them: none is lost', async () => {
    const codes = Array.from({ length: 12 }, (_, n) => `raced-${n}`)
    const [rotated, ...made] = await Promise.allSettled([
      rotateMasterKey(app.ctx, newKey),
      ...codes.map((code) => createProduct(app.ctx, product(code))),
    ])
    expect(rotated?.status).toBe('fulfilled')
    const count = made.filter(({ status }) => status === 'fulfilled').length
    expect((await open(newKey)).trusted.size).toBe(6 + 3 * count)
  })
})

describe('sealed rows', () => {
  test('that were swapped do not open: each is bound to its product, use and kid', async () => {
    const { db } = app.services
    const [first] = await db.select().from(signingKeys).where(eq(signingKeys.use, 'license'))
    if (!first) throw new Error('there are keys')
    const others = await db.select().from(signingKeys).where(ne(signingKeys.kid, first.kid))
    expect(others).toHaveLength(5)
    for (const other of others) {
      await db
        .update(signingKeys)
        .set({ sealedPrivateKey: other.sealedPrivateKey })
        .where(eq(signingKeys.kid, first.kid))
      await expect(open(app.services.masterKey)).rejects.toThrow(first.kid)
    }
  })

  test('do not open after their product or use was changed in the database', async () => {
    const { db } = app.services
    const keys = await db.select().from(signingKeys).where(eq(signingKeys.use, 'raw'))
    const [one, two] = keys
    if (!one || !two) throw new Error('there are two raw keys')
    await db.update(signingKeys).set({ use: 'license' }).where(eq(signingKeys.kid, one.kid))
    await expect(open(app.services.masterKey)).rejects.toThrow(StartError)
    await db
      .update(signingKeys)
      .set({ use: 'raw', productId: two.productId })
      .where(and(eq(signingKeys.kid, one.kid), eq(signingKeys.use, 'license')))
    await expect(open(app.services.masterKey)).rejects.toThrow(StartError)
  })
})
