// Wrangler for tests: the project's own wrangler.toml, in a folder that goes away, and nothing said to anybody outside.
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from './temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js')

export interface WranglerFolder {
  path: string
  /** What wrangler must be run with. */
  env: Record<string, string>
  /**
   * Writes the project's configuration under another name, with `database` behind Hyperdrive, and another limit of
   * requests from an address; returns its path.
   */
  configure(name: string, database?: string, addressLimit?: number): Promise<string>
  remove(): Promise<void>
}

/** Wrangler keeps its state beside the configuration: here, and not in the tree. */
export async function wranglerFolder(): Promise<WranglerFolder> {
  const path = await temporaryFolder('leasehold-test-wrangler-')
  const own = await readFile(join(ROOT, 'wrangler.toml'), 'utf8')
  return {
    path,
    env: {
      XDG_CONFIG_HOME: join(path, 'config'),
      WRANGLER_LOG_PATH: join(path, 'logs'),
      WRANGLER_CACHE_DIR: join(path, 'cache'),
      WRANGLER_REGISTRY_PATH: join(path, 'registry'),
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      // With the banner goes the question for a newer version.
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
      CI: 'true',
    },
    async configure(name, database, addressLimit) {
      const file = join(path, `${name}.toml`)
      const local = database === undefined ? '' : `localConnectionString = ${JSON.stringify(database)}\n`
      const changed = own
        .replace(/^name = .*$/m, `name = ${JSON.stringify(name)}`)
        .replace(/^main = .*$/m, `main = ${JSON.stringify(join(ROOT, 'src/worker.ts'))}`)
        .replace(/^binding = "HYPERDRIVE"\n/m, `$&${local}`)
        .replace(/^simple = .*$/m, (line) =>
          addressLimit === undefined ? line : line.replace(/limit = \d+/, `limit = ${addressLimit}`),
        )
      await writeFile(file, changed)
      return file
    },
    // Wrangler may still be writing its log.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 10 }),
  }
}

export interface Bundle {
  folder: string
  /** Paths of everything that was bundled, from the project's root. */
  inputs: string[]
  /** Modules that the runtime must have. */
  external: string[]
}

/** `wrangler deploy --dry-run`: what would be deployed, built but not sent. */
export async function buildWorker({ configure, path, env }: WranglerFolder): Promise<Bundle> {
  const configPath = await configure('leasehold')
  const folder = join(path, 'bundle')
  const args = [WRANGLER, 'deploy', '--dry-run', '--config', configPath, '--outdir', folder, '--metafile']
  await promisify(execFile)(process.execPath, args, { cwd: path, env: { PATH: process.env.PATH, ...env } })
  const meta = JSON.parse(await readFile(join(folder, 'bundle-meta.json'), 'utf8')) as Metafile
  return {
    folder,
    inputs: Object.keys(meta.inputs).map((input) => resolve(path, input).replace(`${ROOT}/`, '')),
    external: Object.values(meta.outputs).flatMap(({ imports }) => imports.map((found) => found.path)),
  }
}

interface Metafile {
  inputs: Record<string, unknown>
  outputs: Record<string, { imports: { path: string }[] }>
}
