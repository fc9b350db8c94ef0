// Keys: does the master key open all that is sealed, has each product its keys to sign with, is the key set true and
// signed by our root, can an owner log in. Opens secrets to see that they open, keeps none and shows none.
import { and, eq, gt, isNull, or } from 'drizzle-orm'
import { KEY_USES } from '../../contract/claims.ts'
import type { Database } from '../../db/client.ts'
import { adminKeys, products, serverSecrets, signingKeys } from '../../db/schema/index.ts'
import { keyStatus } from '../../domain/signing/key-times.ts'
import { sealName } from '../../domain/signing/keyring.ts'
import { secretSealName } from '../../domain/signing/server-secrets.ts'
import { selectSigningKeys } from '../../domain/signing/signing-key.ts'
import { open } from '../../platform/seal.ts'
import { counted, type Finding, ok, problem } from './finding.ts'

export async function examineMasterKey(db: Database, masterKey: Uint8Array): Promise<Finding> {
  const secrets = await db.select().from(serverSecrets)
  const keys = await db
    .select({ key: signingKeys, product: products.code })
    .from(signingKeys)
    .innerJoin(products, eq(products.id, signingKeys.productId))
  const sealed = [
    ...secrets.map(({ name, sealed: text }) => ({ what: name, name: secretSealName(name), text })),
    ...keys.map(({ key, product }) => ({
      what: `the ${key.use} key ${key.kid} of ${product}`,
      name: sealName(product, key.use, key.kid),
      text: key.sealedPrivateKey,
    })),
  ]
  const shut = sealed.filter(({ name, text }) => !opens(masterKey, name, text))
  if (shut.length === 0) return ok('master key', `Opens all ${counted(sealed.length, 'secret')}.`)
  const which = shut.length === sealed.length ? 'any secret' : shut.map(({ what }) => what).join(', ')
  return problem(
    'master key',
    `Does not open ${which}.`,
    'Set LEASEHOLD_MASTER_KEY, or the file master-key, to the key that this database was made with, or restore these rows from a backup.',
  )
}

function opens(masterKey: Uint8Array, name: string, sealed: string): boolean {
  const secret = open(masterKey, name, sealed)
  secret?.fill(0)
  return secret !== null
}

export async function examineSigningKeys(db: Database, now: Date): Promise<Finding> {
  const codes = (await db.select({ code: products.code }).from(products)).map(({ code }) => code)
  const keys = await selectSigningKeys(db)
  const active = new Set(
    keys
      .filter((key) => keyStatus(key, now) === 'active')
      .map(({ product, use }) => `${use} key of ${product}`),
  )
  const missing = codes.flatMap((code) =>
    KEY_USES.map((use) => `${use} key of ${code}`).filter((name) => !active.has(name)),
  )
  if (missing.length > 0) {
    const fix =
      'Restore the table signing_keys from a backup: a product that signs with nothing answers nobody.'
    return problem('signing keys', `There is no active ${missing.join(', no active ')}.`, fix)
  }
  const statuses = keys.map((key) => keyStatus(key, now))
  const count = (status: string) => statuses.filter((one) => one === status).length
  const waiting = ['pending', 'retiring', 'revoked'].filter((status) => count(status) > 0)
  const others = waiting.map((status) => `, ${count(status)} ${status}`).join('')
  return ok('signing keys', `${counted(codes.length, 'product')}: ${count('active')} keys active${others}.`)
}

export async function examineOwner(db: Database, now: Date): Promise<Finding> {
  const usable = or(isNull(adminKeys.expiresAt), gt(adminKeys.expiresAt, now))
  const owners = await db
    .select({ id: adminKeys.id })
    .from(adminKeys)
    .where(and(eq(adminKeys.role, 'owner'), isNull(adminKeys.revokedAt), usable))
  if (owners.length > 0) return ok('owner', `${counted(owners.length, 'owner key')} can be used.`)
  const fix = 'leasehold admin-keys create --role owner; with the embedded database the next start makes one.'
  return problem('owner', 'No owner key can be used: nobody can create products or keys.', fix)
}
