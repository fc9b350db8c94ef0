// Instances over the admin API: one by one, and all that meet a filter.
import { column, type Options, type Resource, text, type Verb, yesNo } from '../operator/resource.ts'

const filters: Options = {
  product: text('code'),
  license: text('lic_…, of which it holds a seat'),
  tier: text('code, granted now'),
  version: text('as reported'),
  action: text('none, downgrade or kill'),
  'instance-id': text('the whole instance id'),
  text: text('part of the instance id or the host name'),
  proof: text('none, instance, license or relay'),
  'last-seen-after': text('RFC 3339'),
  'last-seen-before': text('RFC 3339'),
  stale: yesNo('whether it is overdue'),
  verified: yesNo('whether what it last said was proven'),
}
const filtered: Options = Object.fromEntries(
  Object.entries(filters).map(([name, option]) => [
    name,
    { ...option, member: `filter.${name.replaceAll('-', '_')}` },
  ]),
)
const reason = text('told to the instance')
const name = { path: '/instances/{id}', member: 'instance_id' }
const instance = 'the instance'

const act = (action: string, about: string): Verb => ({
  about,
  method: 'POST',
  path: '/instances/{id}/action',
  body: { reason },
  fixed: { action },
})
const actOnAll = (action: string, about: string, takes: string): Verb => ({
  about,
  method: 'POST',
  path: '/instances/action',
  body: { ...filtered, reason },
  fixed: { action },
  taking: { preview: 'dry_run', takes, counted: { previewed: 'matched', member: 'expect' } },
})

export const resource: Resource = {
  name: 'instances',
  columns: [
    column('id'),
    column('instance', 'instance_id'),
    column('product'),
    column('tier'),
    column('version'),
    column('action', 'action.action'),
    column('last seen'),
    column('stale'),
    column('proof'),
  ],
  verbs: {
    list: {
      about: 'Instances, newest first.',
      method: 'GET',
      path: '/instances',
      list: 'link',
      query: filters,
    },
    get: { about: 'One instance.', method: 'GET', path: '/instances/{id}' },
    kill: {
      ...act('kill', 'Switch an instance off until it is cleared.'),
      taking: { preview: 'dry_run', takes: 'switches the instance off', name },
    },
    downgrade: {
      ...act('downgrade', 'Reduce an instance to the lowest tier until it is cleared.'),
      taking: { preview: 'dry_run', takes: 'reduces the instance to the lowest tier', name },
    },
    clear: act('none', 'Lift a kill or a downgrade.'),
    'kill-all': actOnAll(
      'kill',
      'Switch all off that meet the filter, at most 1,000.',
      'switches all of them off',
    ),
    'downgrade-all': actOnAll(
      'downgrade',
      'Reduce all that meet the filter to the lowest tier.',
      'reduces all of them to the lowest tier',
    ),
    'clear-all': actOnAll(
      'none',
      'Lift the action of all that meet the filter.',
      'lifts the action of all of them',
    ),
    'reset-token': {
      about: 'Forget who it is: the next proof of a license gets a new token.',
      method: 'POST',
      path: '/instances/{id}/reset-token',
      taking: { preview: 'none', takes: `makes the token of ${instance} worthless`, name },
    },
    'release-seat': {
      about: 'End the seat that it holds of a license.',
      method: 'DELETE',
      path: '/instances/{id}/seats/{license_id}',
      taking: { preview: 'none', takes: `ends the seat of ${instance}`, name },
    },
    'lift-tombstone': {
      about: 'Let it take the seat again that an admin ended.',
      method: 'POST',
      path: '/instances/{id}/seats/{license_id}/lift',
    },
    delete: {
      about: 'Delete it with all its data.',
      method: 'DELETE',
      path: '/instances/{id}',
      query: { confirm: text('killed: needed for a killed one, which may come back without the kill') },
      taking: { preview: 'none', takes: `deletes ${instance} with all its data`, name },
    },
  },
}
