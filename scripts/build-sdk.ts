// Writes src/sdk/dist and src/sdk/enforce/dist, the two packages of a product: one bundle an entry, over shared chunks, and
// the declarations that the entries reach.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { build, type Metafile } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')
const SOURCES = join(ROOT, 'src/sdk')

interface Package {
  /** Where its package.json is; `dist` goes beside it. */
  folder: string
  tsconfig: string
  /** Bundle → source, as the package.json exports them. */
  entries: Readonly<Record<string, string>>
}

const SDK: Package = {
  folder: SOURCES,
  tsconfig: 'tsconfig.sdk.json',
  entries: {
    index: 'host/node-start',
    portable: 'public',
    hono: 'hono',
    express: 'express',
    testing: 'testing/index',
  },
}

const ENFORCE: Package = {
  folder: join(SOURCES, 'enforce'),
  tsconfig: 'tsconfig.enforce.json',
  entries: {
    index: 'enforce/index',
    offline: 'offline/index',
    hono: 'enforce/hono',
    express: 'enforce/express',
  },
}

const SPECIFIER = /(\bfrom\s*['"]|\bimport\(['"])(\.[^'"]+)(['"])/g

/** Builds one package, and tells which sources went into each file. */
async function buildPackage(made: Package): Promise<Metafile> {
  const dist = join(made.folder, 'dist')
  rmSync(dist, { recursive: true, force: true })
  const sources = await bundle(made, dist)
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, made.tsconfig)], { stdio: 'inherit' })
  dropUnreached(made, join(dist, 'types'))
  return sources
}

export const buildSdk = (): Promise<Metafile> => buildPackage(SDK)
export const buildEnforce = (): Promise<Metafile> => buildPackage(ENFORCE)

/** Functions keep their names, so that a stack trace at a customer's can be read. */
async function bundle({ entries }: Package, outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    metafile: true,
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, source]) => [name, join(SOURCES, `${source}.ts`)]),
    ),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: true,
    keepNames: true,
    chunkNames: 'shared-[hash]',
    logLevel: 'warning',
  })
  return metafile
}

/** Deletes the declarations that no entry needs. */
function dropUnreached({ entries }: Package, types: string): void {
  const kept = new Set<string>()
  for (const source of Object.values(entries)) keep(join(types, 'sdk', `${source}.d.ts`), kept)
  for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    const path = join(types, name)
    if (name.endsWith('.ts') && !kept.has(path)) rmSync(path)
  }
}

/** Keeps a declaration and what it imports: by the names of sources as emitted, by .js names as published. */
function keep(path: string, kept: Set<string>): void {
  if (kept.has(path)) return
  kept.add(path)
  const text = readFileSync(path, 'utf8')
  const published = text.replace(SPECIFIER, (_all, before: string, specifier: string, after: string) => {
    const name = specifier.replace(/\.ts$/, '')
    keep(join(dirname(path), `${name}.d.ts`), kept)
    return `${before}${name}.js${after}`
  })
  writeFileSync(path, published)
}

if (import.meta.main) {
  await buildSdk()
  await buildEnforce()
}
