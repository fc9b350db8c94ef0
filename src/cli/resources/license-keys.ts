// License keys over the admin API.
import { column, flag, type Resource, text } from '../operator/resource.ts'

const reason = text('kept in the audit log')

export const resource: Resource = {
  name: 'license-keys',
  columns: ['id', 'license_id', 'name', 'prefix', 'offline', 'status', 'expires_at', 'created_at'].map(
    (name) => column(name),
  ),
  verbs: {
    list: {
      about: 'License keys, newest first.',
      method: 'GET',
      path: '/license-keys',
      list: 'link',
      query: {
        license: text('lic_…'),
        customer: text('cus_…'),
        status: text('active, retired, expired or revoked'),
      },
    },
    issue: {
      about: 'Sign a license key.',
      method: 'POST',
      path: '/license-keys',
      body: {
        'license-id': text('lic_…', { required: true }),
        name: text('what it is for', { required: true }),
        offline: flag('a lease of its own until the end, which cannot be called back'),
      },
      secret: 'license_key',
    },
    rotate: {
      about: 'Replace it; the old one keeps its seats and takes none.',
      method: 'POST',
      path: '/license-keys/{id}/rotate',
      body: { name: text("without it the old key's"), reason },
      taking: { preview: 'none', takes: 'retires the license key: it takes no new seat' },
      secret: 'license_key',
    },
    revoke: {
      about: 'End it; one minted offline holds where the server is not asked.',
      method: 'POST',
      path: '/license-keys/{id}/revoke',
      body: { 'end-sessions': flag('sessions that began with it need a new proof too'), reason },
      taking: { preview: 'dry_run', takes: 'revokes the license key' },
    },
  },
}
