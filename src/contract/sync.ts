// Messages of the live channel, GET /api/v1/sync (WebSocket, one JSON object in each text frame): plain types and
// constants. Every message is a hint (T1): it names what changed and carries no right.

export const SYNC_PATH = '/api/v1/sync'

/** Bytes of one message from a client, and of all that a socket may send before it is authenticated. */
export const SYNC_MOST_BYTES = 4096
/** Seconds in which `hello`, with a credential that is accepted, must have come. */
export const SYNC_HELLO_SECONDS = 5
/** Seconds between the server's pings. A client that hears nothing for two and a half of them reconnects. */
export const SYNC_PING_SECONDS = 30
/** Sockets of one address that are not authenticated yet; one more is answered 429. */
export const SYNC_MOST_STRANGERS = 20

/**
 * Why the server closed the socket. On `going_away`, `try_again`, `silent` and `slow_reader` a client connects again
 * after a random pause of up to 5 s, doubled up to 60 s while that fails; on `expired` after its next refresh; on
 * `ended` and `unauthorized` only with another credential. Nothing here takes a right away (T1, T2).
 */
export const SYNC_CLOSE = {
  /** This process stops; another one, or this after its restart, goes on. */
  going_away: 1001,
  /** A message over `SYNC_MOST_BYTES`. */
  too_big: 1009,
  /** The server cannot answer now, as when its database is away. */
  try_again: 1013,
  /** Not a message of this protocol, or far too many of them. */
  bad_message: 4400,
  /** The credential was not accepted. */
  unauthorized: 4401,
  /** The license JWT has reached its `exp`. */
  expired: 4402,
  /** The credential was revoked or replaced, or the seat was ended. */
  ended: 4403,
  /** No `hello` within `SYNC_HELLO_SECONDS`. */
  no_hello: 4408,
  /** Nothing was heard for two and a half pings. */
  silent: 4409,
  /** Events come faster than this client reads them. */
  slow_reader: 4429,
} as const
export type SyncCloseReason = keyof typeof SYNC_CLOSE

/**
 * The client's first message. `token` (relay key, instance token or unexpired license JWT) where the handshake carried
 * no Authorization header. `last_event` is the highest `event` of any message received; without it, or after
 * `resync_required`, a client asks for everything it holds anew.
 */
export interface SyncHello {
  type: 'hello'
  token?: string | undefined
  last_event?: number | undefined
}

/** Accepted. `event` is where this connection begins: what was missed since `last_event` follows, in order. */
export interface SyncWelcome {
  type: 'welcome'
  event: number
  /** Seconds. */
  ping_interval: number
}

/** A license of this client changed: its terms, its status, its credentials, or a seat of it. Refresh. */
export interface LicenseChanged {
  type: 'license.changed'
  event: number
  /** `lic_…`. */
  license_id: string
  /** `ins_…`, where one instance alone is concerned (its seat was ended). */
  instance?: string
}

/** The action of an instance, or its standing with the server, changed. Send a heartbeat or a refresh for it. */
export interface ActionChanged {
  type: 'action.changed'
  event: number
  /** `ins_…`: SHA-256 over product and instance id, see `instanceKey` in platform/ids.ts. */
  instance: string
}

/** The keys of a product changed: fetch the key set. */
export interface KeysChanged {
  type: 'keys.changed'
  event: number
  /** Product code. */
  product: string
}

export type SyncEvent = LicenseChanged | ActionChanged | KeysChanged

/**
 * What happened since `last_event` cannot be told: it is older than what is kept, too much, or of a database that was
 * restored since. Ask for everything anew, and go on from `event`.
 */
export interface ResyncRequired {
  type: 'resync_required'
  event: number
}

/** To be answered with `pong`. From the server, `event` moves the client's place on: all before it was sent. */
export interface SyncPing {
  type: 'ping'
  event?: number | undefined
}

export interface SyncPong {
  type: 'pong'
}

export type SyncClientMessage = SyncHello | SyncPing | SyncPong
export type SyncServerMessage = SyncWelcome | SyncEvent | ResyncRequired | SyncPing | SyncPong
