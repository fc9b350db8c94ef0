// The SDK's files: instance-id, state.json, key-set.jws, license-cache.jwt. A file that is torn, foreign or of a newer format
// is set aside; a disk that fails costs a warning and nothing else.

import { mayReplace } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import type { HostLog, HostStorage } from '../host/port.ts'
import { StorageFault } from '../host/port.ts'
import { readStored, type StoredState } from '../state/stored.ts'
import type { Trust } from '../trust/trust.ts'

const STATE = 'state.json'
const KEY_SET = 'key-set.jws'
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
  /** Whether a state file may be there that could not be read yet: until it is, none is written over it. */
  isUnread(): boolean
  /** The state file if another process has written it since. A disk that fails has not. */
  rereadState(own: Owner): Promise<StoredState | null>
  /** The key set if another process has written it since. */
  rereadKeySet(): Promise<string | null>
  /** State and key set. False where one of them was not written; the one does not wait for the other. */
  saveState(stored: StoredState, keySet: string | null): Promise<boolean>
  /** The cached license, or why there is none. */
  loadCache(trust: Trust, mayMove: boolean): Promise<{ grant: Grant | null; outcome: string }>
  /** Unless the cache holds a later one. `now` in unix seconds. False where it was not written. */
  saveCache(grant: Grant, trust: Trust, now: number): Promise<boolean>
  dropCache(): Promise<void>
}

export function openDisk(storage: HostStorage, log: HostLog): Disk {
  const told = new Set<string>()
  /** The texts as this process has last seen or written them. */
  let lastState: string | null = null
  let lastKeySet: string | null = null
  let unread = true
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

  /** Null where there is no such file, undefined where the disk does not say. */
  const readText = (name: string) =>
    tryDisk<string | null | undefined>('read', () => storage.read(name), undefined)

  async function saveKeySet(keySet: string | null): Promise<boolean> {
    if (keySet === null || keySet === lastKeySet) return true
    return tryDisk(
      'written',
      async () => {
        await storage.write(KEY_SET, keySet)
        lastKeySet = keySet
        return true
      },
      false,
    )
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
          const present = await storage.read(INSTANCE_ID)
          // A disk that could not be read a moment ago: what it holds is older than this run.
          if (present !== null && isInstanceId(present.trim())) return
          if (present !== null) await setAside(INSTANCE_ID, 'torn')
          await storage.write(INSTANCE_ID, `${id}\n`)
        },
        undefined,
      ),

    async loadState(own, mayMove) {
      const text = await readText(STATE)
      unread = text === undefined
      if (!text) return null
      const read = readStored(text, own)
      if (read.ok) {
        lastState = text
        return read.stored
      }
      if (mayMove) await setAside(STATE, read.reason)
      return read.carried ?? null
    },
    isUnread: () => unread,
    async rereadState(own) {
      const text = await readText(STATE)
      if (text === undefined || text === lastState) return null
      const read = text === null ? null : readStored(text, own)
      // Of a run whose own id could not be read either: its state is left alone, what it says of the license counts.
      const isFormer = unread && read?.ok === false && read.carried !== undefined
      unread = isFormer
      if (isFormer || read?.ok) lastState = text
      return read?.ok ? read.stored : isFormer ? (read.carried ?? null) : null
    },
    async rereadKeySet() {
      const text = (await readText(KEY_SET))?.trim()
      if (!text || text === lastKeySet) return null
      lastKeySet = text
      return text
    },
    async saveState(stored, keySet) {
      if (unread) return false
      const saved = await tryDisk(
        'written',
        async () => {
          const text = `${JSON.stringify(stored)}\n`
          await storage.write(STATE, text)
          lastState = text
          return true
        },
        false,
      )
      return (await saveKeySet(keySet)) && saved
    },

    async loadCache(trust, mayMove) {
      const text = await tryDisk('read', () => storage.read(CACHE), null)
      const token = text?.trim() ?? ''
      if (token === '') return { grant: null, outcome: 'absent' }
      const verified = await trust.cached(token)
      if (verified.ok) {
        lastCache = token
        return { grant: verified.value, outcome: 'verified' }
      }
      // A key that is not known yet may be tomorrow.
      if (mayMove && verified.reason !== 'unknown_key') await setAside(CACHE, verified.reason)
      return { grant: null, outcome: verified.reason }
    },
    saveCache: (grant, trust, now) =>
      tryDisk(
        'written',
        async () => {
          const present = (await storage.read(CACHE).catch(() => null))?.trim() ?? ''
          if (present !== '' && present !== lastCache) {
            const other = await trust.cached(present)
            if (other.ok && !mayReplace(other.value, grant, now)) return true
          }
          await storage.write(CACHE, grant.token)
          lastCache = grant.token
          return true
        },
        false,
      ),
    dropCache: () => tryDisk('removed', () => storage.remove(CACHE), undefined),
  }
}

/** 1 to 255 printable characters: what a server takes, and what can stand in a file of one line. */
export function isInstanceId(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(text)
}
