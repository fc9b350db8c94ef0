// Rows that are measured once the rounds are over: many connections, and one license through two processes.
import type { Lab } from './lab.ts'
import type { Figures } from './measure.ts'
import { type RoundOptions, runRow } from './rounds.ts'
import type { Row } from './table.ts'
import type { Workload } from './workload.ts'

const MANY_CONNECTIONS = 512

export async function measureSpecial(
  lab: Lab,
  rows: readonly Workload[],
  { runs, seconds, connections }: RoundOptions,
): Promise<Row[]> {
  const repeat = async (run: () => Promise<Figures>): Promise<Figures[]> => {
    const figures: Figures[] = []
    for (let i = 0; i < runs; i += 1) figures.push(await run())
    return figures
  }
  const special: Row[] = []
  const heartbeat = rows.find(({ id }) => id === 'heartbeat')
  if (heartbeat) {
    special.push({
      title: `${heartbeat.title}, ${MANY_CONNECTIONS} connections`,
      runs: await repeat(() => runRow(lab, heartbeat, { seconds, connections: MANY_CONNECTIONS })),
    })
  }
  const activate = rows.find(({ id }) => id === 'activate')
  if (activate) {
    const second = await lab.secondServer()
    const programs = [lab.programs.own, second]
    special.push({
      title: `${activate.title}, 2 processes`,
      runs: await repeat(() => runRow(lab, activate, { seconds, connections, programs })),
    })
    await second.stop()
  }
  return special
}
