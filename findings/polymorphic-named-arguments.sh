#!/usr/bin/env bash
# A function whose columns are of its argument's type fails where that argument is named, and not written first.
#
# Package: postgresql-15 15.20-0+deb12u1 of Debian 12, whose libraries of the server must be there.  Needs apt-get, dpkg-deb
# and, as root, runuser.
# Guess, written first: arguments in named notation can be written in any order, as the documentation says, whatever types
# the function has; f(b => 'z', a => 3) is f(a => 3, b => 'z').
# Behaviour: the parser works out the type of a column declared anyelement from arguments in the order in which they are
# written, before they are put in order: here it takes it for that of b.  The row that the function returns, an int as
# it must be, is then an error.  With a single column it is right.
# Seen, of a function (a anyelement, b text) that returns TABLE (x anyelement, n int):
#   f(a => 3, b => 'z'::text): 3
#   f(b => 'z'::text, a => 3): ERROR:  attribute 1 of type record has wrong type
#   of TABLE (x anyelement) alone, the second: 3
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take server postgresql-15=15.20-0+deb12u1 && start "$folder/server/usr/lib/postgresql/15/bin" || exit 2
ask "CREATE FUNCTION f(a anyelement, b text DEFAULT 'y') RETURNS TABLE (x anyelement, n int)
		LANGUAGE plpgsql AS 'BEGIN x = a; n = 1; RETURN NEXT; END';
	CREATE FUNCTION g(a anyelement, b text DEFAULT 'y') RETURNS TABLE (x anyelement)
		LANGUAGE plpgsql AS 'BEGIN x = a; RETURN NEXT; END'" >/dev/null
expect 3 "$(ask "SELECT x FROM f(a => 3, b => 'z'::text)")" &&
	expect 'ERROR:  attribute 1 of type record has wrong type' "$(ask "SELECT x FROM f(b => 'z'::text, a => 3)")" &&
	expect 3 "$(ask "SELECT x FROM g(b => 'z'::text, a => 3)")"
