// What a batch must read for a proof to be judged.
import type { CredentialName } from '../../kernel/reference.ts'
import { credentialNamed } from '../../rights/credential-name.ts'
import type { Presented } from './presented.ts'

/** The credential that a license JWT names, and the seats of deleted instances. */
export function proofNeeds(presented: Presented): { credentials: CredentialName[]; namesSeat: boolean } {
  if (presented.kind !== 'jwt') return { credentials: [], namesSeat: false }
  const named = credentialNamed(presented.jwt.claims.cred)
  return { credentials: named === null ? [] : [named], namesSeat: true }
}
