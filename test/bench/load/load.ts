// Puts load on one or more servers: through wrk where it is installed, else through autocannon.
import { spawnSync } from 'node:child_process'
import { autocannonLoad } from './autocannon.ts'
import type { RequestList } from './request.ts'
import { wrkLoad } from './wrk.ts'

export interface LoadOptions {
  /** Connections are spread over them. */
  targets: readonly { host: string; port: number }[]
  connections: number
  seconds: number
  list: RequestList
  /** For the files that the generator reads. */
  folder: string
}

export interface LoadResult {
  /** Answers of any status. */
  answers: number
  /** Seconds from the first request to the end. */
  seconds: number
  /** Answers of status 400 and above, and connections that failed. */
  failed: number
  p50Ms: number
  p99Ms: number
}

export const generator: 'wrk' | 'autocannon' = spawnSync('wrk', ['-v']).error ? 'autocannon' : 'wrk'

export const applyLoad = (options: LoadOptions): Promise<LoadResult> =>
  generator === 'wrk' ? wrkLoad(options) : autocannonLoad(options)
