// A product's process with several instances of the SDK in it: keeps asking, and tells what they hold and which reports
// were taken. One JSON line in, one JSON line out.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeHost, startLicense } from '../../src/sdk/host/node-start.ts'
import type { License } from '../../src/sdk/public/license.ts'

import type { Acknowledged, FleetOrder, Held } from './fleet.ts'

const order = JSON.parse(process.argv[2] ?? '') as FleetOrder
const acknowledged: Acknowledged[] = []
let counter = 0

interface Member {
  license: License
  lost: Set<string>
  gained: Set<string>
  states: Set<string>
}

/** Notes which reports were answered 200, with the answer read whole. */
async function noting(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  const text = await response.text()
  if (response.status === 200 && typeof init.body === 'string') {
    const { instance_id, boot_id, seq, observed_at } = JSON.parse(init.body)
    if (seq !== undefined) acknowledged.push({ instance_id, boot_id, seq, observed_at })
  }
  return new Response(text, { status: response.status, headers: response.headers })
}

const silent = () => {}

async function begin(instanceId: string): Promise<Member> {
  const license = await startLicense({
    product: order.product,
    version: '1.0.0',
    serverUrl: order.serverUrl,
    trust: order.trust,
    apiKey: order.apiKey,
    instanceId,
    dataDir: false,
    connectTimeout: 8000,
    telemetry: () => ({ queries_total: ++counter, agent_count: 1 }),
    host: nodeHost({ fetch: noting }),
    log: { info: silent, warn: silent, error: silent },
  })
  const member: Member = { license, lost: new Set(), gained: new Set(), states: new Set([license.state]) }
  license.on('change', ({ featuresRemoved, featuresAdded, after }) => {
    for (const feature of featuresRemoved) member.lost.add(feature)
    for (const feature of featuresAdded) member.gained.add(feature)
    member.states.add(after.state)
  })
  return member
}

const held = ({ license, lost, gained, states }: Member): Held => ({
  instanceId: license.instanceId,
  state: license.state,
  killed: license.killed,
  features: order.features.filter((feature) => license.has(feature)),
  lost: [...lost],
  gained: [...gained],
  states: [...states],
})

async function keepAsking(license: License): Promise<never> {
  for (;;) {
    await sleep(order.everyMs * (0.5 + Math.random()))
    await license.refreshNow()
  }
}

const members = await Promise.all(order.instanceIds.map(begin))
for (const { license } of members) void keepAsking(license)

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`)
say({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'mark') {
    for (const member of members) {
      member.lost.clear()
      member.gained.clear()
      member.states.clear()
      member.states.add(member.license.state)
    }
    say({})
  } else if (line === 'held') say({ held: members.map(held) })
  else if (line === 'acknowledged') say({ acknowledged })
}
process.exit(0)
