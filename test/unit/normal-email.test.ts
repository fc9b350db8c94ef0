import { expect, test } from 'vitest'
import { normalEmail } from '../../src/domain/trials/normal-email.ts'

test.each([
  ['ada@example.com', 'ada@example.com'],
  ['  Ada@Example.COM ', 'ada@example.com'],
  ['ADA+trial+2@example.com', 'ada@example.com'],
  ['+only@example.com', '+only@example.com'],
  ['a@b@c+d.example', 'a@b@c+d.example'],
])('%j is %s', (given, normal) => {
  expect(normalEmail(given)).toBe(normal)
})
