// One batch from its locks to its commit: read, settle the reference data, decide, write. Knows no lane and no queue.
import type { DatabaseConnection } from '../../../db/client.ts'
import { type PipelinedTransaction, runPipelined } from '../../../db/pipeline.ts'
import type { Parameter } from '../../../db/text-parameters.ts'
import { Refusal, type Services } from '../../kernel/context.ts'
import type { Read, ReferenceFacts } from '../../kernel/reference.ts'
import { type Capacity, needsCount, seatLimits } from '../../rights/seat-capacity.ts'
import { countSeats } from './count-seats.ts'
import { capacitiesOf, Drafts } from './drafts.ts'
import { type Found, findInstances, type Locking, readBatch, seatName } from './read-batch.ts'
import type { Decided, Turn } from './turn.ts'
import { writeBatch } from './write-batch.ts'

export interface BatchServices extends Services {
  connection: DatabaseConnection
}

export interface BatchOptions {
  readonly locking: Locking
  /** Milliseconds that a statement may wait for a lock. */
  readonly lockTimeout: number
  /** Whether instances that nobody knows may become known in this batch. */
  readonly newcomers: boolean
  /** Called between the round trips. Tests put in what happens meanwhile. */
  readonly between?: (step: 'read' | 'decided') => Promise<void>
}

/** A turn, and whether the row of its license is to be held. */
export interface Seated {
  readonly turn: Turn<unknown>
  readonly holdsLicense: boolean
}

export type Outcome =
  | { kind: 'answered'; answer: unknown; accepted: boolean }
  | { kind: 'refused'; error: unknown; accepted: boolean }
  /** Somebody holds the row of the instance, or of its license or seat. */
  | { kind: 'held'; by: 'instance' | 'license' }
  /** Nobody knows the instance, and this batch makes none known. */
  | { kind: 'unknown' }
  /** It takes a seat: the license's row must be held. */
  | { kind: 'needs_license' }
  /** A turn of the same instance that came before it was not ready. */
  | { kind: 'again' }

/**
 * Decides the turns in their order, in one transaction. What one turn is refused for harms no other. Rejects when the
 * transaction failed: nothing was written then, unless the error is CommitUnclear.
 */
export async function runBatch(
  services: BatchServices,
  turns: readonly Seated[],
  options: BatchOptions,
): Promise<Outcome[]> {
  const { clock, connection } = services
  const grantedAt = clock.now()
  const refunds: (() => void)[] = []
  const work = async (tx: PipelinedTransaction) => {
    const { found, facts } = await read(tx, services, turns, options, grantedAt)
    await options.between?.('read')
    const absent = await absentInstances(tx, turns, found, options)
    const counted = await countWhereNeeded(tx, facts, turns, found, clock.now())
    if (absent.size > 0 && options.newcomers) await countStrangers(tx, services, facts, turns)
    const known = { found, facts, counted, absent, grantedAt }
    const { outcomes, drafts, now } = decideAll(services, turns, known, options, refunds)
    await options.between?.('decided')
    await writeBatch(tx, services, drafts.writes(), now)
    return outcomes
  }
  try {
    return await runPipelined(connection, work, { lockTimeout: options.lockTimeout })
  } catch (error) {
    for (const refund of refunds) refund()
    throw error
  }
}

const reader =
  (tx: PipelinedTransaction): Read =>
  async (text, params) =>
    [...(await tx.send(text, params as readonly Parameter[]))] as never

async function read(
  tx: PipelinedTransaction,
  { reference }: BatchServices,
  turns: readonly Seated[],
  { locking }: BatchOptions,
  now: Date,
): Promise<{ found: Found; facts: ReferenceFacts }> {
  const send = reader(tx)
  const all = turns.map(({ turn }) => turn)
  const holding = turns.filter(({ holdsLicense }) => holdsLicense).map(({ turn }) => turn)
  const proof = reference.proof()
  const { found, last } = await readBatch(
    tx,
    {
      locking,
      now,
      instanceKeys: unique(all.map(({ subject }) => subject.key)).sort(),
      bootIds: unique(all.flatMap(({ bootIds }) => bootIds)),
      licenseIds: unique(holding.flatMap(({ licenseId }) => licenseId ?? [])).sort(),
      seats: all.flatMap(({ subject, licenseId }) =>
        licenseId === null ? [] : { instanceKey: subject.key, licenseId },
      ),
      staticJwtIds: unique(all.flatMap(({ staticJwtId }) => staticJwtId ?? [])).sort(),
      forgotten: all.some(({ namesSeat }) => namesSeat),
    },
    () => tx.send<Record<string, unknown>>(proof.text, proof.params),
  )
  await reference.settle(send, proof, last[0])
  const facts = await reference.load(send, {
    licenses: unique([
      ...found.seats.map(({ license_id }) => license_id),
      ...all.flatMap(({ licenseId }) => licenseId ?? []),
      ...all.flatMap(({ licenses }) => licenses ?? []),
    ]),
    credentials: all.flatMap(({ credentials }) => credentials),
  })
  return { found, facts }
}

/** Instances that nobody knows. A row that was not locked is held by somebody, or is not there: a plain look tells. */
async function absentInstances(
  tx: PipelinedTransaction,
  turns: readonly Seated[],
  { instances }: Found,
  { locking }: BatchOptions,
): Promise<ReadonlySet<string>> {
  const locked = new Set(instances.map(({ instance_key }) => instance_key))
  const missing = unique(turns.map(({ turn }) => turn.subject.key)).filter((key) => !locked.has(key))
  // Who waits for rows gets all that are there.
  if (missing.length === 0 || locking === 'wait') return new Set(missing)
  const there = await findInstances(tx, missing)
  return new Set(missing.filter((key) => !there.has(key)))
}

/** How many instances the products have that nobody has licensed: bounds those that come. */
async function countStrangers(
  tx: PipelinedTransaction,
  { newcomers, clock }: BatchServices,
  facts: ReferenceFacts,
  turns: readonly Seated[],
): Promise<void> {
  const products = turns.map(({ turn }) => facts.productByCode(turn.subject.productCode)?.id)
  await newcomers?.count(reader(tx), unique(products.flatMap((id) => id ?? [])), clock.monotonic())
}

/** Licenses of which more seats are wanted than are known to be free. */
async function countWhereNeeded(
  tx: PipelinedTransaction,
  facts: ReferenceFacts,
  turns: readonly Seated[],
  found: Found,
  now: Date,
): Promise<ReadonlyMap<string, Capacity>> {
  if (found.lockedLicenses.size === 0) return new Map()
  const due = new Map<string, Capacity>()
  for (const [id, capacity] of capacitiesOf(found)) {
    const license = facts.license(id)
    const wanted = turns.filter(({ turn, holdsLicense }) => holdsLicense && turn.licenseId === id).length
    if (license && needsCount(capacity, seatLimits(license), wanted, now)) due.set(id, capacity)
  }
  return due.size === 0 ? due : countSeats(tx, due, now)
}

interface Known {
  readonly found: Found
  readonly facts: ReferenceFacts
  readonly counted: ReadonlyMap<string, Capacity>
  readonly absent: ReadonlySet<string>
  readonly grantedAt: Date
}

interface Decisions {
  readonly outcomes: Outcome[]
  readonly drafts: Drafts
  readonly now: Date
}

/**
 * One step of the event loop: nothing of the reference data changes within it. `refunds` gets what gives the places of
 * new strangers back.
 */
function decideAll(
  services: BatchServices,
  turns: readonly Seated[],
  { found, facts, counted, absent, grantedAt }: Known,
  { newcomers }: BatchOptions,
  refunds: (() => void)[],
): Decisions {
  const now = services.clock.now()
  const { random, pepper } = services
  const drafts = new Drafts(found, counted)
  const readiness = new Readiness(found, absent, newcomers)
  const outcomes = turns.map((seated): Outcome => {
    const { turn } = seated
    const unready = readiness.of(seated)
    if (unready) return unready
    const own: (() => void)[] = []
    const admitStranger = (productId: string) => {
      if (services.newcomers) own.push(services.newcomers.admit(turn.ctx.network, productId))
    }
    const view = drafts.view(turn, {
      settings: services.settings,
      facts,
      pepper,
      random,
      grantedAt,
      now,
      admitStranger,
    })
    try {
      const decided = turn.decide(view)
      if ('needsLicense' in decided) return readiness.postponed(turn, { kind: 'needs_license' })
      drafts.apply(turn, decided.effects, now)
      refunds.push(...own)
      return settled(decided)
    } catch (error) {
      // What is decided is applied as a whole afterwards: a turn that fails leaves nothing.
      for (const refund of own) refund()
      return { kind: 'refused', error, accepted: false }
    }
  })
  return { outcomes, drafts, now }
}

function settled({ answer, accepted = false }: Extract<Decided<unknown>, { answer: unknown }>): Outcome {
  if (answer instanceof Refusal) return { kind: 'refused', error: answer, accepted }
  return { kind: 'answered', answer, accepted }
}

/** Whether all that a turn needs was read under locks. */
class Readiness {
  readonly #found: Found
  readonly #absent: ReadonlySet<string>
  readonly #newcomers: boolean
  readonly #instances: ReadonlySet<string>
  readonly #seats: ReadonlySet<string>
  /** Instances whose turns have to keep their order behind one that is not ready. */
  readonly #postponed = new Map<string, Outcome>()

  constructor(found: Found, absent: ReadonlySet<string>, newcomers: boolean) {
    this.#found = found
    this.#absent = absent
    this.#newcomers = newcomers
    this.#instances = new Set(found.instances.map(({ instance_key }) => instance_key))
    this.#seats = new Set(found.seats.map((seat) => seatName(seat.instance_key, seat.license_id)))
  }

  /** Null when the turn may be decided. */
  of(seated: Seated): Outcome | null {
    const { key } = seated.turn.subject
    if (this.#postponed.has(key)) return { kind: 'again' }
    const unready = this.#unready(seated)
    return unready && this.postponed(seated.turn, unready)
  }

  postponed({ subject }: Turn<unknown>, outcome: Outcome): Outcome {
    this.#postponed.set(subject.key, outcome)
    return outcome
  }

  #unready({ turn, holdsLicense }: Seated): Outcome | null {
    const { subject, licenseId } = turn
    const isAbsent = this.#absent.has(subject.key)
    if (isAbsent && turn.mayCreate && !this.#newcomers) return { kind: 'unknown' }
    if (!isAbsent && !this.#instances.has(subject.key)) return { kind: 'held', by: 'instance' }
    if (licenseId === null) return null
    if (holdsLicense && !this.#found.lockedLicenses.has(licenseId)) return { kind: 'held', by: 'license' }
    const name = seatName(subject.key, licenseId)
    return this.#seats.has(name) && !this.#found.lockedSeats.has(name)
      ? { kind: 'held', by: 'license' }
      : null
  }
}

const unique = (values: readonly string[]): string[] => [...new Set(values)]
