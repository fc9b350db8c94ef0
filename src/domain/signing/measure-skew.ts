// By how much our clock differs from the database's (T7).
import { sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import type { Clock } from '../../platform/clock.ts'

/**
 * Our clock minus the database's, in milliseconds: the least that fits, since the answer was on its way for a while.
 * A slow answer therefore proves nothing, and a wrong clock shows through any answer that is quick.
 */
export async function measureSkew(db: Executor, clock: Clock): Promise<number> {
  const asked = clock.now().getTime()
  const [row] = await db.execute<{ ms: number }>(
    sql`select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms`,
  )
  const answered = clock.now().getTime()
  const theirs = row?.ms ?? asked
  if (theirs < asked) return asked - theirs
  return theirs > answered ? answered - theirs : 0
}
