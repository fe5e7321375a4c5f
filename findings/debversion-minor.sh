#!/usr/bin/env bash
# Debian's type of package versions cannot be created in a newer minor of the PostgreSQL that it is built for.
#
# Packages: postgresql-15-debversion 1.1.2-1+b1 with postgresql-15 15.18-0+deb12u1 and 15.20-0+deb12u1,
# of Debian 12, whose libraries of the server must be there.  Needs apt-get, dpkg-deb and, as root, runuser.
# Guess, written first: values that are equal ('1.0' and '1.00') make one group, hashed and sorted.  That an
# extension of the distribution is created in the distribution's own server was not even in question.
# Behaviour: 15.18 creates it, 15.20 does not.  The script of the extension names >= as the negator of < and,
# by a slip, of >, too; a minor release began to check that.  A dump with the extension is not restored there.
# Seen:
#   15.18: CREATE EXTENSION
#   15.20: ERROR:  negator operator >= is already the negator of operator <
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
took() {
	take "$1" "postgresql-15=$1-0+deb12u1" postgresql-15-debversion=1.1.2-1+b1 &&
		start "$folder/$1/usr/lib/postgresql/15/bin" && ask 'CREATE EXTENSION debversion'
}
expect 'CREATE EXTENSION' "$(took 15.18)" &&
	expect 'ERROR:  negator operator >= is already the negator of operator <' "$(took 15.20)"
