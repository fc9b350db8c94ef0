// The audit log over the admin API.
import { column, type Resource, text } from '../operator/resource.ts'

export const resource: Resource = {
  name: 'audit',
  otherwise: 'list',
  columns: ['at', 'actor', 'action', 'subject', 'reason', 'request_id'].map((name) => column(name, name)),
  verbs: {
    list: {
      about: 'Newest first.',
      method: 'GET',
      path: '/audit',
      list: 'link',
      query: {
        actor: text('such as adm_…'),
        subject: text('such as lic_…'),
        action: text('such as license.suspend'),
        from: text('RFC 3339, included'),
        to: text('RFC 3339, not included'),
      },
    },
  },
}
