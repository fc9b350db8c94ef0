// The server's own secrets, sealed under the master key in the database: today the pepper. Hands out plain bytes and
// keeps nothing.
import { eq, sql } from 'drizzle-orm'
import type { Executor, Transaction } from '../../db/client.ts'
import { serverSecrets } from '../../db/schema/index.ts'
import type { RandomBytes } from '../../platform/random.ts'
import { open, seal } from '../../platform/seal.ts'
import { StartError } from '../../platform/start-error.ts'

const PEPPER = 'pepper'
const PEPPER_BYTES = 32

/** What binds a sealed secret to its row, so that rows cannot be swapped. */
export const secretSealName = (name: string): string => JSON.stringify(['server-secret', name])

/**
 * Stops unless this process has the master key that the database is sealed under now, and keeps it so until commit:
 * what a process sealed under a master key that was rotated meanwhile, nobody could open.
 */
export async function checkMasterKey(tx: Transaction, masterKey: Uint8Array): Promise<void> {
  const [pepper] = await tx.select().from(serverSecrets).where(eq(serverSecrets.name, PEPPER)).for('share')
  if (!pepper || open(masterKey, secretSealName(PEPPER), pepper.sealed)) return
  throw new StartError(
    'The master key of this database was rotated while this process was running.',
    'Start it again with the new LEASEHOLD_MASTER_KEY.',
  )
}

/**
 * The pepper under which every credential is hashed; made on first use, once for all processes. It is never made
 * anew where admin keys exist: a new one would end every credential at once.
 * @throws StartError when the stored pepper is missing or does not open with this master key.
 */
export async function openPepper(
  db: Executor,
  masterKey: Uint8Array,
  random: RandomBytes,
  now: Date,
): Promise<Uint8Array> {
  const fresh = seal(masterKey, secretSealName(PEPPER), random(PEPPER_BYTES))
  await db.execute(sql`
    insert into server_secrets (name, sealed, created_at)
    select ${PEPPER}, ${fresh}, ${now.toISOString()}::timestamptz
    where not exists (select from admin_keys)
    on conflict (name) do nothing`)
  const [stored] = await db.select().from(serverSecrets).where(eq(serverSecrets.name, PEPPER))
  if (!stored) {
    throw new StartError(
      'The database holds admin keys, but not the pepper that their hashes were made with.',
      'Restore the row "pepper" of the table server_secrets from a backup.',
    )
  }
  const pepper = open(masterKey, secretSealName(PEPPER), stored.sealed)
  if (pepper?.length === PEPPER_BYTES) return pepper
  throw new StartError(
    'The pepper of this database does not open with this master key.',
    'Start with the LEASEHOLD_MASTER_KEY that this database was made with, or restore server_secrets from a backup.',
  )
}
