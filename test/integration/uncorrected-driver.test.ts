// An installation whose scripts did not run: the driver is as it was released.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const COPIED = ['package.json', 'bin', 'drizzle', 'scripts', 'src', 'node_modules/postgres']
const MARK = '  corrections: 2,\n'

let folder: string
let clone: ClonedDatabase
let env: Record<string, string | undefined>

beforeAll(async () => {
  clone = await cloneDatabase()
  folder = await temporaryFolder('leasehold-test-uncorrected-')
  for (const path of COPIED) await cp(join(ROOT, path), join(folder, path), { recursive: true })
  await mkdir(join(folder, 'node_modules'), { recursive: true })
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name === 'postgres' || name.startsWith('.')) continue
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  }
  const driver = join(folder, 'node_modules/postgres/src/index.js')
  const corrected = await readFile(driver, 'utf8')
  expect(corrected).toContain(MARK)
  await writeFile(driver, corrected.replace(MARK, ''))
  const settings = {
    ...outsideDatabase(clone.url),
    PORT: '0',
    PUBLIC_URL: 'http://127.0.0.1',
    LEASEHOLD_DATA_DIR: join(folder, 'data'),
  }
  env = { PATH: process.env.PATH, HOME: folder, ...settings }
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await clone.drop()
})

const run = (...args: string[]) =>
  new Promise<{ code: unknown; said: string }>((done) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, out, err) =>
      done({ code: error?.code ?? 0, said: out + err }),
    )
  })

const SAYS_WHAT_TO_RUN = expect.stringMatching(/lacks the corrections.*node scripts\/patch-postgres\.mjs/s)

test.each([
  ['a start as a bundle', ['scripts/start.mjs']],
  ['a start from the sources', ['src/node.ts']],
  ['leasehold doctor', ['bin/leasehold.mjs', 'doctor']],
  ['leasehold migrate', ['bin/leasehold.mjs', 'migrate']],
])('%s refuses it and says what to run', async (_, args) => {
  expect(await run(...args)).toEqual({ code: 1, said: SAYS_WHAT_TO_RUN })
})

test('what it says to run is enough, for the bundle of before too', async () => {
  expect(await run('scripts/patch-postgres.mjs')).toEqual({ code: 0, said: '' })
  const server = spawn(process.execPath, ['scripts/start.mjs'], { cwd: folder, env, stdio: 'pipe' })
  let said = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  await expect.poll(() => said, { timeout: 30_000 }).toContain('is ready')
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
})
