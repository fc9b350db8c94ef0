// The development license: what is served, unsigned and marked as such, where no license holds. Off unless it is named.
import { readFileSync } from 'node:fs'
import { StartError } from '../platform/start-error.ts'

export interface DevelopmentLicense {
  tier: string
  features: string[]
  limits: Record<string, number>
}

const MOST_BYTES = 65_536

/** @throws StartError for a file that is none. */
export function readDevelopmentLicense(path: string): DevelopmentLicense {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > MOST_BYTES) throw new Error('too large')
    const { tier, features, limits } = JSON.parse(text) as DevelopmentLicense
    const texts = Array.isArray(features) && features.every((name) => typeof name === 'string')
    const numbers = Object.values(limits).every((value) => Number.isSafeInteger(value) && value >= -1)
    if (typeof tier !== 'string' || tier === '' || !texts || !numbers) throw new Error('wrong members')
    return { tier, features, limits }
  } catch (error) {
    throw new StartError(
      `${path} is no development license (${error instanceof Error ? error.message : 'unreadable'}).`,
      'Write {"tier": "…", "features": ["…"], "limits": {"…": 1}}, or leave LEASEHOLD_DEVELOPMENT_LICENSE out.',
    )
  }
}
