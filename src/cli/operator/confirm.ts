// Asks before something is taken: shows what the server says would be lost, then wants the name of it typed.
import { isJsonObject } from '../../license/json.ts'
import { type CommandIo, RefusedError } from '../command.ts'
import { printable } from '../table.ts'
import type { Row, Taking } from './resource.ts'
import { cellOf } from './show.ts'

const SHOWN = 10

/** Resolves where it may go on. @throws RefusedError where it may not: nothing was changed. */
export async function confirm(
  { takes, preview }: Taking,
  name: string,
  { yes }: { yes: boolean },
  io: CommandIo,
): Promise<void> {
  if (yes) return
  if (!io.prompt) {
    throw new RefusedError([
      `This ${takes}, and there is no terminal to ask at. Nothing was changed.`,
      preview === 'dry_run'
        ? 'Add --yes where it is meant, or --dry-run to see what it would do.'
        : 'Add --yes where it is meant.',
    ])
  }
  const typed = await io.prompt(`This ${takes}. Type ${printable(name)} to confirm: `)
  if (typed.trim() !== name) throw new RefusedError(['That is not it. Nothing was changed.'])
}

/** What would be lost, in lines; the same for every route that can be tried first. */
export function previewLines(preview: Row): string[] {
  if (preview.changes === false) return ['It is so already: nothing would change.']
  if (isJsonObject(preview.stops_verifying)) return signingLines(preview, preview.stops_verifying)
  const instances = Array.isArray(preview.instances) ? preview.instances.filter(isJsonObject) : []
  const matched = Number(preview.matched)
  return [
    matched === 1 ? 'It concerns 1 instance:' : `It concerns ${matched} instances${matched > 0 ? ':' : '.'}`,
    ...instances.slice(0, SHOWN).map(instanceLine),
    ...(matched > SHOWN ? [`  and ${matched - SHOWN} more`] : []),
  ]
}

function instanceLine({
  instance_id,
  product,
  loses,
  taken_by,
  next_heartbeat_by,
  grace_ends_at,
}: Row): string {
  const who = `  ${cellOf(instance_id)} (${cellOf(product)})`
  if (taken_by === 'nothing') return `${who} loses nothing`
  const when =
    taken_by === 'directive'
      ? `at its next report, due by ${cellOf(next_heartbeat_by)}`
      : taken_by === 'validate'
        ? 'when it next validates its key'
        : 'when what it holds runs out'
  const last = typeof grace_ends_at === 'string' ? `; unreached, by ${grace_ends_at}` : ''
  return `${who} loses ${lossOf(loses)} ${when}${last}`
}

function lossOf(loses: unknown): string {
  if (!isJsonObject(loses)) return 'something'
  const tier = isJsonObject(loses.tier) ? loses.tier : {}
  const parts = [
    tier.before === tier.after ? null : `tier ${cellOf(tier.before)} for ${cellOf(tier.after)}`,
    Array.isArray(loses.features) && loses.features.length > 0
      ? `features ${loses.features.join(', ')}`
      : null,
    ...(Array.isArray(loses.limits) ? loses.limits.filter(isJsonObject) : []).map(
      ({ limit, before, after }) => `${cellOf(limit)} ${amount(before)} for ${amount(after)}`,
    ),
  ].filter((part) => part !== null)
  return parts.length === 0 ? 'nothing more' : parts.join('; ')
}

const amount = (value: unknown): string =>
  value === -1 ? 'unlimited' : value === null ? 'none' : cellOf(value)

function signingLines(preview: Row, stops: Row): string[] {
  const takesOver = preview.takes_over === null ? 'a new key' : cellOf(preview.takes_over)
  return [
    `The ${cellOf(preview.use)} key ${cellOf(preview.kid)} of ${cellOf(preview.product)}, ${cellOf(preview.status)}, would verify nothing any more:`,
    ...Object.entries(stops).map(([what, counted]) => {
      const count = isJsonObject(counted) ? counted.count : counted
      return `  ${what.replaceAll('_', ' ')}: ${cellOf(count)}`
    }),
    ...(preview.status === 'active' ? [`From then on ${takesOver} signs.`] : []),
    ...(Array.isArray(preview.not_counted) ? preview.not_counted.map((what) => `Not counted: ${what}`) : []),
  ]
}
