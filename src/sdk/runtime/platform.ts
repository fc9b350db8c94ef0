// The platform as the SDK uses it: the vendor's logger in its place, and no logger that can throw.

import { callSafely } from '../guard.ts'
import type { Host, HostLog } from '../host/port.ts'

/** The same platform with a log that never throws. Members are called on the host they belong to. */
export function guardHost(host: Host, log: HostLog | null): Host {
  const target = log ?? host.log
  const guard =
    (level: keyof HostLog): HostLog[keyof HostLog] =>
    (message, facts) =>
      // A logger that fails must not take the product with it.
      callSafely(
        () => target[level](message, facts),
        () => {},
      )
  return {
    fetch: (url, init) => host.fetch(url, init),
    ...(host.openSocket ? { openSocket: host.openSocket.bind(host) } : {}),
    openStorage: (folder, product) => host.openStorage(folder, product),
    readFile: (path) => host.readFile(path),
    random: (count) => host.random(count),
    clock: host.clock,
    timers: host.timers,
    facts: host.facts,
    log: { info: guard('info'), warn: guard('warn'), error: guard('error') },
  }
}
