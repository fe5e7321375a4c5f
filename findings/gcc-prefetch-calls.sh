#!/usr/bin/env bash
# GCC 12 drops the calls of a static function that does nothing but prefetch.
#
# Package: cpp-12 12.2.0-14+deb12u1 of Debian 12, with libmpc3, libisl23 and zstd's library as the compiler wants them.
# Needs apt-get and dpkg-deb; runs the compiler alone.
# Guess, written first: __builtin_prefetch is kept wherever it stands, as it has no use but its effect, so a loop over it
# can be moved to a function of its own like any other loop.
# Behaviour: a function that only prefetches counts as one without effects and without a result, and calls of it as dead
# code: at -O1 to -O3 neither the call nor a prefetch is left, and nothing warns, with -Wall -Wextra neither.  At -O2 and
# above a function small enough to be inlined before that is found out keeps its prefetches, so that the same source has them
# or not by its size; always_inline keeps them always.
# Seen: 0 prefetches at -O1, -O2 and -O3 where the function is not inlined, 1 each where it always is.
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take gcc "cpp-12=12.2.0-14+deb12u1"
take libraries libmpc3 libisl23 libmpfr6 libgmp10 libzstd1 zlib1g
export LD_LIBRARY_PATH=$folder/libraries/usr/lib/x86_64-linux-gnu:$folder/libraries/lib/x86_64-linux-gnu

# Prefetches in the code of a loop that asks for its rows by a function with these specifiers, at this level.
prefetches() {
	cat >"$folder/rows.c" <<C
$1 void
ask(const float *const *row, int n)
{
	for (int i = 0; i < n; i++)
		__builtin_prefetch(row[i]);
}

float
sum(const float *const *row, int n)
{
	float		s = 0;

	ask(row, n);
	for (int i = 0; i < n; i++)
		s += row[i][0];
	return s;
}
C
	"$folder/gcc/usr/lib/gcc/x86_64-linux-gnu/12/cc1" -quiet "$2" -Wall -Wextra -Werror "$folder/rows.c" -o "$folder/rows.s" || exit 2
	grep -c prefetch "$folder/rows.s"
}

seen=''
for level in -O1 -O2 -O3; do
	seen+="$(prefetches "static __attribute__((noinline))" $level) $(prefetches "static inline __attribute__((always_inline))" $level) "
done
echo "prefetches of a call and of an inlined one, at -O1, -O2 and -O3: $seen"
[ "$seen" = '0 1 0 1 0 1 ' ]
