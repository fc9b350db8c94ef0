// License JWTs that were handed out, over the admin API. `leasehold licenses jwt` signs one.
import { column, type Resource, text } from '../operator/resource.ts'

export const resource: Resource = {
  name: 'static-jwts',
  columns: ['id', 'license_id', 'name', 'status', 'refreshable', 'instance', 'expires_at'].map((name) =>
    column(name),
  ),
  verbs: {
    list: {
      about: 'Those that were handed out, newest first.',
      method: 'GET',
      path: '/static-jwts',
      list: 'link',
      query: { license: text('lic_…'), customer: text('cus_…'), status: text('active, expired or revoked') },
    },
    revoke: {
      about: 'It cannot be refreshed any more, and runs to its own end.',
      method: 'POST',
      path: '/static-jwts/{id}/revoke',
      body: { reason: text('kept in the audit log') },
      taking: { preview: 'dry_run', takes: 'revokes the license JWT' },
    },
  },
}
