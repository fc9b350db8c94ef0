import postgres from 'postgres'
import { afterAll, expect, test } from 'vitest'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'

const clones: ClonedDatabase[] = []
afterAll(() => Promise.all(clones.map((clone) => clone.drop())))

test('databases cloned at the same moment have the schema and see nothing of each other', async () => {
  clones.push(...(await Promise.all(Array.from({ length: 8 }, () => cloneDatabase()))))
  await Promise.all(
    clones.map(async ({ url }) => {
      const sql = postgres(url, { max: 1, onnotice: () => {} })
      await sql`create table only_here (id int)`
      const [tables] = await sql`select to_regclass('licenses') as licenses`
      expect(tables?.licenses).toBe('licenses')
      await sql.end()
    }),
  )
})

test('a dropped clone is gone, even with a connection open', async () => {
  const { url, drop } = await cloneDatabase()
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`select 1`
  await drop()
  await sql.end()
  const again = postgres(url, { max: 1 })
  await expect(again`select 1`).rejects.toMatchObject({ code: '3D000' })
  await again.end()
})
