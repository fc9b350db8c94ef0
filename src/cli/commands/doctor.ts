// `leasehold doctor`: looks at everything that a server needs, says what is wrong and what to do. Changes nothing.
import { type Command, type CommandIo, IncompleteError, readArguments, WarningError } from '../command.ts'
import { examine } from '../doctor/examine.ts'
import { counted, type Finding, type Health } from '../doctor/finding.ts'
import { printable } from '../table.ts'

const usage = `Usage:
  leasehold doctor [--json]

Looks at settings, data folder, database, clocks, keys, partitions, jobs and retention, with the settings that the
server has, while it runs or not: the embedded database of a stopped server is started for the look. Changes nothing of
what is looked at.

Exit code 0: all is well; 1: there is a problem; 3: there are warnings only.
`

async function run(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { json: { type: 'boolean' } })
  const findings = await examine(io.env)
  const count = (health: Health) => findings.filter((finding) => finding.health === health).length
  const [problems, warnings] = [count('problem'), count('warning')]
  io.out(values.json ? `${JSON.stringify({ problems, warnings, findings })}\n` : report(findings))
  const summary = `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}.`
  if (problems > 0) throw new IncompleteError(summary)
  if (warnings > 0) throw new WarningError(summary)
  io.say('All is well.')
}

function report(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const indent = ' '.repeat(width + 11)
  return findings
    .map(({ check, health, detail, fix }) => {
      const line = `${health.padEnd(7)}  ${check.padEnd(width)}  ${lines(detail, indent)}\n`
      return fix === null ? line : `${line}${indent}→ ${lines(fix, indent)}\n`
    })
    .join('')
}

const lines = (text: string, indent: string): string => text.split('\n').map(printable).join(`\n${indent}`)

export const command: Command = { usage, run }
