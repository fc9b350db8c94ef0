// What is public on every platform. Another platform than Node calls startLicenseOn with a host of its own.
export type { ChannelView, Diagnostics, NextReport } from './explain/diagnostics.ts'
export type {
  ExplainedFeature,
  ExplainedGrant,
  ExplainedLimit,
  Explanation,
  NextStep,
  Origin,
  TriedStep,
} from './explain/explanation.ts'
export type {
  Host,
  HostClock,
  HostFacts,
  HostLog,
  HostSocket,
  HostStorage,
  HostTimers,
  StorageProblem,
} from './host/port.ts'
export { StorageFault } from './host/port.ts'
export { LicenseOptionsError } from './options/error.ts'
export type * from './options.ts'
export type { ActivationRefusal, ActivationResult } from './public/activation.ts'
export type { License, LicenseChange, LicenseSource, LicenseView, StopOptions } from './public/license.ts'
export { startLicenseOn } from './start.ts'
