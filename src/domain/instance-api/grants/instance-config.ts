// What instances are told of how often to ask and where to listen. The same in every answer.
import type { InstanceConfig } from '../../../contract/instance-api.ts'
import type { DomainSettings } from '../../kernel/context.ts'

export function instanceConfig(settings: DomainSettings): InstanceConfig {
  return {
    heartbeat_interval: settings.heartbeatInterval,
    refresh_interval: settings.refreshInterval,
    ...(settings.syncUrl === undefined ? {} : { sync: settings.syncUrl }),
  }
}
