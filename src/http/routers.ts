// The list of routers. A new part of the domain adds one line here.
import { mountActionBudgetRoutes } from './routes/action-budget.ts'
import { mountInstanceAdminRoutes } from './routes/admin-instances.ts'
import { mountAdminKeyRoutes } from './routes/admin-keys.ts'
import { mountRelayAdminRoutes } from './routes/admin-relays.ts'
import { mountSigningAdminRoutes } from './routes/admin-signing.ts'
import { mountTelemetryAdminRoutes } from './routes/admin-telemetry.ts'
import { mountAnomalyRoutes } from './routes/anomalies.ts'
import { mountAuditRoutes } from './routes/audit.ts'
import { mountCatalogRoutes } from './routes/catalog.ts'
import { mountCustomerRoutes } from './routes/customers.ts'
import { mountInstanceApi, type PipelineOf } from './routes/instance-api.ts'
import { mountLicenseRoutes } from './routes/licenses.ts'
import { mountOfflineRoutes } from './routes/offline.ts'
import { mountSigningRoutes } from './routes/public-keys.ts'
import { mountRelayRoutes } from './routes/relays.ts'
import { mountStatsRoutes } from './routes/stats.ts'
import { mountTrialRoutes } from './routes/trials.ts'
import type { Router } from './routing.ts'

export function mountPublicApi(app: Router, pipelineOf: PipelineOf): void {
  mountSigningRoutes(app)
  mountInstanceApi(app, pipelineOf)
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
