// `leasehold keys show`: the public half of a key, whichever half the file holds. The private half is never shown.
import { readPrivateKeyText } from '../../config/private-key-text.ts'
import { StartError } from '../../platform/start-error.ts'
import { type CommandIo, readArguments, UsageError } from '../command.ts'
import { contentOrInput } from '../files.ts'
import { publicKeyOf } from '../key-input.ts'
import { describeForms, formsOf, type PublicKeyForms } from './forms.ts'

const FORMATS: Readonly<Record<string, (forms: PublicKeyForms) => string>> = {
  pem: ({ pem }) => pem,
  spki: ({ spki }) => `${spki}\n`,
  jwk: ({ jwk }) => `${JSON.stringify(jwk)}\n`,
  hex: ({ hex }) => `${hex}\n`,
}

export async function showKey(args: string[], io: CommandIo): Promise<void> {
  const { values, positionals } = readArguments(
    args,
    { format: { type: 'string' }, json: { type: 'boolean' } },
    1,
  )
  const write = chosenFormat(values.format)
  const file = positionals[0] ?? ''
  const text = (await contentOrInput(file, io)).trim()
  const opened = readPrivateKeyText(text)
  const raw = 'value' in opened ? Buffer.from(opened.value.publicKey, 'hex') : publicKeyOf(text)
  if (!raw) {
    throw new StartError(
      `${file === '-' ? 'Standard input' : file} holds no Ed25519 key.`,
      'A private key is PKCS#8 as PEM or base64; a public key PEM, base64 SPKI, JWK or 64 hex digits.',
    )
  }
  const forms = await formsOf(raw)
  if (values.json) return io.out(`${JSON.stringify(forms)}\n`)
  io.out(write ? write(forms) : describeForms(forms, io))
}

function chosenFormat(name: string | undefined): ((forms: PublicKeyForms) => string) | null {
  if (name === undefined) return null
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format) return format
  throw new UsageError(`--format is one of: ${Object.keys(FORMATS).join(', ')}.`)
}
