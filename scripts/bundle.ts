// Programs of this clone as bundles: a few files instead of hundreds, which start in a fifth of the time. What lies
// beside the sources (migrations, package.json) is still read from the clone. As a program of its own, with a source and a
// folder as arguments, it prints what it made as JSON.
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = resolve(import.meta.dirname, '..')
/** As deep as the folders of `src`: what lies beside the source is found from there. */
const HOME = JSON.stringify(pathToFileURL(join(ROOT, 'src/bundle/program.mjs')).href)
/** Packages of the old form look for `require`. */
const BANNER = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(${HOME});`

export interface Bundle {
  /** Path of the program, whose parts lie beside it. */
  program: string
  /** Every file that went in, as paths in the clone. */
  inputs: string[]
}

/** Bundles `source`, a path in the clone, into `folder`, with source maps. @throws when esbuild is not installed. */
export async function bundle(source: string, folder: string): Promise<Bundle> {
  const { build } = await import('esbuild')
  const name = source.replaceAll('/', '-').replace(/\.ts$/, '')
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { [name]: source },
    bundle: true,
    // What is imported later is a file of its own: modules of one file that are run one by one cost more.
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    define: { 'import.meta.url': HOME },
    banner: { js: BANNER },
    sourcemap: 'linked',
    sourcesContent: false,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    metafile: true,
    logLevel: 'silent',
  })
  return { program: join(folder, `${name}.mjs`), inputs: Object.keys(metafile.inputs) }
}

if (import.meta.main) {
  const [source = '', folder = ''] = process.argv.slice(2)
  try {
    process.stdout.write(JSON.stringify(await bundle(source, folder)))
  } catch (error) {
    process.stderr.write((error as Error).message)
    process.exitCode = 1
  }
}
