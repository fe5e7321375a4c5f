#!/usr/bin/env bash
# FAISS's exact index: among equal scores, a list of two is not the beginning of a list of four.
#
# Packages: python3-faiss 1.7.3-2+b1, python3-numpy 1:1.24.2-1+deb12u1 of Debian 12, with its libblas3, liblapack3 and
# libgfortran5.  Needs apt-get, dpkg-deb and Python 3.11.
# Guess, written first: IndexFlatIP scores every vector, so equal scores come in the order of ids, whatever k is, and the
# next page is got by asking for more.
# Behaviour: a full heap refuses what is merely as good as its worst, so the first k of equals stay, and come out in the
# opposite order of their ids.  The best item changes with k: who shows the first of a list of ten and asks again for one
# shows two different items.
# Seen, ids for a query by (1, 0) of vectors (1, 0), (1, 0), (1, 0), (1, 0), (0, 1):
#   k = 1   0
#   k = 2   1 0
#   k = 4   3 2 1 0
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take faiss python3-faiss=1.7.3-2+b1 python3-numpy=1:1.24.2-1+deb12u1 libblas3 liblapack3 libgfortran5
python=$(command -v /usr/bin/python3.11 || command -v python3.11) || { echo "no Python 3.11" >&2; exit 2; }
lib=$folder/faiss/usr/lib/x86_64-linux-gnu
cat >"$folder/ties.py" <<'PY'
import faiss, numpy

vectors = numpy.array([[1, 0]] * 4 + [[0, 1]], dtype='float32')
index = faiss.IndexFlatIP(2)
index.add(vectors)
print(' | '.join(' '.join(map(str, index.search(vectors[:1], k)[1][0])) for k in (1, 2, 4)))
PY
expect '0 | 1 0 | 3 2 1 0' "$(LD_LIBRARY_PATH=$lib:$lib/blas:$lib/lapack PYTHONPATH=$folder/faiss/usr/lib/python3/dist-packages \
	"$python" "$folder/ties.py" 2>&1)"
