// The numbered events over the admin API.
import { column, number, type Resource } from '../operator/resource.ts'

export const resource: Resource = {
  name: 'events',
  otherwise: 'list',
  columns: ['number', 'at', 'type', 'subject', 'license_id', 'instance'].map((name) => column(name, name)),
  verbs: {
    list: {
      about: 'Oldest first, those after a number.',
      method: 'GET',
      path: '/events',
      list: 'number',
      query: { after: number('of the last one seen') },
    },
  },
}
