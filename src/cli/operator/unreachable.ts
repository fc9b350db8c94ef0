// Why no answer came, in words, and whether the request can have arrived.
import { isJsonObject } from '../../license/json.ts'

const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']

/** Reads what `fetch` threw; `sent`: the server may have carried it out. */
export function unreachable(error: unknown, server: string): { lines: string[]; sent: boolean } {
  const code = codeOf(error)
  const why = WORDS[code] ?? (code === '' ? 'the connection failed' : code)
  return {
    lines: [
      `${server} cannot be reached: ${why}.`,
      'Check that the server runs, and that the address is right.',
    ],
    sent: !NEVER_SENT.includes(code),
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name is not known just now',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  TimeoutError: 'no answer in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody this machine trusts',
}

/** The innermost code: fetch wraps what the socket said, and that may be one error for each address tried. */
function codeOf(error: unknown): string {
  if (!isJsonObject(error) && !(error instanceof Error)) return ''
  const { cause, errors, code, name } = error as {
    cause?: unknown
    errors?: unknown
    code?: unknown
    name?: unknown
  }
  const inner = codeOf(cause) || (Array.isArray(errors) ? codeOf(errors[0]) : '')
  if (inner !== '') return inner
  if (typeof code === 'string') return code
  return name === 'TimeoutError' ? name : ''
}
