// What is unsafe between the relay's settings: each is a way in which somebody reads or writes what is not theirs. Pure.
import { isIP } from 'node:net'
import type { Environment, Given } from './read-environment.ts'
import type { RelaySettingName } from './relay-schema.ts'

const PLAIN = 'which anybody between can read and change'

/** One line for each problem, without a secret. */
export function unsafeSettings(given: Given<RelaySettingName>, env: Environment): string[] {
  const { LEASEHOLD_UPSTREAM: upstream, PUBLIC_URL: publicUrl } = given
  const insecureAllowed = given.LEASEHOLD_ALLOW_INSECURE_HTTP === 'true'
  const problems: string[] = []
  if (upstream !== undefined && !isSafeUrl(upstream)) {
    problems.push(`LEASEHOLD_UPSTREAM: is http to another machine, ${PLAIN}; allowed: https`)
  }
  if (publicUrl !== undefined && !isSafeUrl(publicUrl) && !insecureAllowed) {
    problems.push(`PUBLIC_URL: is http to another machine, ${PLAIN}; allowed: https${OR_ALLOW}`)
  }
  if (publicUrl === undefined && listensToOthers(given) && !insecureAllowed) {
    problems.push(
      `HOST: lets other machines send their API keys in plain http, ${PLAIN}; allowed: 127.0.0.1, or any address with TLS before it and its https URL in PUBLIC_URL${OR_ALLOW}`,
    )
  }
  if (given.LEASEHOLD_DEVELOPMENT_LICENSE !== undefined && env.NODE_ENV === 'production') {
    problems.push('LEASEHOLD_DEVELOPMENT_LICENSE: is set, and NODE_ENV is production; remove one of them')
  }
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    problems.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: lets anybody be the vendor; remove it, and name your own authority in NODE_EXTRA_CA_CERTS',
    )
  }
  return problems
}

const OR_ALLOW = ', or LEASEHOLD_ALLOW_INSECURE_HTTP=true'

/** Whether instances on other machines send plain http, because nothing says that TLS stands before the relay. */
export function servesPlainly(given: Given<RelaySettingName>): boolean {
  return given.PUBLIC_URL === undefined ? listensToOthers(given) : !isSafeUrl(given.PUBLIC_URL)
}

const listensToOthers = ({ HOST: host = '127.0.0.1' }: Given<RelaySettingName>): boolean => !isLoopback(host)

/** https anywhere, http on this machine only. What is no URL is said by the reader of the setting. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text)
  return url === null || url.protocol === 'https:' || isLoopback(url.hostname)
}

function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (isIP(bare) === 4) return bare.startsWith('127.')
  return bare === '::1' || bare === 'localhost'
}
