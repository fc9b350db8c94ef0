// Asks the human at the terminal. The question goes to standard error: standard output is for what was asked for.
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** One line, without its end. Hidden: nothing of it is shown. Resolves to '' at the end of the input. */
export async function askAtTerminal(question: string, { hidden = false } = {}): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const output = hidden ? silent : process.stderr
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return await new Promise<string>((answered) => {
      lines.once('line', answered)
      lines.once('close', () => answered(''))
      lines.once('SIGINT', () => {
        lines.close()
        process.stderr.write('\n')
        process.exit(130)
      })
    })
  } finally {
    lines.close()
    if (hidden) process.stderr.write('\n')
  }
}
