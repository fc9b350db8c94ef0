// API keys over the admin API.
import { column, flag, number, type Resource, text } from '../operator/resource.ts'

const reason = text('kept in the audit log')

export const resource: Resource = {
  name: 'api-keys',
  columns: ['id', 'license_id', 'name', 'prefix', 'status', 'expires_at', 'created_at'].map((name) =>
    column(name),
  ),
  verbs: {
    list: {
      about: 'API keys, newest first.',
      method: 'GET',
      path: '/api-keys',
      list: 'link',
      query: { license: text('lic_…'), customer: text('cus_…'), status: text('active, expired or revoked') },
    },
    issue: {
      about: 'Issue an API key.',
      method: 'POST',
      path: '/api-keys',
      body: {
        'license-id': text('lic_…', { required: true }),
        name: text('what it is for', { required: true }),
        'expires-at': text('RFC 3339', { nullable: true }),
      },
      secret: 'api_key',
    },
    rotate: {
      about: 'Replace it; both work for the overlap.',
      method: 'POST',
      path: '/api-keys/{id}/rotate',
      body: {
        'overlap-hours': number('without it 24; 0 ends the old one at once'),
        name: text("without it the old key's"),
        'expires-at': text("RFC 3339; without it the old key's", { nullable: true }),
        reason,
      },
      taking: { preview: 'none', takes: 'ends the API key when the overlap is over' },
      secret: 'api_key',
    },
    revoke: {
      about: 'End it.',
      method: 'POST',
      path: '/api-keys/{id}/revoke',
      body: { 'end-sessions': flag('sessions that began with it need a new proof too'), reason },
      taking: { preview: 'dry_run', takes: 'revokes the API key' },
    },
  },
}
