// The database's password: made here, kept in the data folder, given to PostgreSQL only as its SCRAM verifier.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { chmod, lstat, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../platform/start-error.ts'

const FILE = 'postgres-password'
const ITERATIONS = 4096

/** 32 random bytes, base64url. */
export function newPassword(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The stored password, or `undefined` when there is none. A mode that lets others read it is corrected.
 * @throws StartError when the file is not ours or holds no password.
 */
export async function readPassword(dataDir: string): Promise<string | undefined> {
  const file = join(dataDir, FILE)
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!found) return undefined
  const owners = new Set([0, process.getuid?.(), (await lstat(dataDir)).uid])
  if (!found.isFile() || !owners.has(found.uid)) {
    throw new StartError(`${file} was not made by this server.`, 'Find out who made it, and remove it.')
  }
  if ((found.mode & 0o077) !== 0) await chmod(file, 0o600)
  const password = (await readFile(file, 'utf8')).trim()
  if (!/^[\w-]{43}$/.test(password)) {
    throw new StartError(
      `${file} does not hold a password.`,
      `Remove ${file}: the next start sets a new password.`,
    )
  }
  return password
}

/** Stores the password with mode 0600, on disk when this resolves. */
export async function storePassword(dataDir: string, password: string): Promise<void> {
  const part = join(dataDir, `${FILE}.${randomBytes(6).toString('hex')}`)
  const handle = await open(part, 'wx', 0o600)
  try {
    await handle.writeFile(`${password}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, join(dataDir, FILE))
}

/**
 * What PostgreSQL stores instead of the password (RFC 5803, RFC 7677): given this, it takes it as it is, so the
 * password itself is never in a file or argument that the database's account can read.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  const serverKey = hmac('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
