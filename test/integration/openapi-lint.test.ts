import { createConfig, lintFromString, type NormalizedProblem } from '@redocly/openapi-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  // With all that a runtime may lack.
  const metricsText = async () => ({ text: '', contentType: 'text/plain' })
  app = await startTestApp({ dependencies: { metricsText }, sync: {} })
})
afterAll(() => app.stop())

const told = ({ ruleId, message, location }: NormalizedProblem) =>
  `${ruleId}: ${message} (${location[0]?.pointer ?? ''})`

test('the document passes the recommended rules of the linter, warnings included', async () => {
  const { text } = await app.call('GET', '/openapi.json')
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config })
  expect(Object.keys(JSON.parse(text).paths)).toEqual(expect.arrayContaining(['/metrics', '/api/v1/sync']))
  expect(problems.map(told)).toEqual([])
})
