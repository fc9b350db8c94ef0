// How many new instance ids a license may meet, so that one seat is not passed around (T10). Plain constants.

/** Days in which they are counted. */
export const CHURN_DAYS = 30
const CHURN_BASE = 20
const CHURN_PER_SEAT = 10

/** New instance ids that so many seats may meet in `CHURN_DAYS`, where the tier says nothing else. */
export const seatChurn = (seats: number): number => CHURN_BASE + CHURN_PER_SEAT * seats
