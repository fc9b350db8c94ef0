// Settings for servers that use the test run's database: one clone, and the keys that belong to it.
import { generateKeyPairSync, randomBytes } from 'node:crypto'

/** `DATABASE_URL` with fresh keys, as an operator would set them. */
export function outsideDatabase(url: string) {
  const root = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' })
  return {
    DATABASE_URL: url,
    LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64'),
    LEASEHOLD_ROOT_KEY: root.toString('base64'),
  }
}
