import { execFile, execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { query } from '../support/query.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/leasehold.mjs', import.meta.url))

interface Outcome {
  code: number
  out: string
  err: string
}

type Env = Record<string, string | undefined>

/** The command in this process, as bin/leasehold.mjs calls it. */
async function leasehold(args: string[], env: Env = settings): Promise<Outcome> {
  const said = { out: '', err: '' }
  const code = await main(args, env, {
    out: (text) => {
      said.out += text
    },
    say: (line) => {
      said.err += `${line}\n`
    },
  })
  return { code, ...said }
}

/** The program itself, in a process of its own. */
function spawned(args: string[], env: Env = settings, node = process.execPath): Promise<Outcome> {
  return new Promise((resolve) => {
    const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
    execFile(node, [PROGRAM, ...args], { env: given }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err })
    })
  })
}

let clone: ClonedDatabase
let folder: string
let settings: Record<string, string>
const NOWHERE = { DATABASE_URL: undefined, LEASEHOLD_DATA_DIR: '/nowhere' }
const root = generateKeyPairSync('ed25519')
const rootHex = root.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')

beforeAll(async () => {
  clone = await cloneDatabase()
  folder = await mkdtemp(join(tmpdir(), 'leasehold-cli-'))
  settings = {
    DATABASE_URL: clone.url,
    LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64'),
    PUBLIC_URL: 'https://licenses.example',
  }
})
afterAll(async () => {
  await clone.drop()
  await rm(folder, { recursive: true })
})

describe('leasehold', () => {
  test('says what it can do', async () => {
    const { code, out } = await leasehold(['--help'])
    expect([code, out]).toEqual([0, expect.stringMatching(/admin-keys[\s\S]*keys[\s\S]*master-key/)])
    expect((await leasehold(['keys', 'sign-set', '--help'])).out).toContain('--draft')
    expect((await leasehold(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each([
    [[]],
    [['nothing']],
    [['toString']],
    [['admin-keys']],
    [['admin-keys', 'delete']],
    [['admin-keys', 'create', '--name', 'x']],
    [['admin-keys', 'create', '--role', 'owner', '--name', '']],
    [['admin-keys', 'create', '--role', 'king', '--name', 'x']],
    [['admin-keys', 'create', '--role', 'owner', '--name', 'x', '--colour', 'red']],
    [['admin-keys', 'revoke']],
    [['keys', 'sign-set', '--draft', 'x']],
    [['master-key', 'rotate', '--new-key', 'short']],
  ])('%j is wrong usage: exit code 2, usage on standard error, nothing on standard output', async (args) => {
    const { code, out, err } = await leasehold(args)
    expect([code, out, err]).toEqual([2, '', expect.stringContaining('Usage:')])
  })

  test('is a program whose exit code says what became of it', async () => {
    expect((await spawned(['--help'])).code).toBe(0)
    expect((await spawned(['admin-keys', 'list'], {})).code).toBe(1)
    expect((await spawned(['nothing'])).code).toBe(2)
  })

  const old = systemNode()
  test.skipIf(old === null)('runs where the machine has an older Node', async () => {
    const { code, out } = await spawned(['--help'], {}, old ?? '')
    expect([code, out]).toEqual([0, expect.stringContaining('admin-keys')])
    expect((await spawned(['nothing'], {}, old ?? '')).code).toBe(2)
  })
})

describe('admin-keys', () => {
  test('makes the first owner key; it is alone on standard output, and no log repeats it', async () => {
    const { code, out, err } = await spawned(['admin-keys', 'create', '--role', 'owner', '--name', 'Ada'], {
      ...settings,
      LOG_LEVEL: 'info',
    })
    expect([code, out]).toEqual([0, expect.stringMatching(/^lak_[0-9A-Za-z]{49}\n$/)])
    expect(err).toContain('admin_key.create')
    expect(err).not.toContain(out.trim())
  })

  test('lists and revokes them, as JSON too, but keeps the last owner', async () => {
    const made = await leasehold(['admin-keys', 'create', '--role', 'owner', '--name', 'Bob', '--json'])
    const bob = JSON.parse(made.out)
    expect(bob).toMatchObject({ role: 'owner', status: 'active', admin_key: expect.stringMatching(/^lak_/) })
    const revoked = await leasehold(['admin-keys', 'revoke', bob.id])
    expect([revoked.code, revoked.out]).toEqual([0, `${bob.id} is revoked.\n`])
    const { out } = await leasehold(['admin-keys', 'list', '--json'])
    const keys = JSON.parse(out)
    expect(keys.map(({ name, status }: Record<string, string>) => [name, status])).toEqual([
      ['Bob', 'revoked'],
      ['Ada', 'active'],
    ])
    const last = await leasehold(['admin-keys', 'revoke', keys[1].id])
    expect([last.code, last.out]).toEqual([1, ''])
    expect(last.err).toContain('last owner key')
    expect((await leasehold(['admin-keys', 'list'])).out).toContain('active   owner')
  })

  test('a key that is given no name has one all the same', async () => {
    const made = await leasehold(['admin-keys', 'create', '--role', 'auditor', '--json'])
    expect([made.code, JSON.parse(made.out)]).toEqual([0, expect.objectContaining({ name: 'cli' })])
  })

  test.each([
    ['no database', NOWHERE, 'There is no database in /nowhere'],
    ['no database and no key', { ...NOWHERE, LEASEHOLD_MASTER_KEY: undefined }, 'no master key in /nowhere'],
    ['no master key', { LEASEHOLD_MASTER_KEY: undefined }, 'LEASEHOLD_MASTER_KEY: is missing'],
    ['a database that is not there', { DATABASE_URL: 'postgres://127.0.0.1:1/x' }, 'does not answer'],
  ])('with %s fails and says so', async (_, change, words) => {
    const { code, out, err } = await leasehold(['admin-keys', 'list'], { ...settings, ...change })
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(words)
    expect(err).not.toContain(settings.LEASEHOLD_MASTER_KEY)
  })

  test('with another master key fails, and makes no key', async () => {
    const before = await leasehold(['admin-keys', 'list'])
    const other = { ...settings, LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64') }
    const { code, err } = await leasehold(['admin-keys', 'create', '--role', 'owner', '--name', 'x'], other)
    expect([code, err]).toEqual([1, expect.stringContaining('does not open with this master key')])
    expect((await leasehold(['admin-keys', 'list'])).out).toBe(before.out)
  })
})

describe('keys', () => {
  const file = (name: string) => join(folder, name)
  const server = () => ({ ...settings, LEASEHOLD_ROOT_KEY: `public:${rootHex}` })

  test('a set is drafted here, signed without a database, and imported here', async () => {
    await writeFile(file('root.pem'), root.privateKey.export({ format: 'pem', type: 'pkcs8' }))
    expect((await leasehold(['keys', 'draft', '--output', file('draft.json')], server())).code).toBe(0)
    const args = ['keys', 'sign-set', '--draft', file('draft.json'), '--root-key', file('root.pem')]
    const signed = await leasehold([...args, '--output', file('set.jwt')], {})
    expect([signed.code, signed.out, signed.err]).toEqual([0, '', expect.stringContaining(rootHex)])
    const jws = (await readFile(file('set.jwt'), 'utf8')).trim()
    const [head = '', claims = '', signature = ''] = jws.split('.')
    expect(
      verify(null, Buffer.from(`${head}.${claims}`), root.publicKey, Buffer.from(signature, 'base64url')),
    ).toBe(true)
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual(
      JSON.parse(await readFile(file('draft.json'), 'utf8')),
    )
    const imported = await leasehold(['keys', 'import', '--set', file('set.jwt')], server())
    expect([imported.code, imported.out]).toEqual([0, expect.stringMatching(/^Key set \d+ is in force/)])
    // To standard output, the same bytes: Ed25519 signs the same text in the same way.
    expect((await leasehold(args, {})).out).toBe(`${jws}\n`)
  })

  test('a set that another key signed is not imported', async () => {
    const stranger = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
    await writeFile(file('stranger.pem'), stranger)
    const args = ['keys', 'sign-set', '--draft', file('draft.json'), '--root-key', file('stranger.pem')]
    await leasehold([...args, '--output', file('forged.jwt')], {})
    const { code, err } = await leasehold(['keys', 'import', '--set', file('forged.jwt')], server())
    expect([code, err]).toEqual([1, expect.stringContaining("signed with this server's root key")])
  })

  test('what is no draft and no key is refused by name, and never shown', async () => {
    await writeFile(file('broken.json'), '{"iss": 1, "keys": "sekrit"}')
    const sign = (draft: string, key: string) =>
      leasehold(['keys', 'sign-set', '--draft', file(draft), '--root-key', file(key)], {})
    const broken = await sign('broken.json', 'root.pem')
    expect([broken.code, broken.err]).toEqual([1, expect.stringContaining('is no draft of a key set')])
    const noKey = await sign('draft.json', 'broken.json')
    expect([noKey.code, noKey.err]).toEqual([1, expect.not.stringContaining('sekrit')])
    expect((await sign('missing.json', 'root.pem')).err).toContain('ENOENT')
  })
})

describe('migrate', () => {
  test('brings an empty database to the schema, and needs no key; repeating it changes nothing', async () => {
    const url = new URL(clone.url)
    await query(clone.url, `create database ${url.pathname.slice(1)}_empty`)
    url.pathname += '_empty'
    for (const _ of ['first', 'again']) {
      const { code, out } = await leasehold(['migrate'], { DATABASE_URL: url.href })
      expect([code, out]).toEqual([
        0,
        expect.stringMatching(/^All \d+ migrations of this version are applied\.\n$/),
      ])
    }
    const days = await query(url.href, `select 1 from pg_inherits where inhparent = 'reports'::regclass`)
    expect(days).toHaveLength(4)
    await query(clone.url, `drop database ${url.pathname.slice(1)}`)
  })

  test.each([
    ['no database', {}, 'DATABASE_URL is not set'],
    ['what is no database', { DATABASE_URL: 'mysql://u:sekrit@h/d' }, 'does not begin with'],
    ['a database that is away', { DATABASE_URL: 'postgres://127.0.0.1:1/x' }, 'does not answer'],
  ])('with %s fails and says so', async (_, env, words) => {
    const { code, out, err } = await leasehold(['migrate'], env)
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(words)])
    expect(err).not.toContain('sekrit')
  })
})

describe('master-key rotate', () => {
  test('moves the database to the new key; the old one opens it no more', async () => {
    const LEASEHOLD_NEW_MASTER_KEY = randomBytes(32).toString('base64')
    const { code, out, err } = await leasehold(['master-key', 'rotate'], {
      ...settings,
      LEASEHOLD_NEW_MASTER_KEY,
    })
    expect([code, out]).toEqual([0, 'Sealed 0 signing keys and 1 other secrets under the new master key.\n'])
    expect(err).not.toContain(LEASEHOLD_NEW_MASTER_KEY)
    expect((await leasehold(['admin-keys', 'list'])).code).toBe(1)
    settings.LEASEHOLD_MASTER_KEY = LEASEHOLD_NEW_MASTER_KEY
    expect((await leasehold(['admin-keys', 'list'])).out).toContain('Ada')
  })

  test('with the wrong old key, the same key, or none does nothing', async () => {
    const wrong = { ...settings, LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64') }
    const fresh = randomBytes(32).toString('base64')
    expect((await leasehold(['master-key', 'rotate', '--new-key', fresh], wrong)).code).toBe(1)
    const same = settings.LEASEHOLD_MASTER_KEY ?? ''
    expect((await leasehold(['master-key', 'rotate', '--new-key', same])).code).toBe(2)
    expect((await leasehold(['master-key', 'rotate'])).code).toBe(2)
    expect((await leasehold(['admin-keys', 'list'])).code).toBe(0)
  })
})

/** A Node of the machine that is too old to run the program itself. */
function systemNode(): string | null {
  for (const file of ['/usr/local/bin/node', '/usr/bin/node']) {
    try {
      const [major = 0, minor = 0] = execFileSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' })
        .split('.')
        .map(Number)
      if (major < 22 || (major === 22 && minor < 18)) return file
    } catch {
      // There is none.
    }
  }
  return null
}
