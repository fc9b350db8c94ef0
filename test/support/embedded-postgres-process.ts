// A process of its own that starts the embedded database, tells what came of it, and behaves as it is asked to:
//   serve    until its standard input ends, then stops the database
//   drain    like serve, but on SIGINT uses the database a while longer before it stops
//   abandon  runs to its end without stopping the database
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { silentLog } from './silent-log.ts'

const { behaviour, ...options } = JSON.parse(process.argv[2] ?? '{}')
const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`)

try {
  const { url, version, location, stop } = await startEmbeddedPostgres({ ...options, log: silentLog })
  if (behaviour === 'serve' || behaviour === 'drain') {
    process.stdin.on('end', () => void stop()).resume()
  }
  if (behaviour === 'drain') {
    process.on('SIGINT', async () => {
      await sleep(300)
      const sql = postgres(url, { max: 1 })
      const [row] = await sql`select 1 as one`
      await sql.end()
      await stop()
      say({ drained: row?.one === 1 })
      process.stdin.destroy()
    })
  }
  say({ url, version, location })
} catch (error) {
  const { name, message, fix } = error as { name: string; message: string; fix?: string }
  say({ error: { name, message, fix } })
  process.exitCode = 1
}
