// Customers over the admin API.
import { column, json, optional, type Resource, text } from '../operator/resource.ts'

const terms = {
  name: text('of the person', { required: true }),
  company: text('of the company'),
  email: text('address', { nullable: true }),
  metadata: json('yours to use'),
} as const

export const resource: Resource = {
  name: 'customers',
  columns: ['id', 'name', 'company', 'email', 'created_at'].map((name) => column(name)),
  verbs: {
    list: {
      about: 'Customers, newest first.',
      method: 'GET',
      path: '/customers',
      list: 'link',
      query: { text: text('part of name, company or e-mail', { member: 'q' }) },
    },
    get: { about: 'One customer.', method: 'GET', path: '/customers/{id}' },
    create: { about: 'Create a customer.', method: 'POST', path: '/customers', body: terms },
    change: {
      about: 'Change what is given.',
      method: 'PATCH',
      path: '/customers/{id}',
      body: optional(terms),
    },
  },
}
