import { expect, test } from 'vitest'
import { isSocket } from '../../src/platform/live-socket.ts'

const asks = (upgrade: string | undefined, url: string) =>
  isSocket({ headers: upgrade === undefined ? {} : { upgrade }, url } as never)

test('only a WebSocket of the live channel is upgraded: HTTP/2 clients offer h2c with every request', () => {
  expect(asks('websocket', '/api/v1/sync')).toBe(true)
  expect(asks('WebSocket', '/api/v1/sync?token=x')).toBe(true)
  expect(asks('h2c', '/api/v1/sync')).toBe(false)
  expect(asks('websocket', '/api/v1/instances/heartbeat')).toBe(false)
  expect(asks(undefined, '/api/v1/sync')).toBe(false)
})
