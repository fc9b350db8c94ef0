// Path, method and schemas of the customers' admin routes.
import { z } from 'zod'
import { customerAnswer, customerChange, customerQuery, newCustomer } from './admin-customers.schema.ts'
import { body, created, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }
const customerId = z.object({ id: z.string().max(64).meta({ description: 'cus_…' }) })

export const createCustomerRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/customers',
  operationId: 'createCustomer',
  'x-role': 'operator',
  summary: 'Create a customer. Role: operator.',
  request: { body: body(newCustomer) },
  responses: { 201: created(customerAnswer, 'The customer.'), default: refusal },
} as const

export const listCustomersRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/customers',
  operationId: 'listCustomers',
  'x-role': 'auditor',
  summary: 'Customers, newest first, all or those with a text in them. Role: auditor.',
  request: { query: customerQuery },
  responses: { 200: page(customerAnswer, 'A page of customers.'), default: refusal },
} as const

export const getCustomerRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/customers/{id}',
  operationId: 'getCustomer',
  'x-role': 'auditor',
  summary: 'One customer. Role: auditor.',
  request: { params: customerId },
  responses: { 200: json(customerAnswer, 'The customer.'), default: refusal },
} as const

export const changeCustomerRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/customers/{id}',
  operationId: 'changeCustomer',
  'x-role': 'operator',
  summary: 'Change a customer. Role: operator.',
  request: { params: customerId, body: body(customerChange) },
  responses: { 200: json(customerAnswer, 'The customer as it is now.'), default: refusal },
} as const
