#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript that old versions read too; knows no command.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const OLDEST = [22, 18]
const here = fileURLToPath(import.meta.url)
const root = dirname(dirname(here))

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** The Node of the `node` package beside us, or null. */
function ownNode() {
  try {
    const manifest = createRequire(import.meta.url)('node/package.json')
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const file = join(folder, manifest.bin.node)
    return isNewEnough(manifest.version) && existsSync(file) ? file : null
  } catch {
    return null
  }
}

async function run() {
  if (isNewEnough(process.versions.node)) {
    const source = join(root, 'src', 'cli', 'main.ts')
    const file = existsSync(source) ? source : join(root, 'dist', 'cli', 'main.js')
    const { main } = await import(pathToFileURL(file).href)
    return main(process.argv.slice(2), process.env)
  }
  const node = ownNode()
  if (node === null) {
    process.stderr.write(
      `Leasehold needs Node ${OLDEST.join('.')} or newer; this is ${process.versions.node}.\n`,
    )
    return 1
  }
  const child = spawnSync(node, [here, ...process.argv.slice(2)], { stdio: 'inherit' })
  if (child.signal) process.kill(process.pid, child.signal)
  return child.status ?? 1
}

process.exitCode = await run()
