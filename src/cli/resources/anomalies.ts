// Anomalies over the admin API.
import { column, type Resource, text, yesNo } from '../operator/resource.ts'

const note = text('why')

export const resource: Resource = {
  name: 'anomalies',
  columns: [
    column('id'),
    column('instance', 'instance.instance_id'),
    column('product'),
    column('type'),
    column('severity'),
    column('count'),
    column('last seen'),
    column('verified'),
    column('resolved', 'resolved_at'),
  ],
  verbs: {
    list: {
      about: 'Anomalies, newest first; open ones unless asked otherwise.',
      method: 'GET',
      path: '/anomalies',
      list: 'link',
      query: {
        type: text('such as tier_mismatch'),
        severity: text('low, medium or high'),
        product: text('code'),
        instance: text('ins_…'),
        verified: yesNo('whether the report that showed it was proven'),
        state: text('open, resolved or all'),
      },
    },
    get: { about: 'One anomaly with its evidence.', method: 'GET', path: '/anomalies/{id}' },
    resolve: { about: 'Close it.', method: 'POST', path: '/anomalies/{id}/resolve', body: { note } },
    reopen: { about: 'Open it again.', method: 'POST', path: '/anomalies/{id}/reopen', body: { note } },
  },
}
