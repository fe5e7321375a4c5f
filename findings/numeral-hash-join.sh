#!/usr/bin/env bash
# A type whose equality is marked as fit for hashing, without a function that hashes: hash joins fail.
#
# Packages: postgresql-15-numeral 1.3-5+b1 with postgresql-15 15.20-0+deb12u1, of Debian 12, whose
# libraries of the server must be there.  Needs apt-get, dpkg-deb and, as root, runuser.
# Guess, written first: whether a query hashes or sorts, numerals that are equal are joined and grouped alike.
# Behaviour: GROUP BY and a merge join do; a join that the planner chooses to hash is an internal error.
# With statistics it chooses that by itself.
# Seen:
#   2 rows each, hash joins off: 2
#   2000 rows each, after ANALYZE: ERROR:  could not find hash function for hash operator ...
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take numeral postgresql-15=15.20-0+deb12u1 postgresql-15-numeral=1.3-5+b1 && start "$folder/numeral/usr/lib/postgresql/15/bin" || exit 2
ask "CREATE EXTENSION numeral;
	CREATE TABLE a AS SELECT i::bigint::numeral AS n FROM generate_series(1, 2) i;
	CREATE TABLE b AS SELECT i::bigint::numeral AS n FROM generate_series(1, 2) i" >/dev/null
join='SELECT count(*) FROM a JOIN b USING (n)'
small=$(ask "SET enable_hashjoin = off; $join" | tail -n 1)
ask 'INSERT INTO a SELECT i::bigint::numeral FROM generate_series(3, 2000) i; INSERT INTO b SELECT i::bigint::numeral FROM generate_series(3, 2000) i;
	ANALYZE a, b' >/dev/null
expect 2 "$small" &&
	expect 'ERROR:  could not find hash function for hash operator N' "$(ask "$join" | tail -n 1 | sed 's/[0-9]*$/N/')"
