// Features and limits in zod, as an admin writes them for a tier or a license.
import { z } from 'zod'

const MOST_FEATURES = 500
const MOST_LIMITS = 200
const MOST_SEATS = 2_147_483_647

const distinct = (values: readonly string[]) => new Set(values).size === values.length

export const catalogCode = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/)
export const featureName = z.string().regex(/^[a-z][a-z0-9_.-]{0,99}$/)
export const limitName = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/)

export const featureNames = z
  .array(featureName)
  .max(MOST_FEATURES)
  .refine(distinct, { error: 'a feature stands there twice' })
  .meta({ example: ['oidc', 'audit_logs'] })

export const limitValues = z
  .record(limitName, z.int().min(-1))
  .refine((limits) => Object.keys(limits).length <= MOST_LIMITS, { error: `at most ${MOST_LIMITS} limits` })
  .meta({
    description: 'Whole numbers by name; -1 is unlimited.',
    example: { max_agents: 100, max_users: -1 },
  })

export const graceDays = z.int().min(0).max(3650)

export const seatLimit = z.int().min(0).max(MOST_SEATS).nullable().meta({ description: 'Null is unlimited.' })
