// The instance API as every target must answer it. Knows no target; its parts are in this folder.
import { afterAll, beforeAll, describe } from 'vitest'
import { createWorld, type World } from '../support/world.ts'
import { bodiesPart } from './bodies.ts'
import { keysPart } from './keys.ts'
import type { Target } from './prepared.ts'
import { reportsPart } from './reports.ts'
import { seatsPart } from './seats.ts'
import { sessionsPart } from './sessions.ts'

/** What the parts work with, once it is there. */
export interface Fixture {
  readonly target: Target
  /** Product `keldris`: instances may report without a credential. A perpetual license without a seat limit. */
  readonly open: World
  /** Product `shielded`: instances prove themselves. */
  readonly shielded: World
  /** `POST /api/v1…` */
  post(path: string, body: unknown, bearer?: string): ReturnType<Target['call']>
}

export function describeInstanceApi(name: string, start: () => Promise<Target>): void {
  describe(`the instance API of ${name}`, () => {
    let made: Fixture | undefined
    beforeAll(async () => {
      const target = await start()
      const license = { expires_at: null, seat_limit: null }
      made = {
        target,
        open: await createWorld(target, { license }),
        shielded: await createWorld(target, { product: 'shielded', instanceAuth: 'token', license }),
        post: (path, body, bearer) => target.call('POST', `/api/v1${path}`, { body, bearer }),
      }
    })
    afterAll(() => made?.target.stop())

    const fixture = (): Fixture => {
      if (!made) throw new Error('the target did not start')
      return made
    }
    keysPart(fixture)
    sessionsPart(fixture)
    seatsPart(fixture)
    reportsPart(fixture)
    bodiesPart(fixture)
  })
}
