// What a reader of one setting's text answers: its value, or what is wrong with it (never the text itself).

export type Reading<T> = { readonly value: T } | { readonly wrong: string }

export type Reader<T> = (text: string) => Reading<T>

/** A whole number within the bounds, both included. */
export function wholeNumber(least: number, most: number): Reader<number> {
  return (text) => {
    if (!/^\d{1,15}$/.test(text)) return { wrong: 'is not a whole number' }
    return within(Number(text), least, most)
  }
}

/** One of the words. */
export function oneOf<const Word extends string>(words: readonly Word[]): Reader<Word> {
  return (text) => {
    const value = words.find((word) => word === text)
    return value === undefined ? { wrong: `is not one of ${words.join(', ')}` } : { value }
  }
}

export const readSwitch: Reader<boolean> = (text) =>
  text === 'true' || text === 'false' ? { value: text === 'true' } : { wrong: 'is neither true nor false' }

export const readProcesses: Reader<number | 'auto'> = (text) =>
  text === 'auto' ? { value: 'auto' } : wholeNumber(1, 64)(text)

function within(value: number, least: number, most: number): Reading<number> {
  if (value < least) return { wrong: `is below ${least}` }
  return value > most ? { wrong: `is above ${most}` } : { value }
}
