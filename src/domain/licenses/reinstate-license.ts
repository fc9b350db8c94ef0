// Gives a suspended license back.
import { eq } from 'drizzle-orm'
import { licenses } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import type { LicenseView } from './license-view.ts'
import { updateLicense } from './update-license.ts'

/** A license that is not suspended stays as it is. @throws Refusal `not_found`, `conflict` when it was revoked. */
export async function reinstateLicense(
  ctx: Ctx,
  id: string,
  { reason }: { reason?: string | undefined },
): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  return updateLicense(ctx, id, {
    action: 'license.reinstate',
    set: { status: 'active', statusReason: null, statusChangedAt: ctx.clock.now() },
    when: eq(licenses.status, 'suspended'),
    reason,
  })
}
