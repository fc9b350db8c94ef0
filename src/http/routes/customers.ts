// Customers over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  changeCustomerRoute,
  createCustomerRoute,
  getCustomerRoute,
  listCustomersRoute,
} from '../../contract/admin-customers.routes.ts'
import type { CustomerAnswer } from '../../contract/admin-customers.schema.ts'
import { changeCustomer } from '../../domain/customers/change-customer.ts'
import { type CustomerRow, createCustomer } from '../../domain/customers/create-customer.ts'
import { getCustomer, listCustomers } from '../../domain/customers/list-customers.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'
import { linkNext } from '../link-next.ts'
import { located, type Router } from '../routing.ts'

export function mountCustomerRoutes(app: Router): void {
  app.openapi(createRoute(createCustomerRoute), async (c) => {
    return c.json(located(c, presentCustomer(await createCustomer(c.get('ctx'), c.req.valid('json')))), 201)
  })
  app.openapi(createRoute(listCustomersRoute), async (c) => {
    const page = await listCustomers(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentCustomer), 200)
  })
  app.openapi(createRoute(getCustomerRoute), async (c) => {
    return c.json(presentCustomer(await getCustomer(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(changeCustomerRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentCustomer(await changeCustomer(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
}

const presentCustomer = (row: CustomerRow): CustomerAnswer => ({
  id: publicId('cus', row.id),
  name: row.name,
  company: row.company,
  email: row.email,
  metadata: row.metadata,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
})
