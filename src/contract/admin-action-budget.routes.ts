// Path, method and schemas of the routes for the action budget.
import { budgetAnswer, budgetLift } from './admin-action-budget.schema.ts'
import { body, json, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const budgetStandingRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/action-budget',
  operationId: 'budgetStanding',
  'x-role': 'auditor',
  summary: 'What is left of the hour for kill, downgrade, suspend and revoke. Role: auditor.',
  responses: { 200: json(budgetAnswer, 'The standing.'), default: refusal },
} as const

export const liftBudgetRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/action-budget/lift',
  operationId: 'liftBudget',
  'x-role': 'owner',
  summary: 'Lift the action budget of one admin key, or of all, for an hour. Role: owner.',
  request: { body: body(budgetLift) },
  responses: { 200: json(budgetAnswer, 'The standing.'), default: refusal },
} as const
