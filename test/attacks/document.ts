// Reads the server's own document: its routes, and a body of each that would pass. Knows no route by name.
import type { TestApp } from '../support/app.ts'

// biome-ignore lint/suspicious/noExplicitAny: a JSON schema can be anything.
export type Schema = any

export interface Route {
  method: string
  path: string
  parameters: { name: string; in: string; schema: Schema }[]
  body: unknown
  hasBody: boolean
}

export async function routesOf(app: TestApp): Promise<Route[]> {
  const { body: document } = await app.call('GET', '/openapi.json')
  const resolve = (schema: Schema): Schema => {
    const name = /^#\/components\/(\w+)\/(.+)$/.exec(schema?.$ref ?? '')
    return name ? resolve(document.components[name[1] ?? ''][name[2] ?? '']) : schema
  }
  return Object.entries<Record<string, Schema>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const content = resolve(operation.requestBody)?.content?.['application/json']
      return {
        method: method.toUpperCase(),
        path,
        parameters: (operation.parameters ?? []).map(resolve),
        hasBody: content !== undefined,
        body: content ? sample(content.schema, resolve) : undefined,
      }
    }),
  )
}

/** A value that the schema would take, or nearly so; every member is there. */
function sample(given: Schema, resolve: (schema: Schema) => Schema, depth = 0): unknown {
  const schema = resolve(given) ?? {}
  if (schema.example !== undefined) return schema.example
  if (schema.examples?.[0] !== undefined) return schema.examples[0]
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  const choice = (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.[0]
  if (choice) return sample(choice, resolve, depth)
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, member]) => [
          name,
          depth > 6 ? null : sample(member, resolve, depth + 1),
        ]),
      )
    case 'array':
      return depth > 6 ? [] : [sample(schema.items ?? {}, resolve, depth + 1)]
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'string':
      if (schema.format === 'date-time') return '2026-06-01T00:00:00Z'
      if (schema.format === 'uuid' || schema.format === 'guid') return '0190c2e4-7b1a-7c3d-8e4f-0123456789ab'
      return 'keldris'.padEnd(schema.minLength ?? 0, 'x')
    default:
      return {}
  }
}

/** Where a value can be put in: every member at any depth, as a list of names. */
export function placesIn(value: unknown, at: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, member]) => placesIn(member, [...at, name]))]
}

/** The same value with another one in that place. */
export function withValue(value: unknown, [name, ...rest]: string[], instead: unknown): unknown {
  if (name === undefined) return instead
  const copy: Schema = Array.isArray(value) ? [...value] : { ...(value as object) }
  copy[name] = withValue(copy[name], rest, instead)
  return copy
}
