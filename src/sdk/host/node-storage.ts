// The data folder of a product on Node: mode 0700, small private files, and the leader's lock.
import { access, chmod, mkdir, rename, stat, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { asStorage, codeOf } from './node-faults.ts'
import { readSmallFile, refuseLink, removeLeftovers, replaceFile } from './node-files.ts'
import { leaderLock } from './node-lock.ts'
import { type HostClock, type HostStorage, limitOf, StorageFault } from './port.ts'

const OWN_FILES = [
  'state.json',
  'license-cache.jwt',
  'key-set.jws',
  'instance-id',
  'activation.json',
  'activation-requests.json',
]
/** How many files of one name are kept for someone to look at. */
const MOST_ASIDE = 5

/** Opens the folder, making it where it is not there. Default `~/.<product>`. @throws StorageFault */
export function openNodeStorage(
  folder: string | undefined,
  product: string,
  clock: HostClock,
): Promise<HostStorage> {
  const place = resolve(expandHome(folder ?? join('~', `.${product}`)))
  return asStorage(place, async () => {
    await refuseLink(place)
    const made = await mkdir(place, { recursive: true, mode: 0o700 }).catch(async (error: unknown) => {
      // A read-only parent is no obstacle to a folder that is there.
      if (await isFolder(place)) return undefined
      throw error
    })
    if (made !== undefined) await chmod(place, 0o700)
    return storageIn(place, clock)
  })
}

function storageIn(place: string, clock: HostClock): HostStorage {
  const lock = leaderLock(place, clock)
  let cleaned = false

  return {
    place,
    read: (name) => readSmallFile(pathOf(place, name), limitOf(name)),
    write: (name, text) => replaceFile(pathOf(place, name), text, limitOf(name)),
    remove: (name) =>
      asStorage(place, async () => {
        await unlink(pathOf(place, name)).catch((error: unknown) => {
          if (codeOf(error) !== 'ENOENT') throw error
        })
      }),
    async setAside(name) {
      const path = pathOf(place, name)
      for (let n = 1; n <= MOST_ASIDE; n++) {
        const aside = `${path}.aside-${n}`
        const isTaken = n < MOST_ASIDE && (await exists(aside))
        if (isTaken) continue
        await rename(path, aside).catch(() => {})
        return
      }
    },
    async lead() {
      const leads = await lock.lead()
      if (leads && !cleaned) {
        cleaned = true
        await removeLeftovers(place, OWN_FILES)
      }
      return leads
    },
    release: () => lock.release(),
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Names are the SDK's own; a path among them would be a programming error. */
function pathOf(place: string, name: string): string {
  if (!/^[a-z][a-z0-9.-]*$/.test(name)) throw new StorageFault('failed', `not a file name: ${name}`)
  return join(place, name)
}

export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
}
