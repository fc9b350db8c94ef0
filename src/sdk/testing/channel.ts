// The live channel of the test server: sockets without a network, which hear what the test pushes. Decides no license.
import { SYNC_PATH } from '../../contract/sync.ts'
import type { HostSocket } from '../host/port.ts'
import type { VirtualClock } from './clock.ts'

/** Seconds. */
const PING = 300

export interface TestChannel {
  readonly url: string
  open(url: string): HostSocket
  push(message: object | string): void
  /** Ends every connection; more are taken again at once. */
  end(code: number): void
}

export function testChannel(clock: VirtualClock, origin: string): TestChannel {
  const url = `${origin.replace(/^http/, 'ws')}${SYNC_PATH}`
  /** Those that have said hello. */
  const listeners = new Set<{ hear(text: string): void; end(code: number): void }>()
  let event = 0

  function open(address: string): HostSocket {
    if (address !== url) throw new SyntaxError(`there is no live channel at ${address}`)
    const heard = new Map<string, (event: object) => void>()
    const emit = (type: string, facts: object = {}) => heard.get(type)?.(facts)
    const connection = {
      hear: (data: string) => emit('message', { data }),
      end(code: number) {
        cancel()
        if (listeners.delete(connection)) emit('close', { code })
      },
    }
    let cancel = () => {}
    const ping = () => {
      connection.hear(JSON.stringify({ type: 'ping', event }))
      cancel = clock.timers.after(PING * 1000, ping)
    }
    clock.track(Promise.resolve().then(() => emit('open'))).catch(() => {})
    return {
      addEventListener: (type, listener) => heard.set(type, listener),
      send(text) {
        if (!text.startsWith('{"type":"hello"')) return
        listeners.add(connection)
        connection.hear(JSON.stringify({ type: 'welcome', event, ping_interval: PING }))
        ping()
      },
      close: () => connection.end(1000),
    }
  }

  return {
    url,
    open,
    push(message) {
      event += 1
      const text = typeof message === 'string' ? message : JSON.stringify({ ...message, event })
      for (const { hear } of listeners) hear(text)
    },
    end(code) {
      for (const { end } of [...listeners]) end(code)
    },
  }
}
