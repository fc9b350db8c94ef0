// Whether the relay's files are its own: looked at before anything of them is read, and all that is wrong is told at once.
import { lstatSync, type Stats } from 'node:fs'
import { join } from 'node:path'

/** What others must neither read nor write. */
const PRIVATE_FILES = ['relay-key.json', 'enrolment.json', 'relay.sqlite', 'relay.sqlite-wal']

export interface Places {
  folder: string
  developmentLicense: string | null
}

/** One line for each problem. What is not there yet is made by its owner. */
export function unsafePlaces({ folder, developmentLicense }: Places): string[] {
  const problems: string[] = []
  const at = look(folder)
  if (at && !at.isDirectory()) problems.push(`LEASEHOLD_RELAY_DIR: ${folder} is no folder`)
  else if (at && !isOwn(at, 0o077)) {
    problems.push(
      `LEASEHOLD_RELAY_DIR: others may look into ${folder}, where the relay's key lies; chown it to this user and chmod 700`,
    )
  }
  for (const path of PRIVATE_FILES.map((name) => join(folder, name))) {
    const file = look(path)
    if (file && !(file.isFile() && isOwn(file, 0o077))) {
      problems.push(
        `${path}: is not a file that this user alone can read; find out who made it so, then chown it and chmod 600`,
      )
    }
  }
  const license = developmentLicense === null ? null : look(developmentLicense)
  if (license && (!license.isFile() || (license.mode & 0o022) !== 0)) {
    problems.push(
      `LEASEHOLD_DEVELOPMENT_LICENSE: others may write ${developmentLicense}, and so grant features; chmod 644`,
    )
  }
  return problems
}

const look = (path: string): Stats | null => lstatSync(path, { throwIfNoEntry: false }) ?? null

const isOwn = ({ uid, mode }: Stats, closed: number): boolean =>
  uid === process.getuid?.() && (mode & closed) === 0
