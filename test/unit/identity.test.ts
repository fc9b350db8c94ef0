import { describe, expect, test } from 'vitest'
import {
  judgeIdentity,
  type KnownIdentity,
  type TokenWish,
} from '../../src/domain/instance-api/proof/identity.ts'

const known = (more: Partial<KnownIdentity> = {}): KnownIdentity => ({
  hasToken: true,
  tokenPresented: true,
  provenLicenseId: null,
  seatLicenseIds: [],
  ...more,
})
const nothing = { instance: false, licenseId: null }
const license = (licenseId: string) => ({ instance: false, licenseId })
const token = (wish: TokenWish = 'wanted') => ({ auth: 'token', token: wish }) as const
const open = (wish: TokenWish = 'wanted') => ({ auth: 'open', token: wish }) as const
const given = { ok: true, issueToken: true, foreign: false }
const heard = { ok: true, issueToken: false, foreign: false }
const stranger = { ok: true, issueToken: false, foreign: true }
const taken = { ok: false, reason: 'instance_id_taken' }

describe('T9: identity', () => {
  test('a new instance gets a token, whatever it brings', () => {
    expect(judgeIdentity(null, nothing, token('keep'))).toEqual(given)
    expect(judgeIdentity(null, license('A'), open())).toEqual(given)
  })

  test('the instance token proves it and is kept', () => {
    expect(
      judgeIdentity(known({ provenLicenseId: 'A' }), { instance: true, licenseId: 'B' }, token()),
    ).toEqual(heard)
  })

  test('a provisional instance passes to any proof of a license, with a new token', () => {
    expect(judgeIdentity(known(), license('A'), token('if_unused'))).toEqual(given)
    expect(judgeIdentity(known(), license('A'), open('keep'))).toEqual(given)
  })

  test('a token that was never presented may be replaced: the first answer was lost', () => {
    const first = known({ tokenPresented: false })
    expect(judgeIdentity(first, nothing, token())).toEqual(given)
    expect(judgeIdentity({ ...first, provenLicenseId: 'A' }, license('A'), token('if_unused'))).toEqual(given)
    expect(judgeIdentity({ ...first, provenLicenseId: 'A' }, license('A'), token('keep'))).toEqual(heard)
  })

  test('a proven instance never passes to a stranger, not even before its token was presented', () => {
    expect(judgeIdentity(known({ provenLicenseId: 'A', tokenPresented: false }), nothing, token())).toEqual(
      taken,
    )
    expect(judgeIdentity(known(), nothing, token())).toEqual(taken)
  })

  test('a license that it belongs to may have a new token where it asks for one', () => {
    const proven = known({ provenLicenseId: 'A', seatLicenseIds: ['B'] })
    expect(judgeIdentity(proven, license('A'), token())).toEqual(given)
    expect(judgeIdentity(proven, license('B'), token())).toEqual(given)
    expect(judgeIdentity(proven, license('A'), token('if_unused'))).toEqual(heard)
    expect(judgeIdentity(proven, license('C'), token())).toEqual(taken)
  })

  test('where instances are open, strangers are heard, speak for nobody and are given nothing', () => {
    const proven = known({ provenLicenseId: 'A', seatLicenseIds: ['C'] })
    expect(judgeIdentity(proven, nothing, open())).toEqual(stranger)
    expect(judgeIdentity(proven, license('C'), open())).toEqual(stranger)
    expect(judgeIdentity(proven, license('A'), open())).toEqual(heard)
  })

  test('an instance that holds a seat gives its token to no stranger, not even after a reset', () => {
    const reset = known({ hasToken: false, tokenPresented: false, seatLicenseIds: ['A'] })
    expect(judgeIdentity(reset, nothing, token())).toEqual(taken)
    expect(judgeIdentity(reset, license('A'), token())).toEqual(given)
  })
})
