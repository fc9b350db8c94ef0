// The list of hostile license JWTs, made from a good one. Each has a name that says what is wrong with it.
import { createPublicKey } from 'node:crypto'
import {
  base64url,
  forgeJws,
  hmacSigner,
  type Json,
  malleated,
  type Signer,
  SMALL_ORDER_POINTS,
  strangerKey,
} from './forge.ts'

export interface GoodToken {
  text: string
  header: Json
  claims: Json
  /** The product's own `license` key. */
  signer: Signer
  /** Its public half, raw. */
  publicKey: Uint8Array
  /** First second of that key. */
  keyBegins: number
  /** Unix seconds on the server. */
  now: number
  /** Names of keys that the server has for other things. */
  otherKids: Record<string, string>
}

export type Hostile = [name: string, token: string]

const without = (value: Json, name: string): Json =>
  Object.fromEntries(Object.entries(value).filter(([member]) => member !== name))

/** Puts members in front of, or behind, those of an object, as text: what JSON.stringify would not write. */
const prefixed = (member: string, value: Json) => `{${member},${JSON.stringify(value).slice(1)}`
const suffixed = (value: Json, member: string) => `${JSON.stringify(value).slice(0, -1)},${member}}`

export async function hostileJwts(good: GoodToken): Promise<Hostile[]> {
  const made = await Promise.all(
    [...algorithms(good), ...keys(good), ...types(good), ...claims(good)].map(
      async ([name, token]) => [name, await token] satisfies Hostile,
    ),
  )
  return [...made, ...encodings(good)]
}

type Making = [name: string, token: Promise<string>]

function algorithms({ header, claims: payload, signer, publicKey, text }: GoodToken): Making[] {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey])
  const pem = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({
    format: 'pem',
    type: 'spki',
  })
  const x = base64url(publicKey)
  const nothing: Signer = () => new Uint8Array()
  const secrets: Record<string, string | Uint8Array> = {
    'the raw public key': publicKey,
    'its SPKI': spki,
    'its PEM': String(pem),
    'its PEM without line ends': String(pem).trim(),
    'its hex': Buffer.from(publicKey).toString('hex'),
    'its JWK member x': x,
    'its kid': String(header.kid),
    nothing: '',
  }
  return [
    ...['none', 'None', 'NONE', 'nOnE', ''].map(
      (alg): Making => [
        `alg ${alg || 'empty'} and no signature`,
        forgeJws(nothing, { ...header, alg }, payload),
      ],
    ),
    [
      'alg none under the old signature',
      forgeJws(() => signatureOf(text), { ...header, alg: 'none' }, payload),
    ],
    ...Object.entries(secrets).map(
      ([what, secret]): Making => [
        `HS256 with ${what} as the secret`,
        forgeJws(hmacSigner('sha256', secret), { ...header, alg: 'HS256' }, payload),
      ],
    ),
    [
      'HS512 with the raw public key',
      forgeJws(hmacSigner('sha512', publicKey), { ...header, alg: 'HS512' }, payload),
    ],
    ['alg EdDSA over an HMAC of 64 bytes', forgeJws(hmacSigner('sha512', publicKey), header, payload)],
    ...['RS256', 'ES256', 'Ed25519', 'eddsa', 'EdDSA ', 'HS256'].map(
      (alg): Making => [
        `alg ${JSON.stringify(alg)} though Ed25519 signed it`,
        forgeJws(signer, { ...header, alg }, payload),
      ],
    ),
    ['no alg', forgeJws(signer, without(header, 'alg'), payload)],
    ['alg null', forgeJws(signer, { ...header, alg: null }, payload)],
    ['alg in a list', forgeJws(signer, { ...header, alg: ['EdDSA'] }, payload)],
    ['alg twice', forgeJws(signer, prefixed('"alg":"none"', header), payload)],
  ]
}

function keys({ header, claims: payload, signer, otherKids }: GoodToken): Making[] {
  const stranger = strangerKey()
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: stranger.x }
  const url = 'http://127.0.0.1:1/keys.json'
  const carried: Json = { jwk, jku: url, x5u: url, x5c: ['MIIB'], x5t: 'AAAA', 'x5t#S256': 'AAAA' }
  const kids: unknown[] = [
    '',
    'unknown',
    '__proto__',
    'constructor',
    '../../../../etc/passwd',
    "' or '1'='1",
    'a'.repeat(5000),
    1,
    null,
    [header.kid],
    { kid: header.kid },
  ]
  return [
    ['no kid', forgeJws(signer, without(header, 'kid'), payload)],
    ...kids.map(
      (kid): Making => [
        `kid ${JSON.stringify(kid).slice(0, 40)}`,
        forgeJws(signer, { ...header, kid }, payload),
      ],
    ),
    ['kid twice', forgeJws(signer, suffixed(header, `"kid":"unknown"`), payload)],
    ...Object.entries(otherKids).map(
      ([what, kid]): Making => [`the kid of ${what}`, forgeJws(signer, { ...header, kid }, payload)],
    ),
    ["a stranger's key under our kid", forgeJws(stranger.signer, header, payload)],
    [
      "a stranger's key under its own kid",
      forgeJws(stranger.signer, { ...header, kid: stranger.x }, payload),
    ],
    ...Object.entries(carried).flatMap(([name, value]): Making[] => [
      [
        `${name} of a stranger, signed by it`,
        forgeJws(stranger.signer, { ...header, [name]: value }, payload),
      ],
      [`${name}, signed by our own key`, forgeJws(signer, { ...header, [name]: value }, payload)],
    ]),
    ...[['exp'], [], 'exp', null].map(
      (crit): Making => [`crit ${JSON.stringify(crit)}`, forgeJws(signer, { ...header, crit }, payload)],
    ),
    ...[true, false].map(
      (b64): Making => [
        `b64 ${b64}`,
        forgeJws(signer, { ...header, b64, ...(b64 ? {} : { crit: ['b64'] }) }, payload),
      ],
    ),
    ...SMALL_ORDER_POINTS.slice(2, 6).map(
      (point, at): Making => [
        `a signature of small order, ${at}`,
        forgeJws(() => Buffer.concat([point, Buffer.alloc(32)]), header, payload),
      ],
    ),
  ]
}

function types({ header, claims: payload, signer }: GoodToken): Making[] {
  const typs = [
    'JWT',
    'at+jwt',
    'leasehold-directive+jwt',
    'leasehold-keys+jwt',
    'leasehold-activation+jwt',
    'leasehold-allotment+jwt',
    'leasehold-lease+jwt',
    'LEASEHOLD-LICENSE+JWT',
    'application/leasehold-license+jwt',
    'leasehold-license+jwt ',
    null,
  ]
  return [
    ...typs.map(
      (typ): Making => [`typ ${JSON.stringify(typ)}`, forgeJws(signer, { ...header, typ }, payload)],
    ),
    ['no typ', forgeJws(signer, without(header, 'typ'), payload)],
  ]
}

function claims({ header, claims: good, signer, keyBegins, now }: GoodToken): Making[] {
  const changed: [string, Json][] = [
    ['iss of another server', { iss: 'https://evil.example' }],
    ['iss with a slash more', { iss: `${good.iss}/` }],
    ['iss in a list', { iss: [good.iss] }],
    ['aud of another product', { aud: 'other' }],
    ['aud in a list', { aud: [good.aud] }],
    ['exp as text', { exp: String(good.exp) }],
    ['exp with a fraction', { exp: Number(good.exp) + 0.5 }],
    ['exp beyond the year 9999', { exp: 253_402_300_800 }],
    ['exp negative', { exp: -1 }],
    ['exp null', { exp: null }],
    ['exp before iat', { exp: Number(good.iat) - 1 }],
    ['iat one second before its key began', { iat: keyBegins - 1 }],
    ['iat with a fraction', { iat: Number(good.iat) - 0.5 }],
    ['grace_days negative', { grace_days: -1 }],
    ['grace_days beyond a century', { grace_days: 36_501 }],
    ['grace_days as text', { grace_days: '30' }],
    ['features as text', { features: 'oidc' }],
    ['features with a null', { features: [null] }],
    ['limits with a fraction', { limits: { max_agents: 1.5 } }],
    ['limits below unlimited', { limits: { max_agents: -2 } }],
    ['limits nested', { limits: { max_agents: { $gt: 0 } } }],
    ['quotas beside limits', { quotas: {} }],
    ['the nonce of a directive', { nonce: 'abcdefghijklmnopqrst' }],
    ['the status of a directive', { status: 'active' }],
    ['the action of a directive', { action: 'none' }],
    ['a license_id that is none', { license_id: "lic_' or 1=1" }],
    ['a license_id with U+0000', { license_id: `${good.license_id}\u0000` }],
    ['a lone surrogate in sub', { sub: '\ud800' }],
    ['a seat that is none', { act: 'act_1' }],
    ['an instance_id that is a number', { instance_id: 1 }],
    [
      'an exp one second past the grace',
      { iat: now - 90_000, exp: now - 30 * 86_400 - 1, license_exp: now, nbf: 1 },
    ],
  ]
  const required = [
    'iss',
    'aud',
    'sub',
    'jti',
    'iat',
    'exp',
    'license_id',
    'tier',
    'features',
    'limits',
    'grace_days',
  ]
  const texts: [string, string | Uint8Array][] = [
    ['exp 1e400', JSON.stringify(without(good, 'exp')).replace(/}$/, ',"exp":1e400}')],
    ['exp -0', JSON.stringify(without(good, 'exp')).replace(/}$/, ',"exp":-0}')],
    [
      'exp 1.8e9 with a fraction',
      JSON.stringify(without(good, 'exp')).replace(/}$/, ',"exp":18000000000.1e0}'),
    ],
    ['tier twice', suffixed(good, '"tier":"enterprise"')],
    ['exp twice, once escaped', suffixed(good, '"\\u0065xp":9999999999')],
    ['a limit twice', suffixed(without(good, 'limits'), '"limits":{"max_agents":1,"max_agents":-1}')],
    ['__proto__', suffixed(good, '"__proto__":{"tier":"enterprise"}')],
    ['a list for a payload', JSON.stringify([good])],
    ['null for a payload', 'null'],
    ['text after the payload', `${JSON.stringify(good)}x`],
    ['a byte order mark', `\ufeff${JSON.stringify(good)}`],
    ['nesting 20,000 deep without an end', `{"a":${'['.repeat(20_000)}`.slice(0, 6000)],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ]
  return [
    ...changed.map(([what, change]): Making => [what, forgeJws(signer, header, { ...good, ...change })]),
    ...required.map((name): Making => [`no ${name}`, forgeJws(signer, header, without(good, name))]),
    ...texts.map(([what, payload]): Making => [what, forgeJws(signer, header, payload)]),
  ]
}

const signatureOf = (text: string): Buffer => Buffer.from(text.split('.')[2] ?? '', 'base64url')

function encodings({ text, header, claims: payload }: GoodToken): Hostile[] {
  const [head = '', body = '', signature = ''] = text.split('.')
  const bytes = signatureOf(text)
  const flipped = Buffer.from(bytes)
  flipped[0] = (flipped[0] ?? 0) ^ 1
  const raised = base64url(JSON.stringify({ ...payload, tier: 'enterprise' }))
  return [
    ['padding', `${text}==`],
    ['a last character with bits that carry nothing', text.slice(0, -1) + nextLetter(text.slice(-1))],
    ['the standard alphabet', `${head}.${body}.${bytes.toString('base64')}`],
    ['a signature one bit off', `${head}.${body}.${base64url(flipped)}`],
    ['a signature cut by one byte', `${head}.${body}.${base64url(bytes.subarray(0, 63))}`],
    ['a signature cut in half', `${head}.${body}.${signature.slice(0, 43)}`],
    ['a signature one byte longer', `${head}.${body}.${base64url(Buffer.concat([bytes, Buffer.alloc(1)]))}`],
    ['S + L for S', `${head}.${body}.${base64url(malleated(bytes))}`],
    ['a signature of zeros', `${head}.${body}.${base64url(Buffer.alloc(64))}`],
    ['no signature', `${head}.${body}.`],
    ['two parts', `${head}.${body}`],
    ['four parts', `${text}.${signature}`],
    ['five parts, as JWE', `${text}.${signature}.${signature}`],
    ['a raised tier under the old signature', `${head}.${raised}.${signature}`],
    [
      'another header under the old signature',
      `${base64url(JSON.stringify({ ...header, x: 1 }))}.${body}.${signature}`,
    ],
    ['the payload cut', `${head}.${body.slice(0, -4)}.${signature}`],
    ['the JSON form', JSON.stringify({ protected: head, payload: body, signature }).replaceAll(' ', '')],
    ['a header that is no object', `${base64url('[]')}.${body}.${signature}`],
    ['letters beyond ASCII', `${head}.${body}.${signature.slice(0, -1)}\u00e9`],
    ['10,000 characters more', `${head}.${body}${'A'.repeat(10_000)}.${signature}`],
  ]
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** A valid 64-byte signature ends in a letter whose low four bits are zero. */
const nextLetter = (letter: string): string => ALPHABET[ALPHABET.indexOf(letter) + 1] ?? 'A'
