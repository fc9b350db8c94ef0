// The arrows of the architecture, held against every import of src/ as it resolves on disk.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

/** What each part may import of the others; itself always. */
const ARROWS: Record<string, readonly string[]> = {
  contract: [],
  // The rules of a socket of the live channel hold at the server and at a relay.
  platform: ['contract'],
  license: ['contract'],
  mint: ['license', 'contract'],
  db: ['platform', 'contract'],
  config: ['platform'],
  domain: ['db', 'mint', 'license', 'platform', 'contract'],
  http: ['domain', 'db', 'license', 'platform', 'contract'],
  jobs: ['domain', 'db', 'platform', 'contract'],
  sdk: ['license', 'contract'],
  relay: ['sdk', 'license', 'config', 'platform', 'contract'],
  server: ['http', 'jobs', 'domain', 'db', 'mint', 'config', 'platform', 'contract'],
  // A drill plays vendor and customer on one machine: it opens the app and the SDK.
  drill: ['server', 'http', 'domain', 'mint', 'license', 'sdk', 'db', 'config', 'platform', 'contract'],
  cli: [
    'drill',
    'server',
    'http',
    'relay',
    'domain',
    'mint',
    'license',
    'db',
    'config',
    'platform',
    'contract',
  ],
  'node.ts': ['server', 'http', 'jobs', 'domain', 'db', 'config', 'platform', 'contract'],
  worker: ['server', 'http', 'domain', 'db', 'mint', 'config', 'platform', 'contract'],
  'worker.ts': ['worker', 'server', 'http', 'jobs', 'domain', 'db', 'config', 'platform', 'contract'],
}

interface Import {
  from: string
  to: string
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !/(^|\/)(dist|node_modules)\//.test(name))
  .map((name) => name.replaceAll('\\', '/'))

const SPECIFIER = /(?:^|\n)\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g

const specifiers = (file: string): string[] =>
  [...readFileSync(join(SRC, file), 'utf8').matchAll(SPECIFIER)].map((match) => match[1] ?? match[2] ?? '')

const imports: Import[] = files.flatMap((file) =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => ({ from: file, to: relative(SRC, join(SRC, dirname(file), specifier)) })),
)

/** What workerd has of Node's, by name: functions of pure computation, and timers. */
const WORKER_NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': [
    'createCipheriv',
    'createDecipheriv',
    'createHash',
    'createHmac',
    'createPrivateKey',
    'createPublicKey',
    'sign',
    'timingSafeEqual',
    'verify',
  ],
  'node:net': ['isIP', 'isIPv6'],
  'node:timers/promises': ['setImmediate'],
  'node:url': ['fileURLToPath'],
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(?!type\b)([^'"]*?)from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g

/** Imports that are left when the types are gone; a dynamic one takes the whole module, as `*`. */
function valueImports(file: string): { from: string; names: string[] }[] {
  return [...readFileSync(join(SRC, file), 'utf8').matchAll(IMPORT)].map(([, clause = '', from, dynamic]) => {
    if (dynamic !== undefined) return { from: dynamic, names: ['*'] }
    const [, inBraces] = /\{([^}]*)\}/.exec(clause) ?? []
    const names = (inBraces ?? '*').split(',').map((name) => name.trim())
    return { from: from ?? '', names: names.filter((name) => name !== '' && !name.startsWith('type ')) }
  })
}

/** Every file that an entry needs at run time, itself too. */
function reachedFrom(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry) || entry.startsWith('..')) return seen
  seen.add(entry)
  for (const { from } of valueImports(entry)) {
    if (from.startsWith('.')) reachedFrom(relative(SRC, join(SRC, dirname(entry), from)), seen)
  }
  return seen
}

const part = (file: string): string => file.split('/')[0] ?? ''

/** Imports that no arrow allows. */
function violations(found: readonly Import[]): string[] {
  return found
    .filter(({ to }) => !to.startsWith('..'))
    .filter(({ from, to }) => part(from) !== part(to) && !ARROWS[part(from)]?.includes(part(to)))
    .map(({ from, to }) => `${from} → ${to}`)
}

/** The folder of a file within a part: `rights` of `domain/rights/license-facts.ts`. */
const folderIn = (within: string, file: string): string | null =>
  file.startsWith(`${within}/`) ? (file.slice(within.length + 1).split('/')[0] ?? null) : null

/**
 * Folders that import each other in a circle, types counted, each with one import that ties it. Empty where all imports
 * between the folders of `within` point down.
 */
function folderCircles(found: readonly Import[], within: string): string[] {
  const arrows = new Map<string, Map<string, Import>>()
  for (const one of found) {
    const [from, to] = [folderIn(within, one.from), folderIn(within, one.to)]
    if (from === null || to === null || from === to) continue
    const out = arrows.get(from) ?? new Map<string, Import>()
    arrows.set(from, out.set(to, one))
  }
  const reaches = (from: string, goal: string, seen = new Set<string>()): boolean =>
    [...(arrows.get(from)?.keys() ?? [])].some((next) => {
      if (next === goal) return true
      if (seen.has(next)) return false
      seen.add(next)
      return reaches(next, goal, seen)
    })
  return [...arrows].flatMap(([from, out]) =>
    [...out].filter(([to]) => reaches(to, from)).map(([, one]) => `${one.from} → ${one.to}`),
  )
}

/** These files, and all that they import, directly or not. */
function reach(from: readonly string[]): string[] {
  const seen = new Set(from)
  for (const file of seen) for (const { to } of imports.filter((found) => found.from === file)) seen.add(to)
  return [...seen]
}

describe('the import graph', () => {
  test('every part of src/ has its arrows', () => {
    expect([...new Set(files.map(part))].filter((name) => !(name in ARROWS))).toEqual([])
  })

  test('every relative import names a file that is there', () => {
    const missing = imports.filter(
      ({ to }) => !to.startsWith('..') && !statSync(join(SRC, to), { throwIfNoEntry: false }),
    )
    expect(missing).toEqual([])
  })

  test('imports point one way', () => {
    expect(violations(imports)).toEqual([])
  })

  test('an arrow that points the wrong way is found', () => {
    const wrong = [{ from: 'platform/clock.ts', to: 'domain/kernel/context.ts' }]
    expect(violations(wrong)).toEqual(['platform/clock.ts → domain/kernel/context.ts'])
  })

  test('no two folders of the domain import each other, directly or around a corner', () => {
    expect(folderCircles(imports, 'domain')).toEqual([])
  })

  test('a circle of folders is found', () => {
    const circle = [
      { from: 'domain/a/one.ts', to: 'domain/b/two.ts' },
      { from: 'domain/b/three.ts', to: 'domain/c/four.ts' },
      { from: 'domain/c/four.ts', to: 'domain/a/five.ts' },
      { from: 'domain/a/one.ts', to: 'domain/d/six.ts' },
    ]
    expect(folderCircles(circle, 'domain')).toEqual([
      'domain/a/one.ts → domain/b/two.ts',
      'domain/b/three.ts → domain/c/four.ts',
      'domain/c/four.ts → domain/a/five.ts',
    ])
  })

  test('nothing that the SDK or the relay can reach is mint/', () => {
    const reached = reach(files.filter((file) => ['sdk', 'relay'].includes(part(file))))
    expect(reached.filter((file) => part(file) === 'mint')).toEqual([])
    expect(reached).toContain('license/envelope.ts')
    expect(reach(['cli/commands/mint.ts'])).toContain('mint/sign-raw.ts')
  })

  test('T4: nobody outside mint/ signs bare bytes', () => {
    const signers = imports.filter(({ to }) => to === 'mint/ed25519.ts').map(({ from }) => from)
    expect(signers.filter((file) => part(file) !== 'mint')).toEqual([])
    expect(signers).toContain('mint/sign-jws.ts')
  })

  test('the linter refuses mint/ to the SDK and the relay as well', () => {
    const { overrides } = JSON.parse(readFileSync(join(SRC, '../biome.json'), 'utf8')) as {
      overrides: { includes: string[] }[]
    }
    const refusing = overrides.filter((rule) => JSON.stringify(rule).includes('**/mint/**'))
    const covered = refusing.flatMap(({ includes }) => includes)
    for (const folder of ['src/sdk/**', 'src/sdk/host/node*', 'src/relay/**'])
      expect(covered).toContain(folder)
  })

  test('the messages and claims import nothing, their schemas zod alone', () => {
    for (const file of files.filter((name) => part(name) === 'contract')) {
      const allowed = /\.schema\.ts$|routes\.ts$/.test(file) ? ['zod'] : []
      const foreign = specifiers(file).filter((specifier) => !specifier.startsWith('.'))
      expect(
        foreign.filter((specifier) => !allowed.includes(specifier)),
        file,
      ).toEqual([])
    }
  })

  test('license/ and sdk/ run anywhere: no Node module outside the host of the SDK', () => {
    for (const file of files.filter((name) => ['license', 'sdk'].includes(part(name)))) {
      if (file.startsWith('sdk/host/node')) continue
      expect(
        specifiers(file).filter((specifier) => specifier.startsWith('node:')),
        file,
      ).toEqual([])
    }
  })

  test('a Worker reaches no module that needs a disk, a process or a socket of Node’s', () => {
    const reached = reachedFrom('worker.ts')
    expect(reached.size).toBeGreaterThan(100)
    const needed = [...reached].flatMap((file) =>
      valueImports(file)
        .filter(({ from }) => from.startsWith('node:'))
        .map((found) => ({ file, ...found })),
    )
    const foreign = needed.filter(
      ({ from, names }) => !names.every((name) => WORKER_NODE_MODULES[from]?.includes(name)),
    )
    expect(foreign).toEqual([])
    expect(needed.map(({ from }) => from)).toContain('node:crypto')
  })

  test('the domain knows nothing of HTTP', () => {
    for (const file of files.filter((name) => part(name) === 'domain')) {
      expect(
        specifiers(file).filter((specifier) => /hono/.test(specifier)),
        file,
      ).toEqual([])
    }
  })

  test('the domain reads no clock but the one it is given', () => {
    const reading = /\bnew Date\(|\bDate\.(now|parse|UTC)\b|\bperformance\.now\b/
    const found = files.filter(
      (file) => part(file) === 'domain' && reading.test(readFileSync(join(SRC, file), 'utf8')),
    )
    expect(found).toEqual([])
  })

  const routes = files
    .filter((name) => name.endsWith('routes.ts') && part(name) === 'contract')
    .flatMap((file) =>
      readFileSync(join(SRC, file), 'utf8')
        .split(/^export const /m)
        .slice(1),
    )
    .filter((declared) => /^ {2}path: /m.test(declared))

  test('every route is called in the document as it is in the contract', () => {
    const unlike = routes
      .map((route) => ({ route, name: route.split(' ', 1)[0]?.replace(/Route$/, '') ?? '' }))
      .filter(({ route, name }) => !route.includes(`\n  operationId: '${name}',\n`))
      .map(({ name }) => `${name}Route needs operationId: '${name}' after its path`)
    expect(unlike).toEqual([])
  })

  test('every route of the admin API declares its role', () => {
    const lacking = routes
      .filter((route) => route.includes("path: '/api/v1/admin/") && !/^ {2}'x-role': '/m.test(route))
      .map((route) => `${route.split(' ', 1)[0]} needs 'x-role' after its path`)
    expect(lacking).toEqual([])
  })

  test('no file has grown past 300 lines', () => {
    const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 301)
    expect(long).toEqual([])
  })
})
