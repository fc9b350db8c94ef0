// What a human reads at the start. Goes to standard error: standard output carries log lines and nothing else.
import { join } from 'node:path'
import { localUrl } from '../config/addresses.ts'
import { CREDENTIALS_FILE } from './first-run/credentials-file.ts'
import type { FirstRun } from './first-run/first-run.ts'

export interface BannerFacts {
  version: string
  host: string
  port: number
  database: string
  dataDir: string
  firstRun: FirstRun
  seconds: number
  /** How many serve. */
  processes: number
}

const NEWS: Record<FirstRun, string | null> = {
  made: 'first start: demo product keldris, a pro license and an owner key were made',
  renewed: 'credentials.json was lost: new credentials were made, and the old ones revoked',
  kept: null,
  none: null,
}

/** Names where secrets are, never what they are. */
export function banner(facts: BannerFacts): string {
  const url = localUrl(facts.host, facts.port)
  const file = join(facts.dataDir, CREDENTIALS_FILE)
  const hasFile = facts.firstRun !== 'none'
  const news = NEWS[facts.firstRun]
  const rows: [string, string][] = [
    ['address', url],
    ['database', facts.database],
    ...(facts.processes === 1 ? [] : [['processes', String(facts.processes)] as [string, string]]),
    ['secrets', hasFile ? file : 'in your settings; nothing was seeded'],
    ...(news === null ? [] : [['news', news] as [string, string]]),
    ['try', hasFile ? tryHeartbeat(url) : 'npx leasehold admin-keys create --role owner'],
  ]
  const lines = rows.map(([name, text]) => `  ${name.padEnd(10)}${text}`)
  return `\nLeasehold ${facts.version} is ready after ${facts.seconds.toFixed(1)} s. Ctrl-C stops it.\n${lines.join('\n')}\n\n`
}

function tryHeartbeat(url: string): string {
  return url === 'http://127.0.0.1:8081' ? 'scripts/test-heartbeat.sh' : `scripts/test-heartbeat.sh ${url}`
}
