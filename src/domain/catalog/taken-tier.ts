// What an admin is told when a product has a tier of that code or rank already.
import { violates } from '../../db/errors.ts'
import { Refusal } from '../kernel/context.ts'

/** Rethrows a broken unique constraint of tiers as `conflict`, anything else as it is. */
export function refuseTakenTier(error: unknown, wanted: { code?: string; rank?: number | undefined }): never {
  if (violates(error, 'tiers_product_code_unique')) {
    throw new Refusal('conflict', `The product has a tier ${wanted.code} already.`, {
      facts: { reason: 'code_taken', tier: wanted.code },
      fix: 'Choose another code, or change the tier that has it.',
    })
  }
  if (violates(error, 'tiers_product_rank_unique')) {
    throw new Refusal('conflict', `Another tier of the product has the rank ${wanted.rank}.`, {
      facts: { reason: 'rank_taken', rank: wanted.rank },
      fix: 'Choose a free rank. To put a tier between two others, move one of them first.',
    })
  }
  throw error
}
