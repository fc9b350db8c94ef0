// `leasehold mint` and the keys that it takes, as a vendor calls them: real files, real exit codes.
import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inProcess, PROGRAM, spawned } from '../support/leasehold-cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
const file = (name: string) => join(folder, name)
const pair = generateKeyPairSync('ed25519')
const pem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
const spki = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
const stranger = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' })

beforeAll(async () => {
  folder = await temporaryFolder('leasehold-mint-')
  await writeFile(file('priv.b64'), pkcs8)
  await writeFile(file('priv.pem'), pem)
  await writeFile(file('pub.b64'), `${spki}\n`)
  await writeFile(file('stranger.b64'), stranger.toString('base64'))
})
afterAll(() => rm(folder, { recursive: true }))

/** What a product's verifier does, with nothing of this project. */
function opened(token: string): Record<string, unknown> {
  const [payload = Buffer.of(), signature = Buffer.of()] = token
    .split('.')
    .map((part) => Buffer.from(part, 'base64'))
  expect(verify(null, payload, pair.publicKey, signature)).toBe(true)
  return JSON.parse(payload.toString())
}

const basics = () => [`--private-key=${file('priv.b64')}`, '--tenant=acme', '--expires=2099-12-31']

describe('mint', () => {
  test('is a program that writes a license as a file of mode 0600, verified before', async () => {
    const { code, out, err } = await spawned([
      'mint',
      ...basics(),
      '--label=ACME',
      '--grace-days=30',
      '--max-apps=50',
      '--max-total-cpu-millis=2147483647',
      `--public-key=${file('pub.b64')}`,
      `--output=${file('license.tok')}`,
      '--verify',
    ])
    expect([code, out, err]).toEqual([0, '', expect.stringContaining(`Wrote ${file('license.tok')}.`)])
    expect((await stat(file('license.tok'))).mode & 0o777).toBe(0o600)
    const token = await readFile(file('license.tok'), 'utf8')
    expect(token).toMatch(/^[A-Za-z0-9+/]+=*\.[A-Za-z0-9+/]{86}==$/)
    const content = opened(token)
    expect(Object.keys(content)).toEqual([
      'exp',
      'gracePeriodDays',
      'iat',
      'label',
      'licenseId',
      'limits',
      'tenantId',
    ])
    expect(content).toMatchObject({
      exp: Date.UTC(2099, 11, 31) / 1000,
      gracePeriodDays: 30,
      label: 'ACME',
      limits: { max_apps: 50, max_total_cpu_millis: 2_147_483_647 },
      tenantId: 'acme',
    })
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test.each([
    ['a PEM file', () => file('priv.pem')],
    ['a base64 file', () => file('priv.b64')],
    ['the PEM itself', () => pem],
    ['the base64 itself', () => pkcs8],
  ])('takes the key as %s, and prints the token alone without --output', async (_, key) => {
    const given = ['--tenant', 'acme', '--expires', '2099-12-31', '--max-apps', '7']
    const { code, out } = await inProcess(['mint', `--private-key=${key()}`, ...given])
    expect(code).toBe(0)
    expect(opened(out.trim())).toMatchObject({ limits: { max_apps: 7 }, gracePeriodDays: 0 })
  })

  test('takes features, tier, id and instance, and tells as JSON what it made', async () => {
    const id = '0190C2E4-7b1a-7c3d-8e4f-0123456789ab'
    const more = ['--features=oidc, air_gap,oidc', '--tier=pro', `--license-id=${id}`, '--instance=i-1']
    const { out } = await inProcess(['mint', ...basics(), ...more, '--max-apps=unlimited', '--json'])
    const { token, ...told } = JSON.parse(out)
    expect(told).toEqual({
      license_id: id.toLowerCase(),
      tenant: 'acme',
      expires_at: '2099-12-31T00:00:00Z',
      grace_days: 0,
      limits: { max_apps: 2_147_483_647 },
      features: ['oidc', 'air_gap'],
      tier: 'pro',
      instance: 'i-1',
      signed_by: expect.stringMatching(/^[\w-]{43}$/),
      verified: false,
    })
    expect(opened(token)).toMatchObject({ features: ['oidc', 'air_gap'], instanceId: 'i-1', tier: 'pro' })
  })

  test.each([
    ['no key', ['--tenant=acme', '--expires=2099-12-31']],
    ['no tenant', ['--private-key=x', '--expires=2099-12-31']],
    ['no date', ['--private-key=x', '--tenant=acme']],
    ['an unknown flag', ['--frobnicate=yes']],
    ['a word too many', ['--private-key=x', '--tenant=acme', '--expires=2099-12-31', 'more']],
    ['a day that is none', ['--expires=2099-02-30']],
    ['a limit that is no whole number', ['--max-apps=1.5']],
    ['a limit below nothing', ['--max-apps=-1']],
    ['a limit past 32 bits', ['--max-apps=2147483648']],
    ['a limit that no license can name', ['--max-Apps=1']],
    ['a limit without a value', ['--max-apps']],
    ['grace below nothing', ['--grace-days=-1']],
    ['an id that is no UUID', ['--license-id=lic_1']],
    ['--verify without a public key', ['--verify']],
    ['--tenants without a folder', ['--tenants=x.csv']],
  ])('with %s is wrong usage: exit code 2', async (what, args) => {
    const whole = /^(no |an unknown|a word)/.test(what) ? args : [...basics(), ...args]
    const { code, out, err } = await inProcess(['mint', ...whole])
    expect([code, out, err]).toEqual([2, '', expect.stringContaining('Usage:')])
  })

  test('with a key that is none fails with 1, and does not repeat it', async () => {
    const secret = 'MC4CAQAwBQYDK2VwBCIEIsekrit'
    const { code, err } = await inProcess(['mint', ...basics().slice(1), `--private-key=${secret}`])
    expect([code, err]).toEqual([1, expect.not.stringContaining('sekrit')])
    await writeFile(file('not-a-key'), 'sekrit')
    const inFile = await inProcess(['mint', ...basics().slice(1), `--private-key=${file('not-a-key')}`])
    expect([inFile.code, inFile.err]).toEqual([1, expect.not.stringContaining('sekrit')])
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    await writeFile(file('rsa.pem'), rsa.export({ format: 'pem', type: 'pkcs8' }))
    const other = await inProcess(['mint', ...basics().slice(1), `--private-key=${file('rsa.pem')}`])
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('another kind than Ed25519')])
  })

  test('into a folder that is not there fails with 1', async () => {
    const { code, err } = await inProcess(['mint', ...basics(), `--output=${file('none/license')}`])
    expect([code, err]).toEqual([1, expect.stringContaining('cannot be written (ENOENT)')])
  })

  describe('leaves no file behind that might be shipped', () => {
    const kept = () => file('earlier.tok')
    const minted = (...args: string[]) => spawned(['mint', ...basics(), `--output=${kept()}`, ...args])

    test('after 3: the public key is another one', async () => {
      await writeFile(kept(), 'earlier')
      const { code, out, err } = await minted(`--public-key=${file('stranger.b64')}`, '--verify')
      expect([code, out, err]).toEqual([3, '', 'VERIFY FAILED: License signature verification failed\n'])
      expect(existsSync(kept())).toBe(false)
    })

    test('after 3: it has expired already', async () => {
      await writeFile(kept(), 'earlier')
      const { code, err } = await minted(`--public-key=${spki}`, '--verify', '--expires=2001-01-01')
      expect([code, err]).toEqual([
        3,
        'VERIFY FAILED: License expired at 2001-01-01T00:00:00Z (grace period 0 days)\n',
      ])
      expect(existsSync(kept())).toBe(false)
    })

    test('after 2 with --verify; without --verify the file stays', async () => {
      await writeFile(kept(), 'earlier')
      expect((await minted('--max-apps=x')).code).toBe(2)
      expect(await readFile(kept(), 'utf8')).toBe('earlier')
      expect((await minted('--verify')).code).toBe(2)
      expect(existsSync(kept())).toBe(false)
    })

    test('and 2 stays 2 where it cannot be removed', async () => {
      const { code, err } = await inProcess(['mint', ...basics(), `--output=${folder}`, '--verify'])
      expect([code, err]).toEqual([2, expect.stringContaining('cannot be removed')])
    })

    test.each(['priv.pem', 'pub.b64', 'link'])('and never a key: --output names %s', async (name) => {
      await symlink(file('priv.pem'), file('link')).catch(() => {})
      const before = await readFile(file(name), 'utf8')
      const keys = [`--private-key=${file('priv.pem')}`, `--public-key=${file('pub.b64')}`, '--verify']
      const call = ['mint', '--tenant=acme', ...keys, `--output=${folder}/./${name}`]
      for (const expires of [['--expires=2099-12-31'], ['--expires=2001-01-01'], []]) {
        expect((await inProcess([...call, ...expires])).code).toBe(2)
        expect(await readFile(file(name), 'utf8')).toBe(before)
      }
    })

    test('nor a token on standard output', async () => {
      const given = [...basics(), `--public-key=${file('stranger.b64')}`, '--verify']
      expect(await inProcess(['mint', ...given])).toMatchObject({ code: 3, out: '' })
    })
  })
})

describe('mint --tenants', () => {
  const list = `\uFEFFtenant,expires,label,grace_days,max_apps,features
acme,2099-12-31,ACME,30,50,oidc
broken,2099-13-01,,,,
"Umbrella, Inc.",,"He said ""hi""",,unlimited,"oidc,air_gap"

short,2099-12-31
open,2099-12-31,"left open,1,2,x
acme,2099-12-31,again,,,
../../escape,2099-12-31,,,1.5,
../../escape,2099-12-31,,,1,
last,2099-12-31,,,3,\r
`
  const bad = [
    { line: 3, error: 'expires must be a day as YYYY-MM-DD' },
    { line: 6, error: 'has 2 columns, the first line 6' },
    { line: 7, error: 'is not readable as CSV: a quote stands where none may, or is not closed' },
    { line: 8, error: 'tenant acme: line 2 has a file of the same name already' },
    { line: 9, error: 'max_apps must be a whole number from 0 to 2147483647' },
  ]
  const all = () => ['mint', `--private-key=${file('priv.pem')}`, '--expires=2098-01-01', '--max-users=9']

  test('lists the bad rows with their line, writes the good ones, and exits with 1', async () => {
    await writeFile(file('tenants.csv'), list)
    const many = [`--tenants=${file('tenants.csv')}`, `--output=${file('many')}`]
    const { code, out, err } = await spawned([...all(), ...many, '--verify', `--public-key=${spki}`])
    expect(code).toBe(1)
    expect(err).toBe(
      [
        `Minted 4 of 9 licenses into ${file('many')}.`,
        '5 failed:',
        ...bad.map(({ line, error }) => `  line ${line}: ${error}`),
        '',
      ].join('\n'),
    )
    const names = ['acme', 'Umbrella%2C%20Inc.', '%2E.%2F..%2Fescape', 'last'].map(
      (name) => `${name}.license`,
    )
    expect((await readdir(file('many'))).toSorted()).toEqual(names.toSorted())
    expect(out.split('\n').filter((line) => line.startsWith('acme '))).toEqual([
      `acme  ${file('many/acme.license')}`,
    ])
    for (const name of names) expect((await stat(file(`many/${name}`))).mode & 0o777).toBe(0o600)
    const umbrella = opened(await readFile(file(`many/${names[1]}`), 'utf8'))
    expect(umbrella).toMatchObject({
      tenantId: 'Umbrella, Inc.',
      label: 'He said "hi"',
      exp: Date.UTC(2098, 0, 1) / 1000,
      features: ['oidc', 'air_gap'],
      limits: { max_apps: 2_147_483_647, max_users: 9 },
    })
  })

  test('tells the same as JSON, from standard input', async () => {
    const { code, out } = await inProcess(
      [...all(), '--tenants=-', `--output=${file('json')}`, '--json'],
      list,
    )
    const told = JSON.parse(out)
    expect([code, told.failed]).toEqual([1, bad])
    expect(told.written.map(({ line, tenant }: Record<string, unknown>) => [line, tenant])).toEqual([
      [2, 'acme'],
      [4, 'Umbrella, Inc.'],
      [10, '../../escape'],
      [11, 'last'],
    ])
  })

  test('does nothing with a header that is wrong', async () => {
    const header = (csv: string) => inProcess([...all(), '--tenants=-', `--output=${file('header')}`], csv)
    expect(await header('tenant,max-apps\nacme,1\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no column is called max-apps'),
    })
    expect((await header('')).err).toContain('the column tenant is missing')
    expect((await header('tenant,tenant\n')).err).toContain('twice')
    expect(existsSync(file('header'))).toBe(false)
  })

  test('refuses all rows under the wrong public key, and takes back what an earlier run wrote', async () => {
    await mkdir(file('again'), { recursive: true })
    await writeFile(file('again/acme.license'), 'earlier')
    const given = [
      '--tenants=-',
      `--output=${file('again')}`,
      '--verify',
      `--public-key=${file('stranger.b64')}`,
    ]
    const { code, err } = await inProcess([...all(), ...given], 'tenant\nacme\n')
    expect([code, err]).toEqual([
      3,
      expect.stringContaining('line 2: VERIFY FAILED: License signature verification failed'),
    ])
    expect(await readdir(file('again'))).toEqual([])
    await writeFile(file('again/late.license'), 'earlier')
    const late = ['--tenants=-', `--output=${file('again')}`, '--verify', `--public-key=${spki}`]
    const rows = 'tenant,expires\nacme,\nacme,\nlate,2099-13-01\n'
    expect((await inProcess([...all(), ...late], rows)).code).toBe(1)
    expect(await readdir(file('again'))).toEqual(['acme.license'])
  })

  test.skipIf(!existsSync('/usr/bin/script'))('draws a progress bar on a terminal', async () => {
    await writeFile(file('two.csv'), 'tenant\na\nb\n')
    const call = [
      process.execPath,
      PROGRAM,
      ...all(),
      `--tenants=${file('two.csv')}`,
      `--output=${file('bar')}`,
    ]
    const shown = execFileSync('script', ['-qec', call.join(' '), '/dev/null'], { encoding: 'utf8' })
    expect(shown).toMatch(/Minting .*0\/2/)
    expect(shown).toContain(`Minted 2 of 2 licenses into ${file('bar')}.`)
  })
})

describe('keys', () => {
  test('generate writes a new private key with mode 0600, and shows the public one in each form', async () => {
    const args = ['--output', file('vendor.pem'), '--public-output', file('vendor.pub')]
    const { code, out, err } = await spawned(['keys', 'generate', ...args])
    expect([code, err]).toEqual([0, expect.stringContaining(file('vendor.pem'))])
    expect((await stat(file('vendor.pem'))).mode & 0o777).toBe(0o600)
    const key = createPublicKey(await readFile(file('vendor.pem')))
    const der = key.export({ format: 'der', type: 'spki' })
    expect(await readFile(file('vendor.pub'), 'utf8')).toBe(`${der.toString('base64')}\n`)
    const { x } = key.export({ format: 'jwk' })
    for (const form of [der.toString('base64'), der.subarray(-32).toString('hex'), `"x":"${x}"`]) {
      expect(out).toContain(form)
    }
    expect(out).toContain(key.export({ format: 'pem', type: 'spki' }).toString())
    expect(out + err).not.toContain('PRIVATE KEY-')
  })

  test('generate never overwrites', async () => {
    const before = await readFile(file('vendor.pem'), 'utf8')
    const { code, err } = await inProcess(['keys', 'generate', '--output', file('vendor.pem')])
    expect([code, err]).toEqual([1, expect.stringContaining('is there already')])
    expect(await readFile(file('vendor.pem'), 'utf8')).toBe(before)
    expect((await inProcess(['keys', 'generate'])).code).toBe(2)
    const half = ['--output', file('half.pem'), '--public-output', file('vendor.pub')]
    expect((await inProcess(['keys', 'generate', ...half])).code).toBe(1)
    expect(existsSync(file('half.pem'))).toBe(false)
  })

  test('show tells one key in every form, whichever form it is given in, and never the private half', async () => {
    const told = await inProcess(['keys', 'show', file('priv.pem'), '--json'])
    const forms = JSON.parse(told.out)
    expect(forms).toEqual({
      kid: expect.stringMatching(/^[\w-]{43}$/),
      pem: pair.publicKey.export({ format: 'pem', type: 'spki' }),
      spki,
      jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid: forms.kid },
      hex: Buffer.from(spki, 'base64').subarray(-32).toString('hex'),
    })
    for (const text of [pkcs8, forms.pem, forms.spki, forms.hex, JSON.stringify(forms.jwk)]) {
      const shown = await inProcess(['keys', 'show', '-', '--json'], `${text}\n`)
      expect(JSON.parse(shown.out)).toEqual(forms)
    }
    expect((await inProcess(['keys', 'show', file('priv.pem'), '--format', 'spki'])).out).toBe(`${spki}\n`)
    expect((await inProcess(['keys', 'show', file('priv.pem'), '--format', 'der'])).code).toBe(2)
    expect(told.out).not.toContain(pkcs8.slice(-43))
    expect(await inProcess(['keys', 'show', '-'], 'sekrit')).toMatchObject({
      code: 1,
      err: expect.not.stringContaining('sekrit'),
    })
  })

  test('what generate made mints and verifies', async () => {
    const keys = [`--private-key=${file('vendor.pem')}`, `--public-key=${file('vendor.pub')}`]
    const given = ['--tenant=acme', '--expires=2099-12-31', '--verify']
    expect((await inProcess(['mint', ...keys, ...given])).code).toBe(0)
  })
})
