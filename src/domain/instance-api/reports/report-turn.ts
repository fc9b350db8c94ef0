// A turn that only brings reports of one instance: of a telemetry batch, or of a relay.
import type { Ctx } from '../../kernel/context.ts'
import { type Decided, NO_EFFECTS, type Subject, type Turn, type View } from '../flow/turn.ts'
import type { Proven } from '../proof/prove-reporter.ts'
import { unknownProduct } from '../proof/refusals.ts'
import { NO_BOOT, NO_BOOT_UNPROVEN, type Report } from './report.ts'
import { bootIdsOf, takeReports } from './take-reports.ts'

/** In the order of the reports: whether each had been counted before. */
export type Counts = readonly { duplicate: boolean }[]

export interface ReportTurn extends Pick<Turn<Counts>, 'credentials' | 'namesSeat' | 'mayCreate'> {
  subject: Subject
  /** As they are once it is known how they are proven. */
  reports: readonly Omit<Report, 'proof'>[]
  prove: (view: View) => Proven
}

export function reportTurn(ctx: Ctx, { reports, prove, subject, ...needs }: ReportTurn): Turn<Counts> {
  return {
    ctx,
    subject,
    ...needs,
    weight: {
      signatures: 0,
      reports: reports.length,
      bytes: 300 + reports.reduce((sum, { metrics }) => sum + 400 + 40 * Object.keys(metrics).length, 0),
    },
    bootIds: [
      ...new Set([
        ...bootIdsOf(reports.map((report) => ({ ...report, proof: 'none' }))),
        NO_BOOT,
        NO_BOOT_UNPROVEN,
      ]),
    ],
    licenseId: null,
    changesSeat: false,
    staticJwtId: null,
    decide(view): Decided<Counts> {
      const { proof, accepted } = prove(view)
      const product = view.facts.productByCode(subject.productCode)
      if (!product) throw unknownProduct()
      if (reports.length === 0) return { answer: [], effects: NO_EFFECTS, accepted }
      const proven = reports.map((report) => ({ ...report, proof }))
      const { outcomes, effects } = takeReports(view, subject, product, proven)
      return { answer: outcomes, effects, accepted }
    },
  }
}
