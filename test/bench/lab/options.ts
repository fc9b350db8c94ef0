// The options of the bench's programs: --name value, numbers and texts.

/** @throws Error that lists the options when one is unknown or no number. */
export function readOptions<T extends Record<string, number | string>>(
  args: readonly string[],
  defaults: T,
): T {
  const options: Record<string, number | string> = { ...defaults }
  for (let i = 0; i < args.length; i += 2) {
    const name = (args[i] ?? '').replace(/^--/, '')
    const given = args[i + 1]
    const fallback = defaults[name]
    const value = typeof fallback === 'number' ? Number(given) : given
    if (fallback === undefined || value === undefined || Number.isNaN(value)) {
      const known = Object.entries(defaults).map(([key, preset]) => `--${key} (${preset || 'all'})`)
      throw new Error(`Unknown option, or no value: ${args[i]} ${given ?? ''}. Options: ${known.join(', ')}`)
    }
    options[name] = value
  }
  return options as T
}
