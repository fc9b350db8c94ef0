// T5 against a model of disks, processes and networks: accidents that must never look like a clone, and copies
// that must. Each with 300 seeds; a failure names its seed.
import { describe, expect, test } from 'vitest'
import { Client, DAY, type Disk, type Habits, HOUR, MINUTE, SECOND, World } from '../support/lineage-world.ts'

const SEEDS = 300
const FORTNIGHT = 14 * DAY

/** How products ask: from once an hour to once a day, over networks that lose up to a fifth. */
function habits(w: World, more: Partial<Habits> = {}): Habits {
  const every = HOUR * Math.floor(w.dice.between(3, 25))
  return { every, loss: w.dice.between(0, 0.2), remembers: w.dice.chance(0.5), ...more }
}

function client(w: World, more: Partial<Habits> = {}, disk: Disk = {}): Client {
  return new Client(w, disk, habits(w, more))
}

function atRandomTimes(w: World, times: number, run: () => void, from = DAY, to = FORTNIGHT): void {
  for (let i = 0; i < times; i++) w.at(w.dice.between(from, to), run)
}

const count = (w: World, most: number) => Math.floor(w.dice.between(1, most + 1))

/** Requests sent together with one token; the client keeps one of the answers, or one of the ids. */
function tenAtOnce(w: World, c: Client): void {
  const { token } = c.disk
  const oneId = w.dice.chance(0.3) ? c.newRefreshId() : null
  for (let i = 0; i < 10; i++) {
    const refreshId = oneId ?? c.newRefreshId()
    w.after(w.dice.between(0, 29 * SECOND), () => {
      const answer = w.serve({ token, refreshId })
      if (w.dice.chance(0.2)) c.disk.refreshId ??= refreshId
      else c.disk.token = answer
    })
  }
}

const ACCIDENTS: Record<string, (w: World) => void> = {
  'an answer is lost and the request retried after 31 s': (w) => {
    client(w, { loss: 0.3, retryAfter: 31 * SECOND }).start()
    w.runUntil(FORTNIGHT)
  },
  'an answer is lost and the request retried after 1 h': (w) => {
    client(w, { loss: 0.3, retryAfter: HOUR }).start()
    w.runUntil(FORTNIGHT)
  },
  'an answer is lost and the request retried after 20 days': (w) => {
    const c = client(w).start()
    for (const day of [3, 27, 50]) {
      w.at(day * DAY, () => {
        c.fates = ['answer lost']
        c.request()
        c.stop()
      })
      w.at((day + 20) * DAY, () => c.start())
    }
    w.runUntil(75 * DAY)
  },
  'a virtual machine goes back to snapshots': (w) => {
    const c = client(w).start()
    const snapshots: Disk[] = []
    atRandomTimes(w, count(w, 3), () => snapshots.push({ ...c.disk }))
    atRandomTimes(w, count(w, 4), () => {
      const snapshot = snapshots[Math.floor(w.dice.between(0, snapshots.length))]
      if (snapshot) c.restartFrom(snapshot)
    })
    w.runUntil(FORTNIGHT)
  },
  'a rolling restart lets two processes share the data folder, every day': (w) => {
    const disk: Disk = {}
    const often = {
      every: w.dice.chance(0.5) ? w.dice.between(5, 60) * MINUTE : 6 * HOUR,
      retryAfter: 5 * MINUTE,
    }
    let old = client(w, often, disk).start()
    for (let day = 1; day < 5; day++) {
      w.at(day * DAY + w.dice.between(0, HOUR), () => {
        const young = client(w, often, disk).start()
        const [leaving, staying] = w.dice.chance(0.8) ? [old, young] : [young, old]
        w.after(w.dice.between(MINUTE, HOUR), () => leaving.stop())
        old = staying
      })
    }
    w.runUntil(5 * DAY)
  },
  'ten refreshes run in parallel': (w) => {
    const c = client(w, { remembers: false }).start()
    atRandomTimes(w, 10, () => tenAtOnce(w, c))
    w.runUntil(FORTNIGHT)
  },
  'the database is restored from a dump': (w) => {
    const c = client(w).start()
    let dump: string | null = null
    atRandomTimes(w, count(w, 5), () => {
      dump = w.row
    })
    atRandomTimes(w, count(w, 5), () => {
      w.row = dump
      if (w.dice.chance(0.3)) c.start()
    })
    w.runUntil(FORTNIGHT)
  },
  'the refresh_id file is lost while an answer is outstanding': (w) => {
    const c = client(w, { loss: 0.4, remembers: false }).start()
    for (let t = HOUR; t < FORTNIGHT; t += 2 * HOUR) w.at(t, () => delete c.disk.refreshId)
    w.runUntil(FORTNIGHT)
  },
  'a client sends no refresh_id over a bad network': (w) => {
    client(w, { loss: 0.4, sendsRefreshId: false, retryAfter: w.dice.between(31 * SECOND, HOUR) }).start()
    w.runUntil(FORTNIGHT)
  },
  'a container starts from the same image every day': (w) => {
    const c = client(w).start()
    w.runUntil(2 * DAY)
    const image = { ...c.disk, ...(w.dice.chance(0.5) ? { refreshId: c.newRefreshId() } : {}) }
    const perDay = w.dice.chance(0.2) ? 24 : count(w, 2)
    for (let t = 2 * DAY; t < 12 * DAY; t += DAY / perDay) w.at(t, () => c.restartFrom(image))
    w.runUntil(12 * DAY)
  },
  'the data folder is restored every day from last night': (w) => {
    const c = client(w).start()
    let backup: Disk = {}
    for (let day = 1; day < 14; day++) {
      w.at(day * DAY, () => {
        backup = { ...c.disk }
      })
      w.at(day * DAY + w.dice.between(HOUR, 23 * HOUR), () => c.restartFrom(backup))
    }
    w.runUntil(FORTNIGHT)
  },
  'the clock of the server jumps': (w) => {
    const c = client(w).start()
    atRandomTimes(w, 6, () => {
      w.skew = w.dice.chance(0.3) ? 0 : w.dice.between(-10, 10) * (w.dice.chance(0.5) ? DAY : HOUR)
    })
    const snapshot: Disk = {}
    w.at(DAY, () => Object.assign(snapshot, c.disk))
    atRandomTimes(w, 2, () => c.restartFrom(snapshot), 2 * DAY)
    w.runUntil(FORTNIGHT)
  },
  'four workers share one data folder and read it before each request': (w) => {
    const disk: Disk = {}
    for (let i = 0; i < 4; i++) client(w, { remembers: false }, disk).start(w.dice.between(0, HOUR))
    w.runUntil(FORTNIGHT)
  },
  'a proxy delivers old requests again': (w) => {
    client(w).start()
    atRandomTimes(w, 12, () => {
      const old = w.sent[Math.floor(w.dice.between(0, w.sent.length))]
      if (old) w.serve(old)
    })
    w.runUntil(FORTNIGHT)
  },
  'an instance moves to another machine, back, and over again': (w) => {
    const there = client(w).start()
    w.runUntil(3 * DAY)
    const here = client(w, {}, { ...there.disk }).start()
    there.stop()
    w.runUntil(4 * DAY)
    here.stop()
    there.start()
    w.runUntil(5 * DAY)
    there.stop()
    here.start()
    w.runUntil(FORTNIGHT)
  },
}

/** Each returns when the first copy began to ask. */
const CLONES: Record<string, (w: World) => number> = {
  'a full copy side by side, both refreshing every 24 h': (w) => copies(w, 1, { every: DAY }),
  'a full copy side by side, both reporting every 6 h': (w) => copies(w, 1, { every: 6 * HOUR }),
  'a copy started days later from an old backup': (w) => copies(w, 1, {}, w.dice.between(1, 20) * DAY),
  'copies that report at different intervals': (w) => copies(w, 1, { every: DAY }, 0, { every: 6 * HOUR }),
  'two to fifteen copies': (w) => copies(w, 1 + count(w, 14), {}),
  'a stolen token used with refresh ids of its own': (w) => {
    const owner = client(w, { every: 12 * HOUR }).start()
    w.runUntil(w.dice.between(2, 4) * DAY)
    const { token = '' } = owner.disk
    client(w, { every: w.dice.between(6, 24) * HOUR }, { token }).start()
    const began = w.now
    w.runUntil(began + 8 * DAY)
    return began
  },
}

function copies(w: World, n: number, first: Partial<Habits>, delay = 0, others = first): number {
  const original = client(w, first).start()
  w.runUntil(w.dice.between(2, 4) * DAY)
  const copied = { ...original.disk }
  w.runUntil(w.now + delay)
  const began = w.now
  for (let i = 0; i < n; i++) client(w, others, { ...copied }).start(w.dice.between(0, HOUR))
  w.runUntil(began + 8 * DAY)
  return began
}

describe('no accident looks like a clone (T5)', () => {
  test.each(Object.entries(ACCIDENTS))('%s', (_name, run) => {
    const accused: number[] = []
    for (let seed = 0; seed < SEEDS; seed++) {
      const w = new World(seed)
      run(w)
      if (w.cloned.length > 0) accused.push(seed)
    }
    expect(accused).toEqual([])
  })

  test.each(Object.entries(ACCIDENTS).slice(0, 3))('%s, and the chain does not even fork', (_name, run) => {
    let repeated = 0
    let forked = 0
    for (let seed = 0; seed < 30; seed++) {
      const w = new World(seed)
      run(w)
      repeated += w.outcomes.get('repeated') ?? 0
      forked += w.outcomes.get('forked') ?? 0
    }
    expect(repeated).toBeGreaterThan(30)
    expect(forked).toBe(0)
  })
})

describe('every clone is found within 7 days (T5)', () => {
  test.each(Object.entries(CLONES))('%s', (_name, run) => {
    const missed: number[] = []
    for (let seed = 0; seed < SEEDS; seed++) {
      const w = new World(seed)
      const began = run(w)
      const found = w.cloned[0] ?? Number.POSITIVE_INFINITY
      expect(found, `accused before there was a copy, seed ${seed}`).toBeGreaterThan(began)
      if (found - began > 7 * DAY) missed.push(seed)
    }
    expect(missed).toEqual([])
  })
})
