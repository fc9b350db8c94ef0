// How credentials are stored: HMAC-SHA-256 under the server's pepper, apart for each kind.
import type { CredentialKind } from '../../platform/credentials.ts'
import { hmacSha256 } from '../../platform/hash.ts'
import type { Services } from './context.ts'

/** Hex, 64 characters: what is stored and looked up in place of the secret. */
export function hashCredential(
  services: Pick<Services, 'pepper'>,
  kind: CredentialKind | 'license_key',
  secret: string,
): string {
  return hmacSha256(services.pepper, kind, secret)
}
