// Who could have put something in our way: checks of owners and modes along a path. Changes nothing on disk.
import { lstat, readlink } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'
import { StartError } from '../../platform/start-error.ts'

const WRITABLE_BY_ALL = 0o002
const WRITABLE_BY_OTHERS = 0o022
const MOST_LINKS = 40

/**
 * The real path of `path`, whose last parts need not exist. In a folder that everybody may write to (`/tmp`), only
 * what root or we ourselves made is followed: anybody could have put a link or a folder there for us to find.
 * @throws StartError when a stranger did.
 */
export async function followSafely(path: string): Promise<string> {
  const trusted = new Set([0, process.getuid?.() ?? 0])
  let { root: real } = parse(resolve(path))
  const ahead = resolve(path).slice(real.length).split(sep).filter(Boolean)
  let openToAll = false
  for (let links = 0; ahead.length > 0; ) {
    const next = join(real, ahead.shift() ?? '')
    const found = await lstat(next).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (!found) return join(next, ...ahead)
    if (openToAll && !trusted.has(found.uid)) throw strangers(next, found.uid)
    if (found.isSymbolicLink()) {
      if (++links > MOST_LINKS)
        throw new StartError(`Too many links in ${path}.`, 'Name the folder directly.')
      const target = resolve(dirname(next), await readlink(next))
      real = parse(target).root
      ahead.unshift(...target.slice(real.length).split(sep).filter(Boolean))
      openToAll = false
      continue
    }
    real = next
    openToAll = (found.mode & WRITABLE_BY_ALL) !== 0
  }
  return real
}

/** Whether only root can change what stands at `path`: every folder up to it is root's, and nobody else may write. */
export async function belongsToRootAlone(path: string): Promise<boolean> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = await lstat(at)
    if (!found.isDirectory() || found.uid !== 0 || (found.mode & WRITABLE_BY_OTHERS) !== 0) return false
    if (at === dirname(at)) return true
  }
}

function strangers(path: string, uid: number): StartError {
  return new StartError(
    `${path} was made by another user (uid ${uid}) in a folder that everybody may write to.`,
    'Set LEASEHOLD_DATA_DIR to a folder that only the user of the server may write to.',
  )
}
