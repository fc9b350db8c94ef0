// The entry for Node: startLicense on this platform, and everything public.

import type { LicenseOptions } from '../options.ts'
import type { License } from '../public/license.ts'
import { startLicenseOn } from '../start.ts'
import { nodeHost } from './node.ts'

/**
 * Starts the license runtime of a product. Resolves to a working License whatever network, disk, server and license
 * do. @throws LicenseOptionsError for a programmer's mistake alone, with every mistake
 */
export function startLicense<F extends string = string, L extends string = string>(
  options: LicenseOptions<F, L>,
): Promise<License<F, L>> {
  return startLicenseOn(options.host ?? nodeHost(), options)
}

export * from '../public.ts'
export { nodeHost } from './node.ts'
