import { expect, test } from 'vitest'
import { PathRouter } from '../../../src/http/path-router.ts'

function mounted() {
  const router = new PathRouter<string>()
  router.add('ALL', '*', 'every')
  router.add('ALL', '/api/*', 'api')
  router.add('GET', '/api/things', 'list')
  router.add('POST', '/api/things/action', 'act')
  router.add('POST', '/api/things/:id/action', 'act on one')
  return router
}

const handlers = (router: PathRouter<string>, method: string, path: string) =>
  router.match(method, path)[0].map(([handler]) => handler)

test('finds the same each time it is asked, for paths with and without parameters', () => {
  const router = mounted()
  for (let round = 0; round < 3; round += 1) {
    expect(handlers(router, 'GET', '/api/things')).toEqual(['every', 'api', 'list'])
    expect(handlers(router, 'POST', '/api/things')).toEqual(['every', 'api'])
    expect(handlers(router, 'POST', '/api/things/action')).toEqual(['every', 'api', 'act'])
    expect(handlers(router, 'POST', '/api/things/7/action')).toEqual(['every', 'api', 'act on one'])
    expect(handlers(router, 'GET', '/elsewhere')).toEqual(['every'])
    expect(handlers(router, 'TRACE', '/api/things')).toEqual(['every', 'api'])
  }
})

test('hands the value of a parameter on', () => {
  const router = mounted()
  const [found, values] = router.match('POST', '/api/things/7/action')
  const [, parameters] = found.at(-1) ?? []
  const id = (parameters as Record<string, string | number> | undefined)?.id
  expect(typeof id === 'number' ? values?.[id] : id).toBe('7')
})

test('remembers no path that was not mounted as it is', () => {
  const router = mounted()
  const first = router.match('GET', '/api/unknown')
  expect(router.match('GET', '/api/unknown')).not.toBe(first)
  expect(router.match('GET', '/api/things')).toBe(router.match('GET', '/api/things'))
})
