// Where an installed license is kept between starts: the port, and two stores that need no database.
import type { Host, HostStorage } from '../host/port.ts'

/** One row a tenant, as the reference's table has it. Times in RFC 3339. */
export interface InstalledLicense {
  tenantId: string
  token: string
  licenseId: string
  installedAt: string
  installedBy: string
  expiresAt: string
  lastValidatedAt: string | null
}

/** What it rejects with is logged; the product goes on with what it has in memory. */
export interface LicenseStore {
  read(tenantId: string): Promise<InstalledLicense | null>
  /** Puts it in the place of the tenant's former one. */
  write(license: InstalledLicense): Promise<void>
  /** It was found good: `at` is RFC 3339. */
  touch(tenantId: string, at: string): Promise<void>
}

/** Forgets at the end of the process: for tests, and where the environment brings the license each time. */
export function memoryStore(): LicenseStore {
  const rows = new Map<string, InstalledLicense>()
  return {
    read: async (tenantId) => rows.get(tenantId) ?? null,
    async write(license) {
      rows.set(license.tenantId, { ...license })
    },
    async touch(tenantId, at) {
      const row = rows.get(tenantId)
      if (row) rows.set(tenantId, { ...row, lastValidatedAt: at })
    },
  }
}

const FILE = 'installed-license.json'

/** A private file in a folder of its own or the SDK's: mode 0600, replaced whole, no link followed, at most 64 KiB. @internal */
export function fileStore(folder: string, host: Pick<Host, 'openStorage'>): LicenseStore {
  let opened: Promise<HostStorage | null> | null = null
  async function storage(): Promise<HostStorage> {
    opened ??= host.openStorage(folder, 'license').catch((error: unknown) => {
      opened = null
      throw error
    })
    const place = await opened
    if (!place) throw new Error('this platform keeps no files')
    return place
  }
  async function read(tenantId: string): Promise<InstalledLicense | null> {
    const text = await (await storage()).read(FILE)
    const row: unknown = text === null ? null : JSON.parse(text)
    return isInstalled(row) && row.tenantId === tenantId ? row : null
  }
  const write = async (license: InstalledLicense) => (await storage()).write(FILE, JSON.stringify(license))
  return {
    read,
    write,
    async touch(tenantId, at) {
      const row = await read(tenantId)
      if (row) await write({ ...row, lastValidatedAt: at })
    },
  }
}

function isInstalled(row: unknown): row is InstalledLicense {
  if (typeof row !== 'object' || row === null) return false
  const { lastValidatedAt = null, ...texts } = row as Record<string, unknown>
  const names = ['tenantId', 'token', 'licenseId', 'installedAt', 'installedBy', 'expiresAt']
  return (
    names.every((name) => typeof texts[name] === 'string') &&
    (lastValidatedAt === null || typeof lastValidatedAt === 'string')
  )
}
