// Counts the seats of licenses exactly, under their locks: one statement for any number of licenses.
import type { PipelinedTransaction } from '../../../db/pipeline.ts'
import { COUNT_SEATS, type CountRecord, countedCapacity } from '../../rights/seat-bounds.ts'
import type { Capacity } from '../../rights/seat-capacity.ts'

/** The capacities as they are at `now`, and until when they stay so. */
export async function countSeats(
  tx: PipelinedTransaction,
  capacities: ReadonlyMap<string, Capacity>,
  now: Date,
): Promise<Map<string, Capacity>> {
  const rows = await tx.send<CountRecord>(COUNT_SEATS, [[...capacities.keys()].sort(), now])
  return new Map(
    rows.map((row) => [
      row.license_id,
      countedCapacity(row, capacities.get(row.license_id)?.allotted ?? 0, now),
    ]),
  )
}
