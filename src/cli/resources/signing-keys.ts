// Signing keys over the admin API. `leasehold keys` makes and signs with keys that no server has.
import { column, flag, number, type Resource, text } from '../operator/resource.ts'

const confirm = flag('needed for raw keys: clients pin them, and stop accepting what a new one signs')

export const resource: Resource = {
  name: 'signing-keys',
  columns: ['kid', 'product', 'use', 'status', 'not_before', 'superseded_at', 'revoked_at'].map((name) =>
    column(name),
  ),
  verbs: {
    list: {
      about: 'Signing keys, newest first; public halves only.',
      method: 'GET',
      path: '/signing-keys',
      list: 'link',
      query: { product: text('code'), use: text('license, control or raw') },
    },
    rotate: {
      about: 'Give a product its next key. What the old one signed still verifies.',
      method: 'POST',
      path: '/signing-keys/rotate',
      body: {
        product: text('code', { required: true }),
        use: text('license, control or raw', { required: true }),
        'activate-in': number('seconds until it signs; without it 300'),
        confirm,
      },
    },
    revoke: {
      about: 'For a stolen key: it verifies nothing from now on.',
      method: 'POST',
      path: '/signing-keys/{kid}/revoke',
      body: { reason: text('kept in the audit log'), confirm },
      taking: { preview: 'dry_run', takes: 'revokes the signing key: what it signed verifies nowhere' },
    },
    'draft-set': {
      about: 'The next key set, unsigned, for leasehold keys sign-set.',
      method: 'GET',
      path: '/key-sets/draft',
      file: true,
    },
    'import-set': {
      about: 'Publish a key set that leasehold keys sign-set signed.',
      method: 'POST',
      path: '/key-sets',
      body: { jws: text('what sign-set wrote', { required: true }) },
    },
  },
}
