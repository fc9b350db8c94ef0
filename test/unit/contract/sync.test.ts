import { describe, expect, test } from 'vitest'
import { syncClientMessage, syncServerMessage } from '../../../src/contract/sync.schema.ts'
import { SYNC_CLOSE } from '../../../src/contract/sync.ts'

const ID = '0'.repeat(32)

describe('the messages of the live channel', () => {
  test.each([
    { type: 'hello' },
    { type: 'hello', token: 'lrk_x', last_event: 7, of_a_newer_client: true },
    { type: 'ping' },
    { type: 'pong' },
  ])('a client may say %j', (message) => {
    expect(syncClientMessage.safeParse(message).success).toBe(true)
  })

  test.each([
    { type: 'hello', last_event: -1 },
    { type: 'hello', last_event: 1.5 },
    { type: 'hello', token: 'x'.repeat(4097) },
    { type: 'license.changed', event: 1, license_id: `lic_${ID}` },
    { type: 'bye' },
    'hello',
    null,
  ])('a client may not say %j', (message) => {
    expect(syncClientMessage.safeParse(message).success).toBe(false)
  })

  test.each([
    { type: 'welcome', event: 0, ping_interval: 30 },
    { type: 'license.changed', event: 1, license_id: `lic_${ID}` },
    { type: 'license.changed', event: 1, license_id: `lic_${ID}`, instance: `ins_${ID}` },
    { type: 'action.changed', event: 2, instance: `ins_${ID}` },
    { type: 'keys.changed', event: 3, product: 'keldris' },
    { type: 'resync_required', event: 4 },
    { type: 'ping', event: 4 },
  ])('the server may say %j', (message) => {
    expect(syncServerMessage.parse(message)).toEqual(message)
  })

  test('a hint carries no right, whatever a forger adds', () => {
    const forged = { type: 'license.changed', event: 1, license_id: `lic_${ID}`, tier: 'pro', action: 'none' }
    expect(Object.keys(syncServerMessage.parse(forged))).toEqual(['type', 'event', 'license_id'])
  })

  test('each reason to close has a code of its own', () => {
    const codes = Object.values(SYNC_CLOSE)
    expect(new Set(codes).size).toBe(codes.length)
  })
})
