// A presented API key and its license, out of memory where they are there (T8). What they are worth is judged in the batch.
import { wellFormed } from '../../../platform/credentials.ts'
import type { Ctx } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import type { CredentialFacts, LicenseFacts } from '../../kernel/reference.ts'
import { readWith } from '../../reference/read-with.ts'
import { apiKeyExpired, apiKeyRevoked, apiKeyUnknown } from './refusals.ts'

export interface FoundApiKey extends CredentialFacts {
  license: LicenseFacts
}

/** A wrong checksum never reaches the database. @throws Refusal 401 `api_key_unknown`. */
export async function findApiKey(ctx: Ctx, text: string): Promise<FoundApiKey> {
  if (!wellFormed('api_key', text)) throw apiKeyUnknown()
  const hash = hashCredential(ctx, 'api_key', text)
  const { reference } = ctx
  const read = readWith(ctx.db)
  const key = (await reference.load(read, { apiKeyHashes: [hash] })).apiKey(hash)
  if (!key) throw apiKeyUnknown()
  const license = (await reference.load(read, { licenses: [key.licenseId] })).license(key.licenseId)
  if (!license) throw apiKeyUnknown()
  return { ...key, license }
}

/** @throws Refusal 401 `api_key_unknown`, `api_key_revoked`, `api_key_expired`. */
export function refuseEndedApiKey(key: CredentialFacts | undefined, now: Date): void {
  if (!key) throw apiKeyUnknown()
  if (key.revokedAt !== null) throw apiKeyRevoked()
  if (key.expiresAt !== null && key.expiresAt <= now) throw apiKeyExpired()
}
