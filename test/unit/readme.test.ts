import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { relaySettingsTable } from '../../src/config/relay-schema.ts'
import { settingsTable } from '../../src/config/schema.ts'

test('the settings in README are those of the schemas: the server’s, then the relay’s', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const rows = [...settingsTable(), ...relaySettingsTable()].map(
    ({ name, default: fallback, meaning }) => `| \`${name}\` | ${fallback} | ${meaning} |`,
  )
  const found = readme.split('\n').filter((line) => /^\| `[A-Z_]+` \|/.test(line))
  expect(found).toEqual(rows)
})
