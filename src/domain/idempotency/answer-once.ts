// Carries a request out once for each idempotency key: its effect and its answer are committed together, or neither is
// (draft-ietf-httpapi-idempotency-key-header). Knows no HTTP and nothing of what is done.
import { eq, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { idempotencyKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { hmacSha256, sha256Hex } from '../../platform/hash.ts'
import { open, seal } from '../../platform/seal.ts'
import { DAY_SECONDS } from '../../platform/time.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import type { Keyring, KeyringCache } from '../kernel/keyring.ts'
import { reloadKeyring } from '../signing/reload-keyring.ts'

/** How long an answer is kept at least, in seconds. */
export const IDEMPOTENCY_LIFE = DAY_SECONDS

const RETRY_SECONDS = '1'

export interface OnceRequest {
  /** Whose key it is: nobody meets, or learns of, the keys of another. */
  caller: string
  key: string
  method: string
  path: string
  /** Everything else that the answer depends on: the query and the body. */
  content: readonly string[]
}

export interface KeptAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface Once {
  answer: KeptAnswer
  /** Whether it is the answer of an earlier request. */
  replayed: boolean
}

/**
 * Runs `work` within one transaction, which `ctx.db` is for it, and keeps the answer that it returns. When it returns
 * null it has refused: everything it did is undone, nothing is kept, and so is the result. A process that dies leaves
 * neither effect nor key behind: there is no lease to wait for.
 * A deadlock or serialization failure is thrown as it is: the caller sends the request again.
 * @throws Refusal `idempotency_in_flight`, `idempotency_key_reused`
 */
export async function answerOnce(
  ctx: Ctx,
  request: OnceRequest,
  work: (ctx: Ctx) => Promise<KeptAnswer | null>,
): Promise<Once | null> {
  const id = sha256Hex(JSON.stringify([request.caller, request.method, request.path, request.key]))
  const requestHash = hmacSha256(ctx.pepper, 'idempotent-request', ...request.content)
  const keys = pinnedKeyring(await readKeyring(ctx))
  try {
    // Whoever hands in the work runs it once: what answers a request cannot answer it twice.
    const once = await transaction(
      ctx.db,
      async (tx): Promise<Once> => {
        await claim(tx, id)
        const kept = await keptAnswer(tx, ctx, id, requestHash)
        if (kept) return { answer: kept, replayed: true }
        const answer = await work({ ...ctx, db: tx, keyring: keys.keyring })
        if (!answer) throw new Refused()
        const sealedAnswer = seal(answerKey(ctx), sealName(id, requestHash), encode(answer))
        await tx.insert(idempotencyKeys).values({ id, requestHash, sealedAnswer, createdAt: ctx.clock.now() })
        return { answer, replayed: false }
      },
      { attempts: 1 },
    )
    if (keys.changed()) await reloadKeyring(ctx)
    return once
  } catch (error) {
    if (error instanceof Refused) return null
    throw error
  }
}

/** Rolls back, and goes no further. */
class Refused extends Error {}

/** Until commit or rollback, or the end of this process, no other request with the key gets past here. */
async function claim(tx: Transaction, id: string): Promise<void> {
  const lock = BigInt.asIntN(64, BigInt(`0x${id.slice(0, 16)}`)).toString()
  const [row] = await tx.execute<{ claimed: boolean }>(
    sql`select pg_try_advisory_xact_lock(${lock}::bigint) as claimed`,
  )
  if (row?.claimed) return
  throw new Refusal('idempotency_in_flight', 'A request with this idempotency key is being carried out.', {
    fix: 'Send it again in a second: it then gets the answer of the first.',
    headers: { 'Retry-After': RETRY_SECONDS },
  })
}

async function keptAnswer(
  tx: Transaction,
  ctx: Ctx,
  id: string,
  requestHash: string,
): Promise<KeptAnswer | null> {
  const [kept] = await tx.select().from(idempotencyKeys).where(eq(idempotencyKeys.id, id))
  if (!kept) return null
  if (kept.requestHash !== requestHash) {
    throw new Refusal('idempotency_key_reused', 'This idempotency key was used for another request.', {
      fix: 'Send the very same query and body again, or choose a new key for a new request.',
    })
  }
  const plain = open(answerKey(ctx), sealName(id, requestHash), kept.sealedAnswer)
  if (!plain) throw new Error('a kept answer does not open')
  return JSON.parse(new TextDecoder().decode(plain)) as KeptAnswer
}

/**
 * Made from the pepper, which lies sealed under the master key and outlives its rotation. So do kept answers, and
 * those that a process seals while another one rotates.
 */
const answerKey = (ctx: Ctx): Uint8Array =>
  Buffer.from(hmacSha256(ctx.pepper, 'idempotent-answer-key'), 'hex')

const sealName = (id: string, requestHash: string): string =>
  JSON.stringify(['idempotent-answer', id, requestHash])

const encode = (answer: KeptAnswer): Uint8Array => new TextEncoder().encode(JSON.stringify(answer))

type Read = { keyring: Keyring } | { error: unknown }

const readKeyring = (ctx: Ctx): Promise<Read> =>
  ctx.keyring.reload().then(
    (keyring) => ({ keyring }),
    // Only a request that signs something minds.
    (error: unknown) => ({ error }),
  )

/**
 * The keys as they were before the transaction began: to read them within it would take a second connection, and wait
 * for one while holding another. They are read again once a change of them is committed.
 */
function pinnedKeyring(read: Read): { keyring: KeyringCache; changed: () => boolean } {
  let changed = false
  const current = async (): Promise<Keyring> => {
    if ('error' in read) throw read.error
    return read.keyring
  }
  const reload = (): Promise<Keyring> => {
    changed = true
    return current()
  }
  return { keyring: { current, reload }, changed: () => changed }
}
