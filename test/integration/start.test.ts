// What `npm start` does before the server runs, on a small clone whose server says what it is.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import {
  appendFile,
  chmod,
  chown,
  cp,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const NOBODY = 65_534
const asRoot = process.getuid?.() === 0

const SERVER = `import { word } from './server/word.ts'
process.on('SIGTERM', () => process.exit(7))
process.stdout.write(JSON.stringify([word, process.argv[1]]))
if (process.env.FAIL) throw new Error('on purpose')
if (process.env.STAY) setInterval(() => {}, 1000)
`

let folder: string
let clone: string
beforeEach(async () => {
  folder = await temporaryFolder('leasehold-test-start-')
  clone = join(folder, 'clone')
  await mkdir(join(clone, 'src/server'), { recursive: true })
  await writeFile(join(clone, 'package.json'), '{"type":"module"}')
  await writeFile(join(clone, 'src/node.ts'), SERVER)
  await say('first')
  await cp(join(ROOT, 'scripts'), join(clone, 'scripts'), { recursive: true })
  await mkdir(join(clone, 'node_modules'))
  await symlink(join(ROOT, 'node_modules/esbuild'), join(clone, 'node_modules/esbuild'))
  await aged()
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const say = (word: string) =>
  writeFile(join(clone, 'src/server/word.ts'), `export const word: string = '${word}'\n`)

/** What was written a moment before counts as written meanwhile. */
const aged = () => new Promise((done) => setTimeout(done, 80))

const kept = () => join(clone, 'node_modules/.cache/leasehold')
const bundles = async (at = kept()) => (await readdir(at)).filter((name) => name.startsWith('server-')).sort()

interface Start {
  env?: Record<string, string>
  uid?: number
}

function launch({ env = {}, uid }: Start = {}): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [join(clone, 'scripts/start.mjs')], {
    cwd: clone,
    env: { PATH: process.env.PATH, HOME: join(folder, 'home'), ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function start(how: Start = {}) {
  const child = launch(how)
  const code = new Promise<number | null>((done) => child.on('exit', done))
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [word = '', program = ''] = out === '' ? [] : (JSON.parse(out) as string[])
  return { word, program, err, code: await code }
}

describe('npm start', () => {
  test('makes a bundle at the first start, and uses it at the second', async () => {
    const first = await start()
    expect(first).toMatchObject({ word: 'first', code: 0, err: '' })
    expect(first.program).toMatch(/node_modules\/\.cache\/leasehold\/server-[0-9a-f]+\/src-node\.mjs$/)
    expect(await start()).toEqual(first)
    expect(await bundles()).toHaveLength(1)
  })

  test('makes another one when a source has changed, by as little as a letter', async () => {
    const first = await start()
    await say('other')
    await aged()
    const second = await start()
    expect(second).toMatchObject({ word: 'other', code: 0 })
    expect(second.program).not.toBe(first.program)
    expect((await start()).program).toBe(second.program)
  })

  test('sees a change that leaves size and time of the file as they were', async () => {
    const path = join(clone, 'src/server/word.ts')
    const { atime, mtime } = await stat(path)
    await start()
    await say('FIRST')
    await utimes(path, atime, mtime)
    expect((await start()).word).toBe('FIRST')
  })

  test('uses it on when a file was only written anew with the same content', async () => {
    const { program } = await start()
    await say('first')
    expect((await start()).program).toBe(program)
  })

  test('makes another one for other packages, and for a clone that was moved', async () => {
    await start()
    await writeFile(join(clone, 'node_modules/.package-lock.json'), '{}')
    await aged()
    await start()
    expect(await bundles()).toHaveLength(2)
    await rename(clone, `${clone}-moved`)
    clone = `${clone}-moved`
    const moved = await start()
    expect(moved.program.startsWith(clone)).toBe(true)
    expect(await bundles()).toHaveLength(3)
  })

  test('makes another one where a part of it is gone', async () => {
    const { program } = await start()
    await rm(program)
    const again = await start()
    expect(again).toMatchObject({ word: 'first', code: 0, err: '' })
    expect(again.program).not.toBe(program)
  })

  test('does not keep a bundle whose sources changed while it was made', async () => {
    const bundler = join(clone, 'node_modules/esbuild')
    await rm(bundler)
    await mkdir(bundler)
    await writeFile(join(bundler, 'package.json'), '{"type":"module","exports":"./main.js"}')
    const word = JSON.stringify(join(clone, 'src/server/word.ts'))
    await writeFile(
      join(bundler, 'main.js'),
      `import { appendFileSync } from 'node:fs'
      import { build as make } from '${join(ROOT, 'node_modules/esbuild/lib/main.js')}'
      export const build = async (options) => {
        const made = await make(options)
        if (process.env.MEANWHILE) appendFileSync(${word}, '// a change')
        return made
      }`,
    )
    const first = await start({ env: { MEANWHILE: 'yes' } })
    const second = await start()
    expect(second.program).not.toBe(first.program)
    expect((await start()).program).toBe(second.program)
  })

  test('started twice at the same time runs both, and the next start uses one of the two', async () => {
    const both = await Promise.all([start(), start(), start()])
    expect(both.map(({ word, code, err }) => [word, code, err])).toEqual(Array(3).fill(['first', 0, '']))
    expect(both.map(({ program }) => program)).toContain((await start()).program)
  })

  test('is the server itself: a signal reaches it, and the exit code is its own', async () => {
    const child = launch({ env: { STAY: 'yes' } })
    const ended = new Promise<number | null>((done) => child.on('exit', done))
    await new Promise((done) => child.stdout.once('data', done))
    child.kill('SIGTERM')
    expect(await ended).toBe(7)
  })

  test('names the sources in stack traces', async () => {
    const { err, code } = await start({ env: { FAIL: 'yes' } })
    expect(code).toBe(1)
    expect(err).toContain('Error: on purpose')
    expect(err).toMatch(/clone\/src\/node\.ts:4:\d+/)
  })
})

describe('npm start without a bundle runs the sources, and says why', () => {
  const SOURCES = /^Leasehold starts from its sources, which takes seconds longer: (.*)\n$/
  const fromSources = (program: string) => expect(program).toBe(join(clone, 'scripts/start.mjs'))

  test('where no bundler is installed', async () => {
    await rm(join(clone, 'node_modules/esbuild'))
    const { word, program, err, code } = await start()
    expect([word, code]).toEqual(['first', 0])
    fromSources(program)
    expect(SOURCES.exec(err)?.[1]).toContain("Cannot find package 'esbuild'")
  })

  test.runIf(asRoot)('where the user may write neither to the clone nor to a cache', async () => {
    const { word, program, err } = await start({ uid: NOBODY })
    expect(word).toBe('first')
    fromSources(program)
    expect(SOURCES.exec(err)?.[1]).toContain('no folder for it can be written')
  })

  test.runIf(asRoot)('in a cache of the user where the clone is somebody else’s', async () => {
    const cache = join(folder, 'cache')
    await mkdir(cache)
    await chown(cache, NOBODY, NOBODY)
    const how = { uid: NOBODY, env: { XDG_CACHE_HOME: cache } }
    const first = await start(how)
    expect(first).toMatchObject({ word: 'first', err: '' })
    expect(first.program.startsWith(cache)).toBe(true)
    expect((await start(how)).program).toBe(first.program)
    // And the other way round: root runs nothing that another user could have written.
    expect((await start({ env: { XDG_CACHE_HOME: cache } })).program.startsWith(kept())).toBe(true)
  })

  test.runIf(asRoot)('and takes no bundle from a folder that others may write to', async () => {
    const { program } = await start()
    await appendFile(program, '\nprocess.stdout.write("planted")\n')
    await chmod(kept(), 0o777)
    const after = await start()
    expect(after.word).toBe('first')
    expect(after.program.startsWith(kept())).toBe(false)
  })
})
