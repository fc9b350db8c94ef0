// README's own programs that verify without this project: they run as they stand there, against a server.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const NONCE = 'abcdefghijklmnopqrstuv'

let app: TestApp
let world: World
let folder: string
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app)
  folder = await temporaryFolder('leasehold-readme-')
})
afterAll(async () => {
  await app.stop()
  await rm(folder, { recursive: true })
})

/** Runs the block of README that begins with this file's name; gives what it prints. */
async function run(name: string, ...args: string[]): Promise<string> {
  const [, code = ''] = new RegExp(`\`\`\`js\n(// ${name}:[^]*?)\`\`\``).exec(README) ?? []
  const file = join(folder, name)
  await writeFile(file, code.replaceAll('http://127.0.0.1:8081', app.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args])
  return stdout.trim()
}

const session = async () =>
  (
    await app.call('POST', '/api/v1/licenses/token', {
      bearer: world.apiKey,
      body: { instance_id: 'i-1', version: '1', nonce: NONCE },
    })
  ).body

test('verify.mjs takes a license JWT, and no directive', async () => {
  const { jwt, directive } = await session()
  expect(await run('verify.mjs', jwt)).toBe('true')
  expect(await run('verify.mjs', `${jwt.slice(0, -4)}AAAA`)).toBe('false')
  expect(await run('verify.mjs', directive)).toBe('false')
})

test('verify-directive.mjs takes a directive under the pinned root, and no license JWT', async () => {
  const { jwt, directive } = await session()
  const root = app.services.rootPublicKeyHex
  const shown = await run('verify-directive.mjs', root, directive)
  expect(shown).toContain(NONCE)
  expect(shown).toContain("status: 'active'")
  await expect(run('verify-directive.mjs', root, jwt)).rejects.toThrow()
  await expect(run('verify-directive.mjs', root, `${directive.slice(0, -4)}AAAA`)).rejects.toThrow('not a')
  await expect(run('verify-directive.mjs', '11'.repeat(32), directive)).rejects.toThrow()
})
