#!/bin/sh
# A PostgreSQL server of our own for tests: made anew, on a free port of the loopback, gone when standard input ends.
# Prints one line: the URL of its `postgres` database.
set -eu

found=$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres 2>/dev/null | tail -n 1)
bin=$(dirname "$(readlink -f "$found")")
if [ ! -x "$bin/initdb" ]; then
	echo "PostgreSQL 15 or newer is missing: install Debian's postgresql, or let TEST_DATABASE_URL name a server" >&2
	exit 1
fi

# The server refuses to run as root.
as=
[ "$(id -u)" != 0 ] || as="setpriv --reuid=postgres --regid=postgres --clear-groups"

dir=$(mktemp -d)
[ -z "$as" ] || chown postgres "$dir"
server=
trap '[ -z "$server" ] || kill -INT "$server" 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

cd "$dir"
$as "$bin/initdb" --pgdata=data --auth=trust --username=sluice --encoding=UTF8 --locale=C --no-instructions >init.log 2>&1 ||
	{ cat init.log >&2; exit 1; }

for _ in 1 2 3 4 5; do
	port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 20000))
	$as "$bin/postgres" -D data -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c max_connections=300 >>log 2>&1 &
	server=$!
	for _ in $(seq 200); do
		if "$bin/pg_isready" --quiet --host=127.0.0.1 --port="$port"; then
			echo "postgres://sluice@127.0.0.1:$port/postgres"
			cat >/dev/null
			exit 0
		fi
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
done
cat log >&2
exit 1
