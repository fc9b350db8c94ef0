#!/usr/bin/env bash
# The ten heartbeat tests against a running license server. Needs bash, curl and jq.
#
#   scripts/test-heartbeat.sh [URL]        default: http://localhost:8081
#
# TEST_LICENSE_KEY  license key to activate with; without one, tests 2, 3, 9 and 10 are skipped
# ADMIN_KEY         admin key of role operator or owner; without one, tests 5 to 8 are skipped
# PRODUCT           product code; default keldris
#
# Where they are not set they are read from credentials.json in the data folder of this clone (.data, or
# LEASEHOLD_DATA_DIR), provided that the URL is this machine's or the issuer that the file names.
# Each run is a new instance. Exit code: 0 when no test failed.

set -u -o pipefail

URL="${1:-http://localhost:8081}"
URL="${URL%/}"
PRODUCT="${PRODUCT:-keldris}"
TEST_LICENSE_KEY="${TEST_LICENSE_KEY:-}"
ADMIN_KEY="${ADMIN_KEY:-}"
INSTANCE_ID="heartbeat-test-$(printf '%04x%04x%04x%04x' "$RANDOM" "$RANDOM" "$RANDOM" "$$")"
VERSION='1.0.0'

PASSED=0
FAILED=0
SKIPPED=0
STATUS=''      # HTTP status of the last answer
BODY=''        # its body
ADMIN_ID=''    # the instance as the admin API names it
ENTITLEMENT='' # the last entitlement token
ACTION_SET=0   # whether an action must be cleared when we leave

pass() {
  PASSED=$((PASSED + 1))
  printf 'ok    %2d  %s\n' "$1" "$2"
}

fail() {
  FAILED=$((FAILED + 1))
  printf 'FAIL  %2d  %s: %s\n' "$1" "$2" "$3"
}

skip() {
  SKIPPED=$((SKIPPED + 1))
  printf 'skip  %2d  %s: %s\n' "$1" "$2" "$3"
}

finish() {
  printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" -eq 0 ]
  exit
}

for tool in curl jq; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    printf '%s is needed and not installed.\n' "$tool" >&2
    exit 1
  fi
done

# request METHOD PATH [BODY]: sets STATUS and BODY. Secrets go through pipes: a process list shows arguments.
request() {
  local method="$1" path="$2" body="${3:-}" answer
  local options=(--silent --show-error --max-time 30 --request "$method" --write-out '\n%{http_code}')
  [ -n "$body" ] && options+=(--header 'Content-Type: application/json' --data-binary @-)
  if [[ "$path" == /api/v1/admin/* ]]; then
    options+=(--config /dev/fd/3)
  fi
  if ! answer="$(printf '%s' "$body" |
    curl "${options[@]}" "$URL$path" 3< <(printf 'header = "Authorization: Bearer %s"\n' "$ADMIN_KEY") 2>&1)"; then
    STATUS='000'
    BODY="$answer"
    return 1
  fi
  STATUS="${answer##*$'\n'}"
  BODY="${answer%$'\n'*}"
  [ "$STATUS" = '200' ]
}

# value FILTER: what the last body holds there, as text; nothing when it is not there.
value() {
  printf '%s' "$BODY" | jq -r "($1) // empty" 2>/dev/null
}

# is FILTER WANTED
is() {
  [ "$(value "$1")" = "$2" ]
}

# What the last answer was, for a line of a failed test.
answer() {
  local text
  text="$(value '.message')"
  printf 'HTTP %s %s' "$STATUS" "${text:-${BODY:0:300}}" | tr '\n' ' '
}

# instance_body [MEMBERS]: a JSON object that names the instance, with the members of another one.
instance_body() {
  jq -cn --arg id "$INSTANCE_ID" --arg product "$PRODUCT" --argjson more "${1:-{\}}" \
    '{instance_id: $id, product: $product} + $more'
}

license_body() {
  instance_body "${1:-{\}}" | TEST_LICENSE_KEY="$TEST_LICENSE_KEY" jq -c '. + {license_key: env.TEST_LICENSE_KEY}'
}

# heartbeat TIER ENTITLED METRICS
heartbeat() {
  local metrics
  metrics="$(jq -cn --arg version "$VERSION" --argjson more "$3" '
    {agent_count: 2, user_count: 2, org_count: 1, feature_usage: [], server_version: $version, uptime_hours: 48.5} + $more')"
  request POST /api/v1/instances/heartbeat "$(instance_body "$(jq -cn --arg tier "$1" --argjson entitled "$2" \
    --argjson metrics "$metrics" '{reported_tier: $tier, has_valid_entitlement: $entitled, metrics: $metrics}')")"
}

# find_instance: the admin API's id of this run's instance, looked up once.
find_instance() {
  [ -n "$ADMIN_ID" ] && return 0
  request GET "/api/v1/admin/instances?text=$INSTANCE_ID" || return 1
  ADMIN_ID="$(value ".[] | select(.instance_id == \"$INSTANCE_ID\") | .id")"
  [ -n "$ADMIN_ID" ]
}

# expect_anomaly NUMBER NAME TYPE: the last heartbeat was taken, and left an open anomaly of this instance.
expect_anomaly() {
  if ! is '.status' 'ok'; then
    fail "$1" "$2" "the heartbeat was not taken: $(answer)"
  elif [ -z "$ADMIN_KEY" ]; then
    skip "$1" "$2" 'the heartbeat was taken, but without ADMIN_KEY nobody can say what was recorded'
  elif ! find_instance; then
    fail "$1" "$2" "the admin API does not know the instance: $(answer)"
  elif ! request GET "/api/v1/admin/anomalies?instance=$ADMIN_ID&type=$3"; then
    fail "$1" "$2" "the anomalies cannot be read: $(answer)"
  elif ! is "[.[] | select(.type == \"$3\" and .instance.id == \"$ADMIN_ID\" and .resolved_at == null)] | length" 1; then
    fail "$1" "$2" "no open $3 of this instance: $(answer)"
  else
    pass "$1" "$2: $3 recorded, severity $(value '.[0].severity')"
  fi
}

# set_action ACTION
set_action() {
  request POST "/api/v1/admin/instances/$ADMIN_ID/action" \
    "$(jq -cn --arg action "$1" '{action: $action, reason: "scripts/test-heartbeat.sh"}')"
}

# expect_action NUMBER NAME ACTION: an admin sets it, and the next heartbeat carries it.
expect_action() {
  if [ -z "$ADMIN_KEY" ]; then
    skip "$1" "$2" 'needs ADMIN_KEY'
  elif ! find_instance; then
    fail "$1" "$2" "the admin API does not know the instance: $(answer)"
  elif ! set_action "$3"; then
    fail "$1" "$2" "the action cannot be set: $(answer)"
  else
    ACTION_SET=1
    if heartbeat pro true '{}' && is '.status' 'ok' && is '.action' "$3"; then
      pass "$1" "$2: the heartbeat carries $3"
    else
      fail "$1" "$2" "the heartbeat does not carry $3: $(answer)"
    fi
  fi
}

clear_action() {
  [ "$ACTION_SET" -eq 1 ] || return 0
  set_action none && ACTION_SET=0
}
trap 'clear_action >/dev/null 2>&1' EXIT

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum | cut -d ' ' -f 1
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 | cut -d ' ' -f 1
  elif command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -r | cut -d ' ' -f 1
  else
    return 1
  fi
}

# Another server must not be shown what was made for the one on this machine.
read_credentials() {
  local root file
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
  file="${LEASEHOLD_DATA_DIR:-$root/.data}/credentials.json"
  [ -r "$file" ] || return 0
  case "$URL/" in
  http://localhost[:/]* | http://127.0.0.1[:/]* | http://\[::1\][:/]*) ;;
  *) [ "$URL" = "$(jq -r '.issuer // empty' "$file")" ] || return 0 ;;
  esac
  [ -n "$TEST_LICENSE_KEY" ] || TEST_LICENSE_KEY="$(jq -r '.license_key // empty' "$file")"
  [ -n "$ADMIN_KEY" ] || ADMIN_KEY="$(jq -r '.admin_key // empty' "$file")"
}
read_credentials

printf 'Heartbeat tests against %s as instance %s\n' "$URL" "$INSTANCE_ID"

NO_LICENSE='needs TEST_LICENSE_KEY'

if ! request GET /healthz; then
  printf 'No license server answers at %s: %s\n' "$URL" "$(answer)" >&2
fi

N='registration'
if request POST /api/v1/instances/register "$(instance_body "$(jq -cn --arg version "$VERSION" \
  '{hostname: "heartbeat-test", server_version: $version, tier: "free", os: "linux", arch: "amd64"}')")" &&
  is '.status' 'registered'; then
  pass 1 "$N: registered"
else
  fail 1 "$N" "$(answer)"
fi

N='activation'
if [ -z "$TEST_LICENSE_KEY" ]; then
  skip 2 "$N" "$NO_LICENSE"
elif request POST /api/v1/licenses/activate "$(license_body "$(jq -cn --arg version "$VERSION" \
  '{hostname: "heartbeat-test", server_version: $version}')")" &&
  is '.status' 'active' && [ -n "$(value '.entitlement_token')" ]; then
  ENTITLEMENT="$(value '.entitlement_token')"
  pass 2 "$N: active, tier $(value '.tier')"
else
  fail 2 "$N" "$(value '.status') $(value '.reason') $(answer)"
fi

N='validation'
if [ -z "$TEST_LICENSE_KEY" ]; then
  skip 3 "$N" "$NO_LICENSE"
elif request POST /api/v1/licenses/validate "$(license_body)" && is '.status' 'valid'; then
  ENTITLEMENT="$(value '.entitlement_token')"
  pass 3 "$N: valid"
else
  fail 3 "$N" "$(value '.status') $(value '.reason') $(answer)"
fi

N='normal heartbeat'
if heartbeat free false '{}' && is '.status' 'ok' && is '.action' 'none' &&
  [[ "$(value '.config.feature_refresh_token')" =~ ^[0-9a-f]{64}$ ]]; then
  pass 4 "$N: ok, action none, a refresh token"
else
  fail 4 "$N" "$(answer)"
fi

heartbeat free false '{"feature_usage": ["audit_logs", "oidc"]}'
expect_anomaly 5 'premium use without entitlement' no_entitlement_premium_usage

heartbeat enterprise true '{}'
expect_anomaly 6 'tier mismatch' tier_mismatch

expect_action 7 'kill switch' kill
expect_action 8 'downgrade' downgrade

if ! clear_action; then
  printf 'The action of instance %s could not be cleared: %s\n' "$INSTANCE_ID" "$(answer)" >&2
fi

N='entitlement token hash'
if [ -z "$TEST_LICENSE_KEY" ]; then
  skip 9 "$N" "$NO_LICENSE"
elif ! heartbeat pro true '{}' || ! is '.status' 'ok' || ! is '.action' 'none'; then
  fail 9 "$N" "the heartbeat before it: $(answer)"
else
  [ -n "$(value '.entitlement_token')" ] && ENTITLEMENT="$(value '.entitlement_token')"
  if [ -z "$ENTITLEMENT" ]; then
    fail 9 "$N" 'no entitlement token was handed out'
  elif ! HASH="$(printf '%s' "$ENTITLEMENT" | sha256)"; then
    skip 9 "$N" 'needs sha256sum, shasum or openssl'
  elif heartbeat pro true "$(jq -cn --arg hash "$HASH" '{entitlement_token_hash: $hash}')" && is '.status' 'ok'; then
    pass 9 "$N: accepted"
  else
    fail 9 "$N" "$(answer)"
  fi
fi

N='deactivation'
if [ -z "$TEST_LICENSE_KEY" ]; then
  skip 10 "$N" "$NO_LICENSE"
elif ! request POST /api/v1/licenses/deactivate "$(license_body)" || ! is '.status' 'deactivated'; then
  fail 10 "$N" "$(answer)"
elif [ -z "$ADMIN_ID" ]; then
  pass 10 "$N: deactivated"
elif request GET "/api/v1/admin/instances/$ADMIN_ID" && is '.licenses | length' 0; then
  pass 10 "$N: deactivated, the seat is free"
else
  fail 10 "$N" "the instance still holds a seat: $(answer)"
fi

finish
