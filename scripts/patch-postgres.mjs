// Corrects three faults of postgres 3.4.9, after each install and in all of its builds:
// - what a transaction says after its connection has ended ends the process (porsager/postgres#1154, #1208), or runs
//   outside of any transaction on the connection that came after;
// - what was about to be written or read when a connection ended holds up, fails or falsifies what its successor does;
// - a statement that fails after its first rows shifts the rows of the next one.
// Plain JavaScript, because it runs on whatever Node installs. Repeating it changes nothing.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/postgres')
const BUILDS = ['src', 'cjs/src', 'cf/src']

/** By file: [as released, as it must be]. */
const CORRECTIONS = {
  'index.js': [
    // A transaction ends with its connection: nothing that it says later is sent.
    [
      `        new Promise((_, reject) => connection.onclose = reject)
`,
      `        new Promise((_, reject) => connection.onclose = e => (lost = e, reject(e)))
`,
    ],
    [
      `      , connection
      , prepare = null

    try {
`,
      `      , connection
      , prepare = null
      , lost = null

    try {
`,
    ],
    [
      `        q.catch(e => uncaughtError || (uncaughtError = e))
        c.queue === full
`,
      `        q.catch(e => uncaughtError || (uncaughtError = e))
        if (lost)
          return q.reject(lost)
        c.queue === full
`,
    ],
  ],
  'connection.js': [
    // What was not sent yet, or not answered, fails with the connection; none of it is left for the next one.
    [
      `    incomings = null
    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)
`,
      `    incomings = null
    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    socket.removeListener('data', data)
`,
    ],
    [
      `    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
`,
      `    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
    query = results = errorResponse = null
    result = new Result()
    rows = 0
`,
    ],
    [
      `    query = results = errorResponse = null
    result = new Result()
    connectTimer.cancel()
`,
      `    query = results = errorResponse = null
    result = new Result()
    rows = 0
    connectTimer.cancel()
`,
    ],
    // Thrown here, an error has nobody to catch it.
    [
      `  function nextWrite(fn) {
    const x = socket.write(chunk, fn)
`,
      `  function nextWrite(fn) {
    if (socket === null) {
      chunk = nextWriteTimer = null
      return true
    }
    const x = socket.write(chunk, fn)
`,
    ],
  ],
}

for (const build of BUILDS) {
  for (const [name, corrections] of Object.entries(CORRECTIONS)) {
    const file = join(FOLDER, build, name)
    // Where somebody else's node_modules holds it, it is theirs to correct.
    if (existsSync(file)) correct(file, corrections)
  }
}

function correct(file, corrections) {
  const released = readFileSync(file, 'utf8')
  let text = released
  for (const [wrong, right] of corrections) {
    if (text.includes(right)) continue
    if (text.split(wrong).length !== 2) {
      throw new Error(`${file} is not that of postgres 3.4.9: see whether this correction is still needed`)
    }
    text = text.replace(wrong, () => right)
  }
  if (text !== released) writeFileSync(file, text)
}
