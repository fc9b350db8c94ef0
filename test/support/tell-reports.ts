// Reports of many instances through a pipeline, each instance's as one turn, as a relay or a crowd of clients sends them.
import { instancePipeline, type Pipeline } from '../../src/domain/instance-api/flow/pipeline.ts'
import type { BatchServices } from '../../src/domain/instance-api/flow/run-batch.ts'
import type { Report } from '../../src/domain/instance-api/reports/report.ts'
import { reportTurn } from '../../src/domain/instance-api/reports/report-turn.ts'
import { Refusal } from '../../src/domain/kernel/context.ts'
import { instanceKey } from '../../src/platform/ids.ts'
import type { TestApp } from './app.ts'
import type { CountingDatabase } from './counting-database.ts'

export type ReportStatus = 'accepted' | 'duplicate' | 'rejected'

/** A pipeline as another process would have it: over connections of its own. */
export function pipelineOver(app: TestApp, connection: CountingDatabase): Pipeline {
  const services: BatchServices = { ...app.services, db: connection.db, connection }
  return instancePipeline(services)
}

/** What became of each report, in no particular order. */
export async function tellReports(
  app: TestApp,
  pipeline: Pipeline,
  reports: readonly Report[],
): Promise<ReportStatus[]> {
  const groups = Map.groupBy(reports, ({ product, instanceId, proof }) =>
    JSON.stringify([product, instanceId, proof]),
  )
  const told = [...groups.values()].map(async (group): Promise<ReportStatus[]> => {
    const [{ product: productCode, instanceId, proof }] = group as [Report]
    const turn = reportTurn(app.ctx, {
      subject: { productCode, instanceId, key: instanceKey(productCode, instanceId) },
      reports: group,
      credentials: [],
      namesSeat: false,
      mayCreate: true,
      prove: () => ({ proof, accepted: false }),
    })
    try {
      const counts = await pipeline.submit(turn)
      return counts.map(({ duplicate }) => (duplicate ? 'duplicate' : 'accepted'))
    } catch (error) {
      if (error instanceof Refusal && error.code === 'product_unknown') return group.map(() => 'rejected')
      throw error
    }
  })
  return (await Promise.all(told)).flat()
}
