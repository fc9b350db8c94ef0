// Holds every answer that a test gets against the contract of its route: status, content type, body, and no member that
// the contract does not name. What a test sends to a path that no route has must be told so by a problem.
import { readdirSync } from 'node:fs'
import type { z } from 'zod'
import { problem } from '../../src/contract/problem.schema.ts'

interface Contract {
  method: string
  path: string
  responses: Record<string, { content?: Record<string, { schema: unknown }> }>
}

export interface Answered {
  status: number
  contentType: string
  /** JSON read, or the text. */
  body: unknown
}

const CONTRACT = new URL('../../src/contract/', import.meta.url)
const modules = await Promise.all(
  readdirSync(CONTRACT)
    .filter((name) => name.endsWith('routes.ts'))
    .map((name): Promise<Record<string, unknown>> => import(new URL(name, CONTRACT).href)),
)

const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' && value !== null && 'responses' in value && 'path' in value

const operations = modules
  .flatMap((module) => Object.values(module))
  .filter(isContract)
  .map((contract) => ({
    ...contract,
    parameters: contract.path.split('{').length,
    pattern: new RegExp(`^${contract.path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}/?$`),
  }))
  // `/licenses/export` before `/licenses/{id}`.
  .sort((a, b) => a.parameters - b.parameters)

/** What is wrong with the answer, in words; null when it is as documented. */
export function undocumented(method: string, url: string, answer: Answered): string | null {
  const path = url.split('?', 1)[0] ?? ''
  const found = operations.find(
    (operation) => operation.method === method.toLowerCase() && operation.pattern.test(path),
  )
  const declared = found
    ? (found.responses[answer.status] ?? (answer.status >= 400 ? found.responses.default : undefined))
    : { content: { 'application/problem+json': { schema: problem } } }
  const fault = declared ? faultOf(declared.content, answer) : `status ${answer.status} is not declared`
  return fault && `${method} ${path} answered ${answer.status}, but ${fault}`
}

function faultOf(
  content: Record<string, { schema: unknown }> | undefined,
  { contentType, body }: Answered,
): string | null {
  if (!content) return body === '' ? null : 'a body is not declared'
  const type = contentType.split(';', 1)[0] ?? ''
  const schema = content[type]?.schema as z.ZodType | undefined
  if (!schema) return `content type "${type}" is not declared: ${Object.keys(content).join(', ')}`
  const read = schema.safeParse(body)
  if (!read.success) return read.error.message
  const extra = undeclared(body, read.data, '')
  return extra === null ? null : `${extra} is not declared`
}

/** zod leaves out what it does not know: the first member of `sent` that is not in `read`. */
function undeclared(sent: unknown, read: unknown, at: string): string | null {
  if (typeof sent !== 'object' || sent === null || typeof read !== 'object' || read === null) return null
  for (const [name, value] of Object.entries(sent)) {
    if (!(name in read)) return `${at}/${name}`
    const deeper = undeclared(value, (read as Record<string, unknown>)[name], `${at}/${name}`)
    if (deeper !== null) return deeper
  }
  return null
}
