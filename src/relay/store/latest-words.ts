// Which of two signed words is the newer one (T1): the one that was asked for after the other was heard, whatever their
// times say. Only where both were under way at once do the vendor's own times decide. In memory: no question of before a
// restart is answered after it.

/** Counts the words that were heard. */
export type Turn = number

interface Word {
  /** Unix seconds. */
  iat: number
  /** Decides between words of the same second. */
  rank: number
}

/** Words that a question may still be under way beside. Past that many the oldest are taken for older than any. */
const MOST = 10_000

export function latestWords() {
  const last = new Map<string, Word & { heard: Turn }>()
  let heard: Turn = 0
  return {
    turn: (): Turn => heard,
    /** Whether it is the newest word about its subject, and remembers it as such. `asked`: the turn of its question. */
    isNewest(subject: string, asked: Turn, word: Word): boolean {
      const before = last.get(subject)
      const wasUnderWay = before !== undefined && before.heard > asked
      const isEarlier =
        wasUnderWay && (word.iat < before.iat || (word.iat === before.iat && word.rank < before.rank))
      if (isEarlier) return false
      heard += 1
      last.delete(subject)
      last.set(subject, { ...word, heard })
      const [oldest] = last.keys()
      if (last.size > MOST && oldest !== undefined) last.delete(oldest)
      return true
    },
  }
}
