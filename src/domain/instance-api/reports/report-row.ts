// A report as a row of `reports`.
import type { reports } from '../../../db/schema/index.ts'

export type ReportRow = Omit<typeof reports.$inferSelect, 'summed'>
