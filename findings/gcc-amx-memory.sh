#!/usr/bin/env bash
# GCC 12's intrinsic functions for AMX do not say that they read and write memory: what is loaded to a tile is not stored.
#
# Packages: cpp-12 and libgcc-12-dev 12.2.0-14+deb12u1 of Debian 12, with libmpc3, libisl23 and zstd's library as the
# compiler wants them.  Needs apt-get and dpkg-deb; runs the compiler alone, so it does not matter which processor this is.
# Guess, written first: _tile_loadd(t, p, stride) is a read of the memory at p to the compiler, as _mm512_loadu_si512(p)
# is, so a loop that fills a local array of which a tile is loaded stays where it is.
# Behaviour: the function is a macro around asm volatile with addresses for operands and without "memory" among what it
# clobbers.  At -O2 the array's loop is gone, for nothing reads the array, and the tile is loaded from whatever is on the
# stack; nothing warns.  With a compiler barrier in between, asm volatile ("" : : : "memory"), the loop is there.
# Seen: 0 stores to memory before tileloadd without a barrier, some with one.
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
version=12.2.0-14+deb12u1
take gcc "cpp-12=$version"
take headers "libgcc-12-dev=$version"
take libraries libmpc3 libisl23 libmpfr6 libgmp10 libzstd1 zlib1g
export LD_LIBRARY_PATH=$folder/libraries/usr/lib/x86_64-linux-gnu:$folder/libraries/lib/x86_64-linux-gnu

# Vector registers that are stored before the tile is loaded, of a function with this between array and tile.
stores() {
	cat >"$folder/tile.c" <<C
#include <amxtileintrin.h>
void
product(int n)
{
	unsigned char tile[1024];

	for (int k = 0; k < 1024; k++)
		tile[k] = (unsigned char) (k * n);
	$1
	_tile_loadd(0, tile, 64);
}
C
	# the header wants to be included by another one
	"$folder/gcc/usr/lib/gcc/x86_64-linux-gnu/12/cc1" -quiet -O2 -mamx-tile -D_IMMINTRIN_H_INCLUDED \
		-I "$folder/headers/usr/lib/gcc/x86_64-linux-gnu/12/include" "$folder/tile.c" -o "$folder/tile.s" || exit 2
	grep -q tileloadd "$folder/tile.s" || exit 2
	sed '/tileloadd/q' "$folder/tile.s" | grep -cE '^\s*mov[a-z]*\s+%[a-z0-9]+, -?[0-9]*\(' || true
}

without=$(stores '')
with=$(stores '__asm__ volatile ("" : : : "memory");')
echo "stores before the tile is loaded: $without without a barrier, $with with one"
[ "$without" = 0 ] && [ "$with" -gt 0 ]
