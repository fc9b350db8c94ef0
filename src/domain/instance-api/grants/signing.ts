// What signing a grant needs: the keys of one version of the reference data, the issuer, randomness. Types alone.
import type { RandomBytes } from '../../../platform/random.ts'
import type { DomainSettings } from '../../kernel/context.ts'
import type { Keyring } from '../../kernel/keyring.ts'
import type { View } from '../flow/turn.ts'

export interface Signing {
  readonly settings: DomainSettings
  readonly keyring: Keyring
  readonly random: RandomBytes
}

export const signingOf = ({
  settings,
  facts,
  random,
}: Pick<View, 'settings' | 'facts' | 'random'>): Signing => ({
  settings,
  keyring: facts.keyring,
  random,
})
