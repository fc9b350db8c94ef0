// The package as a vendor gets it: built, packed, installed alone into an empty project, type-checked, and run on the
// Nodes that are there against the real server.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Metafile } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { buildEnforce, buildSdk } from '../../scripts/build-sdk.ts'
import { credentialsIn, type LeaseholdProcess, workplace } from '../support/leasehold-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const run = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const SDK = join(ROOT, 'src/sdk')
const ENFORCE = join(SDK, 'enforce')
const MOST_BYTES = 70_000

const PROGRAM = `
import { defineLimits, enforceLimits } from '@leasehold/enforce'
import { answerCap as capsInExpress } from '@leasehold/enforce/express'
import { licenseRoutes } from '@leasehold/enforce/hono'
import { memoryStore, openLicenseService } from '@leasehold/enforce/offline'
import { startLicense, type LicenseOptions } from '@leasehold/sdk'
import { requireFeature as inExpress } from '@leasehold/sdk/express'
import { requireFeature as inHono } from '@leasehold/sdk/hono'
import { startLicenseOn } from '@leasehold/sdk/portable'
import { DAY, testServer, virtualClock } from '@leasehold/sdk/testing'

type Feature = 'audit_logs' | 'air_gap'
type Limit = 'max_agents'

const options: LicenseOptions<Feature, Limit> = {
  product: 'keldris',
  version: '1.4.0',
  serverUrl: process.env.SERVER_URL ?? '',
  trust: { issuer: process.env.ISSUER ?? '', roots: [process.env.ROOT_KEY ?? ''] },
  apiKey: process.env.API_KEY ?? '',
  dataDir: process.env.DATA_DIR ?? '',
  community: { limits: { max_agents: 3 } },
}
const license = await startLicense(options)
const gates = [typeof inHono(license, 'air_gap'), typeof inExpress(license, 'air_gap')]
const online = { state: license.state, source: license.source, reason: license.reason }
await license.refreshNow()
await license.stop()

const began = performance.now()
const cached = await startLicense(options)
const msToStart = performance.now() - began
const fromCache = { state: cached.state, source: cached.source }
const rights = [cached.has('audit_logs'), cached.has('air_gap'), cached.limit('max_agents')]

// The best of ten: a busy machine says nothing of the look-up.
const LOOKUPS = 1_000_000
let granted = 0
let nsPerHas = Number.POSITIVE_INFINITY
for (let round = 0; round < 10; round++) {
  const from = performance.now()
  for (let i = 0; i < LOOKUPS; i++) granted += Number(cached.has('audit_logs'))
  nsPerHas = Math.min(nsPerHas, ((performance.now() - from) * 1e6) / LOOKUPS)
}
await cached.stop()

const clock = virtualClock()
const server = await testServer({ clock, features: ['audit_logs'], leaseSeconds: 86_400, graceDays: 1 })
const { host, ...given } = server.options()
const tested = await startLicenseOn(host, given)
server.fail('down')
await clock.advance(3 * DAY)

const offline = enforceLimits(
  await startLicense({
    product: 'keldris',
    version: '1.4.0',
    trust: {},
    dataDir: false,
    community: { limits: defineLimits({ max_apps: 3 }) },
  }),
  { audit() {} },
)
const service = await openLicenseService(offline, { tenantId: 'acme', store: memoryStore() })
const routes = [typeof licenseRoutes(service, { admin: () => 'alice' }), typeof capsInExpress]
const verdict = offline.withinCap('max_apps', 3)
const enforced = [verdict.ok ? 'within' : verdict.message, service.current().state, ...routes]
service.stop()

console.log(JSON.stringify({
  enforced, online, fromCache, rights, gates, granted, msToStart, nsPerHas, node: process.version,
  offline: [tested.state, tested.has('audit_logs')],
}))
// @ts-expect-error: a feature that this product does not have
license.has('audit_log')
// @ts-expect-error: a limit that it does not have
export const misspelt = () => offline.withinCap('max_app', 3)
`

const COMPILER = {
  nodenext: { module: 'nodenext', lib: ['ES2022'], types: ['node'] },
  bundler: { module: 'esnext', moduleResolution: 'bundler', lib: ['ES2022', 'DOM'], types: ['node'] },
  strictest: { module: 'nodenext', exactOptionalPropertyTypes: true, verbatimModuleSyntax: true },
}

const place = workplace()
let sources: Metafile
let project: string
let enforceSources: Metafile
let tarball: { size: number; files: { path: string }[] }
let enforceTarball: typeof tarball
let server: LeaseholdProcess
let environment: Record<string, string>

beforeAll(async () => {
  sources = await buildSdk()
  enforceSources = await buildEnforce()
  project = await temporaryFolder('leasehold-sdk-')
  const pack = async (folder: string) => {
    const packed = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: folder })
    const [first] = JSON.parse(packed.stdout) as [typeof tarball & { filename: string }]
    return first
  }
  const packed = [await pack(SDK), await pack(ENFORCE)] as const
  ;[tarball, enforceTarball] = packed
  await writeFile(join(project, 'package.json'), '{"private":true,"type":"module"}')
  const install = [
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    ...packed.map(({ filename }) => `./${filename}`),
  ]
  await run('npm', install, { cwd: project })
  await writeFile(join(project, 'program.ts'), PROGRAM)
  const dataDir = await place.dataDir()
  server = await place.start({ dataDir })
  const { api_key, issuer, root_public_key } = await credentialsIn(dataDir)
  environment = { SERVER_URL: server.url, API_KEY: api_key, ISSUER: issuer, ROOT_KEY: root_public_key }
}, 120_000)

afterAll(() => place.clear())

/** `<runtime>` is the bundler's own helper that names functions, written into the bundle. */
const isForeign = ({ external, path }: { external?: boolean; path: string }) =>
  external === true && path !== '<runtime>'

describe('what is in it', () => {
  const inputs = () => Object.keys(sources.inputs)

  test('is the SDK, what a license means, and the contract: no minting, no schema, no package', () => {
    expect(inputs().filter((path) => !/^src\/(sdk|license|contract)\//.test(path))).toEqual([])
    expect(inputs().filter((path) => /\.(schema|routes)\.ts$/.test(path))).toEqual([])
    expect(inputs()).toContain('src/sdk/start.ts')
  })

  test('holds no file of the mint and no word that signs, but in the kit for tests, which signs with keys of its own', async () => {
    const paths = tarball.files.map(({ path }) => path)
    expect(paths.filter((path) => /mint/i.test(path))).toEqual([])
    const folder = join(project, 'node_modules/@leasehold/sdk')
    const matching = async (words: RegExp): Promise<string[]> => {
      const found: string[] = []
      for (const path of paths.filter((name) => name.endsWith('.js'))) {
        if (words.test(await readFile(join(folder, path), 'utf8'))) found.push(path)
      }
      return found
    }
    expect(await matching(/signRaw|openSigningKey|openRootKey|pkcs8/)).toEqual([])
    // testServer() makes its keys when a test starts, and cannot be given any.
    expect(await matching(/["'`]sign["'`]|subtle\.sign\b/)).toEqual(['dist/testing.js'])
    const reachedBy = Object.entries(sources.outputs).filter(([, { entryPoint }]) => entryPoint)
    for (const [path, { imports }] of reachedBy) {
      expect(
        imports.filter((imported) => imported.path.endsWith('/testing.js')),
        path,
      ).toEqual([])
    }
  })

  test('only the Node host imports from Node, and nothing imports a package', () => {
    const foreign = Object.entries(sources.inputs).flatMap(([path, { imports }]) =>
      imports.filter(isForeign).map((imported) => ({ path, to: imported.path })),
    )
    expect(foreign.filter(({ to }) => !to.startsWith('node:'))).toEqual([])
    expect(
      [...new Set(foreign.map(({ path }) => path))].filter((path) => !path.includes('/host/node')),
    ).toEqual([])
    expect(foreign.length).toBeGreaterThan(0)
  })

  test('every entry but Node’s own reaches no node: module, whatever the chunks are', async () => {
    const reach = async (file: string, seen = new Set<string>()): Promise<string> => {
      if (seen.has(file)) return ''
      seen.add(file)
      const text = await readFile(join(project, 'node_modules/@leasehold/sdk/dist', file), 'utf8')
      const next = [...text.matchAll(/(?:from|import)\s*\(?["']\.\/([\w.-]+)["']/g)]
      return text + (await Promise.all(next.map(([, to = '']) => reach(to, seen)))).join('')
    }
    for (const entry of ['portable.js', 'hono.js', 'express.js', 'testing.js']) {
      expect(await reach(entry), entry).not.toMatch(/["']node:|\brequire\(|\bprocess\.|\bBuffer\b/)
    }
    expect(await reach('index.js')).toMatch(/["']node:fs/)
  })

  test('is packed in under 70 kB, without sources, and brings no dependency', async () => {
    const { size, files } = tarball
    process.stdout.write(`tarball: ${size} bytes, ${files.length} files\n`)
    expect(size).toBeLessThan(MOST_BYTES)
    const expected = /^(dist\/.*\.(js|d\.ts)|package\.json|README\.md)$/
    expect(files.map(({ path }) => path).filter((path) => !expected.test(path))).toEqual([])
    expect(files.map(({ path }) => path)).toContain('README.md')
    expect(await readdir(join(project, 'node_modules'))).toEqual(['.package-lock.json', '@leasehold'])
  })

  test('the enforcement beside it is as small, signs nothing, and reaches no node: module and no database client', async () => {
    const { size, files } = enforceTarball
    process.stdout.write(`@leasehold/enforce: ${size} bytes, ${files.length} files\n`)
    expect(size).toBeLessThan(MOST_BYTES)
    const inputs = Object.entries(enforceSources.inputs)
    expect(
      inputs.map(([path]) => path).filter((path) => !/^src\/(sdk|license|contract)\//.test(path)),
    ).toEqual([])
    expect(inputs.flatMap(([, { imports }]) => imports).filter(isForeign)).toEqual([])
    const folder = join(project, 'node_modules/@leasehold/enforce')
    for (const { path } of files.filter((file) => file.path.endsWith('.js'))) {
      const text = await readFile(join(folder, path), 'utf8')
      expect(text, path).not.toMatch(
        /["'`]sign["'`]|signRaw|openSigningKey|pkcs8|["']node:|\brequire\(|\bprocess\./,
      )
    }
  })
})

describe('its types', () => {
  test.each(Object.entries(COMPILER))(
    'are accepted by tsc under %s, declarations checked too',
    async (name, options) => {
      const folder = join(project, name)
      await mkdir(folder)
      await writeFile(join(folder, 'program.ts'), PROGRAM)
      const compilerOptions = {
        target: 'ES2022',
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        types: ['node'],
        typeRoots: [join(ROOT, 'node_modules/@types')],
        ...options,
      }
      await writeFile(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['program.ts'] }),
      )
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
      const checked = await run(process.execPath, [tsc, '-p', folder]).catch(
        (error: { stdout: string }) => error,
      )
      expect(checked.stdout).toBe('')
    },
  )
})

/** The Nodes of this machine: ours, and whichever is installed beside it. */
const nodes = [process.execPath, '/usr/bin/node', '/usr/local/bin/node']
  .filter((path) => existsSync(path))
  .map((path) => ({ path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim() }))
  .filter(({ version }) => Number(version.slice(1).split('.')[0]) >= 20)
  .filter(({ version }, i, all) => all.findIndex((other) => other.version === version) === i)

describe.each(nodes)('on Node $version', ({ path, version }) => {
  test('it starts against the real server, and from its cache', async () => {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    const emit = ['--module', 'nodenext', '--target', 'ES2022', '--outDir', join(project, 'out'), ...types]
    await run(process.execPath, [tsc, '--ignoreConfig', ...emit, join(project, 'program.ts')], {
      cwd: project,
    })
    const dataDir = join(project, `data-${version}`)
    const { stdout, stderr } = await run(path, [join(project, 'out/program.js')], {
      cwd: project,
      env: { ...environment, DATA_DIR: dataDir },
    })
    expect(stderr).toBe('')
    const { msToStart, nsPerHas, ...found } = JSON.parse(stdout) as Record<string, unknown>
    process.stdout.write(
      `Node ${version}: ${Number(nsPerHas).toFixed(1)} ns per has, ${Number(msToStart).toFixed(1)} ms to start from cache\n`,
    )
    expect(found).toEqual({
      enforced: [
        'No license installed: default tier applies (cap = 3 for max_apps). Install a license to raise this.',
        'ABSENT',
        'function',
        'function',
      ],
      online: { state: 'ACTIVE', source: 'online', reason: null },
      fromCache: { state: 'ACTIVE', source: 'cache' },
      rights: [true, false, 100],
      gates: ['function', 'function'],
      granted: 10_000_000,
      offline: ['EXPIRED', false],
      node: version,
    })
    expect(Number(nsPerHas)).toBeLessThan(2000)
    expect((await stat(join(dataDir, 'license-cache.jwt'))).mode & 0o777).toBe(0o600)
  })
})
