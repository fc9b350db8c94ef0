// The laboratory of the hot bench: one database, the real server, and the programs it is measured against.
import { join } from 'node:path'
import { bundle } from '../../../scripts/bundle.ts'
import { openAdmin } from '../fleet/admin.ts'
import { type BenchDatabase, startBenchDatabase } from '../lab/database.ts'
import { tell } from '../lab/numbers.ts'
import { freePort, type Program, startProgram } from '../lab/program.ts'
import { serverEnvironment, startServer } from '../lab/server.ts'
import { makeAnchorTables } from './anchors/tables.ts'
import { type FleetSize, type HotFleet, LICENSED, makeHotFleet } from './fleet.ts'
import type { Target } from './workload.ts'

const ANCHOR_DATABASE = 'bench_anchor'
const OWN_DATABASE = 'leasehold'

export interface Lab {
  database: BenchDatabase
  fleet: HotFleet
  programs: Record<Target, Program>
  /** Another process of the real server on the same database. */
  secondServer(): Promise<Program>
  /** Whose statements count where this target is asked. */
  databaseOf(target: Target): string
  stop(): Promise<void>
}

export async function openLab(size: FleetSize): Promise<Lab> {
  tell('starting the database')
  const database = await startBenchDatabase()
  const running: Program[] = []
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= Promise.all(running.map((program) => program.stop())).then(database.stop)
    return stopping
  }
  try {
    const { folder } = database
    const started = async <T extends Program>(starting: Promise<T>): Promise<T> => {
      const program = await starting
      running.push(program)
      return program
    }
    const own = await started(startServer('own', { databaseUrl: database.url, folder }))
    tell('making the fleet')
    const fleet = await makeHotFleet({ url: own.url, admin: await openAdmin(own) }, database.sql, size)
    tell('starting the anchors')
    const anchorUrl = await database.another(ANCHOR_DATABASE)
    await makeAnchorTables(anchorUrl, LICENSED, size.instances)
    const beside = async (name: string, source: string, readyPath: string, env: Record<string, string>) => {
      const { program: path } = await bundle(source, folder)
      return started(startProgram({ name, path, port: await freePort(), readyPath, folder, env }))
    }
    const anchors = await beside('anchors', 'test/bench/hot/anchors/hono.ts', '/healthz', {
      DATABASE_URL: anchorUrl,
    })
    const oidc = await beside(
      'oidc',
      'test/bench/hot/anchors/oidc.ts',
      '/.well-known/openid-configuration',
      {},
    )
    const ownEcho = await beside(
      'own-echo',
      'test/bench/hot/own-echo.ts',
      '/healthz',
      serverEnvironment({ databaseUrl: database.url, folder: join(folder, 'own') }),
    )
    return {
      database,
      fleet,
      programs: { own, anchors, oidc, 'own-echo': ownEcho },
      secondServer: () => started(startServer('second', { databaseUrl: database.url, folder })),
      databaseOf: (target) => (target === 'anchors' ? ANCHOR_DATABASE : OWN_DATABASE),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
