import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bundle } from '../../../scripts/bundle.ts'
import { nodeHost } from '../../../src/sdk/host/node.ts'
import { type HostClock, type HostStorage, StorageFault } from '../../../src/sdk/host/port.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const MINUTE = 60_000

let parent: string
let folder: string
beforeEach(async () => {
  parent = await temporaryFolder('sdk-disk-')
  folder = join(parent, 'data')
})

const open = async (clock?: HostClock): Promise<HostStorage> => {
  const storage = await nodeHost(clock ? { clock } : {}).openStorage(folder, 'test')
  if (!storage) throw new Error('no storage')
  return storage
}
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
const problemOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) =>
      error instanceof StorageFault ? error.problem : `not a StorageFault: ${String(error)}`,
  )

/** Starts a process that writes without end and kills it, `times` times; what is left must be whole each time. */
async function killWhileWriting(
  script: string,
  lane: string,
  times: number,
  seen: Set<string>,
): Promise<void> {
  const file = join(lane, 'license-cache.jwt')
  for (let killed = 0; killed < times; ) {
    const child = spawn(process.execPath, [script, lane, 'license-cache.jwt'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
    const until = performance.now() + Math.random() * 12
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve))
    const ended = child.exitCode === null ? once(child, 'exit') : null
    child.kill('SIGKILL')
    await ended
    expect(child.signalCode).toBe('SIGKILL')
    if (!existsSync(file)) continue
    const text = readFileSync(file, 'utf8')
    expect(text).toMatch(/^([a-z])\1{19999}$/)
    seen.add(text.charAt(0))
    killed++
  }
}

describe('a data folder', () => {
  test('is made with mode 0700, its files with 0600, and a folder that was there keeps its own', async () => {
    const storage = await open()
    await storage.write('state.json', 'one')
    expect([mode(folder), mode(join(folder, 'state.json'))]).toEqual(['700', '600'])
    expect(await storage.read('state.json')).toBe('one')
    expect(await storage.read('license-cache.jwt')).toBeNull()
    chmodSync(folder, 0o755)
    await open()
    expect(mode(folder)).toBe('755')
  })

  test('refuses symbolic links, large files, pipes and folders in a file’s place', async () => {
    const storage = await open()
    writeFileSync(join(parent, 'secret'), 'secret')
    symlinkSync(join(parent, 'secret'), join(folder, 'state.json'))
    expect(await problemOf(storage.read('state.json'))).toBe('symlink')
    expect(await problemOf(storage.write('state.json', 'x'))).toBe('symlink')
    expect(readFileSync(join(parent, 'secret'), 'utf8')).toBe('secret')
    writeFileSync(join(folder, 'instance-id'), 'x'.repeat(65_537))
    expect(await problemOf(storage.read('instance-id'))).toBe('too_large')
    expect(await problemOf(storage.write('instance-id', 'x'.repeat(65_537)))).toBe('too_large')
    mkdirSync(join(folder, 'license-cache.jwt'))
    expect(await problemOf(storage.read('license-cache.jwt'))).toBe('failed')
    symlinkSync(folder, join(parent, 'link'))
    expect(await problemOf(nodeHost().openStorage(join(parent, 'link'), 'test'))).toBe('symlink')
  })

  test('does not wait for a pipe that nobody writes to', async () => {
    const storage = await open()
    const made = spawn('mkfifo', [join(folder, 'state.json')])
    await once(made, 'exit')
    expect(await problemOf(storage.read('state.json'))).toBe('failed')
  })

  test('keeps a file that is set aside, and five of them at most', async () => {
    const storage = await open()
    for (let n = 1; n <= 7; n++) {
      await storage.write('state.json', String(n))
      await storage.setAside('state.json')
    }
    const aside = readdirSync(folder).sort()
    expect(aside).toEqual([1, 2, 3, 4, 5].map((n) => `state.json.aside-${n}`))
    expect(aside.map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual(['1', '2', '3', '4', '7'])
    await storage.setAside('state.json')
  })

  test('that cannot be made says why', async () => {
    writeFileSync(folder, 'a file')
    expect(await problemOf(open())).toMatch(/failed|denied/)
    const none = join(parent, 'file', 'below')
    writeFileSync(join(parent, 'file'), '')
    expect(await problemOf(nodeHost().openStorage(none, 'test'))).toBe('failed')
  })

  test('killed 200 times at random moments while writing, holds the old or the new text, and nothing is left over', async () => {
    const seen = new Set<string>()
    const lanes = ['a', 'b'].map((lane) => join(parent, lane))
    const { program: script } = await bundle('test/sdk/unit/support/keep-writing.ts', parent)
    await Promise.all(lanes.map((lane) => killWhileWriting(script, lane, 100, seen)))
    expect(seen.size).toBeGreaterThan(3)
    for (const lane of lanes) {
      const storage = await nodeHost().openStorage(lane, 'test')
      expect(await storage?.lead()).toBe(true)
      expect(readdirSync(lane).sort()).toEqual(['leader.lock', 'license-cache.jwt'])
      await storage?.release()
    }
  }, 180_000)
})

describe('the leader’s lock', () => {
  const held: HostStorage[] = []
  afterEach(async () => {
    for (const storage of held.splice(0)) await storage.release()
  })
  const opened = async (clock?: HostClock) => {
    const storage = await open(clock)
    held.push(storage)
    return storage
  }
  const lock = () => join(folder, 'leader.lock')

  test('is held by one, and passes on when it is released', async () => {
    const one = await opened()
    const two = await opened()
    expect([await one.lead(), await two.lead(), await one.lead()]).toEqual([true, false, true])
    expect(mode(lock())).toBe('600')
    await two.release()
    expect(await two.lead()).toBe(false)
    await one.release()
    expect([await two.lead(), await one.lead()]).toEqual([true, false])
  })

  test('of a dead process of this boot is taken at once', async () => {
    const one = await opened()
    await one.lead()
    const holder = JSON.parse(readFileSync(lock(), 'utf8'))
    const dead = spawn(process.execPath, ['-e', ''])
    await once(dead, 'exit')
    writeFileSync(lock(), JSON.stringify({ ...holder, pid: dead.pid, token: 'other' }))
    expect(await (await opened()).lead()).toBe(true)
  })

  test('of this pid that this process does not hold is a dead container’s', async () => {
    const one = await opened()
    await one.lead()
    const holder = JSON.parse(readFileSync(lock(), 'utf8'))
    writeFileSync(lock(), JSON.stringify({ ...holder, token: 'of the process before' }))
    expect(await (await opened()).lead()).toBe(true)
  })

  test('of another machine holds for three minutes after its last touch', async () => {
    let wall = Date.now()
    const clock = { wall: () => wall, monotonic: () => wall }
    await opened()
    writeFileSync(lock(), JSON.stringify({ pid: 1, boot_id: 'elsewhere', token: 'theirs' }))
    const one = await opened(clock)
    expect(await one.lead()).toBe(false)
    wall += 2.5 * MINUTE
    expect(await one.lead()).toBe(false)
    utimesSync(lock(), wall / 1000, wall / 1000)
    wall += 2.5 * MINUTE
    expect(await one.lead()).toBe(false)
    wall += MINUTE
    expect(await one.lead()).toBe(true)
  })

  test('with a date in the future is stale once nobody has touched it for three minutes', async () => {
    let mono = 0
    const clock = { wall: () => Date.now(), monotonic: () => mono }
    await opened()
    writeFileSync(lock(), '{torn')
    const future = Date.now() / 1000 + 86_400
    utimesSync(lock(), future, future)
    const one = await opened(clock)
    expect(await one.lead()).toBe(false)
    mono += 4 * MINUTE
    expect(await one.lead()).toBe(true)
  })

  test('that was taken while its holder slept is not taken back', async () => {
    const sleeper = await opened()
    await sleeper.lead()
    writeFileSync(lock(), JSON.stringify({ pid: 1, boot_id: 'elsewhere', token: 'theirs' }))
    expect(await sleeper.lead()).toBe(false)
    await sleeper.release()
    expect(JSON.parse(readFileSync(lock(), 'utf8')).token).toBe('theirs')
  })

  test('goes to exactly one of 20 that find it stale at once', async () => {
    await opened()
    writeFileSync(lock(), JSON.stringify({ pid: 1, boot_id: 'elsewhere', token: 'theirs' }))
    utimesSync(lock(), 1, 1)
    const many = await Promise.all(Array.from({ length: 20 }, () => opened()))
    await Promise.all(many.map((storage) => storage.lead()))
    const after = await Promise.all(many.map((storage) => storage.lead()))
    expect(after.filter(Boolean)).toHaveLength(1)
  })
})
