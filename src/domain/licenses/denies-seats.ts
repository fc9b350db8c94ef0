// Whether revoking a credential takes the seats that began with it. Pure; previews and the budget both go by it.
import type { CredentialSource } from '../../contract/catalog.ts'

/** A license key is presented again with each validate; sessions of an API key go on by their license JWT. */
export const deniesSeats = (source: CredentialSource, endsSessions: boolean): boolean =>
  endsSessions || source === 'license_key'
