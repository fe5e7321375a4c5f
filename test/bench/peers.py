"""Trains with other people's libraries on the rows of a binary COPY, for test/bench/run to time.

  peers.py has implicit|cmfrec
  peers.py implicit ROWS.copy FACTORS ITERATIONS cg|chol [USERS.copy ITEMS.copy]   all values 1
  peers.py cmfrec   ROWS.copy FACTORS ITERATIONS cg|chol                           much the same objective

Prints "name value" lines, in seconds: decode (COPY's rows into arrays), matrix (scipy's CSR), fit, iteration (the median),
encode (factors into files that COPY reads, of (id int, factors real[])).  Needs numpy and scipy beside the library.
"""
import importlib.util
import os
import sys
import time

# A library that brings threads of its own wants one BLAS thread; both peers say so.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
THREADS = os.cpu_count()


def has(name):
    return all(importlib.util.find_spec(module) for module in (name, "numpy", "scipy"))


def say(name, seconds):
    print("%s %.6f" % (name, seconds), flush=True)


def decode(path):
    """The user and item columns of rows (int, int, real)."""
    row = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("user", ">i4"), ("l2", ">i4"), ("item", ">i4"),
                    ("l3", ">i4"), ("rating", ">f4")])
    n = (os.path.getsize(path) - 19 - 2) // row.itemsize
    rows = np.fromfile(path, row, n, offset=19)
    return rows["user"].astype(np.int32), rows["item"].astype(np.int32)


def encode(path, factors):
    """Rows (id int, factors real[]) for COPY, ids from 0."""
    n, d = factors.shape
    row = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("head", ">i4", 5),
                    ("vector", [("length", ">i4"), ("value", ">f4")], d)])
    rows = np.empty(n, row)
    rows["fields"], rows["l1"], rows["id"] = 2, 4, np.arange(n)
    rows["l2"] = 20 + 8 * d
    rows["head"] = 1, 0, 700, d, 1      # dimensions, nulls, real's oid, length, lower bound
    rows["vector"]["length"] = 4
    rows["vector"]["value"] = factors
    with open(path, "wb") as file:
        file.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        rows.tofile(file)
        file.write(b"\xff\xff")


def fit_implicit(matrix, factors, iterations, solver):
    from implicit.als import AlternatingLeastSquares
    model = AlternatingLeastSquares(factors=factors, iterations=iterations, use_cg=solver == "cg", use_gpu=False,
                                    num_threads=THREADS, random_state=1)
    times = []
    began = time.perf_counter()
    model.fit(matrix, show_progress=False, callback=lambda iteration, seconds, loss: times.append(seconds))
    say("fit", time.perf_counter() - began)
    say("iteration", float(np.median(times)))
    return model.user_factors, model.item_factors


def fit_cmfrec(matrix, factors, iterations, solver):
    import cmfrec
    took = {}
    for n in (1, iterations + 1):       # it tells no times itself
        model = cmfrec.CMF_implicit(k=factors, lambda_=1.0, alpha=1.0, niter=n, use_cg=solver == "cg", finalize_chol=False,
                                    use_float=True, nthreads=THREADS, verbose=False, precompute_for_predictions=False)
        began = time.perf_counter()
        model.fit(matrix.tocoo())
        took[n] = time.perf_counter() - began
    say("fit", took[iterations + 1])
    say("iteration", (took[iterations + 1] - took[1]) / iterations)
    return model.A_, model.B_


def main(library, path, factors, iterations, solver, *out):
    began = time.perf_counter()
    user, item = decode(path)
    say("decode", time.perf_counter() - began)
    began = time.perf_counter()
    matrix = scipy.sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)))
    say("matrix", time.perf_counter() - began)
    fit = {"implicit": fit_implicit, "cmfrec": fit_cmfrec}[library]
    vectors = fit(matrix, int(factors), int(iterations), solver)
    if out:
        began = time.perf_counter()
        for name, side in zip(out, vectors):
            encode(name, np.asarray(side))
        say("encode", time.perf_counter() - began)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "has":
        sys.exit(not has(sys.argv[2]))
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    import numpy as np
    import scipy.sparse
    main(*sys.argv[1:])
