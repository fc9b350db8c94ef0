// The figures of the fleet over the admin API.
import { isJsonObject } from '../../license/json.ts'
import { column, memberOf, type Resource, type Row, text } from '../operator/resource.ts'

const LISTS = [
  ['version', 'instances.by_version'],
  ['tier', 'instances.by_tier'],
  ['os', 'instances.by_os'],
  ['last seen', 'instances.by_last_seen'],
  ['license', 'instances.by_license_state'],
  ['proof', 'instances.by_proof'],
  ['licenses', 'licenses.by_state'],
] as const

/** One line for each figure. */
function figures(answer: Row): Row[] {
  const of = (what: string, path: string): Row => ({ what, value: 'all', count: memberOf(answer, path) })
  const lists = LISTS.flatMap(([what, path]) => entries(answer, path).map((row): Row => ({ what, ...row })))
  const actions = entries(answer, 'actions').map(
    ({ action, set, outstanding }): Row => ({
      what: 'action',
      value: action,
      count: set,
      more: `${String(outstanding)} outstanding`,
    }),
  )
  const expiring = entries(answer, 'licenses.expiring').map(
    ({ within_days, count }): Row => ({
      what: 'expiring',
      value: `within ${String(within_days)} days`,
      count,
    }),
  )
  return [
    of('instances', 'instances.total'),
    of('licenses', 'licenses.total'),
    ...lists,
    ...actions,
    ...expiring,
  ]
}

function entries(answer: Row, path: string): Row[] {
  const found = memberOf(answer, path)
  return Array.isArray(found) ? found.filter(isJsonObject) : []
}

export const resource: Resource = {
  name: 'stats',
  otherwise: 'show',
  columns: [column('what'), column('value'), column('count'), column('verified')],
  verbs: {
    show: {
      about: 'The figures of this moment.',
      method: 'GET',
      path: '/stats',
      query: { product: text('code; all of them without it') },
      rows: figures,
      csv: true,
    },
  },
}
