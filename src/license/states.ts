// The names of the license states (reference, section 4). Apart from the machine, so that whoever only shows a state takes
// no claims along.

export const LICENSE_STATES = ['ABSENT', 'ACTIVE', 'GRACE', 'EXPIRED', 'INVALID'] as const
export type LicenseState = (typeof LICENSE_STATES)[number]
