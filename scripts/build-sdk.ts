// Writes src/sdk/dist: one bundle an entry, over shared chunks, and the declarations that the entries reach.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { build, type Metafile } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')
const SDK = join(ROOT, 'src/sdk')
const DIST = join(SDK, 'dist')
const TYPES = join(DIST, 'types')

/** Bundle → source, as src/sdk/package.json exports them. */
const ENTRIES = {
  index: 'host/node-start',
  portable: 'public',
  hono: 'hono',
  express: 'express',
  testing: 'testing/index',
}

const SPECIFIER = /(\bfrom\s*['"]|\bimport\(['"])(\.[^'"]+)(['"])/g

/** Builds it, and tells which sources went into each file. */
export async function buildSdk(): Promise<Metafile> {
  rmSync(DIST, { recursive: true, force: true })
  const sources = await bundle()
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.sdk.json')], { stdio: 'inherit' })
  dropUnreached()
  return sources
}

/** Names stay as they are, so that a stack trace at a customer's can be read. */
async function bundle(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    metafile: true,
    entryPoints: Object.fromEntries(
      Object.entries(ENTRIES).map(([name, source]) => [name, join(SDK, `${source}.ts`)]),
    ),
    outdir: DIST,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    chunkNames: 'shared-[hash]',
    logLevel: 'warning',
  })
  return metafile
}

/** Deletes the declarations that no entry needs. */
function dropUnreached(): void {
  const kept = new Set<string>()
  for (const source of Object.values(ENTRIES)) keep(join(TYPES, 'sdk', `${source}.d.ts`), kept)
  for (const name of readdirSync(TYPES, { recursive: true, encoding: 'utf8' })) {
    const path = join(TYPES, name)
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

if (import.meta.main) await buildSdk()
