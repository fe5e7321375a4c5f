"""clusters.py - PCA and k-means beside scikit-learn's and FAISS' on the same vectors.

usage: clusters.py BENCH_KMEANS FILE FACTORS [pca] [kmeans] [faiss]

BENCH_KMEANS is bench_kmeans.c, compiled; FILE has the vectors as floats, such as a column of factors from
  \\copy (SELECT array_to_string(factors, ',') FROM model_user_factors) TO vectors.csv
read by numpy.loadtxt and written by tofile.  Parts, all by default: PCA, exact, with all coordinates; k-means of 100
clusters against scikit-learn's defaults, n_init 10; 25 iterations on all rows against FAISS.  Debian has both as
python3-sklearn and python3-faiss; where one is missing, its part says so.  Prints seconds, and how the results compare.
Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, both together.
"""
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

CLUSTERS = 100
ITERATIONS = 25
ROUNDS = int(os.environ.get('BENCH_ROUNDS', '3'))


def ours(bench, *arguments):
    """What bench_kmeans prints, as numbers."""
    return [float(word) for word in subprocess.run([bench, *map(str, arguments)], check=True, capture_output=True,
                                                   text=True).stdout.split()]


def report(what, times, reference):
    """Medians of both, and of their ratios: they are measured in turns."""
    ratios = [a / b for a, b in zip(times, reference)]
    print(f'{what}: {np.median(times):.3f} s, reference {np.median(reference):.3f} s, ratio {np.median(ratios):.3f} '
          f'({min(ratios):.3f} .. {max(ratios):.3f})', flush=True)


def pca(bench, name, x, threads):
    try:
        from sklearn.decomposition import PCA
    except ImportError:
        return print('PCA: not measured, there is no scikit-learn (Debian: python3-sklearn)')
    n, d = x.shape
    times, reference = [], []
    with tempfile.NamedTemporaryFile() as out:
        for _ in range(ROUNDS):
            times.append(ours(bench, 'pca', name, n, d, threads)[0])
            start = time.time()
            model = PCA(svd_solver='full')
            theirs = model.fit_transform(x)
            reference.append(time.time() - start)
        report(f'PCA {n} x {d}', times, reference)
        ours(bench, 'pca', name, n, d, threads, out.name)
        variance = np.fromfile(out.name, np.float64, d)
        mine = np.fromfile(out.name, np.float32, offset=8 * d).reshape(n, d)
    # exact, in double: scikit-learn keeps the type of its input, and loses digits of its own with floats
    exact = PCA(svd_solver='full')
    theirs = exact.fit_transform(x.astype(np.float64))
    expected = exact.explained_variance_ * (n - 1) / n
    sign = np.sign((mine * theirs).sum(axis=0))
    unit = np.sqrt(expected[0])
    gaps = np.minimum(-np.diff(expected, append=0), -np.diff(expected, prepend=np.inf)) / expected[0]
    off = np.abs(mine * sign - theirs).max(axis=0) / unit
    print(f'  variances off by {np.abs(variance - expected).max() / expected[0]:.2g} of the largest; coordinates by '
          f'{off.max():.2g} of the largest deviation, {off[gaps > 1e-3].max(initial=0):.2g} on axes that are apart by a thousandth')


def kmeans(bench, name, x, threads):
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        return print('k-means: not measured, there is no scikit-learn (Debian: python3-sklearn)')
    n, d = x.shape
    # one start at a time, whose times add up and of which the best counts, as with n_init=10; all take minutes, so that
    # BENCH_STARTS and BENCH_FIRST can cut them into pieces
    starts = int(os.environ.get('BENCH_STARTS', '10'))
    first = int(os.environ.get('BENCH_FIRST', '0'))
    seconds, inertia, mine = 0.0, np.inf, []
    for seed in range(first, first + starts):
        start = time.time()
        inertia = min(inertia, KMeans(CLUSTERS, n_init=1, random_state=seed).fit(x).inertia_)
        seconds += time.time() - start
        mine.append(ours(bench, 'kmeans', name, n, d, CLUSTERS, threads, 0, seed + 1))
    took = np.median([run[0] for run in mine])
    print(f'k-means {n} x {d}, {CLUSTERS} clusters: {took:.2f} s, scikit-learn with {starts} starts {seconds:.1f} s, '
          f'ratio {took / seconds:.3f}; their inertia {inertia:.8g}, ours {", ".join(f"{run[1]:.8g}" for run in mine)}')
    print('  inertia over theirs: ' + ', '.join(f'{run[1] / inertia - 1:+.3%}' for run in mine))


def faiss(bench, name, x, threads):
    try:
        import faiss as library
    except ImportError:
        return print('FAISS: not measured, it is not there (Debian: python3-faiss)')
    n, d = x.shape
    library.omp_set_num_threads(threads)
    times, reference = [], []
    for seed in range(ROUNDS):
        times.append(ours(bench, 'kmeans', name, n, d, CLUSTERS, threads, ITERATIONS, seed + 1))
        start = time.time()
        theirs = library.Kmeans(d, CLUSTERS, niter=ITERATIONS, max_points_per_centroid=n, seed=seed + 1)
        theirs.train(x)
        reference.append((time.time() - start, theirs.obj[-1]))
    report(f'{ITERATIONS} iterations on {n} x {d}, beside FAISS', [t[0] for t in times], [r[0] for r in reference])
    print('  inertia over theirs: ' + ', '.join(f'{t[1] / r[1] - 1:+.3%}' for t, r in zip(times, reference)))


def main():
    warnings.filterwarnings('ignore')
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    bench, name, d = sys.argv[1], sys.argv[2], int(sys.argv[3])
    parts = sys.argv[4:] or ['pca', 'kmeans', 'faiss']
    x = np.fromfile(name, np.float32).reshape(-1, d)
    threads = len(os.sched_getaffinity(0))
    for part in parts:
        {'pca': pca, 'kmeans': kmeans, 'faiss': faiss}[part](bench, name, x, threads)


if __name__ == '__main__':
    main()
