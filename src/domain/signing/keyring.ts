// The opened signing keys of all products, as this process last read them. A cache that may vanish at any time.
import { desc, eq, max } from 'drizzle-orm'
import type { KeyUse } from '../../contract/claims.ts'
import type { Database } from '../../db/client.ts'
import { keySets, products, signingKeys } from '../../db/schema/index.ts'
import { importTrustedKey, type TrustedKey, trustKeys } from '../../license/trusted-keys.ts'
import { openSigningKey, type SigningKey } from '../../mint/keys.ts'
import type { Clock } from '../../platform/clock.ts'
import { open } from '../../platform/seal.ts'
import { StartError } from '../../platform/start-error.ts'
import { unixSeconds } from '../../platform/time.ts'
import type { Keyring, KeyringCache } from '../kernel/keyring.ts'
import { type KeyTimes, keyStatus } from './key-times.ts'

/** How long a snapshot serves: the longest that a rotation or revocation takes to reach another process. */
const FRESH_MS = 2_000

interface KeyRow extends KeyTimes {
  kid: string
  product: string
  use: KeyUse
  publicKeyHex: string
  sealedPrivateKey: string
}

interface OpenedKey {
  row: KeyRow
  signing: SigningKey
  trusted: TrustedKey
}

/** What binds a sealed private key to its row, so that rows cannot be swapped. */
export const sealName = (product: string, use: KeyUse, kid: string): string =>
  JSON.stringify(['signing-key', product, use, kid])

/** What a keyring keeps: opened keys by `kid`, and the last snapshot. Holds no connection, and may vanish. */
export interface KeyringMemory {
  readonly opened: Map<string, { signing: SigningKey; trusted: TrustedKey }>
  latest: { keyring: Keyring; at: number } | null
}

export const keyringMemory = (): KeyringMemory => ({ opened: new Map(), latest: null })

/**
 * Keys are opened once and kept by `kid`; a reload opens only what is new. Keyrings over different connections may
 * share a memory, but never a read that is under way: on Workers that belongs to one request.
 */
export function keyringCache(
  db: Database,
  masterKey: Uint8Array,
  clock: Clock,
  memory: KeyringMemory = keyringMemory(),
): KeyringCache {
  const { opened } = memory
  let running: Promise<Keyring> | undefined
  let waiting: Promise<Keyring> | undefined

  const openKey = async (row: KeyRow): Promise<OpenedKey> => {
    let keys = opened.get(row.kid)
    if (!keys) {
      keys = await unseal(row, masterKey)
      opened.set(row.kid, keys)
    }
    const status = keyStatus(row, clock.now())
    return { row, signing: keys.signing, trusted: { ...keys.trusted, status } }
  }

  const load = async (): Promise<Keyring> => {
    const at = clock.monotonic()
    const { rows, number } = await readKeys(db)
    const keys = await Promise.all(rows.map(openKey))
    const keyring = toKeyring(keys, number)
    memory.latest = { keyring, at }
    return keyring
  }

  /** A read that begins after the call; one after the other, so that an older one never comes last. */
  const reload = (): Promise<Keyring> => {
    if (running) {
      waiting ??= running.then(next, next)
      return waiting
    }
    running = load().finally(() => {
      running = undefined
    })
    return running
  }

  const next = (): Promise<Keyring> => {
    waiting = undefined
    return reload()
  }

  return {
    reload,
    async current(product) {
      const suits = ({ has }: Keyring) => product === undefined || has(product)
      const { latest } = memory
      if (latest && clock.monotonic() - latest.at < FRESH_MS && suits(latest.keyring)) return latest.keyring
      const keyring = await (running ?? reload())
      return suits(keyring) ? keyring : reload()
    },
  }
}

async function readKeys(db: Database): Promise<{ rows: KeyRow[]; number: number }> {
  const rows = await db
    .select({
      kid: signingKeys.kid,
      product: products.code,
      use: signingKeys.use,
      publicKeyHex: signingKeys.publicKeyHex,
      sealedPrivateKey: signingKeys.sealedPrivateKey,
      notBefore: signingKeys.notBefore,
      supersededAt: signingKeys.supersededAt,
      retiredAt: signingKeys.retiredAt,
      revokedAt: signingKeys.revokedAt,
    })
    .from(signingKeys)
    .innerJoin(products, eq(products.id, signingKeys.productId))
    .orderBy(desc(signingKeys.notBefore), desc(signingKeys.createdAt))
  const [newest] = await db.select({ number: max(keySets.number) }).from(keySets)
  return { rows, number: newest?.number ?? 0 }
}

async function unseal(
  row: KeyRow,
  masterKey: Uint8Array,
): Promise<{ signing: SigningKey; trusted: TrustedKey }> {
  const pkcs8 = open(masterKey, sealName(row.product, row.use, row.kid), row.sealedPrivateKey)
  if (!pkcs8) throw unopenable(row)
  const signing = openSigningKey(pkcs8, { product: row.product, use: row.use })
  const raw = Buffer.from(row.publicKeyHex, 'hex')
  const role = {
    product: row.product,
    use: row.use,
    status: 'active' as const,
    nbf: unixSeconds(row.notBefore),
  }
  const imported = await importTrustedKey(raw, role, row.kid)
  if (!imported.ok || signing.kid !== row.kid || !raw.equals(signing.publicKey)) throw unopenable(row)
  return { signing, trusted: imported.key }
}

const unopenable = (row: KeyRow) =>
  new StartError(
    `The ${row.use} signing key ${row.kid} of product ${row.product} does not open with this master key.`,
    'Start with the LEASEHOLD_MASTER_KEY that this database was made with, or restore the row from a backup.',
  )

function toKeyring(keys: readonly OpenedKey[], keySetNumber: number): Keyring {
  const products = new Set(keys.map(({ row }) => row.product))
  return {
    keySetNumber,
    trusted: trustKeys(keys.map((key) => key.trusted)),
    has: (product) => products.has(product),
    signer<Use extends KeyUse>(product: string, use: Use, now: Date): SigningKey<Use> {
      // Newest first: the first that has begun is the one that no later key has superseded.
      const found = keys.find(
        ({ row }) =>
          row.product === product && row.use === use && row.notBefore <= now && row.revokedAt === null,
      )
      if (!found) throw new Error(`product ${product} has no active ${use} key`)
      return found.signing as SigningKey<Use>
    },
  }
}
