// The tables of the relay's file, and how a file of an older version is brought to them. Owns nothing that is in them.
import type { DatabaseSync } from 'node:sqlite'

/** Goes up with each change of the tables; a file of a newer one is left alone. */
const FORMAT = 2

/** Times are unix milliseconds. What is signed is kept as it came; nothing here is trusted before it is verified. */
const TABLES = `
  create table grants (
    product text not null, instance_id text not null, license_id text not null,
    jwt text not null, issued_at integer not null, expires_at integer not null, synced_at integer not null,
    answer text, entitlement text,
    primary key (product, instance_id, license_id)
  ) strict;
  create table proofs (
    hmac text not null, kind text not null, product text not null, instance_id text not null,
    license_id text not null, used_at integer not null,
    primary key (hmac, product, instance_id, license_id)
  ) strict;
  create table instances (
    product text not null, instance_id text not null, action text not null, config text,
    synced_at integer not null, seen_at integer not null, signed integer not null default 0,
    primary key (product, instance_id)
  ) strict;
  create table rejections (
    product text not null, instance_id text not null, license_id text not null,
    status text not null, action text not null, issued_at integer not null,
    seq integer not null default 0, covers integer not null default 0, heard_at integer not null default 0,
    primary key (product, instance_id, license_id)
  ) strict;
  create table reports (
    id integer primary key autoincrement, kind text not null, product text not null, instance_id text not null,
    boot_id text not null, seq integer not null, observed_at integer not null, bytes integer not null,
    body text not null, acknowledges integer not null, digest text
  ) strict;
  create index reports_by_kind on reports (kind, id);
  create table leases (
    license_id text not null, instance_id text not null, product text not null, allotment text not null,
    issued_at integer not null, expires_at integer not null, released integer not null default 0,
    primary key (license_id, instance_id)
  ) strict;
  create table refused (hmac text primary key, at integer not null, until integer) strict;
  create table documents (name text primary key, content text not null, changed_at integer not null) strict;
`
const SINCE_2 = `
  create index instances_by_use on instances (seen_at);
  create index leases_by_instance on leases (instance_id);
  create unique index reports_once on reports (instance_id, boot_id, seq, product);
  create table newcomers (
    license_id text not null, instance_id text not null, first_at integer not null,
    primary key (license_id, instance_id)
  ) strict;
`

/** From 1: words that took nothing were kept, and those about a license once for each instance too. */
const FROM_1 = `
  alter table grants drop column failed_at;
  alter table instances add column signed integer not null default 0;
  alter table rejections add column seq integer not null default 0;
  alter table rejections add column covers integer not null default 0;
  alter table rejections add column heard_at integer not null default 0;
  update instances set signed = 1 where exists (select 1 from rejections r
    where r.product = instances.product and r.instance_id = instances.instance_id and r.license_id = '');
  delete from rejections where (instance_id <> '' and (license_id <> '' or action = 'none'))
    or (instance_id = '' and status not in ('suspended', 'revoked', 'expired'));
  update rejections set covers = issued_at, heard_at = issued_at * 1000;
  alter table reports add column digest text;
  delete from reports where id not in
    (select min(id) from reports group by instance_id, boot_id, seq, product);
  alter table refused add column until integer;
  ${SINCE_2}
`

/** A file of any format may have it, so that it needs none of its own. */
const INDEXES = 'create index if not exists proofs_by_seat on proofs (product, instance_id, license_id)'

/** Makes the tables, or brings them up to date: all of it or nothing. @throws for a file of a newer version. */
export function makeTables(database: DatabaseSync): void {
  const found = Number(database.prepare('pragma user_version').get()?.user_version)
  if (found === FORMAT) {
    database.exec(INDEXES)
    return
  }
  const work = found === 0 ? TABLES + SINCE_2 : found === 1 ? FROM_1 : null
  if (work === null) throw new Error(`its format is ${found}, this version reads ${FORMAT}`)
  database.exec(`begin; ${work} ${INDEXES}; pragma user_version = ${FORMAT}; commit`)
}
