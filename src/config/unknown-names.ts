// Finds `LEASEHOLD_…` variables that no setting has, and the setting that was probably meant.

const OURS = /^LEASEHOLD_/i
// Kubernetes gives every pod such variables for a Service that is called "leasehold" or "leasehold-…".
const SERVICE_VARIABLES =
  /^LEASEHOLD_(.+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\//

/** Names that claim to be ours and are not known. Set by hand, as far as can be told. */
export function unknownNames(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): string[] {
  return Object.entries(env)
    .filter(([name, value]) => value !== undefined && OURS.test(name) && !known.includes(name))
    .filter(([name, value]) => !SERVICE_VARIABLES.test(name) && !SERVICE_ADDRESS.test(value ?? ''))
    .map(([name]) => name)
    .sort()
}

/** The known name with the fewest changes of a letter, if few enough; our prefix does not count. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const wanted = bare(name)
  let nearest: string | null = null
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const changes = distance(wanted, bare(candidate))
    if (changes < least) [nearest, least] = [candidate, changes]
  }
  return nearest
}

function bare(name: string): string {
  return name.toUpperCase().replace(OURS, '')
}

/** Levenshtein distance, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
