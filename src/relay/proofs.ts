// Credentials of instances, known to the relay only as HMAC-SHA256 under a key of its own. Keeps none.
import { createHmac } from 'node:crypto'
import type { InstanceRequest } from './front/request.ts'
import { word } from './front/request.ts'
import type { ProofKind } from './store/credentials.ts'

export interface ShownProof {
  kind: ProofKind
  hmac: string
}

export type HashProof = (kind: ProofKind, text: string) => string

/** `key`: 32 random bytes of this relay. */
export const proofHash =
  (key: Uint8Array): HashProof =>
  (kind, text) =>
    createHmac('sha256', key).update(`${kind}\0${text}`).digest('hex')

/** What a request is known by when it comes again, credential and all. */
export const requestHash =
  (key: Uint8Array) =>
  (text: string): string =>
    createHmac('sha256', key).update(`request\0${text}`).digest('base64url')

/** The long-lived credentials that a request shows. A JWT is none: its signature speaks for itself. */
export function shownProofs(request: InstanceRequest, hash: HashProof): ShownProof[] {
  const proofs: ShownProof[] = []
  const add = (kind: ProofKind, text: string | null) => {
    if (text !== null) proofs.push({ kind, hmac: hash(kind, text) })
  }
  if (request.bearer?.startsWith('sk-')) add('api_key', request.bearer)
  if (request.bearer?.startsWith('lit_')) add('instance_token', request.bearer)
  add('license_key', word(request.body.license_key, 8192))
  add('instance_token', word(request.body.instance_token, 256))
  return proofs
}

/** The refresh token that a request shows; it proves nothing by itself. */
export function shownChain({ body }: InstanceRequest, hash: HashProof): string | null {
  const token = word(body.refresh_token, 256)
  return token === null ? null : hash('refresh_token', token)
}

/** The JWT in the Authorization header, or null. */
export const shownJwt = ({ bearer }: InstanceRequest): string | null =>
  bearer?.startsWith('eyJ') ? bearer : null
