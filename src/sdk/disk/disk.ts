// The SDK's three files: instance-id, state.json, license-cache.jwt. A file that is torn, foreign or of a newer format
// is set aside; a disk that fails costs a warning and nothing else.

import { mayReplace } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import type { HostLog, HostStorage } from '../host/port.ts'
import { StorageFault } from '../host/port.ts'
import { readStored, type StoredState } from '../state/stored.ts'
import type { Trust } from '../trust/trust.ts'

const STATE = 'state.json'
const CACHE = 'license-cache.jwt'
const INSTANCE_ID = 'instance-id'

export interface Owner {
  product: string
  issuer: string
  instanceId: string
}

export interface Disk {
  /** Takes or keeps the lead. Null where the disk does not let anybody lead. */
  lead(): Promise<boolean | null>
  release(): Promise<void>
  instanceId(): Promise<string | null>
  keepInstanceId(id: string): Promise<void>
  /** The state file; null where there is none that is ours. Only the leader moves files. */
  loadState(own: Owner, mayMove: boolean): Promise<StoredState | null>
  /** The state file if another process has written it since. */
  rereadState(own: Owner): Promise<StoredState | null>
  saveState(stored: StoredState): Promise<void>
  /** The cached license, or why there is none. */
  loadCache(trust: Trust, mayMove: boolean): Promise<{ grant: Grant | null; outcome: string }>
  /** Unless the cache holds a later one. `now` in unix seconds. */
  saveCache(token: string, issuedAt: number, trust: Trust, now: number): Promise<void>
  dropCache(): Promise<void>
}

export function openDisk(storage: HostStorage, log: HostLog): Disk {
  const told = new Set<string>()
  let lastState: string | null = null
  let lastCache: string | null = null

  /** Runs disk work; a fault is told once for each kind and place. */
  async function tryDisk<T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const problem = error instanceof StorageFault ? error.problem : 'failed'
      if (!told.has(`${what} ${problem}`)) {
        told.add(`${what} ${problem}`)
        const why = error instanceof Error ? error.message : String(error)
        log.warn(`License data could not be ${what}: ${why}; going on from memory`, { problem })
      }
      return otherwise
    }
  }

  async function setAside(name: string, why: string): Promise<void> {
    log.warn(`${name} in ${storage.place} was set aside: ${why}`)
    await storage.setAside(name)
  }

  async function readState(
    own: Owner,
    mayMove: boolean,
  ): Promise<{ text: string | null; stored: StoredState | null }> {
    const text = await tryDisk('read', () => storage.read(STATE), null)
    if (text === null) return { text, stored: null }
    const read = readStored(text, own)
    if (read.ok) return { text, stored: read.stored }
    if (mayMove) await setAside(STATE, read.reason)
    return { text: null, stored: null }
  }

  return {
    lead: () => tryDisk<boolean | null>('written', () => storage.lead(), null),
    release: () => storage.release(),

    async instanceId() {
      const text = await tryDisk('read', () => storage.read(INSTANCE_ID), null)
      const id = text?.trim() ?? ''
      return isInstanceId(id) ? id : null
    },
    keepInstanceId: (id) =>
      tryDisk(
        'written',
        async () => {
          if ((await storage.read(INSTANCE_ID)) !== null) await setAside(INSTANCE_ID, 'torn')
          await storage.write(INSTANCE_ID, `${id}\n`)
        },
        undefined,
      ),

    async loadState(own, mayMove) {
      const { text, stored } = await readState(own, mayMove)
      lastState = text
      return stored
    },
    async rereadState(own) {
      const { text, stored } = await readState(own, false)
      if (text === lastState) return null
      lastState = text
      return stored
    },
    saveState: (stored) =>
      tryDisk(
        'written',
        async () => {
          const text = `${JSON.stringify(stored)}\n`
          await storage.write(STATE, text)
          lastState = text
        },
        undefined,
      ),

    async loadCache(trust, mayMove) {
      const text = await tryDisk('read', () => storage.read(CACHE), null)
      const token = text?.trim() ?? ''
      if (token === '') return { grant: null, outcome: 'absent' }
      const verified = await trust.licenseJwt(token, 'cache')
      if (verified.ok) {
        lastCache = token
        return { grant: verified.value, outcome: 'verified' }
      }
      // A key that is not known yet may be tomorrow.
      if (mayMove && verified.reason !== 'unknown_key') await setAside(CACHE, verified.reason)
      return { grant: null, outcome: verified.reason }
    },
    saveCache: (token, issuedAt, trust, now) =>
      tryDisk(
        'written',
        async () => {
          const present = (await storage.read(CACHE).catch(() => null))?.trim() ?? ''
          if (present !== '' && present !== lastCache) {
            const other = await trust.licenseJwt(present, 'cache')
            if (other.ok && !mayReplace(other.value, { issuedAt }, now)) return
          }
          await storage.write(CACHE, token)
          lastCache = token
        },
        undefined,
      ),
    dropCache: () => tryDisk('removed', () => storage.remove(CACHE), undefined),
  }
}

/** 1 to 255 printable characters: what a server takes, and what can stand in a file of one line. */
export function isInstanceId(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(text)
}
