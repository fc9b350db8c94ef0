// Programs as one file each: they start in a quarter of the time, which matters where it is often.
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '../..')
/** As deep as the folders of `src`: what lies beside the source is found from there. */
const HOME = JSON.stringify(pathToFileURL(join(ROOT, 'src/bundle/program.mjs')).href)
/** Packages of the old form look for `require`. */
const BANNER = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(${HOME});`

/** `source` is a path in the clone. Returns the path of the program in `folder`. */
export async function bundle(source: string, folder: string): Promise<string> {
  const outfile = join(folder, source.replaceAll('/', '-').replace(/\.ts$/, '.mjs'))
  await build({
    entryPoints: [join(ROOT, source)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    define: { 'import.meta.url': HOME },
    banner: { js: BANNER },
    outfile,
    logLevel: 'error',
  })
  return outfile
}
