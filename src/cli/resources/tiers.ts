// Tiers over the admin API.
import { column, names, number, numbers, optional, type Resource, text } from '../operator/resource.ts'

const terms = {
  name: text('what people call it', { required: true }),
  rank: number('the lowest is what an unlicensed or downgraded instance has', { required: true }),
  features: names('what it grants; `none` for nothing'),
  limits: numbers('what it allows; name=unlimited'),
  'grace-days': number('days after the end in which it still counts'),
  'seat-limit': number('instances of one license', { nullable: true }),
  'seat-churn': number('new instances of one license in 30 days', { nullable: true }),
  'trial-days': number('length of the trial that anybody may start', { nullable: true }),
} as const

/** A name and the length of trials take nothing; the rest may, from every license of the tier. */
const LOWERING = ['rank', 'features', 'limits', 'grace_days', 'seat_limit', 'seat_churn']

export const resource: Resource = {
  name: 'tiers',
  columns: [
    'id',
    'product',
    'code',
    'name',
    'rank',
    'features',
    'limits',
    'grace_days',
    'seat_limit',
    'trial_days',
  ].map((name) => column(name)),
  verbs: {
    list: {
      about: 'Tiers, newest first.',
      method: 'GET',
      path: '/tiers',
      list: 'link',
      query: { product: text('code of the product') },
    },
    get: { about: 'One tier.', method: 'GET', path: '/tiers/{id}' },
    create: {
      about: 'Create a tier of a product.',
      method: 'POST',
      path: '/tiers',
      body: {
        product: text('code of the product', { required: true }),
        code: text('never changes: tokens name it', { required: true }),
        ...terms,
      },
    },
    change: {
      about: 'Change what is given; licenses follow at their next refresh. A list replaces the whole list.',
      method: 'PATCH',
      path: '/tiers/{id}',
      body: optional(terms),
      taking: {
        preview: 'none',
        takes: 'may lower the terms of every license of the tier',
        name: { path: '/tiers/{id}', member: 'code' },
        when: { mayTake: (body) => LOWERING.some((member) => member in body) },
      },
    },
  },
}
