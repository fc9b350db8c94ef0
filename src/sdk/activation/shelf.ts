// Where a product keeps its activation requests and the answer that is installed: two files of the data folder that any
// process may write, whoever leads. Whoever reads the answer verifies it again.
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import type { HostStorage } from '../host/port.ts'

const REQUESTS = 'activation-requests.json'
const ANSWER = 'activation.json'
const FORMAT = 1
/** Requests that stay open, and answers that are remembered: the newest. */
const MOST = 32

export interface Requests {
  /** Nonces whose answer may be installed. */
  open: readonly string[]
  /** Nonces whose answer was installed. */
  used: readonly string[]
}

export interface Shelf {
  requests(): Promise<Requests>
  /** False where it was not kept: then it is known while this process runs. */
  keepRequests(requests: Requests): Promise<boolean>
  /** The answer file; null where there is none. */
  answer(): Promise<string | null>
  keepAnswer(text: string): Promise<boolean>
}

export function opened({ open, used }: Requests, nonce: string): Requests {
  return { open: [...open, nonce].slice(-MOST), used }
}

export function closed({ open, used }: Requests, nonce: string): Requests {
  return { open: open.filter((other) => other !== nonce), used: [...used, nonce].slice(-MOST) }
}

/** Without a data folder, or where that fails, memory remembers. Never throws. */
export function openShelf(storage: HostStorage | null): Shelf {
  let requests: Requests = { open: [], used: [] }
  let answer: string | null = null
  const write = async (name: string, text: string): Promise<boolean> => {
    if (storage === null) return false
    return storage.write(name, text).then(
      () => true,
      () => false,
    )
  }
  const read = async (name: string): Promise<string | null> => {
    return storage === null ? null : storage.read(name).catch(() => null)
  }
  return {
    async requests() {
      const kept = readRequests(await read(REQUESTS))
      // What could not be written is known here alone.
      return kept === null ? requests : merged(kept, requests)
    },
    async keepRequests(given) {
      requests = given
      return write(REQUESTS, `${JSON.stringify({ format: FORMAT, ...given })}\n`)
    },
    answer: async () => (await read(ANSWER)) ?? answer,
    async keepAnswer(text) {
      answer = text
      return write(ANSWER, text)
    },
  }
}

function merged(kept: Requests, own: Requests): Requests {
  const used = [...new Set([...kept.used, ...own.used])]
  const open = [...new Set([...kept.open, ...own.open])].filter((nonce) => !used.includes(nonce))
  return { open: open.slice(-MOST), used: used.slice(-MOST) }
}

function readRequests(text: string | null): Requests | null {
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    if (!isJsonObject(value) || value.format !== FORMAT) return null
    return { open: nonces(value, 'open'), used: nonces(value, 'used') }
  } catch {
    return null
  }
}

const nonces = (value: JsonObject, name: 'open' | 'used'): string[] => {
  const list = value[name]
  return Array.isArray(list) ? list.filter((nonce): nonce is string => typeof nonce === 'string') : []
}
