// The server as a bundle that is kept from start to start: used as long as nothing that went into it has changed, else
// made anew. Plain JavaScript, because reading TypeScript costs a start 80 ms.
import { spawnSync } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const SOURCE = 'src/node.ts'
/** What decides about a bundle beside the files in it: how it is made, by which bundler, of which packages. */
const MAKERS = [
  'scripts/bundle.ts',
  'node_modules/esbuild/package.json',
  'node_modules/.package-lock.json',
  'package.json',
]
const RECORD = 'server.json'
/** Bundles that stay beside the newest: a server that runs one still reads its source map. */
const OLDER = 2
/** Milliseconds for which another start may still be at work on a bundle, or about to load it. */
const UNDER_WAY = 600_000
/** Milliseconds by which the time that the system gives to a file may lag behind the clock. */
const LAG = 50

/**
 * The program to run, and the folder for its compiled form.
 * @throws Error that says why there is no bundle: no bundler, an error in a source, or no folder to write to.
 */
export async function keptProgram() {
  const folders = folderCandidates()
  for (const folder of folders) {
    const found = find(folder)
    if (found) return found
  }
  return make(folders)
}

/** Beside the packages; for somebody who may not write there, in a cache of their own. */
function folderCandidates() {
  const { XDG_CACHE_HOME: given = '' } = process.env
  const caches = isAbsolute(given) ? given : join(homedir(), '.cache')
  return [
    join(ROOT, 'node_modules/.cache/leasehold'),
    join(caches, 'leasehold', hash('sha256', ROOT).slice(0, 16)),
  ]
}

function find(folder) {
  try {
    const { root, made, parts, inputs } = JSON.parse(readFileSync(join(folder, RECORD), 'utf8'))
    if (!isTrusted(folder) || root !== ROOT) return null
    if (!Object.entries(inputs).every(([path, known]) => isSame(path, known))) return null
    const whole = Object.entries(parts).every(
      ([name, size]) => statSync(join(folder, made, name)).size === size,
    )
    return whole ? within(join(folder, made)) : null
  } catch {
    return null
  }
}

/** Nobody may write to it who could not change the sources as well. */
function isTrusted(folder) {
  const { uid, mode } = lstatSync(folder)
  return [0, process.getuid?.(), statSync(ROOT).uid].includes(uid) && (mode & 0o022) === 0
}

/** By size and times, as they are cheap to look at, else by content: a copy of the tree has other times. */
function isSame(path, [stamp, content]) {
  return stamp === stampOf(path) || content === contentOf(path)
}

function stampOf(path) {
  const found = statSync(join(ROOT, path), { throwIfNoEntry: false })
  return found ? `${found.size} ${found.mtimeMs} ${found.ctimeMs}` : 'absent'
}

function contentOf(path) {
  try {
    return hash('sha256', readFileSync(join(ROOT, path)))
  } catch {
    return 'absent'
  }
}

/** Written beside and renamed: two starts at once each see a whole bundle, and the last one's is kept. */
async function make(folders) {
  const folder = folders.find(isUsable)
  if (!folder) throw new Error(`no folder for it can be written: ${folders.join(', ')}`)
  const made = `server-${randomBytes(6).toString('hex')}`
  const part = join(folder, `${made}.part`)
  try {
    const began = Date.now()
    const inputs = [...bundled(part), ...MAKERS]
    const record = { root: ROOT, made, parts: {}, inputs: {} }
    for (const path of inputs) record.inputs[path] = [stampOf(path), contentOf(path)]
    for (const name of await synced(part)) record.parts[name] = statSync(join(part, name)).size
    renameSync(part, join(folder, made))
    // A source that was changed meanwhile may be in it in its former state: this start runs it, the next makes it anew.
    if (!inputs.some((path) => changedSince(path, began - LAG))) {
      await writeFile(`${part}.json`, JSON.stringify(record), { flush: true })
      renameSync(`${part}.json`, join(folder, RECORD))
    }
    dropOlder(folder, made)
    return within(join(folder, made))
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    throw error
  }
}

/** In a process of its own, which leaves nothing behind. Returns what went in. */
function bundled(part) {
  const args = [join(ROOT, 'scripts/bundle.ts'), SOURCE, part]
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw error ?? new Error(stderr.trim() || 'the bundler failed')
  return JSON.parse(stdout).inputs
}

function isUsable(folder) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    if (!isTrusted(folder)) return false
    const trial = join(folder, `.${randomBytes(6).toString('hex')}`)
    mkdirSync(trial)
    rmSync(trial, { recursive: true })
    return true
  } catch {
    return false
  }
}

function changedSince(path, time) {
  const found = statSync(join(ROOT, path), { throwIfNoEntry: false })
  return found !== undefined && found.ctimeMs > time
}

/** On disk before anybody relies on it: after a power cut a file may be there and empty. */
async function synced(folder) {
  const names = readdirSync(folder)
  for (const name of names) {
    const handle = await open(join(folder, name), 'r+')
    await handle.sync().finally(() => handle.close())
  }
  return names
}

function dropOlder(folder, newest) {
  const made = readdirSync(folder)
    .filter((name) => /^server-[0-9a-f]{12}(\.part)?$/.test(name) && name !== newest)
    .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
  for (const { path, at } of made.slice(OLDER)) {
    if (at < Date.now() - UNDER_WAY) rmSync(path, { recursive: true, force: true })
  }
}

const within = (folder) => ({
  program: join(folder, `${SOURCE.replaceAll('/', '-').replace(/\.ts$/, '')}.mjs`),
  compiled: join(folder, 'compiled'),
})
