// The one credential that a request may bring in its Authorization header (T8). Reads no header and looks nothing up.
import type { CredentialKind } from '../../platform/credentials.ts'

export interface Bearer {
  /** Told by the prefix of the text; what has none is taken for a JWT. */
  kind: CredentialKind | 'jwt'
  text: string
}
