// What someone can do about the state, most urgent first, in plain words (T13).

import type { SdkState } from '../state/state.ts'
import { chosenGrant } from '../state/view.ts'
import { isBehind } from '../time/clock.ts'

const BY_REASON: Readonly<Record<string, string>> = {
  license_suspended: 'Ask your vendor to reinstate the license; it works again from then on.',
  license_revoked: 'Ask your vendor for a new license.',
  license_expired: 'Renew the license; it works again from then on.',
  lease_expired: 'Let this machine reach the license server, so that the license can be renewed.',
  instance_killed: 'Ask your vendor to clear the action of this instance.',
  instance_downgraded: 'Ask your vendor to clear the action of this instance.',
  clock_behind: 'Set the clock of this machine right.',
  no_license: 'Configure an API key, a license key, a token or an offline license.',
}

const BY_FAILURE: Readonly<Record<string, string>> = {
  server_unreachable: 'Check the network between this machine and the license server.',
  api_key_unknown: 'Check that the whole API key was copied, and that it belongs to this server.',
  api_key_revoked: 'Ask your vendor for a new API key.',
  api_key_expired: 'Ask your vendor for a new API key.',
  license_key_unknown: 'Check the license key and the address of the license server.',
  license_key_malformed: 'Copy the whole license key: two parts with a dot between them.',
  license_key_revoked: 'Ask your vendor for the license key that replaces this one.',
  license_key_retired: 'Use the license key that replaces this one.',
  instance_limit_reached: 'Stop an instance that is no longer used, or ask your vendor for more seats.',
  seat_churn: 'Keep the instance id of an installation across restarts.',
  seat_ended: 'Restart the product to take a seat again.',
  session_ended: 'Restart the product with a credential that is in force.',
  instance_id_taken:
    'Give this installation an instance id of its own, or ask your vendor to reset the token.',
  product_unknown: 'Check the product code and the address of the license server.',
}

export function todoOf(state: SdkState): string[] {
  const { view, lastFailure, time, slots } = state
  const todo: string[] = []
  const add = (text: string | undefined) => {
    if (text !== undefined && !todo.includes(text)) todo.push(text)
  }
  if (view.reason !== null) add(BY_REASON[view.reason])
  if (lastFailure !== null) {
    add(BY_FAILURE[lastFailure.code] ?? `Look into the last failure: ${lastFailure.text}.`)
  }
  if (view.reason === 'lease_expired' && slots.static && chosenGrant(state) === slots.static) {
    add('Or ask your vendor for a new token.')
  }
  if (view.state === 'INVALID' && todo.length === 0) {
    add(`Replace the license that was given: it was refused (${view.reason ?? 'invalid'}).`)
  }
  if (isBehind(time)) add(BY_REASON.clock_behind)
  return todo
}
