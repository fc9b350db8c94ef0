import { describe, expect, test } from 'vitest'
import { SETTING_NAMES } from '../../../src/config/schema.ts'
import { nearestName, unknownNames } from '../../../src/config/unknown-names.ts'

describe('an unknown name', () => {
  test.each([
    ['LEASEHOLD_TOKEN_LIVE', 'LEASEHOLD_TOKEN_LIFE'],
    ['LEASEHOLD_MASTERKEY', 'LEASEHOLD_MASTER_KEY'],
    ['LEASEHOLD_RETENTION_REPORT', 'LEASEHOLD_RETENTION_REPORTS'],
    ['LEASEHOLD_RATE_LIMIT', 'LEASEHOLD_RATE_LIMITS'],
    ['LEASEHOLD_PORT', 'PORT'],
    ['LEASEHOLD_DATABASE_URL', 'DATABASE_URL'],
    ['LEASEHOLD_LOGLEVEL', 'LOG_LEVEL'],
    ['leasehold_demo', 'LEASEHOLD_DEMO'],
  ])('%s probably means %s', (name, meant) => {
    expect(unknownNames({ [name]: 'x' }, SETTING_NAMES)).toEqual([name])
    expect(nearestName(name, SETTING_NAMES)).toBe(meant)
  })

  test('that resembles nothing gets no suggestion', () => {
    expect(nearestName('LEASEHOLD_FAVOURITE_COLOUR', SETTING_NAMES)).toBeNull()
  })

  test('without our prefix is not looked at', () => {
    expect(unknownNames({ POTR: '1', LEASEHOLD: '1', MY_LEASEHOLD_X: '1' }, SETTING_NAMES)).toEqual([])
  })

  test('is found even when its value is empty, but not when it is undefined', () => {
    expect(unknownNames({ LEASEHOLD_X: '', LEASEHOLD_Y: undefined }, SETTING_NAMES)).toEqual(['LEASEHOLD_X'])
  })

  test('that Kubernetes sets for a service of our name is not refused', () => {
    const env = {
      LEASEHOLD_SERVICE_HOST: '10.96.0.12',
      LEASEHOLD_SERVICE_PORT: '8081',
      LEASEHOLD_SERVICE_PORT_HTTP: '8081',
      LEASEHOLD_PORT: 'tcp://10.96.0.12:8081',
      LEASEHOLD_PORT_8081_TCP: 'tcp://10.96.0.12:8081',
      LEASEHOLD_PORT_8081_TCP_PROTO: 'tcp',
      LEASEHOLD_PORT_8081_TCP_PORT: '8081',
      LEASEHOLD_PORT_8081_TCP_ADDR: '10.96.0.12',
      LEASEHOLD_RELAY_SERVICE_HOST: '10.96.0.13',
      LEASEHOLD_RELAY_PORT_443_TCP_ADDR: '10.96.0.13',
    }
    expect(unknownNames(env, SETTING_NAMES)).toEqual([])
  })
})
