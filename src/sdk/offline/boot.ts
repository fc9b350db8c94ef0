// The sources of a license at the start, and which of their licenses counts.
import type { InstallSource } from '../enforce/audit.ts'
import { wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'
import type { Inside } from '../runtime/inside.ts'
import type { InstalledLicense } from './store.ts'
import { type Genuine, type Judged, judge, type Refused } from './verify.ts'

export interface Candidate<J extends Judged = Judged> {
  source: InstallSource
  judged: J
}

interface Found {
  source: InstallSource
  genuine: Genuine
}

interface Sources {
  tenantId: string
  token: string | undefined
  tokenFile: string | undefined
}

/** In the boot order of the reference: environment, file, store. Never rejects. */
export async function judgeSources(
  inside: Inside,
  { tenantId, token, tokenFile }: Sources,
  row: InstalledLicense | null,
): Promise<Candidate[]> {
  const file = tokenFile?.trim() ? await readFile(inside.host, tokenFile.trim()) : null
  const sources: [InstallSource, string | null | undefined][] = [
    ['env', token?.trim()],
    ['file', file],
    ['db', row?.token],
  ]
  const candidates: Candidate[] = []
  for (const [source, text] of sources) {
    if (text) candidates.push({ source, judged: await judge(inside, text, tenantId) })
  }
  return candidates
}

async function readFile(host: Host, path: string): Promise<string | null> {
  try {
    return (await host.readFile(path))?.trim() ?? null
  } catch (error) {
    host.log.warn(`The license file could not be read: ${wordsOf(error)}`)
    return null
  }
}

/**
 * The first good one in the order of the sources; of its license the one that was issued last (T3), so that a variable
 * nobody has changed does not undo what an admin has installed. Without one, the first that has merely ended.
 */
export function chooseAtBoot(candidates: readonly Candidate[]): {
  chosen: Found | null
  ended: Found | null
  refused: readonly Candidate<Refused>[]
} {
  let chosen: Found | null = null
  let ended: Found | null = null
  const refused: Candidate<Refused>[] = []
  for (const { source, judged } of candidates) {
    if (judged.verdict === 'good') {
      if (!chosen || isNewer(judged.genuine, chosen.genuine)) chosen = { source, genuine: judged.genuine }
      continue
    }
    refused.push({ source, judged })
    if (judged.verdict === 'ended') ended ??= { source, genuine: judged.genuine }
  }
  return { chosen, ended, refused }
}

function isNewer({ grant }: Genuine, { grant: other }: Genuine): boolean {
  return grant.licenseId === other.licenseId && grant.issuedAt > other.issuedAt
}
