// Corrects five faults of postgres 3.4.9, after each install and in all of its builds:
// - what a transaction says after its connection has ended ends the process (porsager/postgres#1154, #1208), or runs
//   outside of any transaction on the connection that came after;
// - what was about to be written or read when a connection ended holds up, fails or falsifies what its successor does;
// - a statement that fails after its first rows shifts the rows of the next one;
// - a connection that was opened in order to be reserved is never handed out;
// - a statement whose plan is outdated is repeated behind what was sent after it, so even after the COMMIT.
// A corrected driver says so (`corrections`), and the server starts with no other: src/db/corrected-driver.ts.
// Plain JavaScript, because it runs on whatever Node installs. Repeating it changes nothing.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/postgres')
const BUILDS = ['src', 'cjs/src', 'cf/src']

/** By file: [as released, as it must be]. */
const CORRECTIONS = {
  'index.js': [
    [
      `Object.assign(Postgres, {
  PostgresError,
`,
      `Object.assign(Postgres, {
  corrections: 2,
  PostgresError,
`,
    ],
    // A transaction ends with its connection: nothing that it says later is sent.
    [
      `        new Promise((_, reject) => connection.onclose = reject)
`,
      `        new Promise((_, reject) => connection.onclose = e => (lost = e, reject(e)))
`,
    ],
    [
      `    } catch (error) {
      throw error
    }
`,
      `    } catch (error) {
      while (lost && queries.length)
        queries.shift().reject(lost)
      throw error
    }
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
    // So does a reserved connection, which was given back to the pool even when it was gone.
    [
      `  async function reserve() {
    const queue = Queue()
    const c = open.length
      ? open.shift()
      : await new Promise((resolve, reject) => {
        const query = { reserve: resolve, reject }
        queries.push(query)
        closed.length && connect(closed.shift(), query)
      })
`,
      `  async function reserve() {
    if (ending)
      throw Errors.connection('CONNECTION_ENDED', options, options)

    const queue = Queue()
    const c = open.length
      ? open.shift()
      : await new Promise((resolve, reject) => {
        const query = { reserve: c => resolve(move(c, reserved)), reject }
        closed.length
          ? connect(closed.shift(), query)
          : queries.push(query)
      })
`,
    ],
    [
      `    move(c, reserved)
    c.reserved = () => queue.length
      ? c.execute(queue.shift())
      : move(c, reserved)
    c.reserved.release = true

    const sql = Sql(handler)
    sql.release = () => {
      c.reserved = null
      onopen(c)
    }
`,
      `    let lost = null
    move(c, reserved)
    c.reserved = () => {
      while (queue.length) {
        if (!c.execute(queue.shift()))
          return
      }
      move(c, reserved)
    }
    c.reserved.release = true
    c.onclose = e => {
      lost = e
      while (queue.length)
        queue.shift().reject(e)
    }

    const sql = Sql(handler)
    sql.release = () => {
      if (lost)
        return
      lost = Errors.connection('CONNECTION_ENDED', options, options)
      c.onclose = c.reserved = null
      ending ? c.terminate() : onopen(c)
    }
`,
    ],
    [
      `    function handler(q) {
      c.queue === full
        ? queue.push(q)
`,
      `    function handler(q) {
      if (lost)
        return q.reject(lost)
      c.queue === full
        ? queue.push(q)
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
    // A connection that was opened to be reserved is handed out: nobody ever got it.
    [
      `      if (needsTypes) {
        initial.reserve && (initial = null)
        return fetchArrayTypes()
      }

      initial && !initial.reserve && execute(initial)
      options.shared.retries = retries = 0
      initial = null
`,
      `      if (needsTypes)
        return fetchArrayTypes()

      options.shared.retries = retries = 0
      initial.reserve
        ? initial.reserve(connection)
        : execute(initial)
      initial = null
`,
    ],
    // Repeated on a reserved connection, it would run after all that was sent behind it.
    [
      `            ? retry(query, errorResponse)
`,
      `            ? connection.reserved
              ? (statements = {}, errored(errorResponse))
              : retry(query, errorResponse)
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
      throw new Error(
        `${file} is not as postgres 3.4.9 has it. Install it anew (npm ci), or see whether this correction is still needed.`,
      )
    }
    text = text.replace(wrong, () => right)
  }
  if (text === released) return
  // Put in place whole, and not through the file that is there: installers share it with other projects by hard links.
  const made = `${file}.${process.pid}`
  writeFileSync(made, text)
  renameSync(made, file)
}
