// What every target begins with: a database of its own, brought up and given an owner key by the commands of a vendor.
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { main } from '../../src/cli/main.ts'
import { type Call, ISSUER, type TestApp } from '../support/app.ts'
import { cloneDatabase } from '../support/database.ts'
import { outsideDatabase } from '../support/outside-database.ts'

/** A running server, whatever it runs on. */
export interface Target extends Pick<TestApp, 'admin' | 'adminKey' | 'databaseUrl'> {
  call: Call
  /** The root's public key as SPKI DER. */
  rootKey: Buffer
  stop(): Promise<void>
}

export interface Prepared {
  adminKey: string
  rootKey: Buffer
  databaseUrl: string
  /** The settings of a server on this database. */
  env: Record<string, string> & ReturnType<typeof outsideDatabase>
  drop(): Promise<void>
}

export async function prepare(): Promise<Prepared> {
  const clone = await cloneDatabase()
  const env = { ...outsideDatabase(clone.url), PUBLIC_URL: ISSUER, LEASEHOLD_RATE_LIMITS: 'off' }
  await command(['migrate'], { DATABASE_URL: clone.url })
  const adminKey = (await command(['admin-keys', 'create', '--role', 'owner'], env)).trim()
  const root = createPublicKey(
    createPrivateKey({ key: Buffer.from(env.LEASEHOLD_ROOT_KEY, 'base64'), format: 'der', type: 'pkcs8' }),
  )
  const rootKey = root.export({ format: 'der', type: 'spki' })
  return { adminKey, rootKey, databaseUrl: clone.url, env, drop: clone.drop }
}

/** `admin` of a target whose `call` is known. */
export const adminOf =
  (call: Call, bearer: string): Target['admin'] =>
  (method, path, body) =>
    call(method, `/api/v1/admin${path}`, { bearer, body })

async function command(args: string[], env: Record<string, string>): Promise<string> {
  const printed = { out: '', err: '' }
  const code = await main(args, env, {
    out: (text) => {
      printed.out += text
    },
    say: (line) => {
      printed.err += `${line}\n`
    },
  })
  if (code !== 0) throw new Error(`leasehold ${args[0]}: ${printed.err}`)
  return printed.out
}
