// The laboratory of the scale bench: a small and a large fleet, each in a database of its own behind its own server.
import { join } from 'node:path'
import { openAdmin } from '../fleet/admin.ts'
import { type BenchDatabase, startBenchDatabase } from '../lab/database.ts'
import { tell } from '../lab/numbers.ts'
import { startServer } from '../lab/server.ts'
import { type ScaleFleet, scaleFleet } from './fleet.ts'

export interface ScaleLab {
  database: BenchDatabase
  small: ScaleFleet
  large: ScaleFleet
  stop(): Promise<void>
}

export async function openScaleLab({
  licenses,
  sharedBuffers,
}: {
  licenses: number
  sharedBuffers: string
}): Promise<ScaleLab> {
  tell('starting the database')
  const database = await startBenchDatabase({
    shared_buffers: sharedBuffers,
    max_wal_size: '8GB',
    maintenance_work_mem: '1GB',
  })
  const stops: (() => Promise<void>)[] = [database.stop]
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end()
  }
  try {
    const open = async (name: string): Promise<ScaleFleet> => {
      const url = await database.another(name)
      const folder = join(database.folder, name)
      const server = await startServer('server', { databaseUrl: url, folder })
      stops.push(server.stop)
      const fleet = await scaleFleet({ name, url, folder, server, admin: await openAdmin(server), licenses })
      stops.push(fleet.close)
      return fleet
    }
    return { database, small: await open('small'), large: await open('large'), stop }
  } catch (error) {
    await stop()
    throw error
  }
}
