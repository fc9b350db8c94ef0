// What must stay as it was from start to start, because clients hold what was signed under it: the issuer and the root.
import { readIssuer } from '../config/addresses.ts'
import type { Settings } from '../config/settings.ts'
import type { KeySetOrigin } from '../domain/signing/key-set-origin.ts'
import type { Logger } from '../platform/logger.ts'
import { readCredentials } from './first-run/credentials-file.ts'

/**
 * The settings, with the issuer of earlier starts where none is set: the default follows the port, and another issuer
 * ends every lease at once. For the embedded database alone, which has a data folder that remembers it.
 */
export async function withLastingIssuer<T extends Pick<Settings, 'issuer' | 'issuerGiven'>>(
  settings: T,
  dataDir: string,
  origin: KeySetOrigin | null,
  log: Logger,
): Promise<T> {
  if (settings.issuerGiven) return settings
  const remembered = readIssuer((await readCredentials(dataDir))?.issuer || (origin?.issuer ?? ''))
  if (!('value' in remembered) || remembered.value === settings.issuer) return settings
  log.info(
    { issuer: remembered.value, instead_of: settings.issuer },
    'the issuer stays that of earlier starts; LEASEHOLD_ISSUER or PUBLIC_URL changes it, which ends every lease',
  )
  return { ...settings, issuer: remembered.value }
}

/** Products refuse key sets of a root that they did not pin (T4). */
export function warnOfAnotherRoot(origin: KeySetOrigin | null, rootPublicKeyHex: string, log: Logger): void {
  if (origin === null || origin.ownRoot) return
  log.warn(
    { root_public_key: rootPublicKeyHex },
    'THE ROOT KEY IS ANOTHER ONE than the newest key set was signed with: products that pinned the former one will ' +
      'refuse every key set that this server signs. Set LEASEHOLD_ROOT_KEY to the former key, unless products already pin both',
  )
}
