import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import {
  activationClaims,
  directiveClaims,
  entitlementTokenPayload,
  keySetClaims,
  licenseClaims,
  licenseKeyPayload,
} from '../../../src/contract/claims.schema.ts'
import {
  ACTIONS,
  DIRECTIVE_STATUSES,
  KEY_STATUSES,
  KEY_USES,
  LAST_SECOND,
} from '../../../src/contract/claims.ts'
import { readActivationClaims } from '../../../src/license/activation.ts'
import { readDirectiveClaims } from '../../../src/license/directive.ts'
import { readEntitlementToken } from '../../../src/license/entitlement-token.ts'
import { type JsonObject, parseJsonObject } from '../../../src/license/json.ts'
import { readKeySetClaims } from '../../../src/license/key-set.ts'
import { readLicenseClaims } from '../../../src/license/license-jwt.ts'
import { readLicenseKey } from '../../../src/license/license-key.ts'
import type { Read, Refused } from '../../../src/license/verified.ts'
import * as samples from './fixtures.ts'

const NOW = samples.NOW

interface Twins {
  name: string
  read: (payload: JsonObject) => Read<object> | Refused
  schema: z.ZodType<object>
  sample: object
}

const keys = KEY_STATUSES.map((status, i) => ({
  kid: `key ${i}`,
  x: Buffer.alloc(32, i).toString('base64url'),
  product: 'keldris',
  use: KEY_USES[i % 2],
  status,
  nbf: NOW,
}))

const TWINS: Twins[] = [
  { name: 'license JWT', read: readLicenseClaims, schema: licenseClaims, sample: samples.licenseClaims },
  { name: 'directive', read: readDirectiveClaims, schema: directiveClaims, sample: samples.directiveClaims },
  {
    name: 'offline answer',
    read: readActivationClaims,
    schema: activationClaims,
    sample: { ...samples.activationClaims, grant: 'eyJ.payload.signature' },
  },
  {
    name: 'key set',
    read: readKeySetClaims,
    schema: keySetClaims,
    sample: { ...samples.keySetClaims([]), keys },
  },
  {
    name: 'entitlement token',
    read: readEntitlementToken,
    schema: entitlementTokenPayload,
    sample: samples.entitlementPayload,
  },
  { name: 'license key', read: readLicenseKey, schema: licenseKeyPayload, sample: samples.licenseKeyPayload },
]

/** Values near the edges of every check, and any JSON at all. */
const value = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...DIRECTIVE_STATUSES, ...ACTIONS, ...KEY_USES, '', 'x', ' ', 'a\0b'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[-2, -1, -0, 0, 1, 0.5, 300, 36_500, 36_501, LAST_SECOND, LAST_SECOND + 1],
      ...[NOW - 1, NOW, NOW + 1, NOW + 300, NOW + 301, NOW + 86_400, NOW + 86_401, NOW + 34_560_001],
      ...[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, 1e308],
    ),
  },
  fc.constantFrom<unknown>(true, false, null, [], {}, ['a'], ['a', ''], ['a', 1], [null]),
  fc.constantFrom('a'.repeat(255), 'a'.repeat(256), 'a'.repeat(2048), 'a'.repeat(2049), '\ud800', '😀', 'é'),
  fc.dictionary(
    fc.oneof(
      fc.string(),
      fc.constantFrom('max_agents', 'a'.repeat(64), 'a'.repeat(65), 'constructor', '1', 'x y'),
    ),
    fc.oneof(fc.integer({ min: -2, max: 2 }), fc.double(), fc.constant(null)),
    { maxKeys: 3 },
  ),
  fc.array(
    fc.constantFrom<unknown>(
      ...keys,
      { ...keys[0], kid: 'key 1' },
      { ...keys[1], x: keys[0]?.x },
      { ...keys[0], x: `${'A'.repeat(42)}B` },
      { ...keys[0], d: null },
      { ...keys[0], more: 1 },
      { ...keys[0], nbf: -1 },
      samples.without(keys[0] ?? {}, 'use'),
      [],
    ),
    { maxLength: 4 },
  ),
  fc.jsonValue({ maxDepth: 2 }),
)

/** Values at the two sides of each bound, tried in every member. */
const EDGES: unknown[] = [
  ...[
    '',
    'x',
    'a\0b',
    '\ud800',
    '\udc00x',
    '😀',
    'a'.repeat(255),
    'a'.repeat(256),
    'a'.repeat(2048),
    'a'.repeat(2049),
  ],
  ...[
    'b'.repeat(15),
    'b'.repeat(16),
    'b'.repeat(64),
    'b'.repeat(65),
    '0'.repeat(31),
    '0'.repeat(32),
    '0'.repeat(33),
  ],
  ...[...DIRECTIVE_STATUSES, ...ACTIONS, ...KEY_USES, ...KEY_STATUSES, 'ACTIVE', true, false, null, [], {}],
  ...[-2, -1, 0, 1, 0.5, 36_500, 36_501, LAST_SECOND, LAST_SECOND + 1, 2 ** 53 - 1, 2 ** 53, 1e308],
  ...[
    NOW - 1,
    NOW,
    NOW + 1,
    NOW + 300,
    NOW + 301,
    NOW + 86_400,
    NOW + 86_401,
    NOW + 34_560_000,
    NOW + 34_560_001,
  ],
  ...[
    ['a'],
    ['a', ''],
    ['a', 1],
    ['a'.repeat(255)],
    ['a'.repeat(256)],
    [[]],
    [{}],
    [null],
    [keys[0], keys[0]],
  ],
  ...[
    'a',
    'A',
    '_a',
    '1a',
    'a.b-c_D',
    'a b',
    '',
    'constructor',
    'é',
    'a\n',
    'a'.repeat(64),
    'a'.repeat(65),
  ].map((name) => ({ [name]: 1 })),
  ...[-2, -1, 0, 0.5, 2 ** 53 - 1, 2 ** 53, null, '1', true].map((limit) => ({ max_users: limit })),
]

const anyName = [
  'limits',
  'quotas',
  'nonce',
  'status',
  'action',
  'tier',
  'features',
  'customer_id',
  'extra',
  'd',
]

/** Same verdict and same claims from both; says which verdict, so that a test can ask for both kinds. */
function verdict({ read, schema }: Twins, candidate: unknown): boolean | null {
  const parsed = parseJsonObject(new TextEncoder().encode(JSON.stringify(candidate)))
  if (!parsed.ok) return null
  const mine = read(parsed.value)
  const theirs = schema.safeParse(parsed.value)
  expect({ ok: mine.ok, claims: mine.ok ? mine.claims : null }, JSON.stringify(candidate)).toEqual({
    ok: theirs.success,
    claims: theirs.success ? theirs.data : null,
  })
  return mine.ok
}

describe.each(TWINS)('the reader and the schema of a $name', (twins) => {
  const names = fc.constantFrom(...Object.keys(twins.sample), ...anyName)
  const change = fc.tuple(names, fc.option(value, { nil: undefined, freq: 5 }))

  test('accept the sample', () => {
    expect(verdict(twins, twins.sample)).toBe(true)
  })

  test('agree on every change of one to three members', () => {
    const verdicts = new Set<boolean | null>()
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        verdicts.add(verdict(twins, { ...twins.sample, ...Object.fromEntries(changes) }))
      }),
      { numRuns: 2000 },
    )
    expect(verdicts).toContain(true)
    expect(verdicts).toContain(false)
  })

  test('agree on each edge value in each member, and on each member left out', () => {
    for (const name of [...Object.keys(twins.sample), ...anyName]) {
      verdict(twins, samples.without(twins.sample, name))
      for (const edge of EDGES) {
        verdict(twins, { ...twins.sample, [name]: edge })
        verdict(twins, { ...samples.without(twins.sample, 'limits'), [name]: edge })
      }
    }
  })

  test('agree on any JSON object', () => {
    fc.assert(
      fc.property(fc.dictionary(names, value), (payload) => {
        verdict(twins, payload)
      }),
    )
  })
})
