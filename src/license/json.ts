// Strict reading of a signed JSON object: one that two readers could take differently is refused.
import { type Refused, refused } from './verified.ts'

export type JsonObject = Readonly<Record<string, unknown>>
type Parsed = { ok: true; value: JsonObject } | Refused

// A byte order mark stays in the text, where it is no JSON.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Bytes → JSON object. Refuses `not_json` (bad UTF-8, bad JSON, not an object, or a member named `__proto__`)
 * and `duplicate_member` at any depth (RFC 7515, section 4: the last one must not win silently).
 */
export function parseJsonObject(bytes: Uint8Array): Parsed {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return refused('not_json')
  }
  if (!isJsonObject(value)) return refused('not_json')
  return findUnsafeMember(text) ?? { ok: true, value }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Walks text that JSON.parse has accepted, so only strings and brackets need a look. */
function findUnsafeMember(text: string): Refused | null {
  const open: (Set<string> | null)[] = []
  let names: Set<string> | null = null
  let expectName = false
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"': {
        const end = endOfString(text, i)
        if (expectName && names !== null) {
          const name = nameOf(text, i, end)
          if (name === '__proto__') return refused('not_json', name)
          if (names.has(name)) return refused('duplicate_member', name)
          names.add(name)
          expectName = false
        }
        i = end
        break
      }
      case '{':
        open.push(names)
        names = new Set()
        expectName = true
        break
      case '[':
        open.push(names)
        names = null
        break
      case '}':
      case ']':
        names = open.pop() ?? null
        break
      case ',':
        expectName = true
        break
    }
  }
  return null
}

/** Index of the quote that ends the string which begins at `start`: the first with an even run of `\` before. */
function endOfString(text: string, start: number): number {
  let end = start
  let backslashes: number
  do {
    end = text.indexOf('"', end + 1)
    backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
  } while (backslashes % 2 === 1)
  return end
}

function nameOf(text: string, start: number, end: number): string {
  const name = text.slice(start + 1, end)
  // Two spellings of one name are one name.
  return name.includes('\\') ? JSON.parse(text.slice(start, end + 1)) : name
}
