// Who signed the newest stored key set, and under which issuer: what a start must agree with. Signs and changes nothing.
import { KEY_SET_TYP } from '../../contract/claims.ts'
import type { Executor } from '../../db/client.ts'
import { readCompactJws } from '../../license/compact-jws.ts'
import { parseJsonObject } from '../../license/json.ts'
import { keyThumbprint } from '../../license/trusted-keys.ts'
import { newestKeySet } from './publish-key-set.ts'

export interface KeySetOrigin {
  issuer: string
  /** Whether it was signed with the root key of this process. */
  ownRoot: boolean
}

/** Null before the first set was signed. `rootPublicKeyHex` is the raw 32 bytes. */
export async function keySetOrigin(db: Executor, rootPublicKeyHex: string): Promise<KeySetOrigin | null> {
  const newest = await newestKeySet(db)
  const jws = newest && readCompactJws(newest.jws, KEY_SET_TYP)
  if (!jws?.ok) return null
  const payload = parseJsonObject(jws.payload)
  if (!payload.ok || typeof payload.value.iss !== 'string') return null
  const kid = await keyThumbprint(new Uint8Array(Buffer.from(rootPublicKeyHex, 'hex')))
  return { issuer: payload.value.iss, ownRoot: jws.header.kid === kid }
}
