// The signing keys as every verb sees them. What holds and reads them is signing/keyring.ts.
import type { KeyUse } from '../../contract/claims.ts'
import type { TrustedKeys } from '../../license/trusted-keys.ts'
import type { SigningKey } from '../../mint/keys.ts'

export interface Keyring {
  keySetNumber: number
  /** Every key of every product with its status, for verifying. */
  trusted: TrustedKeys
  has(product: string): boolean
  /** The key that signs for the product now. Throws when there is none: every product is made with its keys. */
  signer<Use extends KeyUse>(product: string, use: Use, now: Date): SigningKey<Use>
}

export interface KeyringCache {
  /** The keys as of at most two seconds ago; as they are, where those are none of `product`: it may be that new. */
  current(product?: string): Promise<Keyring>
  /**
   * The keys as they are, after a change or for a token whose key is not among them: another process may have made it
   * a moment ago. However many ask at once, one read runs and one waits, whatever strangers send.
   */
  reload(): Promise<Keyring>
}
