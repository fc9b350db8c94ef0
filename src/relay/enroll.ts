// Enrols this relay once: its one-time code and its own public key for a relay key. That the upstream is who its name
// says is proven by TLS alone; the pinned roots show a wrong address, since anybody can pass a published key set on.

import { enrolAnswer } from '../contract/relay-api.schema.ts'
import { RELAY_ENROL_PATH } from '../contract/relay-api.ts'
import { StartError } from '../platform/start-error.ts'
import { nodeHost } from '../sdk/host/node.ts'
import { openRelayKey, writeEnrolment } from './identity.ts'
import { upstreamClient } from './upstream/client.ts'
import { openVendorKeys } from './upstream/vendor-keys.ts'

export interface EnrolOptions {
  folder: string
  upstream: string
  code: string
  /** Raw root keys in hex, one or two. */
  roots: readonly string[]
  /** What the vendor told beside the roots; without it, the upstream's URL. */
  issuer: string | null
  name: string | null
  version: string
  /** Milliseconds. */
  timeout: number
}

export interface Enrolled {
  relayId: string
  issuer: string
  products: string[]
}

/** @throws StartError when the vendor refuses, cannot be reached, or is not the one whose roots are pinned. */
export async function enrolRelay(options: EnrolOptions): Promise<Enrolled> {
  const { folder, upstream: url, roots } = options
  const host = nodeHost()
  const key = await openRelayKey(folder)
  const upstream = upstreamClient({
    host,
    url,
    timeout: options.timeout,
    now: host.clock.wall,
    onChange: () => {},
  })
  const body = JSON.stringify({
    code: options.code,
    public_key: key.jwk,
    ...(options.name === null ? {} : { name: options.name }),
    version: options.version,
  })
  // A wrong address is found out before the code, which works once, leaves this machine.
  const issuer = options.issuer ?? url
  const published = await upstream.send({
    method: 'GET',
    path: '/.well-known/leasehold-keys',
    bearer: null,
    body: null,
  })
  if (published.kind === 'away') throw unreachable(url, published.why, NOT_SENT)
  const isVendor = async (iss: string, keySet: string): Promise<boolean> => {
    const keys = await openVendorKeys({
      issuer: iss,
      roots,
      now: () => Math.floor(host.clock.wall() / 1000),
      monotonic: host.clock.monotonic,
      fetchKeySet: async () => null,
      onKeySet: () => {},
    })
    return keys.follow(keySet)
  }
  if (!(await isVendor(issuer, published.text.trim()))) throw stranger(url, issuer, NOT_SENT)
  const result = await upstream.send({ method: 'POST', path: RELAY_ENROL_PATH, bearer: null, body })
  if (result.kind === 'away') throw unreachable(url, result.why, PERHAPS_USED)
  if (result.status >= 300) {
    throw new StartError(
      `The vendor refused the enrolment: ${String(result.body?.detail ?? `status ${result.status}`)}`,
      String(result.body?.fix ?? 'Ask your vendor for a new enrolment code.'),
    )
  }
  const answer = enrolAnswer.safeParse(result.body).data
  const isMeant = answer?.issuer === issuer && (await isVendor(issuer, answer.key_set))
  if (!answer || !isMeant) throw stranger(url, issuer, SENT)
  await writeEnrolment(folder, {
    upstream: url,
    relayId: answer.relay_id,
    relayKey: answer.relay_key,
    issuer,
    roots: [...roots],
  })
  return { relayId: answer.relay_id, issuer, products: answer.products }
}

const NOT_SENT = 'The code was not sent.'
const PERHAPS_USED =
  'The code was sent, and may be used up: where it is refused from now on, ask your vendor for a new one.'
const SENT =
  'The code was sent to it: ask your vendor to revoke what was enrolled with it, and for a new code.'

const unreachable = (url: string, why: string, code: string) =>
  new StartError(`${url} cannot be reached (${why}).`, `Check the address and the way to it. ${code}`)

const stranger = (url: string, issuer: string, code: string) =>
  new StartError(
    `${url} does not speak for the vendor ${issuer} whose root key is pinned.`,
    `Check --upstream, --root and --issuer with what your vendor told you. ${code}`,
  )
