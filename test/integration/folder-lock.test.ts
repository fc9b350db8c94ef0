// The claim of one process on one folder: who counts as alive.
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync, utimesSync } from 'node:fs'
import { readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isLocked, lockFolder } from '../../src/db/embedded/folder-lock.ts'
import { processScope, startTimeOf } from '../../src/db/embedded/process-identity.ts'
import { StartError } from '../../src/platform/start-error.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let stopBeating = () => {}

beforeEach(async () => {
  folder = await temporaryFolder('leasehold-lock-')
})
afterEach(async () => {
  stopBeating()
  await rm(folder, { recursive: true, force: true })
})

const here = processScope()
const elsewhere = 'another-boot pid:[4026531836]'

async function leaveClaim(claim: object | string, ageMs = 0): Promise<string> {
  const file = join(folder, 'server-4711-0a1b2c3d4e5f.lock')
  await writeFile(file, typeof claim === 'string' ? claim : JSON.stringify({ host: hostname(), ...claim }))
  const time = new Date(Date.now() - ageMs)
  await utimes(file, time, time)
  return file
}

function endedPid(): number {
  return spawnSync('true').pid
}

test('a lock holds until it is released, in the same process too', async () => {
  const lock = await lockFolder(folder)
  expect(await isLocked(folder)).toBe(true)
  await expect(lockFolder(folder)).rejects.toThrow(StartError)
  await expect(lockFolder(folder)).rejects.toThrow(`${folder}: process ${process.pid}.`)
  await lock.release()
  expect(await isLocked(folder)).toBe(false)
  await (await lockFolder(folder)).release()
  expect(await readdir(folder)).toEqual([])
})

test('of many claims at the same moment exactly one succeeds', async () => {
  for (let round = 0; round < 5; round++) {
    const claims = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)))
    const won = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value] : []))
    expect(won).toHaveLength(1)
    await won[0]?.release()
  }
})

test('the claim of a process that ended does not count, and is cleared away', async () => {
  await leaveClaim({ pid: endedPid(), startTime: '1', scope: here })
  const lock = await lockFolder(folder)
  expect(readdirSync(folder)).toHaveLength(1)
  expect(readdirSync(folder)[0]).toContain(`server-${process.pid}-`)
  await lock.release()
})

test('a process that got the number of the one that ended is a stranger', async () => {
  await leaveClaim({ pid: process.pid, startTime: '1', scope: here })
  await (await lockFolder(folder)).release()
})

test('the claim of a living process counts', async () => {
  await leaveClaim({ pid: process.ppid, startTime: startTimeOf(process.ppid), scope: here })
  await expect(lockFolder(folder)).rejects.toThrow(`process ${process.ppid}.`)
})

test('after a reboot the old claim does not count, whatever now has its number', async () => {
  await leaveClaim({ pid: process.pid, startTime: startTimeOf(process.pid), scope: elsewhere }, 60_000)
  await (await lockFolder(folder)).release()
})

test('a claim from another container counts as long as it is renewed', async () => {
  const file = await leaveClaim({ pid: 1, startTime: '1', scope: elsewhere, host: 'other-container' })
  const beating = setInterval(() => utimesSync(file, new Date(), new Date()), 100)
  stopBeating = () => clearInterval(beating)
  await expect(lockFolder(folder, 1000)).rejects.toThrow('process 1 on other-container.')
  stopBeating()
  await (await lockFolder(folder, 1000)).release()
})

test('a lock that is held is renewed', async () => {
  const lock = await lockFolder(folder)
  const [name = ''] = await readdir(folder)
  const long = new Date(Date.now() - 20_000)
  await utimes(join(folder, name), long, long)
  const watched = join(folder, name)
  await expect
    .poll(() => statSync(watched).mtimeMs, { timeout: 5000 })
    .toBeGreaterThan(long.getTime() + 10_000)
  await lock.release()
})

test('a claim that a crash left empty does not count', async () => {
  await leaveClaim('', 5000)
  await (await lockFolder(folder)).release()
})
