"""Trains and recommends with other people's libraries on the rows of a binary COPY, for test/bench/run to time.

  peers.py has implicit|cmfrec
  peers.py implicit ROWS.copy FACTORS ITERATIONS cg|chol [USERS.copy ITEMS.copy]   all values 1
  peers.py cmfrec   ROWS.copy FACTORS ITERATIONS cg|chol                           much the same objective
  peers.py single   USERS.copy ITEMS.copy "SIZES" "PLACES"                         implicit's lists, one user, one thread
  peers.py batch    USERS.copy ITEMS.copy ROWS.copy                                implicit's lists for all users at once

Prints "name value" lines, in seconds: decode (COPY's rows into arrays), matrix (scipy's CSR), fit, iteration (the median),
encode (factors into files that COPY reads, of (id int, factors real[])).  Lists are made of such files: SIZE.PLACES, the median of
some users with the first SIZE items or with all; seconds, of all users without the items of their rows.
Needs numpy and scipy beside the library.
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


def vector_row(d):
    """What a row (id int, factors real[]) of a binary COPY looks like."""
    return np.dtype([("fields", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("head", ">i4", 5),
                     ("vector", [("length", ">i4"), ("value", ">f4")], d)])


def decode_vectors(path):
    """The factors of such rows, by id: zeros where there is no row."""
    d = int(np.fromfile(path, ">i4", 7, offset=21)[6])
    n = (os.path.getsize(path) - 19 - 2) // vector_row(d).itemsize
    rows = np.fromfile(path, vector_row(d), n, offset=19)
    vectors = np.zeros((int(rows["id"].max()) + 1, d), np.float32)
    vectors[rows["id"]] = rows["vector"]["value"]
    return vectors


def encode(path, factors):
    """Rows (id int, factors real[]) for COPY, ids from 0."""
    n, d = factors.shape
    rows = np.empty(n, vector_row(d))
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


def model_of(users, items, threads):
    from implicit.als import AlternatingLeastSquares
    model = AlternatingLeastSquares(factors=items.shape[1], use_gpu=False, num_threads=threads)
    model.user_factors, model.item_factors = users, items
    return model


def recommend_single(users_path, items_path, sizes, places):
    users, items = decode_vectors(users_path), decode_vectors(items_path)
    sizes, places = [[int(n) for n in numbers.split()] for numbers in (sizes, places)]
    for size, k in [(size, 10) for size in sizes] + [("all", k) for k in places]:
        model = model_of(users, items if size == "all" else items[:size], 1)
        times = []
        for user in np.random.default_rng(k).integers(0, len(users), 30):
            began = time.perf_counter()
            model.recommend(int(user), None, N=min(k, len(model.item_factors)), filter_already_liked_items=False)
            times.append(time.perf_counter() - began)
        say("%s.%d" % (size, k), float(np.median(times)))


def recommend_batch(users_path, items_path, rows_path):
    users, items = decode_vectors(users_path), decode_vectors(items_path)
    user, item = decode(rows_path)
    seen = scipy.sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), (len(users), len(items)))
    model = model_of(users, items, THREADS)
    model.recommend(np.arange(100), seen[:100], N=10, filter_already_liked_items=True)
    began = time.perf_counter()
    model.recommend(np.arange(len(users)), seen, N=10, filter_already_liked_items=True)
    say("seconds", time.perf_counter() - began)


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
    command = {"single": recommend_single, "batch": recommend_batch}.get(sys.argv[1] if sys.argv[1:] else None)
    if not command and len(sys.argv) < 6:
        sys.exit(__doc__)
    import numpy as np
    import scipy.sparse
    if command:
        command(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
