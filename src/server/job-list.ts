// The background jobs as the settings want them, for a process on Node and for the cron of a Worker alike.
import type { Settings } from '../config/settings.ts'
import type { Job } from '../jobs/job.ts'
import { backgroundJobs } from '../jobs/list.ts'

export const jobsOf = (settings: Settings): Job[] =>
  backgroundJobs({
    reports: settings.retentionReportsSeconds,
    audit: settings.retentionAuditSeconds,
    events: settings.retentionEventsSeconds,
    telemetryHourly: settings.retentionTelemetryHourlySeconds,
    telemetryDaily: settings.retentionTelemetryDailySeconds,
  })
