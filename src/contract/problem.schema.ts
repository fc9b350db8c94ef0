// The problem document in zod.
import { z } from 'zod'
import { ERRORS, type ErrorCode } from './errors.ts'

const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    request_id: z.string(),
    error: z.enum(codes),
    message: z.string().meta({ description: 'Equal to `detail`.' }),
    reason: z.string().optional(),
    fix: z.string().optional().meta({ description: 'What to do next.' }),
    directive: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with the members that clients of older systems read.' })
