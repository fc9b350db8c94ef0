// One statement over a connection of its own, for tests that look at a database from outside.
import postgres from 'postgres'

export async function query(url: string | undefined, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url ?? '', { max: 1, onnotice: () => {} })
  try {
    return [...(await sql.unsafe(text))]
  } finally {
    await sql.end({ timeout: 1 })
  }
}
