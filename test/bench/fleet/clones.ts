// Many instances made in the database as copies of one that the real server knows: every column that the schema has is
// copied, and only what must differ is named here.
import type postgres from 'postgres'

export interface CloneOptions {
  product: string
  /** The instance to copy, which holds one seat or none. */
  template: string
  /** The new instances are called `prefix` and a number. */
  prefix: string
  /** Numbers from `first` to `first + count - 1`. */
  first: number
  count: number
  /** `lic_…` and `lk_…`: the copies' seats are spread over them evenly; none: they hold no seat. */
  licenses: readonly { id: string; licenseKeyId: string }[]
}

/** SQL for the key of an instance: the first bytes of SHA-256, marked as a UUID of version 8. See src/platform/ids.ts. */
const keySql = (product: string, id: string) => `(
  select encode(set_byte(set_byte(h, 6, (get_byte(h, 6) & 15) | 128), 8, (get_byte(h, 8) & 63) | 128), 'hex')::uuid
  from (select substr(sha256(convert_to('["leasehold-instance-v1","${product}","' || ${id} || '"]', 'UTF8')), 1, 16)
    as h) hash)`

const HOURS_SINCE_HEARD = 6

/** Copies the template's row and seat. The copies were last heard six hours ago and have no token. */
export async function cloneInstances(sql: postgres.Sql, options: CloneOptions): Promise<void> {
  const { product, template, prefix, first, count, licenses } = options
  const id = `'${prefix}' || i.n`
  const series = `generate_series(${first}::bigint, ${first + count - 1}::bigint) as i(n)`
  const heard = `now() - interval '${HOURS_SINCE_HEARD} hours'`
  const [key] = await sql.unsafe(`select ${keySql(product, `'${template}'`)}::text as key`)
  const ofTemplate = `t.instance_key = '${key?.key}'`
  const place = `[1 + i.n % ${Math.max(1, licenses.length)}]`
  const sold = `(select ${uuidArray(licenses.map((l) => l.id))} as licenses,
    ${uuidArray(licenses.map((l) => l.licenseKeyId))} as keys) l`
  await copyRows(sql, 'instances', `${series}, ${sold}`, ofTemplate, {
    instance_key: keySql(product, id),
    instance_id: id,
    first_seen_at: `${heard} - (i.n % 1000) * interval '1 minute'`,
    last_seen_at: heard,
    seen_mark: heard,
    token_hash: 'null',
    proven_license_id: `(l.licenses)${place}`,
  })
  if (licenses.length === 0) return
  await copyRows(sql, 'activations', `${series}, ${sold}`, ofTemplate, {
    instance_key: keySql(product, id),
    id: 'uuidv7()',
    license_id: `(l.licenses)${place}`,
    credential_id: `(l.keys)${place}`,
  })
}

const uuidArray = (ids: readonly string[]) =>
  `array[${ids.map((text) => `'${uuidOf(text)}'`).join(',')}]::uuid[]`

/** Inserts copies of the row that `where` finds, one for each row of `series`, with some columns computed anew. */
async function copyRows(
  sql: postgres.Sql,
  table: string,
  series: string,
  where: string,
  computed: Record<string, string>,
): Promise<void> {
  const columns = await sql<{ name: string }[]>`
    select column_name as name from information_schema.columns
    where table_schema = current_schema() and table_name = ${table} and is_generated = 'NEVER'`
  const names = columns.map(({ name }) => name)
  const values = names.map((name) => computed[name] ?? `t.${name}`)
  await sql.unsafe(`insert into ${table} (${names.join(', ')})
    select ${values.join(', ')} from ${table} t, ${series} where ${where}`)
}

/** The UUID in a public id. */
export const uuidOf = (id: string): string =>
  id.slice(id.indexOf('_') + 1).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
