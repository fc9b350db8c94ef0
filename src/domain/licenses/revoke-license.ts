// Takes a license away for good.
import { type Ctx, requireRole } from '../kernel/context.ts'
import type { LicenseView } from './license-view.ts'
import { updateLicense } from './update-license.ts'

/** A license that was revoked stays as it is. @throws Refusal `not_found` */
export async function revokeLicense(
  ctx: Ctx,
  id: string,
  { reason }: { reason?: string | undefined },
): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  return updateLicense(ctx, id, {
    action: 'license.revoke',
    set: { status: 'revoked', statusReason: reason ?? null, statusChangedAt: ctx.clock.now() },
    when: undefined,
    reason,
    takes: true,
  })
}
