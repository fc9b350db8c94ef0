// Verification in steps: a reader asks whether a signature holds, and whoever drives it answers. So one strict reader
// serves WebCrypto here and node:crypto on a server.
import { checkSignature, type VerifyingKey } from './trusted-keys.ts'

/** Whether `signature` is `key`'s over `data`. */
export interface SignatureQuestion {
  key: VerifyingKey
  signature: Uint8Array<ArrayBuffer>
  data: Uint8Array<ArrayBuffer>
}

/** A verification that comes to a `T`. It goes on with the answer to each question, and reads nothing unsigned before. */
export type Steps<T> = Generator<SignatureQuestion, T, boolean>

/** Drives a verification with WebCrypto, on every runtime. */
export async function verifySteps<T>(steps: Steps<T>): Promise<T> {
  let step = steps.next()
  while (!step.done) {
    const { key, signature, data } = step.value
    step = steps.next(await checkSignature(key, signature, data))
  }
  return step.value
}
