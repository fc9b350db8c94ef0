// The closed registry of error codes: what a client may meet in `error`, with its status and title.
// Messages (`detail`) belong to the place that refuses.

export const ERRORS = {
  // Credentials
  unauthorized: [401, 'Credential required'],
  credential_unknown: [401, 'Credential not known'],
  api_key_unknown: [401, 'API key not known'],
  api_key_expired: [401, 'API key expired'],
  api_key_revoked: [401, 'API key revoked'],
  admin_key_unknown: [401, 'Admin key not known'],
  admin_key_expired: [401, 'Admin key expired'],
  admin_key_revoked: [401, 'Admin key revoked'],
  relay_key_unknown: [401, 'Relay key not known'],
  relay_key_revoked: [401, 'Relay key revoked'],
  enrolment_code_unknown: [401, 'Enrolment code not known'],
  instance_token_required: [401, 'Instance token required'],
  instance_token_unknown: [401, 'Instance token not known'],
  license_jwt_invalid: [401, 'License JWT not accepted'],
  license_jwt_expired: [401, 'License JWT expired'],
  session_ended: [401, 'Session ended'],
  second_proof_required: [401, 'Second proof required'],
  forbidden: [403, 'Not allowed for this role'],

  // Refusals about a license
  license_suspended: [403, 'License suspended'],
  license_revoked: [403, 'License revoked'],
  license_expired: [403, 'License expired'],
  instance_killed: [403, 'Instance killed'],
  instance_limit_reached: [403, 'Instance limit reached'],
  seat_churn: [403, 'Too many new instances'],
  license_mismatch: [403, 'License does not match the token'],
  instance_mismatch: [403, 'Instance does not match the token'],
  machine_mismatch: [403, 'License is bound to another machine'],
  product_mismatch: [403, 'Product does not match'],
  refresh_not_allowed: [403, 'Token cannot be refreshed'],
  license_key_revoked: [403, 'License key revoked'],
  license_key_retired: [403, 'License key retired'],
  allotment_refused: [403, 'No allotment for this relay'],
  license_key_malformed: [400, 'License key malformed'],
  license_key_unknown: [404, 'License key not known'],
  product_unknown: [404, 'Product not known'],
  instance_id_taken: [409, 'Instance id taken'],
  trial_not_offered: [403, 'No trial offered'],
  trial_already_used: [409, 'Trial already used'],

  // Requests
  invalid_json: [400, 'Body is not JSON'],
  query_refused: [400, 'No query allowed here'],
  origin_refused: [403, 'Not for browsers'],
  upgrade_required: [426, 'WebSocket only'],
  invalid_request: [422, 'Request not valid'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  conflict: [409, 'Conflict'],
  confirmation_required: [409, 'Confirmation required'],
  body_too_slow: [408, 'Body took too long'],
  body_too_large: [413, 'Body too large'],
  unsupported_media_type: [415, 'Content type not supported'],
  idempotency_in_flight: [409, 'Request under way'],
  idempotency_key_reused: [422, 'Idempotency key used before'],
  action_budget_exceeded: [429, 'Action budget exceeded'],
  rate_limited: [429, 'Too many requests'],
  too_many_unproven: [429, 'Too many instances without a license'],

  // The server
  overloaded: [503, 'Server is overloaded'],
  internal_error: [500, 'Internal error'],
  database_unavailable: [503, 'Database not available'],
  misconfigured: [503, 'Server not configured'],
  shutting_down: [503, 'Server is stopping'],
  vendor_unreachable: [503, 'Vendor not reachable'],
  key_set_missing: [503, 'No key set published yet'],
  clock_skew: [503, 'Server clock not trusted'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof ERRORS

/** RFC 9457 problem document, with the two members that clients of older systems read. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  request_id: string
  /** The stable code. */
  error: ErrorCode
  /** Equal to `detail`. */
  message: string
  reason?: string
  fix?: string
  errors?: { pointer: string; message: string }[]
  [fact: string]: unknown
}
