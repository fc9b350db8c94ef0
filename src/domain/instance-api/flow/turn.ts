// What one request of an instance asks of a batch, what the batch shows it, and what it decides. Types only.
import type { RandomBytes } from '../../../platform/random.ts'
import type { DatedFinding } from '../../anomalies/fold.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Ctx, DomainSettings, Refusal } from '../../kernel/context.ts'
import type { CredentialName, ReferenceFacts } from '../../kernel/reference.ts'
import type { Capacity, CapacityChange } from '../../rights/seat-capacity.ts'
import type { Seat } from '../../rights/take-seat.ts'
import type { Stream } from '../reports/count-report.ts'
import type { ReportRow } from '../reports/report-row.ts'

/** A running copy of a product. */
export interface Subject {
  readonly productCode: string
  readonly instanceId: string
  /** `instanceKey(productCode, instanceId)`. */
  readonly key: string
}

/** What a turn adds to the size of its batch. */
export interface Weight {
  /** Most signatures that its answer needs. */
  readonly signatures: number
  readonly reports: number
  /** About as many bytes as it writes. */
  readonly bytes: number
}

/** One request about one instance. It is decided in a batch with others, in the order of arrival. */
export interface Turn<Answer> {
  readonly ctx: Ctx
  readonly subject: Subject
  readonly weight: Weight
  /** The streams that its reports belong to. */
  readonly bootIds: readonly string[]
  /** The license whose seat it is about, if any. */
  readonly licenseId: string | null
  /** Whether it is known beforehand to take or end a seat, so that the license's row must be held. */
  readonly changesSeat: boolean
  /** Whether an unknown instance may become known. Else it is decided without one. */
  readonly mayCreate: boolean
  /** Further licenses that it is judged by. Those of the instance's seats are always at hand. */
  readonly licenses?: readonly string[]
  /** The credentials that it is judged by. */
  readonly credentials: readonly CredentialName[]
  /** The static JWT that was presented, by id. */
  readonly staticJwtId: string | null
  /** Whether seats of deleted instances matter to it: a license JWT was presented. */
  readonly namesSeat: boolean
  /**
   * Decides over what was read, in memory and at once. What it throws refuses this turn alone, and nothing of it is
   * written. It may be asked again, with newer facts.
   */
  decide(view: View): Decided<Answer>
}

/** What a turn is decided by. Everything was read under the locks of the batch. */
export interface View {
  readonly settings: DomainSettings
  /** Products, licenses, credentials and keys, proven to be true under the locks. */
  readonly facts: ReferenceFacts
  readonly pepper: Uint8Array
  /** Before anything was read: what is granted is dated with it (T3). */
  readonly grantedAt: Date
  /** After everything was read: denials, and what is written down, are dated with it (T3). */
  readonly now: Date
  readonly random: RandomBytes
  /** Null while nobody has heard of it. */
  readonly instance: InstanceRow | null
  /** All seats that the instance holds or held, by license. */
  readonly seats: ReadonlyMap<string, Seat>
  readonly streams: ReadonlyMap<string, Stream>
  /** The newest seat of a license that was deleted together with this instance, by license. */
  readonly forgottenSeats: ReadonlyMap<string, string>
  /** How many seats of the turn's license are taken; null while the license's row is not held. */
  readonly capacity: Capacity | null
  /** Of the static JWT that was presented. */
  readonly staticJwt: StaticJwtBinding | null
  /** Throws what keeps one more stranger's instance out, and counts it otherwise. */
  readonly admitStranger: (productId: string) => void
}

export interface StaticJwtBinding {
  readonly boundInstanceKey: string | null
  /** Whether that instance holds a seat of the token's license now. */
  readonly boundIsLive: boolean
}

/** What a turn changes. Applied as a whole, or not at all. */
export interface Effects {
  /** The instance as it is from now on; `created` when it was unknown. Absent: it stays as it is. */
  readonly instance?: InstanceRow
  readonly seat?: Seat
  readonly capacity?: CapacityChange
  readonly streams?: ReadonlyMap<string, Stream>
  readonly reports?: readonly ReportRow[]
  readonly findings?: readonly DatedFinding[]
  /** The static JWT becomes this instance's. */
  readonly bindsStaticJwt?: string
}

export type Decided<Answer> =
  | {
      readonly answer: Answer | Refusal
      readonly effects: Effects
      /** Whether a credential that proves a license was found good. Told once it is committed. */
      readonly accepted?: boolean
    }
  /** The license's row must be held for this one: it takes a seat, which was not known before. */
  | { readonly needsLicense: string }

export const NO_EFFECTS: Effects = {}
