// The whole schema, for the migration generator and for queries.
export * from './anomalies.ts'
export * from './changes.ts'
export * from './instances.ts'
export * from './licenses.ts'
export * from './products.ts'
export * from './reports.ts'
export * from './signing.ts'
export * from './telemetry.ts'
