import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonObject } from '../../../src/license/json.ts'

const parse = (text: string) => parseJsonObject(new TextEncoder().encode(text))

/** JSON text of any value in which `name` stands twice in the object that `at` points into. */
const anyObject = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
  .filter((value) => !JSON.stringify(value).includes('__proto__'))

describe('strict JSON', () => {
  test('reads every object as JSON.parse does', () => {
    fc.assert(
      fc.property(anyObject, fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  test('refuses a member that stands twice, in every object at any depth', () => {
    fc.assert(
      fc.property(anyObject, fc.string(), fc.nat(4), (value, name, depth) => {
        fc.pre(name !== '__proto__')
        const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`
        let text = `{${member},"other":[1,"x",{}],${member}}`
        if (Object.hasOwn({ other: 0 }, name)) text = `{${member},${member}}`
        for (let i = 0; i < depth; i++) text = i % 2 ? `{"a":"]}\\"","in":[null,${text}]}` : `{"in":${text}}`
        expect(parse(text)).toMatchObject({ ok: false, reason: 'duplicate_member' })
      }),
    )
  })

  test.each([
    ['{"a":1,"\\u0061":2}', 'two spellings of one name'],
    ['{"a\\"":1,"a\\"":2}', 'an escaped quote in the name'],
    ['{"a\\\\":1,"a\\\\":2}', 'an escaped backslash before the quote'],
    ['{"":1,"":2}', 'empty names'],
    ['{ "a" : 1 , "a" : 1 }', 'the same value twice'],
    ['{"b":{"a":1},"c":[{"a":1,"a":1}]}', 'inside a list'],
  ])('refuses %s: %s', (text) => {
    expect(parse(text)).toMatchObject({ ok: false, reason: 'duplicate_member' })
  })

  test.each([
    ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', 'one name in several objects'],
    ['{"a":"b","b":"a"}', 'a value like a name'],
    ['{"a":"\\",\\"a\\":1","b":",{\\"a\\":"}', 'text that looks like members'],
    ['{"A":1,"a":2}', 'names in two cases'],
  ])('takes %s: %s', (text) => {
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })

  test.each(['', '[]', 'null', '1', '"{}"', '{', '{}{}', "{'a':1}", '{"a":1,}', '{"a":NaN}', '\uFEFF{}'])(
    'refuses %j: not one JSON object',
    (text) => {
      expect(parse(text)).toMatchObject({ ok: false, reason: 'not_json' })
    },
  )

  test('refuses a member that would pass for the prototype', () => {
    expect(parse('{"limits":{"__proto__":{"max_agents":1}}}')).toMatchObject({ reason: 'not_json' })
    expect(parse('{"\\u005f_proto__":1}')).toMatchObject({ reason: 'not_json' })
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(parseJsonObject(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))).toMatchObject({
      ok: false,
    })
  })
})
