// What follows the commit of a change of keys: this process reads them at once, the others within two seconds.
import type { Ctx } from '../kernel/context.ts'

/** A failure is only logged: what was committed stands, and the cache reads it again within seconds. */
export async function reloadKeyring(ctx: Ctx): Promise<void> {
  try {
    await ctx.keyring.reload()
  } catch (error) {
    ctx.log.warn({ err: error }, 'signing keys were changed and could not be read again at once')
  }
}
