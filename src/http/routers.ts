// The list of routers. A new part of the domain adds one line here.
import { mountActionBudgetRoutes } from '../domain/action-budget/routes.ts'
import { mountActivationRoutes } from '../domain/activation/routes.ts'
import { mountAdminKeyRoutes } from '../domain/admin-keys/routes.ts'
import { mountAnomalyRoutes } from '../domain/anomalies/routes.ts'
import { mountAuditRoutes } from '../domain/audit/routes.ts'
import { mountCatalogRoutes } from '../domain/catalog/routes.ts'
import { mountCustomerRoutes } from '../domain/customers/routes.ts'
import { mountInstanceAdminRoutes } from '../domain/instances/admin-routes.ts'
import { mountInstanceRoutes } from '../domain/instances/routes.ts'
import { mountLicenseRoutes } from '../domain/licenses/routes.ts'
import { mountOfflineRoutes } from '../domain/offline/routes.ts'
import { mountRelayAdminRoutes } from '../domain/relays/admin-routes.ts'
import { mountRelayRoutes } from '../domain/relays/routes.ts'
import type { Router } from '../domain/routing.ts'
import { mountSigningAdminRoutes } from '../domain/signing/admin-routes.ts'
import { mountSigningRoutes } from '../domain/signing/routes.ts'
import { mountStatsRoutes } from '../domain/stats/routes.ts'
import { mountTelemetryAdminRoutes } from '../domain/telemetry/admin-routes.ts'
import { mountTelemetryRoutes } from '../domain/telemetry/routes.ts'
import { mountTokenRoutes } from '../domain/tokens/routes.ts'
import { mountTrialRoutes } from '../domain/trials/routes.ts'

export function mountPublicApi(app: Router): void {
  mountSigningRoutes(app)
  mountTokenRoutes(app)
  mountInstanceRoutes(app)
  mountActivationRoutes(app)
  mountTelemetryRoutes(app)
  mountRelayRoutes(app)
  mountTrialRoutes(app)
}

export function mountAdminApi(app: Router): void {
  mountCatalogRoutes(app)
  mountCustomerRoutes(app)
  mountLicenseRoutes(app)
  mountOfflineRoutes(app)
  mountInstanceAdminRoutes(app)
  mountRelayAdminRoutes(app)
  mountTelemetryAdminRoutes(app)
  mountStatsRoutes(app)
  mountAnomalyRoutes(app)
  mountSigningAdminRoutes(app)
  mountAdminKeyRoutes(app)
  mountActionBudgetRoutes(app)
  mountAuditRoutes(app)
}
