// One row of the table: who is asked what. Owns the vocabulary; the rows themselves are in anchor-rows.ts and own-rows.ts.
import type { RequestList } from '../load/request.ts'

/** The programs that answer. `own`: the real server. `own-echo`: its middleware in front of an echo. */
export type Target = 'anchors' | 'oidc' | 'own' | 'own-echo'

export interface Workload {
  /** Short name for ratios and for the option --only. */
  id: string
  title: string
  target: Target
  /** A run's requests, made anew for each run; `count` is how many can be needed at most. */
  list: (count: number) => RequestList | Promise<RequestList>
  /** What a right answer holds: looked for in the answer to a request of the list, before the first run. */
  expects: string
  /** How many of them one request carries, where the rate is not that of requests. */
  unitsPerRequest?: number
  /** How many a second no server will ever reach: bounds the list. */
  most: number
}

export const once = (requests: RequestList['requests']): RequestList => ({ requests, repeats: false })
export const repeating = (requests: RequestList['requests']): RequestList => ({ requests, repeats: true })

/** Any of 0 to `count - 1`, each as likely. */
export const anyOf = (count: number): number => Math.floor(Math.random() * count)
