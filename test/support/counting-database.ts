// A pool that writes down every statement it sends, transaction control included.
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { DatabaseConnection } from '../../src/db/client.ts'

export interface CountingDatabase extends DatabaseConnection {
  /** Every statement sent so far, in order. */
  statements: string[]
}

export function countingDatabase(url: string, poolSize: number): CountingDatabase {
  const statements: string[] = []
  const client = postgres(url, {
    max: poolSize,
    fetch_types: false,
    onnotice: () => {},
    debug: (_connection, text) => statements.push(text.trim()),
  })
  return { db: drizzle(client), client, statements, close: () => client.end({ timeout: 5 }) }
}
