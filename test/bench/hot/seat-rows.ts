// The rows about seats: new ones on one license and on many, and the check of those that are held.
import type { SoldLicense } from '../fleet/catalog.ts'
import type { Request } from '../load/request.ts'
import { type HotFleet, OPEN, TOKEN } from './fleet.ts'
import { anyOf, once, repeating, type Workload } from './workload.ts'

let newcomers = 0

export function seatRows(fleet: HotFleet): Workload[] {
  return [
    {
      id: 'activate',
      title: 'activate, new seats of one license',
      target: 'own',
      most: 8_000,
      expects: '"status":"active"',
      // A license of its own for each run, so that none starts with the seats of the run before.
      list: async (count) => once(newSeats([await fleet.newLicense()], count)),
    },
    {
      id: 'activate-many',
      title: 'activate, new seats of many licenses',
      target: 'own',
      most: 8_000,
      expects: '"status":"active"',
      list: (count) => once(newSeats(fleet.openLicenses, count)),
    },
    {
      id: 'validate',
      title: 'validate',
      target: 'own',
      most: 5_000,
      expects: '"status":"valid"',
      list: (count) => repeating(Array.from({ length: count }, () => validate(fleet))),
    },
  ]
}

/** Activations of instances that nobody has met. */
export function newSeats(licenses: readonly SoldLicense[], count: number): Request[] {
  return Array.from({ length: count }, () => {
    const license = licenses[anyOf(licenses.length)]
    const id = newcomers++
    const body =
      `{"license_key":"${license?.licenseKey}","instance_id":"new-${id}","product":"${OPEN}",` +
      `"hostname":"host-${id}","server_version":"1.4.0"}`
    return { method: 'POST', path: '/api/v1/licenses/activate', body }
  })
}

function validate({ activated, tokenLicenses, instances }: HotFleet): Request {
  const known = activated[anyOf(instances)]
  const body =
    `{"license_key":"${tokenLicenses[known?.license ?? 0]?.licenseKey}",` +
    `"instance_id":"${known?.instanceId}","product":"${TOKEN}"}`
  const headers = { Authorization: `Bearer ${known?.instanceToken}` }
  return { method: 'POST', path: '/api/v1/licenses/validate', headers, body }
}
