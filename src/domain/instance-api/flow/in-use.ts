// What is said when the rows that a request needs are held by somebody for too long.
import { Refusal } from '../../kernel/context.ts'

export const inUse = (cause?: unknown) =>
  new Refusal(
    'overloaded',
    'What this request needs is in use by another one. Nothing was done; try again.',
    {
      fix: 'Send the request again after the time in Retry-After.',
      ...(cause === undefined ? {} : { cause }),
    },
  )
