// What holds for every operation and stands in no contract of its own: refusals by class, idempotency keys. Changes the
// document, serves nothing.
import type { Router } from './routing.ts'

type Document = ReturnType<Router['getOpenAPI31Document']>
type Parameter = { $ref: string }

const IDEMPOTENCY_KEY: Parameter = { $ref: '#/components/parameters/IdempotencyKey' }
const REPLAYED = { $ref: '#/components/headers/IdempotentReplayed' }
/** Beside the admin API. Its keys are at least 16 characters long. */
const KEYED = new Set(['/api/v1/trials/start'])
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** Names the parts that `describeAll` refers to. */
export function registerShared(app: Router): void {
  app.openAPIRegistry.registerComponent('parameters', 'IdempotencyKey', {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description:
      'A new one for each new request, best a random UUID. Sent again with the same body, the request does nothing and ' +
      'gets its first answer, for at least 24 h. While the first is under way: 409; with another body: 422. ' +
      'Where no credential is needed, at least 16 characters.',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
    example: '7f1ccd3e-4a4b-4a0e-9a51-2d1f5a5b0c11',
  })
  app.openAPIRegistry.registerComponent('headers', 'IdempotentReplayed', {
    description: '`true` when this is the answer that an earlier request with the same Idempotency-Key got.',
    schema: { type: 'string', enum: ['true'] },
  })
}

/** Tools look for 4XX, readers for `default`: a refusal is declared as both. */
export function describeAll(document: Document): Document {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item?.[method]
      if (!operation) continue
      const responses: Record<string, unknown> = operation.responses ?? {}
      if (responses.default) responses['4XX'] = responses.default
      if (method !== 'post' || !(path.startsWith('/api/v1/admin/') || KEYED.has(path))) continue
      operation.parameters = [...(operation.parameters ?? []), IDEMPOTENCY_KEY]
      for (const [status, response] of Object.entries(responses)) {
        if (!status.startsWith('2')) continue
        const described = response as { headers?: Record<string, unknown> }
        described.headers = { ...described.headers, 'Idempotent-Replayed': REPLAYED }
      }
    }
  }
  return document
}
