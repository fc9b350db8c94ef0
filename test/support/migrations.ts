// The folder of migrations of the next version, that has one more.
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

const MIGRATIONS = resolve(import.meta.dirname, '../../drizzle')

interface Journal {
  entries: { idx: number; version: string; when: number; tag: string; breakpoints: boolean }[]
}

async function copied(change: (journal: Journal) => void): Promise<string> {
  const folder = await temporaryFolder('leasehold-test-migrations-')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await cp(MIGRATIONS, folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(file, 'utf8')) as Journal
  change(journal)
  await writeFile(file, JSON.stringify(journal))
  return folder
}

/** All of them, and one that a later version might bring. */
export async function migrationsWith(statements: string): Promise<string> {
  const tag = '9999_next'
  const folder = await copied(({ entries }) => {
    const last = entries.at(-1)
    if (!last) throw new Error('there are migrations')
    entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag })
  })
  await writeFile(join(folder, `${tag}.sql`), statements)
  return folder
}
