// Settings that say where: listening address, URLs, the issuer, trusted networks. Resolves no name, opens nothing.
import { isIP } from 'node:net'
import type { Reader, Reading } from './reading.ts'

/** A range of addresses, in the form that BlockList.addSubnet takes. */
export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i
const MAX_ISSUER_LENGTH = 256

export const readHost: Reader<string> = (text) =>
  isIP(text) > 0 || HOST_NAME.test(text)
    ? { value: text }
    : { wrong: 'is neither an IP address nor a host name' }

/** An http or https URL without credentials, query and fragment; a trailing slash is dropped. */
export const readPublicUrl: Reader<string> = (text) => {
  const url = URL.parse(text)
  if (url === null) return { wrong: 'is not an absolute URL' }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return { wrong: 'is not an http or https URL' }
  if (url.username !== '' || url.password !== '') return { wrong: 'holds a user name or password' }
  if (url.search !== '' || url.hash !== '') return { wrong: 'has a query or a fragment' }
  return { value: `${url.origin}${url.pathname}`.replace(/\/+$/, '') }
}

/** Kept letter by letter, because clients compare it so. StringOrURI of RFC 7519: with a colon it is a URI. */
export const readIssuer: Reader<string> = (text) => {
  if (text.length > MAX_ISSUER_LENGTH) return { wrong: `is longer than ${MAX_ISSUER_LENGTH} characters` }
  if (!/^[\x21-\x7e]+$/.test(text)) return { wrong: 'has white space or characters outside ASCII' }
  return text.includes(':') && !URL.canParse(text) ? { wrong: 'has a colon and is no URI' } : { value: text }
}

export const readDatabaseUrl: Reader<string> = (text) => {
  const url = URL.parse(text)
  if (url === null) return { wrong: 'is not a URL' }
  return url.protocol === 'postgres:' || url.protocol === 'postgresql:'
    ? { value: text }
    : { wrong: 'does not begin with postgres:// or postgresql://' }
}

/** IP addresses and CIDR ranges, separated by commas. */
export const readNetworks: Reader<readonly Network[]> = (text) => {
  const networks: Network[] = []
  for (const entry of text.split(',').map((part) => part.trim())) {
    const network = readNetwork(entry)
    if ('wrong' in network) return network
    networks.push(network.value)
  }
  return { value: networks }
}

function readNetwork(text: string): Reading<Network> {
  const [address = '', prefixText, ...more] = text.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0 || more.length > 0) return { wrong: 'has an entry that is no IP address or CIDR range' }
  const bits = version === 4 ? 32 : 128
  const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1
  if (prefix < 0 || prefix > bits) return { wrong: `has a prefix length outside 0 to ${bits}` }
  return { value: { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } }
}

/** The URL under which a server on this machine is reached when nobody named a public one. */
export function localUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`
}
