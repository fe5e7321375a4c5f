"""What defaults would have given each set of data that had been chosen on the other sets alone.

  leave_one_out.py [FIGURES]    (default.figures beside this script)

A line of FIGURES is "defaults.CONSTANT.METRIC.SET.CANDIDATE VALUE", as part defaults of test/bench/run keeps them in BENCH_FIGURES;
other lines are passed over, and of lines of the same name, as of several folds, the mean counts.  A candidate is a value of a constant, or a rule by
the data; the one called "default" is what stands, under a name of its own as well where that is one of the others.  The best
candidate of some sets is the one whose values, each divided by the default's on the same set, have the best mean logarithm.

Prints, for each constant and set: which candidate the others choose, by how many percent its value there is better than the
default's (below 0: worse), and the same of the candidate that is best on this set alone, which nobody can know before.
"""
import math
import os
import statistics
import sys
from collections import defaultdict

LOWER_IS_BETTER = ("rmse", "mae")
DEFAULT = "default"


def read(path):
    """By (constant, metric), set and candidate: the value."""
    lines = defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("defaults."):
                name, value = line.split()
                lines[tuple(name.split(".", 4)[1:])].append(float(value))
    figures = defaultdict(lambda: defaultdict(dict))
    for (constant, metric, name, candidate), values in lines.items():
        figures[constant, metric][name][candidate] = statistics.fmean(values)
    return figures


def gain(metric, values, candidate):
    """By what logarithm a candidate is better than the default, on a set."""
    better, worse = (DEFAULT, candidate) if metric in LOWER_IS_BETTER else (candidate, DEFAULT)
    return math.log(values[better] / values[worse])


def choose(metric, sets, here):
    """The candidate that is best on sets, of those that all of them have and `here`; the default where none is better."""
    common = set.intersection(set(here), *(set(values) for values in sets))
    return max(sorted(common, key=lambda c: (c != DEFAULT, c)), key=lambda c: sum(gain(metric, values, c) for values in sets))


def rows(metric, sets):
    for name, values in sets.items():
        others = [other for key, other in sets.items() if key != name]
        if others:
            chosen, best = choose(metric, others, values), choose(metric, [values], values)
            yield (name, chosen, 100 * gain(metric, values, chosen), best, 100 * gain(metric, values, best))


def main(path):
    for (constant, metric), sets in read(path).items():
        print("\n%s, %s: of all sets the best is %s\n" % (constant, metric.upper(), choose(metric, list(sets.values()), next(iter(sets.values())))))
        print("| set | chosen by the others | better than the default by | best here | by |\n|---|---|--:|---|--:|")
        for row in rows(metric, sets):
            print("| %s | %s | %+.2f%% | %s | %+.2f%% |" % row)


if __name__ == "__main__":
    if len(sys.argv) > 2 or sys.argv[1:] == ["--help"]:
        sys.exit(__doc__)
    main(sys.argv[1] if sys.argv[1:] else os.path.join(os.path.dirname(os.path.abspath(__file__)), "default.figures"))
