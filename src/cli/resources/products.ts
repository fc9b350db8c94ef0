// Products over the admin API.
import { column, json, optional, type Resource, text } from '../operator/resource.ts'

const terms = {
  name: text('what people call it', { required: true }),
  'instance-auth': text('open, or token: how its instances prove who they are'),
  'limits-claim': text('limits, or quotas: the claim of a license JWT that carries the limits'),
  'metric-map': json('what each metric is, as {"agent_count":{"kind":"gauge","limit":"max_agents"}}'),
} as const

export const resource: Resource = {
  name: 'products',
  columns: ['id', 'code', 'name', 'instance_auth', 'created_at'].map((name) => column(name)),
  verbs: {
    list: { about: 'Products, newest first.', method: 'GET', path: '/products', list: 'link' },
    get: { about: 'One product.', method: 'GET', path: '/products/{id}' },
    create: {
      about: 'Create a product with its signing keys.',
      method: 'POST',
      path: '/products',
      body: { code: text('never changes: tokens name it', { required: true }), ...terms },
    },
    change: {
      about: 'Change what is given.',
      method: 'PATCH',
      path: '/products/{id}',
      body: optional(terms),
      taking: {
        preview: 'none',
        takes: 'changes what its instances must present, or where they look for their limits',
        name: { path: '/products/{id}', member: 'code' },
        when: { mayTake: (body) => 'instance_auth' in body || 'limits_claim' in body },
      },
    },
  },
}
