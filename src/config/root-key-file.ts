// Opens the file that LEASEHOLD_ROOT_KEY may name: the one place in config that reads a disk.
import { readFile } from 'node:fs/promises'
import { StartError } from '../platform/start-error.ts'
import { ROOT_KEY_ALLOWED, type RootKey, type RootKeySetting, readKeyText } from './root-key.ts'

/** Opens a `file:` key; others are handed back. Throws a StartError that names the file, never its content. */
export async function loadRootKey(setting: RootKeySetting): Promise<RootKey> {
  if (setting.kind !== 'file') return setting
  const content = await readFile(setting.path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new StartError(
      `LEASEHOLD_ROOT_KEY: ${setting.path} cannot be read (${cause.code ?? 'unknown reason'})`,
      `Name a file that this user may read and that holds ${ROOT_KEY_ALLOWED}.`,
    )
  })
  const key = readKeyText(content.trim())
  if ('value' in key) return key.value
  throw new StartError(
    `LEASEHOLD_ROOT_KEY: the content of ${setting.path} ${key.wrong}`,
    `Put there ${ROOT_KEY_ALLOWED}.`,
  )
}
