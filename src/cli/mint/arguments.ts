// The options of `leasehold mint`, as they were typed. Opens no file.
import { type CommandIo, readArguments, required, UsageError } from '../command.ts'
import { contentOrInput, isSameFile } from '../files.ts'
import { readPrivateKey, readPublicKey } from '../key-input.ts'
import { type Minter, openMinter } from './minter.ts'
import { type GivenTerms, TermError, type TermName } from './terms.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

const OPTIONS = {
  'private-key': text,
  'public-key': text,
  tenant: text,
  expires: text,
  label: text,
  'grace-days': text,
  features: text,
  tier: text,
  'license-id': text,
  instance: text,
  tenants: text,
  output: text,
  verify: flag,
  json: flag,
} as const

const LIMIT_OPTION = /^--(max-[^=]*)/

export interface MintArguments {
  privateKey: string
  publicKey: string | undefined
  /** A list of tenants, for many at once. */
  tenants: string | undefined
  output: string | undefined
  verify: boolean
  json: boolean
  terms: GivenTerms
}

/** @throws UsageError */
export function readMintArguments(args: string[]): MintArguments {
  // Any limit may be named, so those that are become options of this call.
  const named = args.flatMap((arg) => LIMIT_OPTION.exec(arg)?.[1] ?? [])
  const limitOptions = Object.fromEntries(named.map((name) => [name, text]))
  const { values } = readArguments(args, { ...limitOptions, ...OPTIONS })
  const given: Readonly<Record<string, string | boolean | undefined>> = values
  const terms: GivenTerms = {
    limits: Object.fromEntries(named.map((name) => [name.replaceAll('-', '_'), String(given[name])])),
  }
  const keep = (term: TermName, value: string | undefined) => {
    if (value !== undefined) terms[term] = value
  }
  keep('tenant', values.tenant)
  keep('expires', values.expires)
  keep('label', values.label)
  keep('grace_days', values['grace-days'])
  keep('features', values.features)
  keep('tier', values.tier)
  keep('license_id', values['license-id'])
  keep('instance', values.instance)
  const { tenants, output, verify = false, json = false } = values
  if (verify && !values['public-key']) throw new UsageError('--verify requires --public-key.')
  if (tenants !== undefined) {
    required(output, '--output, the folder for the licenses of --tenants,')
    for (const single of ['tenant', 'license-id', 'instance'] as const) {
      if (values[single] !== undefined)
        throw new UsageError(`--${single} is for one license; put it into --tenants.`)
    }
  }
  const privateKey = required(values['private-key'], '--private-key')
  return { privateKey, publicKey: values['public-key'], tenants, output, verify, json, terms }
}

/** The file that a wrong call would have written, where the call says so clearly; never one that it names as a key. */
export async function outputOfWrongCall(args: string[]): Promise<string | null> {
  if (!args.includes('--verify') || args.some((arg) => /^--tenants(=|$)/.test(arg))) return null
  const found = valuesOf(args, 'output').at(-1)
  if (found === undefined || found === '' || found.startsWith('--')) return null
  const keys = [...valuesOf(args, 'private-key'), ...valuesOf(args, 'public-key')]
  return (await isOneOf(found, keys)) ? null : found
}

/** What each mention of an option names, in a call that need not be right. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((arg, at) => {
    if (arg.startsWith(`--${option}=`)) return [arg.slice(option.length + 3)]
    return arg === `--${option}` ? (args[at + 1] ?? []) : []
  })
}

async function isOneOf(file: string, others: readonly (string | undefined)[]): Promise<boolean> {
  const same = others.map(async (other) => other !== undefined && isSameFile(file, other))
  return (await Promise.all(same)).includes(true)
}

export function isReadByCall(
  file: string,
  { privateKey, publicKey, tenants }: MintArguments,
): Promise<boolean> {
  return isOneOf(file, [privateKey, publicKey, tenants])
}

/** A license must not take the place of a key, nor of the list. @throws UsageError */
export async function checkOutput(file: string, given: MintArguments): Promise<void> {
  if (await isReadByCall(file, given))
    throw new UsageError(`${file} is one of the files that the call reads; the output must be another.`)
}

/** Opens the keys; the public one only counts with `--verify`. @throws StartError */
export async function minterOf({ privateKey, publicKey, verify }: MintArguments): Promise<Minter> {
  const pkcs8 = await readPrivateKey(privateKey, '--private-key')
  const raw = publicKey !== undefined ? await readPublicKey(publicKey, '--public-key') : null
  return openMinter(pkcs8, verify ? raw : null)
}

/** A wrong term of the one license, in the words of its option. */
export function asUsage(error: unknown): unknown {
  return error instanceof TermError
    ? new UsageError(`--${error.term.replaceAll('_', '-')} ${error.message}.`)
    : error
}

/** The list of tenants. @throws StartError */
export function listOf({ tenants = '' }: MintArguments, io: CommandIo): Promise<string> {
  return contentOrInput(tenants, io)
}
