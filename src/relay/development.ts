// The development license: what is served, unsigned and marked as such, where the vendor has told of no license. Off
// unless it is named, and small: nobody is to run on it.
import { readFileSync } from 'node:fs'
import { StartError } from '../platform/start-error.ts'

export interface DevelopmentLicense {
  tier: string
  features: string[]
  limits: Record<string, number>
}

/** `configured`: nothing of it is served as long as the vendor has told of any license. */
export type DevelopmentState = 'off' | 'configured' | 'served'

export const WATERMARK = 'DEVELOPMENT LICENSE: not for production'

const MOST_BYTES = 65_536
const MOST_FEATURES = 10
const MOST_OF_A_LIMIT = 10

/** @throws StartError for a file that is none. */
export function readDevelopmentLicense(path: string): DevelopmentLicense {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > MOST_BYTES) throw new Error('too large')
    const { tier, features, limits } = JSON.parse(text) as DevelopmentLicense
    if (typeof tier !== 'string' || tier === '') throw new Error('no tier')
    const texts = Array.isArray(features) && features.every((name) => typeof name === 'string')
    if (!texts || features.length > MOST_FEATURES)
      throw new Error(`not a list of ${MOST_FEATURES} features at most`)
    const small = (value: number) => Number.isSafeInteger(value) && value >= 0 && value <= MOST_OF_A_LIMIT
    if (!Object.values(limits).every(small))
      throw new Error(`a limit that is not from 0 to ${MOST_OF_A_LIMIT}`)
    return { tier, features, limits }
  } catch (error) {
    throw new StartError(
      `${path} is no development license (${error instanceof Error ? error.message : 'unreadable'}).`,
      'Write {"tier": "…", "features": ["…"], "limits": {"…": 1}}, or leave LEASEHOLD_DEVELOPMENT_LICENSE out.',
    )
  }
}

/** Only where the vendor has not spoken: a license that it took back, or that has ended, stays so. */
export function developmentState(license: DevelopmentLicense | null, known: number): DevelopmentState {
  if (license === null) return 'off'
  return known === 0 ? 'served' : 'configured'
}
