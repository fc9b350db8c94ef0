// Several real server processes on one database, as a vendor runs them behind a load balancer.
import { type Call, caller, ISSUER, type TestApp } from './app.ts'
import { type ClonedDatabase, cloneDatabase } from './database.ts'
import { credentialsIn, type LeaseholdProcess, workplace } from './leasehold-process.ts'
import { outsideDatabase } from './outside-database.ts'

export interface SeveralServers extends Pick<TestApp, 'databaseUrl' | 'adminKey' | 'admin'> {
  servers: LeaseholdProcess[]
  /** One for each server. */
  calls: Call[]
  /** Settings of every server, secrets included. */
  env: Record<string, string>
  /** Starts another one, on a port of its own unless one is given. */
  add(port?: number): Promise<LeaseholdProcess>
  stop(): Promise<void>
}

/** They share keys and issuer, and limit nobody's rate. The first makes the demo catalog and the owner key. */
export async function startServers(
  count: number,
  more: Record<string, string> = {},
): Promise<SeveralServers> {
  const clone: ClonedDatabase = await cloneDatabase()
  const place = workplace()
  const env = {
    ...outsideDatabase(clone.url),
    PUBLIC_URL: ISSUER,
    LEASEHOLD_RATE_LIMITS: 'off',
    LEASEHOLD_CREDENTIAL_RATE_LIMIT: 'off',
    ...more,
  }
  const servers: LeaseholdProcess[] = []
  const calls: Call[] = []
  const start = async (port: number | undefined, demo: boolean, dataDir: string) => {
    const server = await place.start({
      dataDir,
      ...(port === undefined ? {} : { port }),
      env: { ...env, LEASEHOLD_DEMO: String(demo) },
    })
    servers.push(server)
    calls.push(caller(server.url))
    return server
  }
  const stop = async () => {
    await place.clear()
    await clone.drop()
  }
  const add = async (port?: number) => start(port, false, await place.dataDir())
  try {
    const dataDir = await place.dataDir()
    const first = await start(undefined, true, dataDir)
    await Promise.all(Array.from({ length: count - 1 }, () => add()))
    const { admin_key } = await credentialsIn(dataDir)
    return {
      databaseUrl: clone.url,
      adminKey: admin_key,
      admin: (method, path, body) =>
        caller(first.url)(method, `/api/v1/admin${path}`, { bearer: admin_key, body }),
      servers,
      calls,
      env,
      add,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
