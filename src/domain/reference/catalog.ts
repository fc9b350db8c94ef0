// Products, tiers, keys and the newest key set of one version. Immutable: a change makes the next one of it.
import { fromUnixSeconds } from '../../platform/time.ts'
import type { Keyring } from '../kernel/keyring.ts'
import type { KeySetFacts, ProductFacts, TierFacts } from '../kernel/reference.ts'
import { keyringOf, type ReferenceKey } from './keys.ts'
import type { KeySetRow, ProductRow } from './statements.ts'

export interface ReferenceProduct {
  facts: ProductFacts
  tierById: ReadonlyMap<string, TierFacts>
  keys: readonly ReferenceKey[]
}

export interface Catalog {
  byId: ReadonlyMap<string, ReferenceProduct>
  byCode: ReadonlyMap<string, ReferenceProduct>
  /** Of all products, oldest first. */
  keys: readonly ReferenceKey[]
  keySet: KeySetFacts | null
  keyring(now: Date): Keyring
}

const date = (ms: number): Date => fromUnixSeconds(ms / 1000)

export function productOf(row: ProductRow, keys: readonly ReferenceKey[]): ReferenceProduct {
  const tiers = row.tiers.map(({ id, ...facts }) => [id, facts] as const)
  const { id, code, instanceAuth, limitsClaim, metricMap } = row
  return {
    facts: {
      id,
      code,
      instanceAuth,
      limitsClaim,
      metricMap,
      createdAt: date(row.createdAt),
      tiers: tiers.map(([, facts]) => facts),
      lowestTier: tiers[0]?.[1],
    },
    tierById: new Map(tiers),
    keys,
  }
}

export const keySetOf = (row: KeySetRow | null): KeySetFacts | null =>
  row && { ...row, issuedAt: date(row.issuedAt), expiresAt: date(row.expiresAt) }

export function catalogOf(
  products: readonly ReferenceProduct[],
  keySet: KeySetFacts | null,
  mayBeSigned: () => void,
): Catalog {
  const keys = products
    .flatMap((product) => product.keys)
    .sort((a, b) => Number(a.createdAt) - Number(b.createdAt) || (a.kid < b.kid ? -1 : 1))
  return {
    byId: new Map(products.map((product) => [product.facts.id, product])),
    byCode: new Map(products.map((product) => [product.facts.code, product])),
    keys,
    keySet,
    keyring: keyringOf(keys, keySet?.number ?? 0, mayBeSigned),
  }
}

/** The catalog with `asked` replaced by what was read of them: those that were not found are gone. */
export function withProducts(
  catalog: Catalog,
  asked: ReadonlySet<string>,
  read: readonly ReferenceProduct[],
  keySet: KeySetFacts | null,
  mayBeSigned: () => void,
): Catalog {
  const kept = [...catalog.byId.values()].filter(({ facts }) => !asked.has(facts.id))
  return catalogOf([...kept, ...read], keySet, mayBeSigned)
}
