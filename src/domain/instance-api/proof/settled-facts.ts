// The reference data for what is judged before a batch reads anything.
import type { Ctx } from '../../kernel/context.ts'
import type { ReferenceFacts } from '../../kernel/reference.ts'
import { readWith } from '../../reference/read-with.ts'

type Holder = Pick<Ctx, 'db' | 'reference'>

/** As this process last saw it; read first where it holds nothing. What is decided by it is settled in the batch. */
export function knownFacts({ db, reference }: Holder): Promise<ReferenceFacts> {
  return reference.load(readWith(db), {})
}

/** At least as new as the last change that was committed before the call. One statement where nothing changed. */
export async function settledFacts({ db, reference }: Holder): Promise<ReferenceFacts> {
  const read = readWith(db)
  const asked = reference.proof()
  const [row] = await read(asked.text, asked.params)
  await reference.settle(read, asked, row)
  return knownFacts({ db, reference })
}
