// Path, method and schemas of the public trial routes.
import { body, json, refusal } from './routes.ts'
import { trialAnswer, trialOffer, trialQuery, trialRequest } from './trials.schema.ts'

const common = { tags: ['Instances'] }

export const startTrialRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/trials/start',
  operationId: 'startTrial',
  summary: 'Start the one trial that an e-mail address has of a product.',
  request: { body: body(trialRequest) },
  responses: { 201: json(trialAnswer, 'The trial with its license key.'), default: refusal },
} as const

export const checkTrialRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/trials/check',
  operationId: 'checkTrial',
  summary: 'Whether a product offers trials. Tells nothing about an address.',
  request: { query: trialQuery },
  responses: { 200: json(trialOffer, 'What is offered.'), default: refusal },
} as const
