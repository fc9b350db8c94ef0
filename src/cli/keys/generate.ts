// `leasehold keys generate`: a key pair of the vendor's own. The private half goes into one new file, and nowhere else.
import { encodeBase64 } from '../../license/base64.ts'
import { generateKeyPair } from '../../mint/keys.ts'
import { type CommandIo, readArguments, required, UsageError } from '../command.ts'
import { removeOrSay, writePrivately } from '../files.ts'
import { describeForms, formsOf } from './forms.ts'

const text = { type: 'string' } as const

export async function generateKey(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, {
    output: text,
    'public-output': text,
    json: { type: 'boolean' },
  })
  const file = required(values.output, '--output')
  const publicFile = values['public-output']
  if (publicFile === file) throw new UsageError('--public-output must be another file than --output.')
  const pair = await generateKeyPair()
  const forms = await formsOf(pair.publicKey)
  await writePrivately(file, pem(pair.privateKey), { overwrite: false })
  if (publicFile) {
    await writePrivately(publicFile, `${forms.spki}\n`, { overwrite: false }).catch(
      async (error: unknown) => {
        await removeOrSay(file, io)
        throw error
      },
    )
  }
  if (values.json) return io.out(`${JSON.stringify({ output: file, ...forms })}\n`)
  io.out(describeForms(forms, io))
  io.say(
    `Wrote the private key to ${file}. Keep it secret and keep a copy: what it signed cannot be signed again.`,
  )
}

/** RFC 7468; the DER of an Ed25519 key fits one line. */
function pem(pkcs8: Uint8Array): string {
  return `-----BEGIN PRIVATE KEY-----\n${encodeBase64(pkcs8)}\n-----END PRIVATE KEY-----\n`
}
