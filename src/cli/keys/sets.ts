// `leasehold keys draft | sign-set | import`: key sets for those who keep the root key on another machine. `sign-set`
// needs no database.
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { loadRootKey } from '../../config/root-key-file.ts'
import { KEY_SET_TYP, type KeySetClaims } from '../../contract/claims.ts'
import { draftForRoot, importKeySet } from '../../domain/signing/import-key-set.ts'
import { isJsonObject } from '../../license/json.ts'
import { readKeySetClaims } from '../../license/key-set.ts'
import { openRootKey } from '../../mint/keys.ts'
import { signJws } from '../../mint/sign-jws.ts'
import { StartError } from '../../platform/start-error.ts'
import { fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import { type CommandIo, readArguments, required } from '../command.ts'
import { codeOf, contentOf } from '../files.ts'
import { withServices } from '../open-services.ts'

const text = { type: 'string' } as const

export async function draft(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { output: text })
  const claims = await withServices(io.env, { rootKey: 'unused' }, draftForRoot)
  await deliver(`${JSON.stringify(claims, null, 2)}\n`, values.output, io)
}

export async function signSet(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { draft: text, 'root-key': text, output: text })
  const draftFile = required(values.draft, '--draft')
  const keyFile = required(values['root-key'], '--root-key')
  const claims = await readDraft(draftFile)
  const key = await loadRootKey({ kind: 'file', path: resolve(keyFile) })
  if (key.kind !== 'private') {
    throw new StartError(
      `${keyFile} holds a public key only.`,
      'Name the file that holds the private root key.',
    )
  }
  const jws = signJws(openRootKey(key.pkcs8), KEY_SET_TYP, claims)
  for (const line of summary(claims, key.publicKey)) io.say(line)
  await deliver(`${jws}\n`, values.output, io)
}

export async function importSet(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { set: text })
  const jws = (await contentOf(required(values.set, '--set'))).trim()
  const set = await withServices(io.env, { rootKey: 'needed' }, (ctx) => importKeySet(ctx, jws))
  io.out(`Key set ${set.number} is in force until ${rfc3339(set.expiresAt)}.\n`)
}

async function readDraft(file: string): Promise<KeySetClaims> {
  const wrong = (why: string) =>
    new StartError(`${file} is no draft of a key set: ${why}.`, 'Make one with `leasehold keys draft`.')
  let found: unknown
  try {
    found = JSON.parse(await contentOf(file))
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong('it is not JSON')
    throw error
  }
  const read = isJsonObject(found) ? readKeySetClaims(found) : null
  if (!read?.ok) throw wrong(read ? `${read.reason} ${read.detail ?? ''}`.trim() : 'it is no JSON object')
  return read.claims
}

/** What a human compares before trusting the signature. */
function summary(claims: KeySetClaims, publicKey: string): string[] {
  return [
    `Signed key set ${claims.number} of ${claims.iss}, until ${rfc3339(fromUnixSeconds(claims.exp))}, root ${publicKey}:`,
    ...claims.keys.map(
      ({ kid, product, use, status }) => `  ${product}  ${use.padEnd(7)}  ${status.padEnd(8)}  ${kid}`,
    ),
  ]
}

async function deliver(content: string, file: string | undefined, io: CommandIo): Promise<void> {
  if (file === undefined) return io.out(content)
  try {
    await writeFile(file, content)
  } catch (error) {
    throw new StartError(
      `${file} cannot be written (${codeOf(error)}).`,
      'Name a file that this user may write.',
    )
  }
  io.say(`Written to ${file}.`)
}
