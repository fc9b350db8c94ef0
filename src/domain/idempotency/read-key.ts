// The Idempotency-Key header, held against its form.
import { Refusal } from '../kernel/context.ts'

const LONGEST = 255
const PRINTABLE = /^[\x20-\x7e]+$/

/** The key of a header, at least `least` characters long. @throws Refusal `invalid_request` */
export function readIdempotencyKey(header: string, least = 1): string {
  if (header.length >= least && header.length <= LONGEST && PRINTABLE.test(header)) return header
  const message = `is not ${least} to ${LONGEST} printable ASCII characters`
  throw new Refusal('invalid_request', 'The idempotency key is not valid.', {
    facts: { errors: [{ pointer: '/Idempotency-Key', message }] },
    fix: 'Send a random UUID in Idempotency-Key, a new one for each new request.',
  })
}
