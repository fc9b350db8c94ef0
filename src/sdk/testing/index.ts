// What a vendor's tests import from `@leasehold/sdk/testing`. Never in a product's own code.
export { DAY, HOUR, type VirtualClock, virtualClock } from './clock.ts'
export { type DiskUser, type MemoryDisk, memoryDisk } from './disk.ts'
export type { Endpoint, Fault, FaultOptions } from './faults.ts'
export { type LogLine, type TestHost, type TestHostOptions, testHost } from './host.ts'
export type { TestLicense } from './license.ts'
export { type SeenRequest, type TestServer, type TestServerOptions, testServer } from './server.ts'
