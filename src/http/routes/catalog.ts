// The catalog over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  changeProductRoute,
  changeTierRoute,
  createProductRoute,
  createTierRoute,
  getProductRoute,
  getTierRoute,
  listProductsRoute,
  listTiersRoute,
} from '../../contract/admin-catalog.routes.ts'
import { changeProduct } from '../../domain/catalog/change-product.ts'
import { changeTier } from '../../domain/catalog/change-tier.ts'
import { createProduct } from '../../domain/catalog/create-product.ts'
import { createTier } from '../../domain/catalog/create-tier.ts'
import { getProduct, getTier, listProducts, listTiers } from '../../domain/catalog/list-catalog.ts'
import { linkNext } from '../link-next.ts'
import { located, type Router } from '../routing.ts'
import { presentProduct, presentTier } from './present-catalog.ts'

export function mountCatalogRoutes(app: Router): void {
  app.openapi(createRoute(createProductRoute), async (c) => {
    return c.json(located(c, presentProduct(await createProduct(c.get('ctx'), c.req.valid('json')))), 201)
  })
  app.openapi(createRoute(listProductsRoute), async (c) => {
    const page = await listProducts(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentProduct), 200)
  })
  app.openapi(createRoute(getProductRoute), async (c) => {
    return c.json(presentProduct(await getProduct(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(changeProductRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentProduct(await changeProduct(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute(createTierRoute), async (c) => {
    return c.json(located(c, presentTier(await createTier(c.get('ctx'), c.req.valid('json')))), 201)
  })
  app.openapi(createRoute(listTiersRoute), async (c) => {
    const page = await listTiers(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentTier), 200)
  })
  app.openapi(createRoute(getTierRoute), async (c) => {
    return c.json(presentTier(await getTier(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(changeTierRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentTier(await changeTier(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
}
