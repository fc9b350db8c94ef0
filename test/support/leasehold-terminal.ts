// The command line with a human at it: in this process, on a terminal that answers what it is asked.
import { main } from '../../src/cli/main.ts'
import type { Outcome } from './leasehold-cli.ts'

export interface Asked extends Outcome {
  questions: { question: string; hidden: boolean }[]
}

/** `answers` are typed one after the other. */
export async function atTerminal(
  args: string[],
  env: Record<string, string>,
  answers: string[] = [],
): Promise<Asked> {
  const said: Asked = { code: 0, out: '', err: '', questions: [] }
  const left = [...answers]
  const out = (text: string) => {
    said.out += text
  }
  said.code = await main(args, env, {
    out,
    write: async (content) => out(content),
    say: (line) => {
      said.err += `${line}\n`
    },
    input: async () => '',
    terminal: true,
    progress: null,
    prompt: async (question, { hidden = false } = {}) => {
      said.questions.push({ question, hidden })
      return left.shift() ?? ''
    },
  })
  return said
}
