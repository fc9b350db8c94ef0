// `license.explain().text`: the same data in words, for a log or a support page.
import type { Explanation, NextStep } from './explanation.ts'

const NEXT: Record<NextStep['what'], string> = {
  refresh: 'the license is asked for',
  heartbeat: 'a heartbeat is sent',
  register: 'the instance is registered',
  lease_ends: 'the lease ends and grace begins',
  license_ends: 'the license ends',
  grace_ends: 'grace ends: community tier',
  clock_catches_up: 'the clock is behind and another time counts',
}

export function textOf(explanation: Omit<Explanation, 'text'>): string {
  const { view, features, limits, grants, tried, next, todo } = explanation
  const why = view.reason === null ? '' : ` (${view.reason})`
  const flags = [
    view.killed ? 'killed' : '',
    view.downgraded ? 'downgraded' : '',
    explanation.trial ? 'trial' : '',
  ]
  const marks = flags.filter((flag) => flag !== '').map((flag) => `, ${flag}`)
  return [
    `License ${view.state}${why}: tier ${view.tier} from ${view.source}${marks.join('')}`,
    ...line('Customer', explanation.customer),
    ...line('License', explanation.licenseId),
    ...line('Leased by relay', explanation.relay),
    `Instance: ${explanation.instanceId} (${explanation.role})`,
    ...(explanation.directives === 'none'
      ? ['Directives: none can be verified, for neither a root nor a control key is pinned']
      : []),
    ...line('Expires', explanation.expiresAt),
    ...(explanation.graceDaysLeft === null
      ? []
      : [`Grace: ${explanation.graceDaysLeft} day(s) left, until ${explanation.graceEndsAt ?? 'never'}`]),
    ...list('Features', features, ({ name, origin }) => `${name} (${origin})`),
    ...list('Limits', limits, ({ name, value, origin }) => `${name} = ${limitText(value)} (${origin})`),
    ...(grants.length < 2
      ? []
      : list('Licenses held', grants, ({ kind, origin, licenseId, tier, state, expiresAt, counts }) => {
          const end = expiresAt === null ? '' : `, until ${expiresAt}`
          return `${kind} (${origin}) ${licenseId}: ${state}, tier ${tier}${end}${counts ? '; this one counts' : ''}`
        })),
    ...list('Tried', tried, ({ step, outcome, detail, at }) => {
      const more = detail === undefined ? '' : `, ${detail}`
      return `${step}: ${outcome}${more} (${at})`
    }),
    ...list('Next', next, ({ what, at }) => `${at}: ${NEXT[what]}`),
    ...list('To do', todo, (text) => text),
  ].join('\n')
}

function line(name: string, value: string | null): string[] {
  return value === null ? [] : [`${name}: ${value}`]
}

function list<T>(name: string, items: readonly T[], say: (item: T) => string): string[] {
  return items.length === 0 ? [`${name}: none`] : [`${name}:`, ...items.map((item) => `  - ${say(item)}`)]
}

const limitText = (value: number) => (value === Number.POSITIVE_INFINITY ? 'unlimited' : String(value))
