// What a batch holds in memory between reading and writing: each turn sees what the turns before it changed.
import { type DatedFinding, foldFindings } from '../../anomalies/fold.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import { capacityOf } from '../../rights/seat-bounds.ts'
import { type Capacity, changedCapacity } from '../../rights/seat-capacity.ts'
import type { Seat } from '../../rights/take-seat.ts'
import type { Stream } from '../reports/count-report.ts'
import type { ReportRow } from '../reports/report-row.ts'
import { type Found, seatName } from './read-batch.ts'
import { instanceOf, seatOf, streamOf } from './rows.ts'
import type { Effects, StaticJwtBinding, Turn, View } from './turn.ts'
import type { Writes } from './write-batch.ts'

interface InstanceDraft {
  row: InstanceRow | null
  created: boolean
  changed: boolean
  readonly seats: Map<string, Seat>
  readonly streams: Map<string, Stream>
  readonly forgotten: Map<string, string>
}

type Facts = Omit<View, 'instance' | 'seats' | 'streams' | 'forgottenSeats' | 'capacity' | 'staticJwt'>

export class Drafts {
  readonly #instances = new Map<string, InstanceDraft>()
  readonly #capacities = new Map<string, { capacity: Capacity; changed: boolean }>()
  readonly #changedSeats = new Map<string, Seat>()
  readonly #changedStreams = new Map<string, Writes['streams'][number]>()
  readonly #staticJwts = new Map<string, StaticJwtBinding>()
  readonly #bindings = new Map<string, string>()
  readonly #reports: ReportRow[] = []
  readonly #findings: DatedFinding[] = []

  constructor(found: Found, counted: ReadonlyMap<string, Capacity>) {
    for (const record of found.instances) {
      this.#draft(record.instance_key).row = instanceOf(record)
    }
    for (const record of found.seats)
      this.#draft(record.instance_key).seats.set(record.license_id, seatOf(record))
    for (const record of found.streams)
      this.#draft(record.instance_key).streams.set(record.boot_id, streamOf(record))
    for (const { instance_key, license_id, seat_id } of found.forgotten) {
      this.#draft(instance_key).forgotten.set(license_id, seat_id)
    }
    for (const [licenseId, capacity] of capacitiesOf(found)) {
      const exact = counted.get(licenseId)
      this.#capacities.set(licenseId, { capacity: exact ?? capacity, changed: exact !== undefined })
    }
    for (const { id, bound_instance_key, bound_is_live } of found.staticJwts) {
      this.#staticJwts.set(id, { boundInstanceKey: bound_instance_key, boundIsLive: bound_is_live })
    }
  }

  view(turn: Turn<unknown>, facts: Facts): View {
    const draft = this.#draft(turn.subject.key)
    const { licenseId, staticJwtId } = turn
    return {
      ...facts,
      instance: draft.row,
      seats: draft.seats,
      streams: draft.streams,
      forgottenSeats: draft.forgotten,
      capacity: licenseId === null ? null : (this.#capacities.get(licenseId)?.capacity ?? null),
      staticJwt: staticJwtId === null ? null : (this.#staticJwts.get(staticJwtId) ?? null),
    }
  }

  apply(turn: Turn<unknown>, effects: Effects, now: Date): void {
    const { key } = turn.subject
    const draft = this.#draft(key)
    if (effects.instance) {
      draft.created ||= draft.row === null
      draft.row = effects.instance
      draft.changed = true
    }
    if (effects.seat) {
      draft.seats.set(effects.seat.licenseId, effects.seat)
      this.#changedSeats.set(seatName(key, effects.seat.licenseId), effects.seat)
    }
    const { capacity: change } = effects
    const known = turn.licenseId === null ? undefined : this.#capacities.get(turn.licenseId)
    if (change && known)
      Object.assign(known, { capacity: changedCapacity(known.capacity, change, now), changed: true })
    for (const [bootId, stream] of effects.streams ?? []) {
      draft.streams.set(bootId, stream)
      this.#changedStreams.set(`${key} ${bootId}`, { instanceKey: key, bootId, stream })
    }
    this.#reports.push(...(effects.reports ?? []))
    this.#findings.push(...(effects.findings ?? []))
    if (effects.bindsStaticJwt !== undefined) {
      this.#bindings.set(effects.bindsStaticJwt, key)
      this.#staticJwts.set(effects.bindsStaticJwt, { boundInstanceKey: key, boundIsLive: true })
    }
  }

  writes(): Writes {
    const created: InstanceRow[] = []
    const changed: InstanceRow[] = []
    for (const draft of this.#instances.values()) {
      if (draft.row && draft.changed) (draft.created ? created : changed).push(draft.row)
    }
    return {
      created,
      changed,
      seats: [...this.#changedSeats.values()],
      capacities: [...this.#capacities].flatMap(([licenseId, { capacity, changed }]) =>
        changed ? [{ licenseId, ...capacity }] : [],
      ),
      streams: [...this.#changedStreams.values()],
      reports: this.#reports,
      sightings: foldFindings(this.#findings),
      bindings: [...this.#bindings].map(([id, instanceKey]) => ({ id, instanceKey })),
    }
  }

  #draft(key: string): InstanceDraft {
    let draft = this.#instances.get(key)
    if (!draft) {
      draft = {
        row: null,
        created: false,
        changed: false,
        seats: new Map(),
        streams: new Map(),
        forgotten: new Map(),
      }
      this.#instances.set(key, draft)
    }
    return draft
  }
}

/** What is kept of the licenses whose rows are held. */
export function capacitiesOf({ lockedLicenses, bounds, allotted }: Found): Map<string, Capacity> {
  const byLicense = new Map(bounds.map((row) => [row.license_id, row]))
  const seats = new Map(allotted.map((row) => [row.license_id, Number(row.seats)]))
  return new Map([...lockedLicenses].map((id) => [id, capacityOf(byLicense.get(id), seats.get(id) ?? 0)]))
}
