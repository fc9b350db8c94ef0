// What no JSON body may hold, whatever its schema: it could not be stored, written or walked. Pure.

const DEEPEST = 32

export interface JsonFault {
  /** RFC 6901, printable. */
  pointer: string
  message: string
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
