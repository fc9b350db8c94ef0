// Numbers the reports of clients that number none, so that one counts once however often it is sent on: to the vendor
// at once, through the queue, or again by a client whose answer was lost.
import type { Commits } from '../store/commits.ts'
import type { ReportQueue } from '../store/queue.ts'
import type { WordStore } from '../store/words.ts'
import { type InstanceRequest, sentNumbersOf } from './request.ts'

/**
 * The boot ids under which the vendor counts what carries no number, so that counters go on whichever way a report took;
 * what nothing proves is not mixed with the instance's own.
 */
const NO_BOOT = '00000000-0000-0000-0000-000000000000'
const NO_BOOT_UNPROVEN = '00000000-0000-0000-0000-000000000001'

/**
 * Milliseconds in which the same body of the same instance is the same report. No client is told to report more often
 * than that (T1), so that two of its own reports are never taken for one.
 */
const SAME_MS = 5 * 60_000
/** Numbers that are remembered. Past that many the oldest are forgotten: a repetition of theirs would count again. */
const MOST = 10_000
/** Numbers that are reserved on disk at once: one write a minute, and none is given twice after a restart. */
const RESERVED = 60_000
const DOCUMENT = 'own-numbers'

export interface OwnNumber {
  bootId: string
  seq: number
  /** Unix milliseconds at which it came first. */
  at: number
  /** By which a repetition is known. */
  digest: string
}

export interface OwnNumbers {
  /** The number of this request's report: that of the first time, where it is a repetition. */
  of(request: InstanceRequest): OwnNumber
}

export interface OwnNumbersPort {
  words: WordStore
  queue: ReportQueue
  commits: Commits
  /** HMAC: a request holds a credential. */
  hash(text: string): string
  /** Unix milliseconds. */
  now(): number
}

export function ownNumbers({ words, queue, commits, hash, now }: OwnNumbersPort): OwnNumbers {
  const known = new Map<string, OwnNumber>()
  // What waits was acknowledged, or its answer was lost with the process: its repetition is known after a restart too.
  for (const { digest, bootId, seq, observedAt } of queue.digestsSince(now() - SAME_MS)) {
    known.set(digest, { bootId, seq, at: observedAt, digest })
  }
  let reserved = Number(words.document(DOCUMENT) ?? 0)
  let last = reserved
  commits.onLost(() => {
    reserved = Number(words.document(DOCUMENT) ?? 0)
  })

  /** Rises through restarts, whatever the clock does: a number that was used would count as delivered. */
  function next(): number {
    last = Math.max(last + 1, now())
    if (last > reserved) {
      reserved = last + RESERVED
      words.keepDocument(DOCUMENT, String(reserved), now())
    }
    return last
  }

  return {
    of({ path, bearer, text }) {
      const digest = hash(JSON.stringify([path, bearer, text]))
      const before = known.get(digest)
      const age = before === undefined ? SAME_MS : Math.abs(now() - before.at)
      if (before !== undefined && age < SAME_MS) return before
      const number = { bootId: bearer === null ? NO_BOOT_UNPROVEN : NO_BOOT, seq: next(), at: now(), digest }
      known.delete(digest)
      known.set(digest, number)
      const [oldest] = known.keys()
      if (known.size > MOST && oldest !== undefined) known.delete(oldest)
      return number
    },
  }
}

/**
 * The body with its report's number in it, which changes nothing else of what it says. The vendor then counts it once
 * also where its answer is lost on the way and the report comes again through the queue.
 */
export function numbered(request: InstanceRequest, numbers: OwnNumbers): string | null {
  const { body, text } = request
  if (text === null || sentNumbersOf(body) !== null) return text
  const { bootId, seq } = numbers.of(request)
  return JSON.stringify({ ...body, boot_id: bootId, seq })
}
