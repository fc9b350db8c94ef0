// The runtime behind a License, for @leasehold/enforce, which is a package of its own and the same version. Not public.
import type { Host } from '../host/port.ts'
import type { Trust } from '../trust/trust.ts'
import type { Driver } from './driver.ts'

export interface Inside {
  driver: Driver
  host: Host
  trust: Trust
}

/** Known by name, since two packages share no module. Its number rises when what is inside changes its shape. */
const INSIDE = Symbol.for('@leasehold/sdk inside 1')

export function keepInside(license: object, inside: Inside): void {
  Object.defineProperty(license, INSIDE, { value: inside })
}

/** @throws TypeError for what startLicense has not made: a programmer's mistake */
export function insideOf(license: object): Inside {
  const inside: Inside | undefined = Reflect.get(license, INSIDE)
  if (!inside) throw new TypeError('it takes the license that startLicense of @leasehold/sdk 0.1 resolved to')
  return inside
}
