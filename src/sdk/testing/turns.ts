// Turns of the real event loop, for a virtual clock to wait until what is under way has come to rest.

import { uncountedDigest } from './crypto-watch.ts'

/** More steps than any chain of promises takes between two signs of life. */
const MICROTASKS = 40
/** As many as Node's thread pool has threads. */
const THREADS = 4

const small = new Uint8Array(64)
const large = new Uint8Array(32_768)

/** Lets every promise that needs nothing from outside go on. */
export async function flushMicrotasks(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await null
}

/** One turn of the event loop. */
export async function passTurn(): Promise<void> {
  await uncountedDigest('SHA-256', small)
}

/** One turn that keeps every thread busy for about as long as a signature takes to verify. */
export async function passLongTurn(): Promise<void> {
  await Promise.all(Array.from({ length: THREADS }, () => uncountedDigest('SHA-512', large)))
}
