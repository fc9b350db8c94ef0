// What no JSON body may hold, whatever its schema: it could not be stored, written or walked. Pure.

const DEEPEST = 32

export interface JsonFault {
  /** RFC 6901, printable. */
  pointer: string
  message: string
}

/**
 * Whether `json` may hold what `findJsonFault` finds. False is certain, and costs less than the walk. `json` is valid
 * JSON and well-formed Unicode, so that U+0000 and lone surrogates can only stand there escaped.
 */
export function mayHoldJsonFault(json: string): boolean {
  return (json.includes('\\u') && FAULTY_ESCAPE.test(json)) || isDeep(json)
}

const FAULTY_ESCAPE = /\\u(?:0000|d[89a-f])/i

function isDeep(json: string): boolean {
  let depth = 0
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case 0x22:
        at = endOfText(json, at)
        break
      case 0x5b:
      case 0x7b:
        depth += 1
        if (depth > DEEPEST) return true
        break
      case 0x5d:
      case 0x7d:
        depth -= 1
    }
  }
  return false
}

/** Where the text that begins with the quote at `start` has its other quote. */
function endOfText(json: string, start: number): number {
  let end = json.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf('"', end + 1)
  return end === -1 ? json.length : end
}

function isEscaped(json: string, at: number): boolean {
  let before = at - 1
  while (json.charCodeAt(before) === 0x5c) before -= 1
  return (at - before) % 2 === 0
}

/** U+0000 cannot be stored by Postgres, lone surrogates not be written as UTF-8; depth bounds every later walk. */
export function findJsonFault(value: unknown, pointer = '', depth = 0): JsonFault | null {
  if (typeof value === 'string') return faultOfText(value, pointer)
  if (typeof value !== 'object' || value === null) return null
  if (depth === DEEPEST) return { pointer, message: `nested deeper than ${DEEPEST}` }
  for (const [name, member] of Object.entries(value)) {
    const at = `${pointer}/${escapePointer(name)}`
    const fault = faultOfText(name, at) ?? findJsonFault(member, at, depth + 1)
    if (fault) return fault
  }
  return null
}

function faultOfText(text: string, pointer: string): JsonFault | null {
  if (text.includes('\u0000')) return { pointer: printable(pointer), message: 'U+0000 is not allowed' }
  if (!text.isWellFormed()) return { pointer: printable(pointer), message: 'lone surrogate is not allowed' }
  return null
}

const printable = (pointer: string): string =>
  pointer.toWellFormed().replaceAll('\u0000', '\ufffd').slice(0, 200)

/** RFC 6901. */
export const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
