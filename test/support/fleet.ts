// Several product processes with several SDK instances each, and what they tell.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TrustOptions } from '../../src/sdk/options.ts'

export interface FleetOrder {
  product: string
  serverUrl: string
  trust: TrustOptions
  apiKey: string
  instanceIds: string[]
  /** Asked of each `has`. */
  features: string[]
  /** Milliseconds between two questions of one instance, on average. */
  everyMs: number
}

/** What an instance holds, and what it lost and gained since the mark. */
export interface Held {
  instanceId: string
  state: string
  killed: boolean
  features: string[]
  lost: string[]
  gained: string[]
  states: string[]
}

/** A report that was answered 200. */
export interface Acknowledged {
  instance_id: string
  boot_id: string
  seq: number
  observed_at: string
}

interface Said {
  held?: Held[]
  acknowledged?: Acknowledged[]
}

export interface Fleet {
  mark(): Promise<void>
  held(): Promise<Held[]>
  acknowledged(): Promise<Acknowledged[]>
  stop(): Promise<void>
}

/** Resolves once every instance has started. `program`: fleet-process.ts, as it is or bundled. */
export async function startFleet(program: string, orders: readonly FleetOrder[]): Promise<Fleet> {
  const members = orders.map((order) => {
    const child = spawn(process.execPath, [program, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const exited = new Promise((resolve) => child.on('exit', resolve))
    const next = async (): Promise<Said> => {
      const line = await lines.next()
      if (line.done) throw new Error('a product process ended')
      return JSON.parse(line.value) as Said
    }
    return {
      next,
      ask(question: string) {
        child.stdin.write(`${question}\n`)
        return next()
      },
      stop() {
        child.stdin.end()
        return exited
      },
    }
  })
  const all = (question: string) => Promise.all(members.map((member) => member.ask(question)))
  await Promise.all(members.map((member) => member.next()))
  return {
    async mark() {
      await all('mark')
    },
    held: async () => (await all('held')).flatMap((said) => said.held ?? []),
    acknowledged: async () => (await all('acknowledged')).flatMap((said) => said.acknowledged ?? []),
    async stop() {
      await Promise.all(members.map((member) => member.stop()))
    },
  }
}
