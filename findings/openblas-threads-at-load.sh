#!/usr/bin/env bash
# Debian's OpenBLAS with threads of its own has them from the moment it is loaded, and keeps them.
#
# Package: libopenblas0-pthread 0.3.21+ds-4 of Debian 12, with libgfortran5.  Needs apt-get, dpkg-deb, gcc and two cores.
# Guess, written first: threads begin with the first large product, and openblas_set_num_threads(1) before it means
# that there are none.
# Behaviour: loading starts one for each core but one.  openblas_set_num_threads(1) afterwards ends none of them;
# OPENBLAS_NUM_THREADS=1 in the environment before loading starts none.
# Seen, threads of the process on two cores, after loading and after the call:
#   by itself:               2 2
#   with the environment's:  1 1
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take blas libopenblas0-pthread=0.3.21+ds-4
cat >"$folder/load.c" <<'C'
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
static int
threads(void)
{
	DIR		   *dir = opendir("/proc/self/task");
	int			n = -2;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}
int
main(int argc, char **argv)
{
	void	   *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void		(*set) (int);
	int			loaded;

	if (library == NULL)
		return 2;
	loaded = threads();
	*(void **) &set = dlsym(library, "openblas_set_num_threads");
	set(1);
	usleep(200000);
	printf("%d %d\n", loaded, threads());
	return 0;
}
C
gcc "$folder/load.c" -o "$folder/load" -ldl || exit 2
library=$(find "$folder/blas" -name 'libopenblas*.so*' -type f -o -name 'libopenblas.so.0' | head -1)
[ "$(nproc)" -ge 2 ] && [ -n "$library" ] || { echo "needs two cores" >&2; exit 2; }
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS GOTO_NUM_THREADS OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
expect '2 2' "$(taskset -c 0,1 "$folder/load" "$library")" &&
	expect '1 1' "$(OPENBLAS_NUM_THREADS=1 taskset -c 0,1 "$folder/load" "$library")"
