// Relays over the admin API. `leasehold relay` runs one.
import { column, number, type Resource, type Row, text } from '../operator/resource.ts'

const name = { path: '/relays/{id}', member: 'name' }

/** How many it may give out now. */
const shareOf = ({ allotments }: Row, licenseId: string | undefined): number =>
  Array.isArray(allotments)
    ? (allotments.find(({ license_id }: Row) => license_id === licenseId)?.share ?? 0)
    : 0

export const resource: Resource = {
  name: 'relays',
  columns: ['id', 'customer_id', 'name', 'status', 'version', 'last_seen_at', 'created_at'].map((member) =>
    column(member),
  ),
  verbs: {
    list: {
      about: 'Relays, newest first.',
      method: 'GET',
      path: '/relays',
      list: 'link',
      query: { customer: text('cus_…') },
    },
    get: { about: 'One relay with what is allotted to it.', method: 'GET', path: '/relays/{id}' },
    create: {
      about: 'Create a relay of a customer; shows its enrolment code.',
      method: 'POST',
      path: '/relays',
      body: {
        'customer-id': text('cus_…', { required: true }),
        name: text('where it is', { required: true }),
      },
      secret: 'enrolment_code',
    },
    change: {
      about: 'Rename it.',
      method: 'PATCH',
      path: '/relays/{id}',
      body: { name: text('where it is', { required: true }) },
    },
    code: {
      about: 'A new enrolment code; the one before is dead, and so is its key once the new one is used.',
      method: 'POST',
      path: '/relays/{id}/enrolment-code',
      secret: 'enrolment_code',
    },
    share: {
      about: 'How many seats of a license it may give out by itself.',
      method: 'PUT',
      path: '/relays/{id}/allotments/{license_id}',
      body: { seats: number('at most', { required: true }) },
      taking: {
        preview: 'none',
        takes: 'lets the relay give out fewer seats of the license',
        name,
        when: {
          before: '/relays/{id}',
          mayTake: ({ seats }, relay, [, licenseId]) => Number(seats) < shareOf(relay, licenseId),
        },
      },
    },
    unshare: {
      about: 'It gets no more seats of a license; what it has counts until its end.',
      method: 'DELETE',
      path: '/relays/{id}/allotments/{license_id}',
      query: { end: text('true: what was allotted counts no longer, at once; for one that is lost') },
      taking: { preview: 'none', takes: 'takes the seats of the license from the relay', name },
    },
    revoke: {
      about: 'End it for good: its key is dead at once.',
      method: 'POST',
      path: '/relays/{id}/revoke',
      taking: { preview: 'none', takes: 'ends the relay for good', name },
    },
  },
}
