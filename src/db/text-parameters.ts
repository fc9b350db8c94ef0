// Values as the text form that Postgres reads. The statement says of which type each one is: `$1::uuid[]`.

export type ParameterValue = string | number | bigint | boolean | null | Date | Uint8Array
/** One value, or one array of them for `unnest($1::text[])` and `any($1::uuid[])`. */
export type Parameter = ParameterValue | readonly ParameterValue[]

/**
 * The text form of one parameter; null stays null. JSON goes in as the string that `JSON.stringify` made.
 * @throws TypeError for `undefined` or an object of another kind.
 */
export function parameterText(value: Parameter): string | null {
  return Array.isArray(value) ? arrayText(value) : valueText(value as ParameterValue)
}

function valueText(value: ParameterValue): string | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  throw new TypeError(`A statement takes no parameter of type ${typeof value}`)
}

function arrayText(values: readonly ParameterValue[]): string {
  return `{${values.map(elementText).join(',')}}`
}

function elementText(value: ParameterValue): string {
  const text = valueText(value)
  if (text === null) return 'NULL'
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return text
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
