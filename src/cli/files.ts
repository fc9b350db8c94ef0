// Files that a command reads and writes. What holds a secret or a license is mode 0600, and whole or not there.
import { randomBytes } from 'node:crypto'
import { link, lstat, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { StartError } from '../platform/start-error.ts'
import type { CommandIo } from './command.ts'

/** Bytes. A list of tenants may be long; nothing else comes near it. */
const MOST_BYTES = 64 * 1024 * 1024

/** The text of a file. @throws StartError naming the file, never its content. */
export async function contentOf(file: string): Promise<string> {
  try {
    const content = await readFile(file)
    if (content.length > MOST_BYTES) throw new StartError(`${file} is too large.`, 'Split it.')
    return content.toString('utf8')
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(`${file} cannot be read (${codeOf(error)}).`, 'Name a file that this user may read.')
  }
}

/** The text of a file, or of standard input where it is `-`. */
export function contentOrInput(file: string, io: CommandIo): Promise<string> {
  return file === '-' ? io.input() : contentOf(file)
}

/**
 * Writes a file with mode 0600, whole or not at all. With `overwrite` it takes the place of one that is there; without,
 * that one stays. @throws StartError
 */
export async function writePrivately(
  file: string,
  content: string,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  const path = resolve(file)
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  try {
    const handle = await open(part, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // A link, unlike a rename, fails where the name is taken.
    await (overwrite ? rename(part, path) : link(part, path))
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && !overwrite) {
      throw new StartError(
        `${file} is there already, and stays as it is.`,
        'Name another file, or remove it.',
      )
    }
    throw new StartError(
      `${file} cannot be written (${codeOf(error)}).`,
      'Name a file that this user may write.',
    )
  } finally {
    await rm(part, { force: true })
  }
}

/** A file of mode 0600 in the making: there under its name when `keep` resolves, and without a trace otherwise. */
export interface FileInTheMaking {
  write(text: string): Promise<void>
  keep(): Promise<void>
  discard(): Promise<void>
}

/** Begins a file that is not there yet. @throws StartError */
export async function beginPrivately(file: string): Promise<FileInTheMaking> {
  const path = resolve(file)
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EEXIST') {
        throw new StartError(
          `${file} is there already, and stays as it is.`,
          'Name another file, or remove it.',
        )
      }
      throw new StartError(`${file} cannot be written (${code}).`, 'Name a file that this user may write.')
    }
  }
  if (await lstat(path).catch(() => null)) await explained(Promise.reject({ code: 'EEXIST' }))
  const handle = await explained(open(part, 'wx', 0o600))
  return {
    write: (text) => explained(handle.writeFile(text)),
    async keep() {
      await explained(handle.sync())
      await handle.close()
      await explained(link(part, path))
      await rm(part, { force: true })
    },
    async discard() {
      await handle.close().catch(() => {})
      await rm(part, { force: true })
    },
  }
}

/** Whether two names, of which either need not be there yet, are one file, through links too. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([realOf(one), realOf(other)])
  return a === b
}

async function realOf(file: string): Promise<string> {
  const path = resolve(file)
  const folder = () => realpath(dirname(path)).then((real) => join(real, basename(path)))
  return realpath(path)
    .catch(folder)
    .catch(() => path)
}

/** Removes a plain file, if it is there. */
export async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true }).catch((error: unknown) => {
    throw new StartError(
      `${file} cannot be removed (${codeOf(error)}).`,
      'Do not ship it: remove it by hand.',
    )
  })
}

/** The same, where something else has failed already and decides the exit code. */
export async function removeOrSay(file: string, io: CommandIo): Promise<void> {
  await removeFile(file).catch((error: unknown) => {
    io.say(error instanceof StartError ? `${error.message} ${error.fix}` : String(error))
  })
}

/** What the system says of a failed call, as `ENOENT`. */
export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown reason'
