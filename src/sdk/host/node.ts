// The platform port on Node 20 and later. The only part of the SDK, with its node-* neighbours, that imports node:*.
import { randomBytes } from 'node:crypto'
import { arch, hostname, platform } from 'node:os'
import { readSmallFile } from './node-files.ts'
import { hasNodeSocket, openNodeSocket } from './node-socket.ts'
import { expandHome, openNodeStorage } from './node-storage.ts'
import type { Host, HostClock, HostLog } from './port.ts'

const LONGEST_TIMER = 2 ** 31 - 1

const clock: HostClock = { wall: () => Date.now(), monotonic: () => performance.now() }

/** Warnings and errors go to standard error, one line each; what goes well is nobody's business. */
const stderrLog: HostLog = {
  info() {},
  warn(message) {
    process.stderr.write(`[license] WARNING ${message}\n`)
  },
  error(message) {
    process.stderr.write(`[license] ERROR ${message}\n`)
  },
}

/** Node as a platform; any member can be given another way. */
export function nodeHost(given: Partial<Host> = {}): Host {
  const hostClock = given.clock ?? clock
  const instanceId = process.env.LEASEHOLD_INSTANCE_ID
  return {
    fetch: (url, init) => fetch(url, init),
    ...(hasNodeSocket() ? { openSocket: openNodeSocket } : {}),
    openStorage: (folder, product) => openNodeStorage(folder, product, hostClock),
    readFile: (path) => readSmallFile(expandHome(path)),
    random: (count) => new Uint8Array(randomBytes(count)),
    clock: hostClock,
    timers: {
      after(ms, work) {
        const timer = setTimeout(work, Math.min(LONGEST_TIMER, Math.max(0, ms)))
        timer.unref()
        return () => clearTimeout(timer)
      },
    },
    facts: {
      hostname: hostname(),
      os: platform(),
      arch: arch(),
      ...(instanceId ? { instanceId } : {}),
    },
    log: stderrLog,
    ...given,
  }
}
