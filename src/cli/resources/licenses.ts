// Licenses over the admin API.
import {
  column,
  json,
  names,
  number,
  numbers,
  optional,
  type Resource,
  type Row,
  text,
  yesNo,
} from '../operator/resource.ts'

const reason = text('kept in the audit log, and told where it explains a refusal')
const version = number('the version that the change was made for; refused when it has moved on')
const terms = {
  tier: text('code of the tier', { required: true }),
  'expires-at': text('RFC 3339; none is perpetual', { nullable: true }),
  'grace-days': number("without it the tier's", { nullable: true }),
  'features-added': names("over the tier's"),
  'features-removed': names("from the tier's"),
  limits: numbers("over the tier's"),
  'seat-limit': number("instances; without it the tier's", { nullable: true }),
  'tenant-id': text('what the product calls its tenant', { nullable: true }),
  label: text('shown in lists', { nullable: true }),
  'is-trial': yesNo('whether it is a trial'),
  fingerprint: text('of the one machine', { nullable: true }),
  metadata: json('yours to use'),
} as const
const name = { path: '/licenses/{id}', member: 'label' }

/** What a list or a number replaces is not known here: it may have been more. */
const mayLower = (body: Row): boolean =>
  ['tier', 'grace_days', 'features_added', 'limits', 'seat_limit'].some((member) => member in body) ||
  typeof body.expires_at === 'string' ||
  typeof body.fingerprint === 'string' ||
  (Array.isArray(body.features_removed) && body.features_removed.length > 0)

export const resource: Resource = {
  name: 'licenses',
  columns: [
    column('id'),
    column('product'),
    column('tier'),
    column('customer', 'customer_name'),
    column('label'),
    column('status'),
    column('expires', 'expires_at'),
    column('seats', 'seats_in_use'),
    column('of', 'effective.seat_limit'),
  ],
  verbs: {
    list: {
      about: 'Licenses, newest first.',
      method: 'GET',
      path: '/licenses',
      list: 'link',
      query: {
        customer: text('cus_…'),
        product: text('code'),
        tier: text('code'),
        status: text('active, in_grace, suspended, revoked or expired'),
        text: text("part of label, tenant, or the customer's name, company or e-mail"),
        'expiring-after': text('RFC 3339; whose own end is not before it'),
        'expiring-before': text('RFC 3339; whose own end comes before it'),
      },
    },
    get: { about: 'One license.', method: 'GET', path: '/licenses/{id}' },
    issue: {
      about: 'Issue a license.',
      method: 'POST',
      path: '/licenses',
      body: {
        product: text('code', { required: true }),
        'customer-id': text('cus_…', { required: true }),
        ...terms,
      },
    },
    change: {
      about: 'Change what is given. A list replaces the whole list.',
      method: 'PATCH',
      path: '/licenses/{id}',
      body: { ...optional(terms), version, reason },
      taking: {
        preview: 'none',
        takes: 'may lower the terms of the license',
        name,
        when: { mayTake: mayLower },
      },
    },
    renew: {
      about: 'Move the end on.',
      method: 'POST',
      path: '/licenses/{id}/renew',
      body: {
        'expires-at': text('the new end, RFC 3339'),
        'extend-days': number('from the end it has, or from now where that has passed'),
        version,
        reason,
      },
    },
    suspend: {
      about: 'Take it away until it is reinstated.',
      method: 'POST',
      path: '/licenses/{id}/suspend',
      body: { reason },
      taking: { preview: 'dry_run', takes: 'suspends the license', name },
    },
    reinstate: {
      about: 'Give a suspended license back.',
      method: 'POST',
      path: '/licenses/{id}/reinstate',
      body: { reason },
    },
    revoke: {
      about: 'Take it away for good.',
      method: 'POST',
      path: '/licenses/{id}/revoke',
      body: { reason },
      taking: { preview: 'dry_run', takes: 'revokes the license for good', name },
    },
    envelope: {
      about: 'Sign an envelope, for a site without a network; it cannot be called back.',
      method: 'POST',
      path: '/licenses/{id}/envelope',
      body: {
        'expires-at': text("RFC 3339; without it the license's"),
        label: text("without it the license's", { nullable: true }),
        'instance-id': text('the one instance that may install it'),
        limits: numbers("in the place of the license's: a share, never more"),
      },
      secret: 'envelope',
    },
    envelopes: {
      about: 'The envelopes that were signed under it, newest first.',
      method: 'GET',
      path: '/licenses/{id}/envelope',
      list: 'link',
      columns: ['id', 'label', 'tenant_id', 'instance', 'issued_at', 'expires_at', 'issued_by'].map(
        (member) => column(member),
      ),
    },
    'get-envelope': {
      about: 'What was said of one envelope when it was signed.',
      method: 'GET',
      path: '/licenses/{id}/envelope/{envelope}',
    },
    'activate-offline': {
      about: 'Answer the request file of a site without a network, once; what comes out is the answer file.',
      method: 'POST',
      path: '/licenses/{id}/offline-activations',
      body: {
        request: json('the content of the request file', { required: true, member: '' }),
        days: number('how long the lease runs; without it to the end of the license'),
      },
      file: true,
    },
    'offline-activations': {
      about: 'The request files that were answered under it, newest first.',
      method: 'GET',
      path: '/licenses/{id}/offline-activations',
      list: 'link',
      columns: ['id', 'instance', 'action', 'issued_at', 'expires_at', 'issued_by'].map((member) =>
        column(member),
      ),
    },
    'get-offline-activation': {
      about: 'What was said in one answer.',
      method: 'GET',
      path: '/licenses/{id}/offline-activations/{activation}',
    },
    jwt: {
      about: 'Sign a license JWT to be handed out.',
      method: 'POST',
      path: '/licenses/{id}/jwt',
      body: {
        life: number('seconds', { required: true }),
        refreshable: yesNo('whether it can be refreshed', { required: true }),
        'instance-id': text('the one instance that may use it'),
        name: text('what it is for'),
      },
      secret: 'jwt',
    },
  },
}
