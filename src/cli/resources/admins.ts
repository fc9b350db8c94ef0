// Admin keys over the admin API. `leasehold admin-keys` does the same at the database, for whoever runs the server.
import { column, optional, type Resource, text } from '../operator/resource.ts'

const terms = {
  name: text('whose it is', { required: true }),
  role: text('owner, operator, support or auditor', { required: true }),
  'expires-at': text('RFC 3339', { nullable: true }),
} as const

export const resource: Resource = {
  name: 'admins',
  columns: ['id', 'name', 'role', 'status', 'prefix', 'created_at', 'expires_at'].map((name) => column(name)),
  verbs: {
    list: { about: 'Admin keys, newest first.', method: 'GET', path: '/admin-keys', list: 'link' },
    create: {
      about: 'Create an admin key.',
      method: 'POST',
      path: '/admin-keys',
      body: terms,
      secret: 'admin_key',
    },
    change: {
      about: "Change what is given; never the last owner's role.",
      method: 'PATCH',
      path: '/admin-keys/{id}',
      body: optional(terms),
    },
    revoke: {
      about: 'End it, at once and everywhere.',
      method: 'POST',
      path: '/admin-keys/{id}/revoke',
      taking: { preview: 'none', takes: 'revokes the admin key' },
    },
    budget: {
      about: 'What is left of the hour for kill, downgrade, suspend and revoke.',
      method: 'GET',
      path: '/action-budget',
    },
    'lift-budget': {
      about: 'Lift it for an hour, of one key or of all.',
      method: 'POST',
      path: '/action-budget/lift',
      body: {
        'admin-key-id': text('adm_…'),
        all: { kind: 'flag', about: 'of everybody' },
        reason: text('kept in the audit log', { required: true }),
      },
    },
    whoami: { about: 'The key of this very request.', method: 'GET', path: '/whoami' },
  },
}
