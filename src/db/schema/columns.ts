// Column shapes that every table shares. Owns no table.
import { customType, timestamp, uuid } from 'drizzle-orm/pg-core'

/** UTC instant, read and written as a Date. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Primary key made by the application (UUIDv7), so that an id is known before the row is written. */
export const id = () => uuid('id').primaryKey()

/** The sequence numbers of one process start that were counted, as ranges: contiguous reports cost one range. */
export const sequenceSet = customType<{ data: string; driverData: string }>({
  dataType: () => 'int8multirange',
})
