// The root key that signs key sets (T4): its text forms, and the one place in config that reads a file.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { StartError } from '../platform/start-error.ts'
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

/** Opens a `file:` key; others are handed back. Throws a StartError that names the file, never its content. */
export async function loadRootKey(setting: RootKeySetting): Promise<RootKey> {
  if (setting.kind !== 'file') return setting
  // Loaded here, because a Worker has no disk and must not need this module.
  const { readFile } = await import('node:fs/promises')
  const content = await readFile(setting.path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new StartError(
      `LEASEHOLD_ROOT_KEY: ${setting.path} cannot be read (${cause.code ?? 'unknown reason'})`,
      `Name a file that this user may read and that holds ${ROOT_KEY_ALLOWED}.`,
    )
  })
  const key = readKeyText(content.trim())
  if ('value' in key) return key.value
  throw new StartError(
    `LEASEHOLD_ROOT_KEY: the content of ${setting.path} ${key.wrong}`,
    `Put there ${ROOT_KEY_ALLOWED}.`,
  )
}

function readKeyText(text: string): Reading<RootKey> {
  if (text.startsWith('public:')) {
    const publicKey = text.slice('public:'.length)
    if (!/^[0-9a-f]{64}$/i.test(publicKey)) return { wrong: 'has a public key that is not 64 hex digits' }
    return { value: { kind: 'public', publicKey: publicKey.toLowerCase() } }
  }
  const key = text.startsWith('-----BEGIN') ? fromPem(text) : fromBase64(text)
  if (key === null) return { wrong: 'is not a private key in PKCS#8' }
  if (key.asymmetricKeyType !== 'ed25519') return { wrong: 'is a private key of another kind than Ed25519' }
  const pkcs8 = new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }))
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { value: { kind: 'private', pkcs8, publicKey: spki.subarray(-32).toString('hex') } }
}

/** Environment files keep line ends as `\n` in two characters. */
function fromPem(text: string): KeyObject | null {
  return opened(() => createPrivateKey({ key: text.replaceAll('\\n', '\n'), format: 'pem' }))
}

function fromBase64(text: string): KeyObject | null {
  const der = Buffer.from(text, 'base64')
  if (der.length === 0 || der.toString('base64').replace(/=+$/, '') !== text.replaceAll(/\s|=+$/g, ''))
    return null
  return opened(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

function opened(open: () => KeyObject): KeyObject | null {
  try {
    return open()
  } catch {
    return null
  }
}
