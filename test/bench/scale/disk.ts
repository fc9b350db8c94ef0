// Whether the disk has room for the fleets of the scale bench.
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'

/** Rows, indexes and the log of an instance with its seat, with room for what the measurement adds. */
const BYTES_PER_INSTANCE = 3_000
const BYTES_BESIDE = 12e9

/** @throws Error that says how much is wanted and how much there is. */
export async function requireSpace(instances: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir())
  const free = bavail * bsize
  const wanted = instances * BYTES_PER_INSTANCE + BYTES_BESIDE
  if (free >= wanted) return
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  throw new Error(
    `${tmpdir()} has ${gigabytes(free)}, and ${instances} instances may need ${gigabytes(wanted)}: ` +
      'give --instances a smaller number, or TMPDIR another disk.',
  )
}
