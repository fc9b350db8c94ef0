// Stack traces of a bundle name the sources. Loaded before it, by --import. A map is read when a trace is asked for: the
// source maps of Node itself are read at the start, which then takes a third longer.
import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { fileURLToPath } from 'node:url'

const PLACE = /(file:\/\/[^\s()]+\.mjs):(\d+):(\d+)/
const maps = new Map()

function mapOf(file) {
  if (!maps.has(file)) {
    try {
      maps.set(file, new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${file}.map`), 'utf8'))))
    } catch {
      maps.set(file, null)
    }
  }
  return maps.get(file)
}

function original(place, file, line, column) {
  const entry = mapOf(file)?.findEntry(line - 1, column - 1)
  if (entry?.originalSource === undefined) return place
  const source = new URL(entry.originalSource, file).href
  return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
}

Error.prepareStackTrace = (error, frames) => {
  const lines = frames.map((frame) => `\n    at ${String(frame).replace(PLACE, original)}`)
  return `${Error.prototype.toString.call(error)}${lines.join('')}`
}
