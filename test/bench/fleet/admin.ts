// Calls to a server of the bench: its admin API, and several requests at once.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Posts to, or reads from, the admin API as the owner. @throws Error on any status from 400 on. */
export type Admin = <T>(method: 'GET' | 'POST', path: string, body?: unknown) => Promise<T>

export async function openAdmin(server: { url: string; dataDir: string }): Promise<Admin> {
  const file = await readFile(join(server.dataDir, 'credentials.json'), 'utf8')
  const { admin_key } = JSON.parse(file) as { admin_key: string }
  return (method, path, body) => call(server.url, method, `/api/v1/admin${path}`, { body, bearer: admin_key })
}

/** @throws Error with the answer on any status from 400 on. */
export async function call<T>(
  url: string,
  method: string,
  path: string,
  { body, bearer }: { body?: unknown; bearer?: string | undefined } = {},
): Promise<T> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as T
}

/** Does the work for 0 to `count - 1`, `atOnce` at a time, and returns the outcomes in order. */
export async function inParallel<T>(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const outcomes: T[] = []
  let next = 0
  const lane = async () => {
    while (next < count) {
      const index = next++
      outcomes[index] = await work(index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return outcomes
}
