"""Lists and predicted ratings by other people's libraries, each tuned by the same budget, for test/bench/run to compare with.

  peers_quality.py has implicit|cmfrec|cmfrec_ratings|lightfm|libmf|ease|popularity
  peers_quality.py LIBRARY TRAIN.tsv TEST.tsv TRIALS

Files hold user, item and what the row says (a rating, or nothing), without a header.  TRIALS sets of parameters, drawn at random
over ranges that the library's users know, are trained on four fifths of the training rows, by chance, and the best one on the
others is trained on all rows and measured on the test rows: no trial has seen these.  EASE has one parameter, which walks a grid
of at most as many values.  Prints "name value" lines: ndcg (of 10) and recall20 of lists, or rmse of ratings, as mf_evaluate has
them, and seconds of the whole; the parameters that were chosen go to standard error.  popularity has nothing to tune: it must
give mf_evaluate's baseline.

Needs numpy and scipy beside the library; of LIBMF mf-train and mf-predict on the path.
"""
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

# A library that brings threads of its own wants one BLAS thread.
THREADS = os.cpu_count()
OWN_THREADS = ("implicit", "cmfrec", "cmfrec_ratings", "lightfm", "libmf")
SEED = 1
FACTORS = (16, 32, 64, 128)
HELD_OUT = 0.2
BLOCK = 2000                # users whose scores are in memory at a time
MOST_EASE_ITEMS = 12000     # beyond it, items x items numbers are too many to invert again and again


def has(library):
    if library == "libmf":
        needed = shutil.which("mf-train") and shutil.which("mf-predict")
    elif library in ("ease", "popularity"):
        needed = True
    else:
        needed = importlib.util.find_spec(library.split("_")[0])
    return needed and all(importlib.util.find_spec(module) for module in ("numpy", "scipy"))


class Rows:
    """Rows by number: those of the training number users and items, others that these do not have are left out."""

    def __init__(self, path, known=None):
        columns = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")]
        if known:
            columns = [row for row in columns if row[0] in known.users and row[1] in known.items]
            self.users, self.items = known.users, known.items
        else:
            self.users = {name: n for n, name in enumerate(dict.fromkeys(row[0] for row in columns))}
            self.items = {name: n for n, name in enumerate(dict.fromkeys(row[1] for row in columns))}
        self.user = np.array([self.users[row[0]] for row in columns], np.int32)
        self.item = np.array([self.items[row[1]] for row in columns], np.int32)
        self.rating = np.array([row[2] or 1 for row in columns], np.float32)

    def part(self, chosen):
        """Some of the rows, whose users and items keep their numbers."""
        rows = object.__new__(Rows)
        rows.users, rows.items = self.users, self.items
        rows.user, rows.item, rows.rating = self.user[chosen], self.item[chosen], self.rating[chosen]
        return rows

    def matrix(self):
        """Users x items, 1 where there is a row."""
        ones = np.ones(len(self.user), np.float32)
        matrix = scipy.sparse.csr_matrix((ones, (self.user, self.item)), (len(self.users), len(self.items)))
        matrix.data[:] = 1
        return matrix


def split(rows):
    """Four fifths, and of the rest what these know."""
    held_out = np.random.default_rng(SEED).random(len(rows.user)) < HELD_OUT
    train, test = rows.part(~held_out), rows.part(held_out)
    return train, test.part(np.isin(test.user, train.user) & np.isin(test.item, train.item))


def measure_lists(score, train, test):
    """NDCG of 10 and recall of 20: lists of all items of training rows, without those that users have."""
    seen, relevant = train.matrix(), test.matrix()
    relevant = relevant - relevant.multiply(seen)
    relevant.eliminate_zeros()
    users = np.flatnonzero(np.diff(relevant.indptr))
    unknown = np.diff(seen.tocsc().indptr) == 0
    discount = 1 / np.log2(np.arange(2, 12))
    ndcg = recall = 0.0
    for begin in range(0, len(users), BLOCK):
        block = users[begin:begin + BLOCK]
        scores = np.array(score(block), np.float32)
        scores[seen[block].nonzero()] = -np.inf
        scores[:, unknown] = -np.inf
        listed = np.argsort(-scores, axis=1, kind="stable")[:, :20]
        rows = relevant[block]
        hits = np.take_along_axis(rows.toarray(), listed, axis=1)
        count = np.diff(rows.indptr)
        ndcg += (hits[:, :10] @ discount / np.cumsum(discount)[np.minimum(count, 10) - 1]).sum()
        recall += (hits.sum(axis=1) / count).sum()
    return {"ndcg": ndcg / len(users), "recall20": recall / len(users)}


def measure_ratings(predict, train, test):
    low, high = train.rating.min(), train.rating.max()
    wrong = np.clip(predict(test), low, high) - test.rating
    return {"rmse": float(np.sqrt(np.mean(np.square(wrong, dtype=np.float64))))}


def log_uniform(draw, low, high):
    return float(np.exp(draw.uniform(np.log(low), np.log(high))))


def of_vectors(users, items):
    return lambda block: users[block] @ items.T


# Each library: draw(generator, n) makes its n-th set of parameters, fit(rows, parameters) what scores or predicts.

def draw_implicit(draw, _):
    return {"factors": int(draw.choice(FACTORS)), "regularization": log_uniform(draw, 1, 200),
            "alpha": log_uniform(draw, 1, 100), "iterations": int(draw.choice((5, 10, 20)))}


def fit_implicit(rows, parameters):
    from implicit.als import AlternatingLeastSquares
    model = AlternatingLeastSquares(use_gpu=False, num_threads=THREADS, random_state=SEED, **parameters)
    model.fit(rows.matrix(), show_progress=False)
    return of_vectors(model.user_factors, model.item_factors)


def draw_cmfrec(draw, _):
    return {"k": int(draw.choice(FACTORS)), "lambda_": log_uniform(draw, 1, 300), "alpha": log_uniform(draw, 1, 100),
            "niter": int(draw.choice((5, 10, 20)))}


def fit_cmfrec(rows, parameters):
    import cmfrec
    model = cmfrec.CMF_implicit(nthreads=THREADS, random_state=SEED, verbose=False, precompute_for_predictions=False, **parameters)
    model.fit(rows.matrix().tocoo())
    return of_vectors(model.A_, model.B_)


def draw_cmfrec_ratings(draw, _):
    return {"k": int(draw.choice(FACTORS)), "lambda_": log_uniform(draw, 0.5, 100), "niter": int(draw.choice((5, 10, 20))),
            "add_implicit_features": bool(draw.integers(2)), "w_implicit": log_uniform(draw, 0.05, 2)}


def fit_cmfrec_ratings(rows, parameters):
    import cmfrec
    model = cmfrec.CMF(nthreads=THREADS, random_state=SEED, verbose=False, precompute_for_predictions=False, **parameters)
    model.fit(scipy.sparse.coo_matrix((rows.rating, (rows.user, rows.item)), (len(rows.users), len(rows.items))))
    return lambda test: model.predict(test.user, test.item)


def draw_lightfm(draw, _):
    return {"no_components": int(draw.choice(FACTORS)), "loss": str(draw.choice(("warp", "bpr"))),
            "learning_rate": log_uniform(draw, 0.005, 0.2), "item_alpha": log_uniform(draw, 1e-7, 1e-3),
            "user_alpha": log_uniform(draw, 1e-7, 1e-3), "epochs": int(draw.choice((10, 20, 40)))}


def fit_lightfm(rows, parameters):
    from lightfm import LightFM
    parameters = dict(parameters)
    epochs = parameters.pop("epochs")
    model = LightFM(random_state=SEED, **parameters)
    model.fit(rows.matrix().tocoo(), epochs=epochs, num_threads=THREADS)
    return lambda block: (model.user_embeddings[block] @ model.item_embeddings.T + model.item_biases)


def draw_libmf(draw, _):
    return {"-k": int(draw.choice(FACTORS)), "-l2": log_uniform(draw, 0.003, 1), "-r": log_uniform(draw, 0.01, 0.3),
            "-t": int(draw.choice((10, 20, 40, 80)))}


def fit_libmf(rows, parameters):
    folder = tempfile.TemporaryDirectory()

    def write(name, part):
        path = os.path.join(folder.name, name)
        np.savetxt(path, np.column_stack((part.user, part.item, part.rating)), "%d %d %g")
        return path

    def run(*command):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    train, model = write("train", rows), os.path.join(folder.name, "model")
    run("mf-train", "-f", "0", "-s", str(THREADS), "--quiet", *(str(x) for item in parameters.items() for x in item), train, model)

    def predict(test):
        out = os.path.join(folder.name, "out")
        run("mf-predict", write("test", test), model, out)
        return np.loadtxt(out, ndmin=1)
    return predict


def draw_ease(_, n):
    return {"penalty": 10 * 2.0 ** n} if n < 12 else None


def fit_ease(rows, parameters):
    """Embarrassingly shallow autoencoders (Steck 2019): weights of items for each other, with nothing on the diagonal."""
    matrix = rows.matrix()
    inverse = (matrix.T @ matrix).toarray().astype(np.float32)
    np.fill_diagonal(inverse, inverse.diagonal() + parameters["penalty"])
    inverse = scipy.linalg.inv(inverse, overwrite_a=True, check_finite=False)
    weights = inverse / -inverse.diagonal()
    np.fill_diagonal(weights, 0)
    return lambda block: matrix[block] @ weights


def draw_popularity(_, n):
    return {} if n == 0 else None


def fit_popularity(rows, _):
    count = np.bincount(rows.item, minlength=len(rows.items)).astype(np.float32)
    return lambda block: np.tile(count, (len(block), 1))


LIBRARIES = {name: (globals()["draw_" + name], globals()["fit_" + name], measure)
             for name, measure in (("implicit", measure_lists), ("cmfrec", measure_lists), ("cmfrec_ratings", measure_ratings),
                                   ("lightfm", measure_lists), ("libmf", measure_ratings), ("ease", measure_lists),
                                   ("popularity", measure_lists))}


def search(rows, library, trials):
    """The parameters that do best on rows held out; those of the first trial where there is no other."""
    draw, fit, measure = LIBRARIES[library]
    train, test = split(rows)
    generator = np.random.default_rng(SEED)
    drawn = [parameters for parameters in (draw(generator, n) for n in range(trials)) if parameters is not None]
    best, most = drawn[0], -np.inf
    for parameters in drawn if len(drawn) > 1 else []:
        figures = measure(fit(train, parameters), train, test)
        value = figures["ndcg"] if "ndcg" in figures else -figures["rmse"]
        if value > most:        # one that is not a number is no more than any
            best, most = parameters, value
    return best


def main(library, train_path, test_path, trials):
    began = time.perf_counter()
    train = Rows(train_path)
    if library == "ease" and len(train.items) > MOST_EASE_ITEMS:
        return
    test = Rows(test_path, train)
    best = search(train, library, int(trials))
    print("  %s: %s" % (library, best), file=sys.stderr)
    fit, measure = LIBRARIES[library][1:]
    for name, value in measure(fit(train, best), train, test).items():
        print("%s %.6f" % (name, value))
    print("seconds %.1f" % (time.perf_counter() - began))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "has":
        sys.exit(not has(sys.argv[2]))
    if len(sys.argv) != 5 or sys.argv[1] not in LIBRARIES:
        sys.exit(__doc__)
    if sys.argv[1] in OWN_THREADS:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    warnings.filterwarnings("ignore")
    import numpy as np
    import scipy.linalg
    import scipy.sparse
    main(*sys.argv[1:])
