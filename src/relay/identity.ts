// Who this relay is: its own Ed25519 key, the key of its hashes, and what the enrolment gave. Files of mode 0600.
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { keyThumbprint } from '../license/trusted-keys.ts'
import { StartError } from '../platform/start-error.ts'

const KEY_FILE = 'relay-key.json'
const ENROLMENT_FILE = 'enrolment.json'
const MOST_BYTES = 65_536

/** The key pair that leases are signed with, and that allotments name in `cnf`. */
export interface RelayKey {
  privateKey: InstanceType<typeof CryptoKey>
  /** Public JWK (RFC 8037). */
  jwk: { kty: 'OKP'; crv: 'Ed25519'; x: string }
  /** RFC 7638 thumbprint. */
  kid: string
  /** 32 random bytes: the key of the hashes under which credentials of instances are known. */
  proofKey: Uint8Array
}

export interface Enrolment {
  upstream: string
  relayId: string
  relayKey: string
  issuer: string
  /** Raw root keys in hex. */
  roots: string[]
}

/** Opens the relay's key, made on the first call. @throws StartError when the file is another's or torn. */
export async function openRelayKey(folder: string): Promise<RelayKey> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const text = (await readPrivate(folder, KEY_FILE)) ?? (await makeKey(folder))
  try {
    const { pkcs8, x, proof } = JSON.parse(text) as Record<string, string>
    const bytes = (base64: string | undefined) => new Uint8Array(Buffer.from(base64 ?? '', 'base64url'))
    const privateKey = await crypto.subtle.importKey('pkcs8', bytes(pkcs8), 'Ed25519', false, ['sign'])
    const proofKey = bytes(proof)
    if (typeof x !== 'string' || proofKey.length !== 32) throw new Error('a member is missing')
    return {
      privateKey,
      jwk: { kty: 'OKP', crv: 'Ed25519', x },
      kid: await keyThumbprint(bytes(x)),
      proofKey,
    }
  } catch (error) {
    throw new StartError(
      `${join(folder, KEY_FILE)} does not hold this relay's key.`,
      'Put it back from a copy, or remove it and enrol the relay anew: the seats it leased run to their end.',
      { cause: error },
    )
  }
}

/** What `leasehold relay enroll` left, or null. */
export async function readEnrolment(folder: string): Promise<Enrolment | null> {
  const text = await readPrivate(folder, ENROLMENT_FILE)
  if (text === null) return null
  try {
    const read = JSON.parse(text) as Enrolment
    const texts = [read.upstream, read.relayId, read.relayKey, read.issuer, ...read.roots]
    if (!texts.every((value) => typeof value === 'string' && value !== ''))
      throw new Error('a member is missing')
    return read
  } catch (error) {
    throw new StartError(`${join(folder, ENROLMENT_FILE)} is torn.`, 'Enrol the relay anew.', {
      cause: error,
    })
  }
}

export const writeEnrolment = (folder: string, enrolment: Enrolment): Promise<void> =>
  writePrivate(folder, ENROLMENT_FILE, `${JSON.stringify(enrolment, null, 2)}\n`)

type KeyPair = Record<'privateKey' | 'publicKey', RelayKey['privateKey']>

async function makeKey(folder: string): Promise<string> {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as KeyPair
  const base64 = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('base64url')
  const text = JSON.stringify({
    pkcs8: base64(await crypto.subtle.exportKey('pkcs8', pair.privateKey)),
    x: base64(await crypto.subtle.exportKey('raw', pair.publicKey)),
    proof: randomBytes(32).toString('base64url'),
  })
  await writePrivate(folder, KEY_FILE, text)
  return text
}

async function readPrivate(folder: string, name: string): Promise<string | null> {
  const path = join(folder, name)
  const found = await lstat(path).catch(() => null)
  if (!found) return null
  const own = found.isFile() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
  if (own && found.size <= MOST_BYTES) return readFile(path, 'utf8')
  throw new StartError(
    `${path} is not a file that this user alone can read.`,
    `Find out who made it so; then chown it to this user and chmod 600 ${path}.`,
  )
}

/** The whole file or none of it, on disk when this resolves. */
async function writePrivate(folder: string, name: string, content: string): Promise<void> {
  const part = join(folder, `${name}.${randomBytes(6).toString('hex')}`)
  try {
    const handle = await open(part, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, join(folder, name))
    const parent = await open(folder, 'r')
    await parent.sync().finally(() => parent.close())
  } catch (error) {
    await rm(part, { force: true })
    throw new StartError(
      `${join(folder, name)} cannot be written.`,
      'Give the relay a folder that it may write to, with some space on its disk: LEASEHOLD_RELAY_DIR.',
      { cause: error },
    )
  }
}
