import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parsePublicId } from '../../src/platform/ids.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import {
  allFacts,
  collectNames,
  type Names,
  noNames,
  type ReferenceProcess,
  referenceProcess,
} from '../support/reference.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let names: Names
let running: ReferenceProcess
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app)
  names = noNames()
  running = referenceProcess(app)
})
afterAll(() => app.stop())
beforeEach(async () => {
  await collectNames(app, names)
  await running.settle()
  await allFacts(running, names)
})

const licenseId = () => parsePublicId('lic', world.licenseId) ?? ''
const run = (statement: string) => app.services.db.execute(sql.raw(statement))
const events = async () => Number((await run('select count(*) as n from events'))[0]?.n)

/** What the running process shows once it has settled, beside what one shows that has just started. */
async function bothShow(): Promise<[unknown, unknown]> {
  await running.settle()
  await collectNames(app, names)
  const fresh = referenceProcess(app)
  return [await allFacts(running, names), await allFacts(fresh, names)]
}

/** The running process shows what is so, and `change` has changed it. */
async function expectObeyed(change: () => Promise<unknown>): Promise<void> {
  const before = await allFacts(running, names)
  await change()
  const [shown, so] = await bothShow()
  expect(shown).toEqual(so)
  expect(shown).not.toEqual(before)
}

describe('a version', () => {
  test('costs no statement once all that is asked for is in memory', async () => {
    const before = running.statements()
    await running.cache.load(running.read, { licenses: [licenseId()] })
    expect(running.statements()).toBe(before)
  })

  test('is proven by one statement while nothing happens, and by one more when keys change', async () => {
    const before = running.statements()
    await running.settle()
    expect(running.statements()).toBe(before + 1)
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', activate_in: 0 })
    await running.settle()
    expect(running.statements()).toBe(before + 3)
  })

  test('is left as it is by what happens to instances', async () => {
    const before = running.cache.number
    await run(`insert into events (number, at, type, subject, instance_key)
      select max(number) + 1, now(), 'action.changed', 'ins_1', gen_random_uuid() from events`)
    const statements = running.statements()
    await running.settle()
    await running.cache.load(running.read, { licenses: [licenseId()] })
    expect(running.statements()).toBe(statements + 1)
    expect(running.cache.number).toBe(before + 1)
  })

  test('stays with a batch that began with it', async () => {
    const facts = await running.cache.load(running.read, { licenses: [licenseId()] })
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { seat_limit: 77 })
    await running.settle()
    expect(facts.license(licenseId())?.seatLimit).toBe(3)
    const later = await running.cache.load(running.read, { licenses: [licenseId()] })
    expect(later.license(licenseId())?.seatLimit).toBe(77)
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { seat_limit: 3 })
  })

  test('tells what is not on record from what was not asked for', async () => {
    const stranger = '00000000-0000-7000-8000-000000000000'
    const facts = await running.cache.load(running.read, { licenses: [stranger] })
    expect(facts.license(stranger)).toBeUndefined()
    expect(() => facts.license(licenseId())).toThrow('not asked for')
  })
})

describe('SQL by hand leaves an event and is obeyed', () => {
  test.each([
    ['products', `update products set limits_claim = 'quotas' where code = 'keldris'`],
    ['tiers', `update tiers set features = array_append(features, 'by_hand') where code = 'pro'`],
    ['customers', `update customers set company = 'By Hand'`],
    ['licenses', `update licenses set status = 'suspended'`],
    ['api_keys', `update api_keys set revoked_at = now(), end_sessions = true`],
    ['license_keys', `update license_keys set retired_at = now()`],
    ['signing_keys', `update signing_keys set retired_at = '2030-01-01' where use = 'raw'`],
    ['key_sets', `update key_sets set digest = 'by hand'`],
    ['the keys of a license', 'delete from api_keys'],
  ])('%s', async (_, statement) => {
    const before = await events()
    await expectObeyed(() => run(statement))
    expect(await events()).toBeGreaterThan(before)
  })

  test('a row that is inserted', async () => {
    await expectObeyed(() =>
      run(`insert into tiers (id, product_id, code, name, rank, features, limits, grace_days, created_at, updated_at)
        select gen_random_uuid(), id, 'hand', 'hand', -5, '{}', '{}', 0, now(), now() from products`),
    )
  })
})
