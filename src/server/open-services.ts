// Opens what every verb needs from a migrated database: the keys, the pepper, the keyring, all proven to fit together.
import type { Settings } from '../config/settings.ts'
import type { Database } from '../db/client.ts'
import type { DomainSettings, Services } from '../domain/kernel/context.ts'
import { referenceCache } from '../domain/reference/reference-cache.ts'
import { type ClockGuard, guardKeyring, guardRootKey } from '../domain/signing/clock-guard.ts'
import { keyringCache } from '../domain/signing/keyring.ts'
import { openPepper } from '../domain/signing/server-secrets.ts'
import { openRootKey } from '../mint/keys.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { randomBytes } from '../platform/random.ts'
import { DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS } from '../platform/time.ts'
import type { OwnKeys } from './own-keys.ts'

/** What every instance is told; an instance's own setting may be shorter. */
const HEARTBEAT_INTERVAL = 6 * HOUR_SECONDS
/** T1: clients clamp what a server tells them to this. */
const SHORTEST_INTERVAL = 5 * MINUTE_SECONDS

export function domainSettings(settings: Settings): DomainSettings {
  return {
    issuer: settings.issuer,
    publicUrl: settings.publicUrl,
    tokenLife: settings.tokenLifeSeconds,
    entitlementLife: settings.entitlementLifeSeconds,
    offlineLease: settings.offlineLeaseSeconds,
    staleAfter: settings.staleAfterSeconds,
    actionBudget: settings.actionBudget,
    heartbeatInterval: HEARTBEAT_INTERVAL,
    // Half a lease, so that one failed attempt costs nothing.
    refreshInterval: Math.min(
      DAY_SECONDS,
      Math.max(SHORTEST_INTERVAL, Math.floor(settings.tokenLifeSeconds / 2)),
    ),
  }
}

/**
 * The services of this process. Opens the pepper and every stored signing key.
 * @throws StartError when the master key does not open what is stored.
 */
export async function openServices(
  db: Database,
  settings: Settings,
  { masterKey, rootKey }: OwnKeys,
  log: Logger,
  guard: ClockGuard,
  clock: Clock = systemClock,
): Promise<Services> {
  const pepper = await openPepper(db, masterKey, randomBytes, clock.now())
  const keyring = guardKeyring(keyringCache(db, masterKey, clock), guard)
  await keyring.reload()
  return {
    db,
    clock,
    random: randomBytes,
    log,
    settings: domainSettings(settings),
    keyring,
    reference: referenceCache({ masterKey, clock, mayBeSigned: () => guard.check() }),
    masterKey,
    rootKey: rootKey.kind === 'private' ? guardRootKey(openRootKey(rootKey.pkcs8), guard) : null,
    rootPublicKeyHex: rootKey.publicKey,
    pepper,
  }
}
