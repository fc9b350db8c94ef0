// Reference data as every verb sees it: products, tiers, customers, licenses, credentials, keys. What holds and reads
// it is domain/reference; here is only what it answers.
import type {
  CredentialSource,
  InstanceAuth,
  LimitsClaim,
  MetricMap,
  StoredLicenseStatus,
} from '../../contract/catalog.ts'
import type { KeyUse } from '../../contract/claims.ts'
import type { Keyring } from './keyring.ts'

/**
 * Sends one statement of constant text, inside a transaction or outside, and gives its rows as the driver does: bigint
 * as text, nothing but JSON parsed.
 */
export type Read = <Row extends Record<string, unknown>>(
  text: string,
  params: readonly unknown[],
) => Promise<Row[]>

export interface TierFacts {
  code: string
  rank: number
  features: string[]
  limits: Record<string, number>
  graceDays: number
  seatLimit: number | null
  seatChurn: number | null
}

export interface ProductFacts {
  id: string
  code: string
  instanceAuth: InstanceAuth
  limitsClaim: LimitsClaim
  metricMap: MetricMap
  createdAt: Date
  /** By rank, lowest first. */
  tiers: readonly TierFacts[]
  /** What a downgraded or unlicensed instance has (T3); undefined while the product has no tier. */
  lowestTier: TierFacts | undefined
}

export interface LicenseFacts {
  id: string
  productId: string
  productCode: string
  instanceAuth: InstanceAuth
  limitsClaim: LimitsClaim
  status: StoredLicenseStatus
  statusReason: string | null
  issuedAt: Date
  expiresAt: Date | null
  /** The license's own, else its tier's. */
  graceDays: number
  featuresAdded: string[]
  featuresRemoved: string[]
  limits: Record<string, number>
  /** The license's own, else its tier's, else null: unlimited (T10). */
  seatLimit: number | null
  tenantId: string | null
  label: string | null
  /** Of the one machine that relays serve; null: of any. */
  fingerprint: string | null
  isTrial: boolean
  tier: TierFacts
  /** The product's tier of lowest rank: what a downgraded or unlicensed instance has (T3). */
  lowestTier: TierFacts
  customerId: string
  customerName: string
  company: string
}

export interface CredentialName {
  source: CredentialSource
  /** UUID. */
  id: string
}

/** An API key, a license key or a static JWT. What it is at a moment is told by its times. */
export interface CredentialFacts extends CredentialName {
  licenseId: string
  expiresAt: Date | null
  revokedAt: Date | null
  /** A license key that was replaced keeps the seats that it holds and takes none. */
  retiredAt: Date | null
  /** Revoking it ended the sessions that it began; always so for a static JWT. */
  endSessions: boolean
  refreshable: boolean
}

/** A root-signed key set as it was published. */
export interface KeySetFacts {
  number: number
  issuedAt: Date
  expiresAt: Date
  digest: string
  jws: string
}

/** The public half of a key of a product, and its times. */
export interface PublicKeyFacts {
  kid: string
  product: string
  use: KeyUse
  publicKeyHex: string
  createdAt: Date
  notBefore: Date
  supersededAt: Date | null
  retiredAt: Date | null
  revokedAt: Date | null
}

/** What a batch needs in memory beside products and keys, which always are. Hashes are those that are stored. */
export interface ReferenceNeeds {
  licenses?: Iterable<string> | undefined
  apiKeyHashes?: Iterable<string> | undefined
  licenseKeyHashes?: Iterable<string> | undefined
  credentials?: Iterable<CredentialName> | undefined
}

/** Facts of one version. A product or a key that is absent does not exist at this version. */
export interface ReferenceFacts {
  /** Of the newest event that they hold. */
  readonly number: number
  productByCode(code: string): ProductFacts | undefined
  productById(id: string): ProductFacts | undefined
  license(id: string): LicenseFacts | undefined
  apiKey(hash: string): CredentialFacts | undefined
  licenseKey(hash: string): CredentialFacts | undefined
  credential(name: CredentialName): CredentialFacts | undefined
  /** The keys with their statuses now. Of one version; ask for it again in each batch. */
  readonly keyring: Keyring
  /** Every key of every product, oldest first. */
  readonly publicKeys: readonly PublicKeyFacts[]
  /** The newest; null before the first was published. */
  readonly keySet: KeySetFacts | null
}

/** The statement that proves a version, with the version that it asks about. */
export interface ReferenceProof {
  readonly text: string
  readonly params: readonly string[]
}

/**
 * The facts in memory: those of the newest version that this process has seen. `license`, `apiKey`, `licenseKey` and
 * `credential` answer undefined for what is not in memory too; the facts that `load` returns tell the two apart.
 */
export interface ReferenceCache extends ReferenceFacts {
  /** Send it last among the reads of a batch, under its locks, and give its row to `settle`. */
  proof(): ReferenceProof
  /**
   * Brings the cache to at least the version that the proof's row tells of, with one statement if products or keys have
   * changed, else with none. What else has changed leaves the memory: call `load` after it.
   */
  settle(read: Read, asked: ReferenceProof, row: Record<string, unknown> | undefined): Promise<void>
  /**
   * The facts of one version with all that is asked for: what they lack is not on record. One statement if anything was
   * missing, else none. They are as new as the last `settle` at least, and stay as they are, whatever happens meanwhile.
   * Asking them for what was not in `needs` throws.
   */
  load(read: Read, needs: ReferenceNeeds): Promise<ReferenceFacts>
}
