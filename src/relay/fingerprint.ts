// What names this machine to the vendor and stays the same over reboots. Reads files, writes none.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** systemd's and D-Bus's; in a container without either, the host name stands in. */
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/** 64 hex digits: SHA-256 over the machine's id, which itself is not told. */
export function serverFingerprint(): string {
  return createHash('sha256').update(`leasehold-relay\0${machineId()}`).digest('hex')
}

function machineId(): string {
  for (const path of MACHINE_IDS) {
    try {
      const id = readFileSync(path, 'utf8').trim()
      if (id !== '') return id
    } catch {
      // The next one.
    }
  }
  return hostname()
}
