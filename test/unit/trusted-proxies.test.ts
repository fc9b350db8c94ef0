import { describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/settings.ts'
import { plainAddress, trustedProxies } from '../../src/server/trusted-proxies.ts'

const trusted = (list: string) =>
  trustedProxies(loadSettings({ LEASEHOLD_TRUSTED_PROXIES: list }).trustedProxies)

describe('whose word about the client’s address is believed', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['10.0.0.0/8, ::1', '::1', true],
  ])('with %s the word of %s: %s', (list, address, believed) => {
    expect(trusted(list)(address)).toBe(believed)
  })

  test('an IPv4 address that came over an IPv6 socket is the same address', () => {
    expect(trusted('10.0.0.0/8')('::ffff:10.1.2.3')).toBe(true)
    expect(trusted('10.0.0.0/8')('::FFFF:11.1.2.3')).toBe(false)
    expect(plainAddress('::ffff:192.0.2.7')).toBe('192.0.2.7')
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1')
  })

  test('text that is no address belongs to nobody', () => {
    const all = trusted('0.0.0.0/0, ::/0')
    for (const text of ['', 'unknown', '10.0.0.1:1234', '10.0.0', 'fe80::1%eth0', '[::1]', ' 10.0.0.1']) {
      expect(all(text)).toBe(false)
    }
  })

  test('nobody, where none is named', () => {
    expect(trustedProxies([])('127.0.0.1')).toBe(false)
  })
})
