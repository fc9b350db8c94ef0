// Settles the cache for whoever is no batch: with a proof that begins after the call. And the keyring that goes by it.
import type { Keyring, KeyringCache } from '../kernel/keyring.ts'
import type { Read, ReferenceCache } from '../kernel/reference.ts'

/** Sends a proof and settles the cache with it; loads the cache where it is empty. */
export async function settleWith(cache: ReferenceCache, read: Read): Promise<void> {
  const asked = cache.proof()
  const [row] = await read(asked.text, asked.params)
  await cache.settle(read, asked, row)
}

/**
 * However many ask at once, one proof runs and one waits. Not for Workers, where a promise belongs to one request.
 */
export function sharedSettling(settleOnce: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let waiting: Promise<void> | undefined
  const next = (): Promise<void> => {
    waiting = undefined
    return settle()
  }
  const settle = (): Promise<void> => {
    if (running) {
      waiting ??= running.then(next, next)
      return waiting
    }
    running = settleOnce().finally(() => {
      running = undefined
    })
    return running
  }
  return settle
}

/** The keys of the cache, as they are: each call goes by a proof that begins after it. */
export function keyringOf(cache: ReferenceCache, settle: () => Promise<void>): KeyringCache {
  const proven = async (): Promise<Keyring> => {
    await settle()
    return cache.keyring
  }
  return { current: proven, reload: proven }
}
