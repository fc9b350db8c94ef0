// `leasehold relay` without the command line around it, so that bundled it starts in a fifth of a second.
import { loadRelaySettings } from '../../src/config/relay-settings.ts'
import { pinoLogger } from '../../src/platform/logger-pino.ts'
import { startRelay } from '../../src/relay/run.ts'

const settings = loadRelaySettings(process.env)
const relay = await startRelay(settings, pinoLogger({ level: settings.logLevel }))
process.on('SIGTERM', () => void relay.stop().then(() => process.exit(0)))
