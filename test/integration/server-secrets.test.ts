import { eq } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { connectDatabase, type DatabaseConnection } from '../../src/db/client.ts'
import { adminKeys, serverSecrets } from '../../src/db/schema/index.ts'
import { openPepper } from '../../src/domain/signing/server-secrets.ts'
import { uuidv7 } from '../../src/platform/ids.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { open, seal } from '../../src/platform/seal.ts'
import { StartError } from '../../src/platform/start-error.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'

const now = new Date('2026-01-01T00:00:00Z')
const masterKey = randomBytes(32)
const opened: { clone: ClonedDatabase; connection: DatabaseConnection }[] = []
let db: DatabaseConnection['db']

beforeEach(async () => {
  const clone = await cloneDatabase()
  const connection = connectDatabase(clone.url, { poolSize: 8 })
  opened.push({ clone, connection })
  db = connection.db
})

afterAll(async () => {
  for (const { clone, connection } of opened) {
    await connection.close()
    await clone.drop()
  }
})

describe('the pepper', () => {
  test('is made once, however many processes start at the same moment', async () => {
    const peppers = await Promise.all(
      Array.from({ length: 8 }, () => openPepper(db, masterKey, randomBytes, now)),
    )
    expect(new Set(peppers.map((pepper) => Buffer.from(pepper).toString('hex'))).size).toBe(1)
    expect(peppers[0]).toHaveLength(32)
    expect(await db.select().from(serverSecrets)).toHaveLength(1)
  })

  test('lies in the database only sealed, bound to its name', async () => {
    const pepper = await openPepper(db, masterKey, randomBytes, now)
    const [row] = await db.select().from(serverSecrets)
    expect(row?.sealed).not.toContain(Buffer.from(pepper).toString('base64url'))
    expect(open(masterKey, '["server-secret","pepper"]', row?.sealed ?? '')).toEqual(pepper)
  })

  test('stops the start under another master key, and says what to do', async () => {
    await openPepper(db, masterKey, randomBytes, now)
    const started = openPepper(db, randomBytes(32), randomBytes, now)
    await expect(started).rejects.toThrow(StartError)
    await expect(started).rejects.toMatchObject({ fix: expect.stringContaining('LEASEHOLD_MASTER_KEY') })
  })

  test('does not open from a value that was sealed for another row', async () => {
    await openPepper(db, masterKey, randomBytes, now)
    const foreign = seal(masterKey, '["server-secret","other"]', randomBytes(32))
    await db.update(serverSecrets).set({ sealed: foreign }).where(eq(serverSecrets.name, 'pepper'))
    await expect(openPepper(db, masterKey, randomBytes, now)).rejects.toThrow(StartError)
  })

  test('is not made anew where it was lost: that would end every credential', async () => {
    await openPepper(db, masterKey, randomBytes, now)
    await db.delete(serverSecrets)
    const [id, hash] = [uuidv7(now), 'h'.repeat(64)]
    await db.insert(adminKeys).values({ id, name: 'a', role: 'owner', hash, prefix: 'lak_x', createdAt: now })
    await expect(openPepper(db, masterKey, randomBytes, now)).rejects.toThrow(/pepper/)
    expect(await db.select().from(serverSecrets)).toHaveLength(0)
  })
})
