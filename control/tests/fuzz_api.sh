#!/bin/sh
# Fuzzes the HTTP API of a service of its own, on SQLite, by its description: no 5xx, and no status, content type or method
# that the description does not have. Usage: fuzz_api.sh SLUICE SCHEMATHESIS [ARGUMENT ...], the rest as `schemathesis run`
# takes it.
set -eu

sluice=$1
schemathesis=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
shift 2

dir=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service" 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
cat >"$dir/policy.yaml" <<POLICY
issuers: [{ name: own, issuer: "$url", audiences: [sluice], keys: control }]
roles: [{ name: writer, scopes: [messages.create] }]
bindings: [{ name: writers, groups: [writers], roles: [writer] }]
grants:
- { name: writing, roles: [writer], groups: [fuzzers], longest: 4h, approval: { groups: [fuzzers] } }
access: { auditors: [fuzzers], operators: [fuzzers] }
POLICY

# Under --dev sidecars need no token, so that one caller can be all of them.
"$sluice" serve --dev --state "$dir/state" --policy "$dir/policy.yaml" --listen "127.0.0.1:$port" --public-url "$url" \
	--peer-rate 0 --person-rate 0 >"$dir/log" 2>&1 &
service=$!
for _ in $(seq 100); do
	! grep -q "control serves" "$dir/log" || break
	kill -0 "$service" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.1
done
token=$("$sluice" token mint --state "$dir/state" --subject fuzzer --group fuzzers)

"$sluice" openapi >"$dir/openapi.json"
cd "$dir"
"$schemathesis" run openapi.json --url "$url" --header "Authorization: Bearer $token" --no-color --warnings off \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method \
	"$@"
if grep -q "panicked" "$dir/log"; then
	cat "$dir/log" >&2
	exit 1
fi
