// Programs of the tests as one file each: they start as fast as the machine allows, which matters when it is often.
import { join } from 'node:path'
import { build } from 'esbuild'

const HERE = import.meta.dirname
/** Packages of the old form look for `require`. */
const BANNER = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);`

/** `name` is a program of this folder. Returns the file's path in `folder`. */
export async function bundle(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`)
  await build({
    entryPoints: [join(HERE, `${name}.ts`)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    outfile,
    logLevel: 'error',
  })
  return outfile
}
