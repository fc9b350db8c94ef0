// `credentials.json` in the data folder: what the first run made, for a human and for scripts. Holds secrets in plain.
import { readSecretFile, writeSecretFile } from '../secret-file.ts'

export const CREDENTIALS_FILE = 'credentials.json'

export interface Credentials {
  admin_key: string
  /** Null, like the two keys, where no demo catalog was made. */
  product: string | null
  license_key: string | null
  api_key: string | null
  issuer: string
  /** The raw 32 bytes in hex: what a product pins. */
  root_public_key: string
}

/** Null when there is no such file, or it is not one of ours any more. */
export async function readCredentials(dataDir: string): Promise<Credentials | null> {
  const text = await readSecretFile(dataDir, CREDENTIALS_FILE)
  if (text === null) return null
  try {
    const found = JSON.parse(text) as Partial<Credentials> | null
    return typeof found?.admin_key === 'string' ? { ...EMPTY, ...found, admin_key: found.admin_key } : null
  } catch {
    return null
  }
}

export async function writeCredentials(dataDir: string, credentials: Credentials): Promise<void> {
  await writeSecretFile(dataDir, CREDENTIALS_FILE, `${JSON.stringify(credentials, null, 2)}\n`)
}

const EMPTY = { product: null, license_key: null, api_key: null, issuer: '', root_public_key: '' }
