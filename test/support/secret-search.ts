// Collects the secrets that go over the wire, and searches a database and a log for them or telling parts of them.
import postgres from 'postgres'
import { sealName } from '../../src/domain/signing/keyring.ts'
import { secretSealName } from '../../src/domain/signing/server-secrets.ts'
import { open } from '../../src/platform/seal.ts'

export interface Secret {
  kind: string
  /** The whole of it, as it went over the wire or as it is held in memory. */
  text: string
  /** Any of these gives it away. */
  parts: string[]
}

const CREDENTIALS: Record<string, string> = {
  'sk-': 'API key',
  lit_: 'instance token',
  lak_: 'admin key',
}
const CREDENTIAL = /\b(?:sk-|lit_|lak_)[0-9A-Za-z]{16,}/g
const TOKEN = /\beyJ[\w-]+(?:\.[\w-]+){1,2}/g
const CHAIN = /"(?:feature_)?refresh_token":"([0-9a-f]{64})"/g
/** What an admin is shown of a credential later on: kind prefix and 8 characters; of a license key 12. */
const SHOWN = 8
const SHOWN_OF_LICENSE_KEY = 12

/** Every secret in what was sent or answered, told by its form. */
export function secretsIn(text: string): Secret[] {
  const plain = text.replaceAll('\\"', '"')
  return [
    ...[...plain.matchAll(CREDENTIAL)].map(([found]) => credential(found)),
    ...[...plain.matchAll(TOKEN)].map(([found]) => token(found)),
    ...[...plain.matchAll(CHAIN)].map(([, found = '']) => ({
      kind: 'refresh token',
      text: found,
      parts: [found],
    })),
  ]
}

function credential(text: string): Secret {
  const prefix = Object.keys(CREDENTIALS).find((start) => text.startsWith(start)) ?? ''
  const kind = CREDENTIALS[prefix] ?? 'credential'
  return { kind, text, parts: [text, text.slice(prefix.length + SHOWN)] }
}

function token(text: string): Secret {
  const [head = '', middle = '', signature] = text.split('.')
  if (signature !== undefined) return { kind: 'JWT', text, parts: [middle, signature] }
  const payload = Buffer.from(head, 'base64url').toString()
  const kind = payload.includes('"nonce"') ? 'entitlement token' : 'license key'
  return { kind, text, parts: [head, middle.slice(SHOWN_OF_LICENSE_KEY)] }
}

/** A key as bytes, in every form in which it might be written down. */
export function keyBytes(kind: string, bytes: Uint8Array): Secret {
  const buffer = Buffer.from(bytes)
  // The last 32 bytes of an Ed25519 key in PKCS#8 are the key itself (RFC 8410).
  const forms = [buffer, buffer.subarray(-32)].flatMap((form) => [
    form.toString('hex'),
    form.toString('base64').replace(/=+$/, ''),
    form.toString('base64url'),
  ])
  return { kind, text: buffer.toString('base64'), parts: [...new Set(forms)] }
}

/** What the server keeps sealed: the pepper and every private signing key, opened with the master key. */
export async function sealedSecrets(databaseUrl: string, masterKey: Uint8Array): Promise<Secret[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  try {
    const opened = (kind: string, name: string, sealed: string): Secret => {
      const bytes = open(masterKey, name, sealed)
      if (!bytes) throw new Error(`the ${kind} does not open`)
      return keyBytes(kind, bytes)
    }
    const secrets = await sql`select name, sealed from server_secrets`
    const keys = await sql`
      select p.code, k.use, k.kid, k.sealed_private_key as sealed
      from signing_keys k join products p on p.id = k.product_id`
    return [
      ...secrets.map(({ name, sealed }) => opened(name, secretSealName(name), sealed)),
      ...keys.map(({ code, use, kid, sealed }) => opened('private key', sealName(code, use, kid), sealed)),
    ]
  } finally {
    await sql.end()
  }
}

/** Every row of every table as text. */
export async function dumpTables(databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  try {
    const tables = await sql`
      select schemaname as schema, tablename as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2`
    const dump: string[] = []
    for (const { schema, name } of tables) {
      const rows = await sql`select t::text as row from ${sql(schema)}.${sql(name)} t`
      dump.push(`-- ${schema}.${name}`, ...rows.map(({ row }) => row))
    }
    return dump.join('\n')
  } finally {
    await sql.end()
  }
}

/** Kinds of the secrets that the text gives away. */
export function givenAway(secrets: Iterable<Secret>, text: string): string[] {
  const found = new Set<string>()
  for (const { kind, parts } of secrets) if (parts.some((part) => text.includes(part))) found.add(kind)
  return [...found].sort()
}
