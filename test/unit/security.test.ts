import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const text = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8')

test('SECURITY.md promises by rule, and every test that it names is there', () => {
  for (let rule = 1; rule <= 13; rule += 1) expect(text).toContain(`| T${rule} |`)
  const named = [...text.matchAll(/`(test\/[\w./-]+)`/g)].map((match) => match[1] ?? '')
  expect(named.length).toBeGreaterThan(13)
  expect(named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([])
})
