// `leasehold relay`: runs the on-premises half, and enrols it.
import { loadRelaySettings } from '../../config/relay-settings.ts'
import { pinoLogger } from '../../platform/logger-pino.ts'
import { enrolRelay } from '../../relay/enroll.ts'
import { unsafePlaces } from '../../relay/places.ts'
import { startRelay } from '../../relay/run.ts'
import { stopRequests } from '../../server/stop-requests.ts'
import { type Command, type CommandIo, readArguments, required, UsageError } from '../command.ts'
import { version } from '../version.ts'

const usage = `Usage: leasehold relay [--upstream URL]
       leasehold relay enroll --upstream URL --code lre_… --root HEX [--root HEX] [--issuer ISS] [--name NAME]

Serves this site's instances from a verified cache, and keeps them running while the vendor cannot be reached.
enroll uses the vendor's one-time code once; --root is the vendor's root key (64 hex digits), which your vendor tells
you on another way than over this connection. --issuer is needed where it is not the upstream's URL.

Settings come from the environment; README lists them. LEASEHOLD_RELAY_DIR (.relay) holds key, cache and queue.
`

export const command: Command = {
  usage,
  async run(args, io) {
    if (args[0] === 'enroll') return enroll(args.slice(1), io)
    return serve(args, io)
  },
}

async function serve(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { upstream: { type: 'string' } })
  const settings = loadRelaySettings(io.env, values.upstream, unsafePlaces)
  const log = pinoLogger({ level: settings.logLevel })
  const stop = stopRequests(log)
  const relay = await startRelay(settings, log)
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  io.say(`Relay ${relay.relayId} is ready at http://${host}:${relay.port}. Ctrl-C stops it.`)
  io.say(`  upstream  ${relay.upstream}`)
  io.say(`  folder    ${settings.folder}`)
  if (settings.internalKey === null) io.say('  page      set SECRET_INTERNAL_API_KEY to see it')
  const code = await stop.requested
  await relay.stop()
  if (code !== 0) throw new Error('The relay could not go on; its log tells why.')
}

async function enroll(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, {
    upstream: { type: 'string' },
    code: { type: 'string' },
    root: { type: 'string', multiple: true },
    issuer: { type: 'string' },
    name: { type: 'string' },
  })
  const given = { ...io.env }
  if (values.root) given.LEASEHOLD_ROOT_KEYS = values.root.join(',')
  if (values.issuer) given.LEASEHOLD_ISSUER = values.issuer
  const settings = loadRelaySettings(given, values.upstream, unsafePlaces)
  if (settings.upstream === null) throw new UsageError('--upstream is missing.')
  if (settings.roots === null) throw new UsageError('--root is missing: your vendor tells you its root key.')
  const enrolled = await enrolRelay({
    folder: settings.folder,
    upstream: settings.upstream,
    code: required(values.code, '--code'),
    roots: settings.roots,
    issuer: settings.issuer,
    name: values.name ?? null,
    version: await version(),
    timeout: settings.syncTimeout,
  })
  io.say(
    `Enrolled as ${enrolled.relayId} of ${enrolled.issuer}, for ${enrolled.products.join(', ') || 'no product yet'}.`,
  )
  io.say(`Start it with: leasehold relay`)
}
