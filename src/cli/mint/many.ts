// `leasehold mint --tenants`: one license for each row of a list. A row that fails is told with its line; the others
// are written all the same.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { StartError } from '../../platform/start-error.ts'
import { fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import { type CommandIo, IncompleteError, NotVerifiedError, UsageError } from '../command.ts'
import { codeOf, removeOrSay, writePrivately } from '../files.ts'
import { printable } from '../table.ts'
import { checkOutput, isReadByCall, listOf, type MintArguments, minterOf } from './arguments.ts'
import type { Minter } from './minter.ts'
import { type BadRow, readTenants, type TenantRow } from './tenants.ts'
import { envelopeOf, TermError } from './terms.ts'

interface Written {
  line: number
  tenant: string
  license_id: string
  expires_at: string
  file: string
}

export async function mintMany(given: MintArguments, io: CommandIo): Promise<void> {
  const minter = await minterOf(given)
  const folder = given.output ?? ''
  const { rows, bad } = readTenants(await listOf(given, io), given.tenants ?? '', given.terms)
  await makeFolder(folder)
  const now = unixSeconds(new Date())
  const written: Written[] = []
  const taken = new Map<string, number>()
  let isUnverified = false
  const bar = progressBar(io, rows.length)
  for (const row of rows) {
    try {
      written.push(await mintRow(row, { given, folder, minter, now, taken }))
    } catch (error) {
      bad.push({ line: row.line, error: whyOf(error) })
      isUnverified ||= error instanceof NotVerifiedError
      if (given.verify) await removeEarlier(row, { given, folder, taken }, io)
    }
    bar?.increment()
  }
  bar?.stop()
  bad.sort((a, b) => a.line - b.line)
  if (given.json) io.out(`${JSON.stringify({ written, failed: bad })}\n`)
  else for (const { tenant, file } of written) io.out(`${printable(tenant)}  ${file}\n`)
  report(written, bad, { folder, isUnverified }, io)
}

interface Batch {
  given: MintArguments
  folder: string
  minter: Minter
  now: number
  /** File → line: two rows must not share a file. */
  taken: Map<string, number>
}

async function mintRow(
  { line, terms }: TenantRow,
  { given, folder, minter, now, taken }: Batch,
): Promise<Written> {
  const payload = envelopeOf(terms, now)
  const name = fileName(payload.tenantId)
  const before = taken.get(name.toLowerCase())
  if (before !== undefined)
    throw new TermError('tenant', `${payload.tenantId}: line ${before} has a file of the same name already`)
  const file = join(folder, name)
  await checkOutput(file, given)
  const token = await minter.mint(payload)
  const fault = await minter.fault(token, payload)
  if (fault !== null) throw new NotVerifiedError(`VERIFY FAILED: ${fault}`)
  await writePrivately(file, token, { overwrite: true })
  taken.set(name.toLowerCase(), line)
  const { tenantId, licenseId, exp } = payload
  return { line, tenant: tenantId, license_id: licenseId, expires_at: rfc3339(fromUnixSeconds(exp)), file }
}

/** A license of an earlier call must not pass for the one that this row did not get. */
async function removeEarlier(
  { terms: { tenant = '' } }: TenantRow,
  { given, folder, taken }: Pick<Batch, 'given' | 'folder' | 'taken'>,
  io: CommandIo,
): Promise<void> {
  const name = safeName(tenant.trim())
  if (tenant.trim() === '' || name.length > 200 || taken.has(`${name}.license`.toLowerCase())) return
  const file = join(folder, `${name}.license`)
  if (await isReadByCall(file, given)) return
  await removeOrSay(file, io)
}

/** A tenant may be called anything, `../x` too: what is no plain name is written as its bytes in hex. */
function safeName(tenant: string): string {
  return tenant.replace(/[^A-Za-z0-9._-]|^\./gu, (character) =>
    Buffer.from(character).toString('hex').replace(/../g, '%$&').toUpperCase(),
  )
}

function fileName(tenant: string): string {
  const safe = safeName(tenant)
  if (safe.length <= 200) return `${safe}.license`
  throw new TermError('tenant', 'is too long for the name of a file')
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new StartError(
      `${folder} cannot be made (${codeOf(error)}).`,
      'Name a folder that this user may make.',
    )
  })
}

function progressBar({ progress }: CommandIo, total: number): SingleBar | null {
  if (!progress || total === 0) return null
  const format = 'Minting {bar} {value}/{total}'
  const bar = new SingleBar({ format, stream: progress, clearOnComplete: true, hideCursor: true })
  bar.start(total, 0)
  return bar
}

function whyOf(error: unknown): string {
  if (error instanceof TermError) return `${error.term} ${error.message}`
  if (error instanceof NotVerifiedError || error instanceof UsageError) return error.message
  if (error instanceof StartError || error instanceof TypeError) return error.message
  throw error
}

function report(
  written: readonly Written[],
  bad: readonly BadRow[],
  { folder, isUnverified }: { folder: string; isUnverified: boolean },
  io: CommandIo,
): void {
  const total = written.length + bad.length
  const done = `Minted ${written.length} of ${total} licenses into ${folder}.`
  if (bad.length === 0) {
    io.say(done)
    return
  }
  const lines = bad.map(({ line, error }) => `  line ${line}: ${printable(error)}`)
  const told = [done, `${bad.length} failed:`, ...lines].join('\n')
  throw isUnverified ? new NotVerifiedError(told) : new IncompleteError(told)
}
