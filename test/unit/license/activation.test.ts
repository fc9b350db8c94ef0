import { expect, test } from 'vitest'
import { ACTIVATION_TYP, LICENSE_TYP } from '../../../src/contract/claims.ts'
import { verifyActivation } from '../../../src/license/activation.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { INSTANCE, ISSUER, licenseClaims, NOW, nodeJws, PRODUCT, trust } from './fixtures.ts'
import { activationPayload, kids, ownTrust, pairs } from './signed-objects.ts'

const signed = (use: 'license' | 'control', typ: string, claims: object) =>
  nodeJws(pairs[use], { alg: 'EdDSA', typ, kid: kids[use] }, claims)
const grant = (more: object) => signed('license', LICENSE_TYP, { ...licenseClaims, ...more })
const answer = (more: object = {}) => signed('control', ACTIVATION_TYP, { ...activationPayload, ...more })
const verify = (token: string, more: object = {}) =>
  verifyActivation(token, {
    issuer: ISSUER,
    product: PRODUCT,
    instanceId: INSTANCE,
    keys: ownTrust.keys,
    age: 'unexpired',
    now: NOW,
    ...more,
  })

test('an answer comes with the license that it grants', async () => {
  expect(await verify(answer())).toMatchObject({ ok: true, license: licenseClaims, grantKid: kids.license })
})

test.each([
  ['of another license', { license_id: 'lic_2' }, 'license_id'],
  ['of another instance', { instance_id: 'test-002' }, 'wrong_instance'],
  ['of no instance', { instance_id: undefined }, 'instance_id'],
  ['of another second', { iat: NOW - 1 }, 'iat'],
  ['of another product', { aud: 'other' }, 'wrong_audience'],
  ['of another issuer', { iss: 'https://elsewhere.example' }, 'wrong_issuer'],
])('a grant %s does not come in with it', async (_, more, detail) => {
  expect(await verify(answer({ grant: grant(more) }))).toEqual({ ok: false, reason: 'bad_grant', detail })
})

test.each([
  [{ instance_id: 'test-002' }, 'wrong_instance'],
  [{ iss: 'https://elsewhere.example' }, 'wrong_issuer'],
  [{ aud: 'other' }, 'wrong_audience'],
  [{ action: 'kill' }, 'bad_member'],
  [{ exp: NOW + 2_592_001 }, 'bad_member'],
  [{ exp: NOW }, 'bad_member'],
  [{ status: 'active' }, 'forbidden_member'],
])('%j is refused as %s', async (more, reason) => {
  expect(await verify(answer(more))).toMatchObject({ ok: false, reason })
})

test('it is installed in time, and holds after; its key may retire, and not be revoked', async () => {
  const late = { now: activationPayload.exp }
  expect(await verify(answer(), { now: activationPayload.exp - 1 })).toMatchObject({ ok: true })
  expect(await verify(answer(), late)).toMatchObject({ ok: false, reason: 'expired' })
  expect(await verify(answer(), { ...late, age: 'any' })).toMatchObject({ ok: true })
  const as = async (status: 'retired' | 'revoked') => {
    const license = await trust(pairs.license, { use: 'license', status })
    const control = await trust(pairs.control, { use: 'control', status })
    return verify(answer(), { keys: trustKeys([license, control]) })
  }
  expect(await as('retired')).toMatchObject({ ok: true })
  expect(await as('revoked')).toMatchObject({ ok: false, reason: 'key_revoked' })
})
