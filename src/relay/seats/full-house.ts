// What an instance is told that gets no seat of an allotment: which limit was met, and when it changes (T13).

export interface FullHouse {
  reason: 'allotment_exhausted' | 'seat_churn'
  /** The allowed value, and the one that was met. */
  limit: number
  current: number
}

export function fullHouseWords({ reason, limit, current }: FullHouse): { message: string; fix: string } {
  switch (reason) {
    case 'allotment_exhausted':
      return {
        message: `All ${limit} seats that this relay may lease while the vendor is away are taken.`,
        fix: 'Wait until the vendor can be reached, or for the end of a lease, which is at most a day away.',
      }
    case 'seat_churn':
      return {
        message: `This relay leased seats to ${current} new instances within 30 days; ${limit} are allowed.`,
        fix: 'Keep the instance id of an installation across restarts, or wait until the vendor can be reached.',
      }
  }
}
