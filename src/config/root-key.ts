// The root key that signs key sets (T4): its text forms. Reads no file: a Worker has no disk.
import { fileURLToPath } from 'node:url'
import { readPrivateKeyText } from './private-key-text.ts'
import type { Reader, Reading } from './reading.ts'

/** The root key as this machine has it. `publicKey` is the raw 32 bytes in lower-case hex. */
export type RootKey =
  | { readonly kind: 'private'; readonly pkcs8: Uint8Array; readonly publicKey: string }
  | { readonly kind: 'public'; readonly publicKey: string }

export type RootKeySetting = RootKey | { readonly kind: 'file'; readonly path: string }

export const ROOT_KEY_ALLOWED =
  'an Ed25519 private key in PKCS#8 as PEM or base64, file:/path to such a key, or public:<64 hex digits>'

/** Reads the text of the setting; a `file:` is named, not opened. */
export const readRootKey: Reader<RootKeySetting> = (text) => {
  if (!text.startsWith('file:')) return readKeyText(text)
  try {
    const path = text.startsWith('file://') ? fileURLToPath(text) : text.slice('file:'.length)
    return path.startsWith('/')
      ? { value: { kind: 'file', path } }
      : { wrong: 'names a file without its full path' }
  } catch {
    return { wrong: 'names no file of this machine' }
  }
}

/** Reads the key itself: what a `file:` holds, and every other form of the setting. */
export function readKeyText(text: string): Reading<RootKey> {
  if (text.startsWith('public:')) {
    const publicKey = text.slice('public:'.length)
    if (!/^[0-9a-f]{64}$/i.test(publicKey)) return { wrong: 'has a public key that is not 64 hex digits' }
    return { value: { kind: 'public', publicKey: publicKey.toLowerCase() } }
  }
  const read = readPrivateKeyText(text)
  return 'value' in read ? { value: { kind: 'private', ...read.value } } : read
}
