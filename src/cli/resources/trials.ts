// Trials: the public routes, which take no admin key.
import { type Resource, text } from '../operator/resource.ts'

export const resource: Resource = {
  name: 'trials',
  verbs: {
    check: {
      about: 'Whether a product offers trials.',
      method: 'GET',
      path: '/api/v1/trials/check',
      query: { product: text('code', { required: true }), tier: text('code') },
      anonymous: true,
    },
    start: {
      about: 'Start the one trial that an e-mail address has of a product.',
      method: 'POST',
      path: '/api/v1/trials/start',
      body: {
        product: text('code', { required: true }),
        email: text('address', { required: true }),
        tier: text('code', { required: true }),
        name: text('of the person'),
        company: text('of the company'),
      },
      secret: 'license_key',
      anonymous: true,
    },
  },
}
