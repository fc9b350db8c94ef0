// Path, method and schemas of the catalog's admin routes.
import { z } from 'zod'
import {
  newProduct,
  newTier,
  productAnswer,
  productChange,
  productQuery,
  tierAnswer,
  tierChange,
  tierQuery,
} from './admin-catalog.schema.ts'
import { body, created, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }
const productId = z.object({ id: z.string().max(64).meta({ description: 'prd_…' }) })
const tierId = z.object({ id: z.string().max(64).meta({ description: 'tier_…' }) })

export const createProductRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/products',
  operationId: 'createProduct',
  'x-role': 'owner',
  summary: 'Create a product with its signing keys. Role: owner.',
  request: { body: body(newProduct) },
  responses: { 201: created(productAnswer, 'The product.'), default: refusal },
} as const

export const listProductsRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/products',
  operationId: 'listProducts',
  'x-role': 'auditor',
  summary: 'Products, newest first. Role: auditor.',
  request: { query: productQuery },
  responses: { 200: page(productAnswer, 'A page of products.'), default: refusal },
} as const

export const getProductRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/products/{id}',
  operationId: 'getProduct',
  'x-role': 'auditor',
  summary: 'One product. Role: auditor.',
  request: { params: productId },
  responses: { 200: json(productAnswer, 'The product.'), default: refusal },
} as const

export const changeProductRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/products/{id}',
  operationId: 'changeProduct',
  'x-role': 'owner',
  summary: 'Change a product. Role: owner.',
  request: { params: productId, body: body(productChange) },
  responses: { 200: json(productAnswer, 'The product as it is now.'), default: refusal },
} as const

export const createTierRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/tiers',
  operationId: 'createTier',
  'x-role': 'owner',
  summary: 'Create a tier of a product. Role: owner.',
  request: { body: body(newTier) },
  responses: { 201: created(tierAnswer, 'The tier.'), default: refusal },
} as const

export const listTiersRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/tiers',
  operationId: 'listTiers',
  'x-role': 'auditor',
  summary: 'Tiers, newest first, of one product or of all. Role: auditor.',
  request: { query: tierQuery },
  responses: { 200: page(tierAnswer, 'A page of tiers.'), default: refusal },
} as const

export const getTierRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/tiers/{id}',
  operationId: 'getTier',
  'x-role': 'auditor',
  summary: 'One tier. Role: auditor.',
  request: { params: tierId },
  responses: { 200: json(tierAnswer, 'The tier.'), default: refusal },
} as const

export const changeTierRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/tiers/{id}',
  operationId: 'changeTier',
  'x-role': 'owner',
  summary: 'Change a tier; its licenses follow at their next refresh. Role: owner.',
  request: { params: tierId, body: body(tierChange) },
  responses: { 200: json(tierAnswer, 'The tier as it is now.'), default: refusal },
} as const
