// Standard output: at once, or as fast as the reader takes it. A reader that goes away (`| head`) ends the process.
import type { CommandIo } from './command.ts'

export function outlet(stream: NodeJS.WriteStream): Pick<CommandIo, 'out' | 'write'> {
  let isWhole = false
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    // Who stops reading a list has had enough of it. What must be whole fails, and is told by `write`.
    if (!isWhole) process.exit(0)
  })
  return {
    out: (content) => void stream.write(content),
    write(content) {
      isWhole = true
      return new Promise((resolve, reject) => {
        stream.write(content, (error) => (error ? reject(error) : resolve()))
      })
    },
  }
}
