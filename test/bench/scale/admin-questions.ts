// What an admin asks of a large fleet, and how long the answer takes.
import { LICENSED, OPEN } from '../hot/fleet.ts'
import { columns, figure, median, tell } from '../lab/numbers.ts'
import type { ScaleFleet } from './fleet.ts'

const TIMES = 5
const WANTED_MS = 50

type Question = [title: string, method: 'GET' | 'POST', path: string, body?: object]

export async function measureAdmin(fleet: ScaleFleet): Promise<string> {
  const lines: string[][] = [['', 'median ms', 'slowest ms', `≤ ${WANTED_MS} ms`]]
  for (const [title, method, path, body] of questions(fleet)) {
    const times: number[] = []
    let failed = ''
    for (let i = 0; i <= TIMES && failed === ''; i += 1) {
      const start = performance.now()
      await fleet.admin(method, path, body).catch((error: unknown) => {
        failed = String(error).slice(0, 120)
      })
      // The first one warms up.
      if (i > 0) times.push(performance.now() - start)
    }
    tell(`${title}: ${failed === '' ? `${figure(median(times))} ms` : failed}`)
    const middle = median(times)
    lines.push([
      title,
      figure(middle),
      figure(Math.max(...times)),
      failed === '' ? (middle <= WANTED_MS ? 'reached' : 'NOT REACHED') : `failed: ${failed}`,
    ])
  }
  return columns(lines)
}

function questions({ licenses, size }: ScaleFleet): Question[] {
  const large = licenses[0]?.id
  const typical = licenses[1]?.id
  const known = `${LICENSED}${Math.floor(size() / 2)}`
  const list = '/instances?limit=50'
  return [
    ['stats', 'GET', `/stats?product=${OPEN}`],
    ['stats of all products', 'GET', '/stats'],
    ['instances, first page', 'GET', list],
    ['instances of a product', 'GET', `${list}&product=${OPEN}`],
    ['instance by instance_id and product', 'GET', `${list}&product=${OPEN}&instance_id=${known}`],
    ['instance by instance_id', 'GET', `${list}&instance_id=${known}`],
    ['instances by text, one found', 'GET', `${list}&text=${known}`],
    ['instances by text, many found', 'GET', `${list}&text=${LICENSED}1`],
    ['instances by text, none found', 'GET', `${list}&text=nowhere-to-be-found`],
    ['instances of the large license', 'GET', `${list}&license=${large}`],
    ['instances of a typical license', 'GET', `${list}&license=${typical}`],
    ['stale instances', 'GET', `${list}&stale=true`],
    ['instances of a version', 'GET', `${list}&version=1.4.0`],
    ['licenses, first page', 'GET', '/licenses?limit=50'],
    ['licenses by text', 'GET', '/licenses?limit=50&text=Company%207'],
    ['one license, the large one', 'GET', `/licenses/${large}`],
    ['preview: suspend the large license', 'POST', `/licenses/${large}/suspend?dry_run=true`, {}],
    ['preview: suspend a typical license', 'POST', `/licenses/${typical}/suspend?dry_run=true`, {}],
    ['preview: revoke the large license', 'POST', `/licenses/${large}/revoke?dry_run=true`, {}],
    ['anomalies, first page', 'GET', '/anomalies?limit=50'],
  ]
}
