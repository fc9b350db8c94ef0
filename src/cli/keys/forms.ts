// One public key in each form that somebody asks for: PEM, base64 SPKI, JWK, raw hex. Knows no private key.
import { encodeBase64, encodeBase64url } from '../../license/base64.ts'
import { keyThumbprint } from '../../license/trusted-keys.ts'
import type { CommandIo } from '../command.ts'
import { SPKI_PREFIX } from '../key-input.ts'
import { pairs } from '../table.ts'

export interface PublicKeyForms {
  kid: string
  pem: string
  /** Base64 of the 44-byte SPKI. */
  spki: string
  jwk: { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string }
  hex: string
}

/** All forms of the key with these raw 32 bytes; `kid` is its thumbprint (RFC 7638). */
export async function formsOf(raw: Uint8Array): Promise<PublicKeyForms> {
  const kid = await keyThumbprint(raw)
  const spki = encodeBase64(Buffer.concat([SPKI_PREFIX, raw]))
  return {
    kid,
    pem: `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`,
    spki,
    jwk: { kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(raw), kid },
    hex: Buffer.from(raw).toString('hex'),
  }
}

/** For a reader; the PEM comes last, in its own lines. */
export function describeForms({ kid, spki, jwk, hex, pem }: PublicKeyForms, io: CommandIo): string {
  const rows = [
    ['key id', kid],
    ['SPKI (base64)', spki],
    ['raw (hex)', hex],
    ['JWK', JSON.stringify(jwk)],
  ] as const
  return `${pairs(rows, io)}${pem}`
}
