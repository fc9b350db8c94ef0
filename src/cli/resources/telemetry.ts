// Telemetry over the admin API.
import { isJsonObject } from '../../license/json.ts'
import { column, type Resource, text } from '../operator/resource.ts'

export const resource: Resource = {
  name: 'telemetry',
  otherwise: 'show',
  columns: ['bucket', 'group', 'increase', 'average', 'maximum', 'samples', 'instances'].map((name) =>
    column(name),
  ),
  verbs: {
    show: {
      about: 'By hour or day, for all or by version, tier or license; every page of it.',
      method: 'GET',
      path: '/telemetry',
      query: {
        product: text('code', { required: true }),
        metric: text("one of the product's metric map", { required: true }),
        from: text('RFC 3339'),
        to: text('RFC 3339'),
        bucket: text('hour or day'),
        'group-by': text('version, tier or license'),
      },
      rows: ({ rows }) => (Array.isArray(rows) ? rows.filter(isJsonObject) : []),
      csv: true,
      paged: true,
    },
  },
}
