// `npm start`: runs the server as a bundle, and from its sources where none can be had. Plain JavaScript that old
// versions of Node read too.
const OLDEST = [22, 21]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `Leasehold needs Node ${OLDEST.join('.')} or newer; this is ${process.versions.node}.\n`,
  )
  process.exit(1)
}

const { keptProgram } = await import('./kept-program.mjs')
const kept = await keptProgram().catch((error) => {
  const [why] = error.message.split('\n')
  process.stderr.write(`Leasehold starts from its sources, which takes seconds longer: ${why}\n`)
  return null
})
if (kept === null) await import('../src/node.ts')
else {
  const sourceLines = new URL('source-lines.mjs', import.meta.url).href
  // What the program puts in this process's place, and the processes that it starts, run as this one does.
  process.argv[1] = kept.program
  process.execArgv.push('--import', sourceLines)
  process.env.NODE_COMPILE_CACHE ??= kept.compiled
  const { enableCompileCache } = await import('node:module')
  enableCompileCache(process.env.NODE_COMPILE_CACHE)
  await import(sourceLines)
  await import(kept.program)
}
