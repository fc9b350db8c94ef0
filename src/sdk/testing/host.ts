// The platform port for tests: one process on a machine with a virtual clock and a disk in memory.
import type { Host, HostFacts, HostLog } from '../host/port.ts'
import type { VirtualClock } from './clock.ts'
import { type MemoryDisk, memoryDisk } from './disk.ts'

export interface LogLine {
  level: keyof HostLog
  message: string
}

export interface TestHostOptions {
  clock: VirtualClock
  /** Where requests go: the `fetch` of a test server, or one of your own. */
  fetch: Host['fetch']
  /** A test server's live channel, or one of your own. Default: none. */
  openSocket?: NonNullable<Host['openSocket']>
  /** Give two hosts the same one, and they are two processes, or two starts, on one machine. Default: a new one. */
  disk?: MemoryDisk
  facts?: HostFacts
}

export interface TestHost extends Host {
  readonly disk: MemoryDisk
  /** What was logged, oldest first. */
  readonly lines: readonly LogLine[]
  /** Ends the process as `SIGKILL` would: no timer runs, nothing is written or sent any more. */
  kill(): void
}

export function testHost(options: TestHostOptions): TestHost {
  const { clock, fetch, openSocket, disk = memoryDisk(), facts = {} } = options
  const user = { alive: true }
  const lines: LogLine[] = []
  const write = (level: keyof HostLog) => (message: string) => {
    lines.push({ level, message })
  }
  const never = new Promise<never>(() => {})
  /** What a dead process asked for never comes. */
  const living = <T>(ask: () => Promise<T>): Promise<T> =>
    user.alive ? clock.track(ask()).then((given) => (user.alive ? given : never)) : never

  return {
    disk,
    lines,
    kill() {
      user.alive = false
    },
    // Not tracked: a slow server waits for the clock. The test server tells of its own work.
    fetch: (url, init) => (user.alive ? fetch(url, init) : never),
    ...(openSocket ? { openSocket } : {}),
    async openStorage(folder, product) {
      const storage = await living(() => disk.open(folder ?? `~/.${product}`, user, clock))
      return {
        place: storage.place,
        read: (name) => living(() => storage.read(name)),
        write: (name, text) => living(() => storage.write(name, text)),
        remove: (name) => living(() => storage.remove(name)),
        setAside: (name) => living(() => storage.setAside(name)),
        // Not tracked: it is touched each minute, and answers at once.
        lead: () => (user.alive ? storage.lead() : never),
        release: () => living(() => storage.release()),
      }
    },
    readFile: (path) => living(async () => disk.files.get(path) ?? null),
    random: (count) => crypto.getRandomValues(new Uint8Array(count)),
    clock,
    timers: {
      after: (ms, work) =>
        clock.timers.after(ms, () => {
          if (user.alive) work()
        }),
    },
    facts,
    log: { info: write('info'), warn: write('warn'), error: write('error') },
  }
}
