// Takes a license away until it is reinstated. Instances learn it from their next directive (T2).
import { eq } from 'drizzle-orm'
import { licenses } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import type { LicenseView } from './license-view.ts'
import { updateLicense } from './update-license.ts'

/** A license that is suspended stays as it is. @throws Refusal `not_found`, `conflict` when it was revoked. */
export async function suspendLicense(
  ctx: Ctx,
  id: string,
  { reason }: { reason?: string | undefined },
): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  return updateLicense(ctx, id, {
    action: 'license.suspend',
    set: { status: 'suspended', statusReason: reason ?? null, statusChangedAt: ctx.clock.now() },
    when: eq(licenses.status, 'active'),
    reason,
    takes: true,
  })
}
