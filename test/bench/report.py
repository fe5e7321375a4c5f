"""Turns the figures of test/bench/run into a table on stdout, into docs/benchmarks.md and its charts.

  report.py FIGURES [FOLDER]      FIGURES: lines "name value"; FOLDER has benchmarks.md and gets the charts

Several values of a name are runs of several rounds: the median counts.  Needs nothing but Python 3.
"""
import os
import re
import statistics
import sys

import charts

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


class Figures:
    """Medians by name; a sum of names is absent when one of them is."""

    def __init__(self, path):
        self.values = {}
        with open(path) as lines:
            for line in lines:
                name, value = line.rstrip("\n").split(" ", 1)
                self.values.setdefault(name, []).append(value)

    def text(self, name):
        return self.values[name][-1]

    def __call__(self, *names):
        if any(not self.values.get(name) for name in names):
            return None
        return sum(statistics.median(float(value) for value in self.values[name]) for name in names)

    def difference(self, name, less):
        return None if self(name, less) is None else self(name) - self(less)

    def series(self, name):
        """Values of name.1, name.2, ... as far as they go."""
        found = []
        while self("%s.%d" % (name, len(found) + 1)) is not None:
            found.append(self("%s.%d" % (name, len(found) + 1)))
        return found


def reached(times, values, target):
    """The time at which a falling series has come down to the target, or None."""
    return next((time for time, value in zip(times, values) if value <= target), None)


def scaled(value, factor):
    return None if value is None else value * factor


def path_rows(f):
    yield ("read + dictionaries + both orientations", f("implicit.read", "implicit.sort"),
           "SELECT sum(user_id), sum(item_id), sum(rating)", f("floor.query"))
    yield "the same", f("implicit.read", "implicit.sort"), "this query in one process", f("floor.one_query")
    yield ("store, 64 factors", f("implicit.store"), "COPY of the same rows from a binary file",
           f("floor.store_user", "floor.store_item"))
    yield ("all of mf_train, 64 factors, 10 iterations", f("implicit.total"), "COPY out + implicit's CG + COPY back",
           f("floor.export", "leave.decode", "leave.matrix", "leave.fit", "leave.encode", "leave.import_user",
             "leave.import_item"))
    yield "the same", f("implicit.total"), "COPY out alone", f("floor.export")
    yield "an iteration of the joint preset", f("joint.iteration"), "of the implicit preset", f("implicit.iteration")
    yield ("an iteration with %s threads" % f.text("cores"), f("implicit.iteration"), "with one",
           f("one_thread.iteration"))


def peer_rows(f):
    for solver, label in (("cg", "implicit, CG"), ("cholesky", "implicit, Cholesky")):
        yield ("an iteration, 64 factors, ratings >= 3.5", f("liked.iteration"), label,
               f("implicit_%s.iteration" % solver))
    yield "the same", f("liked.iteration"), "cmfrec, CG", f("cmfrec_cg.iteration")
    seconds, peak = f.series("solver_exact.64.seconds"), f("solver.peak")
    if seconds and peak:
        yield ("an iteration with nothing rounded, 64 factors, in the core alone", seconds[-1] / len(seconds), "its multiplications alone "
               "at the cores' peak of %.0f G fused multiply-adds a second" % (peak / 1e9), f("solver_exact.64.cells") * 64 * 65 / peak)
    yield ("what rounding adds to the loss of 4 iterations, 64 factors",
           f.difference("solver.64.loss.4", "solver_exact.64.loss.4"), "the loss with nothing rounded",
           f("solver_exact.64.loss.4"), "")
    for kind, label in (("fading", "rows that fade"), ("both", "rows that fade and a weight column")):
        yield ("an iteration of the joint preset, %s, in the core alone" % label, f("weighted.%s" % kind), "with a weight column",
               f("weighted.weights"))
    for factors in (64, 96):
        yield ("an iteration, %d factors, by tiles of bytes (AMX-INT8), in the core alone" % factors, f("tiles.%d.amx" % factors),
               "without tiles", f("tiles.%d.vnni" % factors))
    for factors in (64, 256):
        yield ("long tail, an iteration, %d factors" % factors, f("tail.%d.iteration" % factors), "implicit, CG",
               f("implicit_tail.%d.iteration" % factors))
    for factors in (128, 256, 512):
        exact = f.series("solver_exact.%d.loss" % factors)
        time, floats = [exact and reached(f.series("%s.%d.seconds" % (solver, factors)),
                                          f.series("%s.%d.loss" % (solver, factors)), 1.001 * exact[9])
                        for solver in ("solver", "solver_floats")]
        yield ("%d factors: to within 0.1%% of the exact loss after 10 iterations" % factors, time,
               "10 iterations of implicit's CG", scaled(f("implicit_cg.%d.iteration" % factors), 10))
        yield "the same", time, "with nothing rounded", floats


def libmf_seconds(f):
    """Its passes without the reading of text, which one pass and twenty share."""
    return f("libmf.20") and (f("libmf.20") - f("libmf.1")) * 20 / 19


def rating_rows(f):
    counts = [n for n in range(1, 100) if f("rating.%d.test" % n)]
    errors = [f("rating.%d.test" % n) for n in counts]
    target = f("libmf.test")
    if target:
        yield ("rating part, 64 factors: to LIBMF's held-out RMSE",
               reached([f("rating.%d.sweep" % n) for n in counts], errors, target), "20 passes of LIBMF", libmf_seconds(f))
    if counts:
        yield ("its held-out RMSE after %d iterations" % counts[-1], errors[-1], "LIBMF's", target, "")


def scale_rows(f):
    tables = [t for t in ("ratings_10", "ratings_3", "ratings", "ratings_huge") if f("scale.%s.total" % t)]
    for table in tables[1:]:
        few, many = (f("scale.%s.total" % t) / f("scale.%s.rows" % t) * 1e9 for t in (tables[0], table))
        yield ("a rating, of %s" % count(f("scale.%s.rows" % table)), many,
               "of %s" % count(f("scale.%s.rows" % tables[0])), few, "ns")
    for table in tables:
        name = "scale.%s." % table
        allowed = 256 * 2 ** 20 + f(name + "factor_bytes") + f(name + "dictionary_bytes")
        yield ("peak memory, %s ratings" % count(f(name + "rows")), f(name + "peak") / 2 ** 20,
               "256 MB + factors + dictionaries", allowed / 2 ** 20, "MB")
    yield from billion_rows(f)


def billion_rows(f):
    """Ratings from a view, with 1 GB of maintenance_work_mem."""
    if not f("streamed.1000.total"):
        return
    for what, key in (("a rating in an iteration", "iteration"), ("a rating in all of mf_train, 3 iterations", "total")):
        few, many = (f("streamed.%d.%s" % (n, key)) / f("streamed.%d.rows" % n) * 1e9 for n in (200, 1000))
        yield what + ", of 1G", many, "of 200M", few, "ns"
    for millions in (200, 1000):
        name = "streamed.%d." % millions
        allowed = 2 ** 30 + f(name + "factor_bytes") + f(name + "dictionary_bytes")
        yield ("peak memory, %s ratings of a view" % count(f(name + "rows")), f(name + "peak") / 2 ** 20,
               "1 GB + factors + dictionaries", allowed / 2 ** 20, "MB")
        yield ("temporary files of %s ratings of a view" % count(f(name + "rows")), f(name + "disk") / 2 ** 20,
               "16 bytes a rating", f(name + "rows") / 2 ** 16, "MB")


def update_rows(f):
    what = "`mf_update`, 10,000 new rows, 50 new items"
    yield what, f("update.update"), "`mf_retrain`", f("update.retrain")
    yield what, f("update.update"), "a scan of the source", f("update.scan")
    yield what, f("update.update"), "a scan in one process", f("update.one_scan")
    yield "`mf_update`, nothing new", f("update.idle"), "a scan of the source", f("update.scan")
    yield "the same", f("update.idle"), "a scan in one process", f("update.one_scan")
    yield what + ", found by their time", f("update.by_time"), "`mf_retrain`", f("update.by_time_retrain")


def tenant_rows(f):
    if not f("tenants.count"):
        return
    tenants = "%s tenants of 500" % "{:,}".format(int(f("tenants.count")))
    yield tenants + ": `mf_train_each`", f("tenants.each"), "one `mf_train` of all rows", f("tenants.one")
    yield "1,000 lists, each of another tenant", f("tenants.lists"), "of a model of one tenant", f("tenants.model")
    yield "1,000 lists of one tenant", f("tenants.again"), "of a model of one tenant", f("tenants.model")
    yield ("bookkeeping of a tenant", f("tenants.bookkeeping") / f("tenants.count") / 1e3,
           "its vectors and what its users have", f("tenants.tables") / f("tenants.count") / 1e3, "kB")


QUALITY_SETS = ("movietweetings-10core", "movietweetings-5core", "movietweetings-100k", "anime", "citeulike-t", "grocery",
                "retailrocket")
QUALITY_PEERS = (("implicit", "ndcg"), ("cmfrec", "ndcg"), ("lightfm", "ndcg"), ("ease", "ndcg"), ("libmf", "rmse"), ("cmfrec_ratings", "rmse"))
QUALITY_METRICS = (("rmse", "RMSE", "ratings"), ("mae", "MAE", "ratings"), ("ndcg", "NDCG@10", "implicit"),
                   ("recall20", "Recall@20", "implicit"), ("coverage", "coverage", "implicit"), ("gini", "Gini", "implicit"),
                   ("all20", "NDCG@20, new items missed", "implicit"))


def quality_rows(f):
    """Each figure of the defaults beside the baseline's, and beside that of the part of a model that is made for it."""
    for name in QUALITY_SETS:
        for metric, label, alone in QUALITY_METRICS:
            key = "quality.%s.defaults.%s" % (name, metric)
            yield ("%s: %s" % (name, label), f(key), "biases of users and items" if alone == "ratings" else "popularity",
                   f(key + "_baseline"), "")
            yield ("%s: %s" % (name, label), f(key), "ratings alone" if alone == "ratings" else "implicit preset",
                   f("quality.%s.%s.%s" % (name, alone, metric)), "")
        yield ("%s: seconds" % name, f("quality.%s.defaults.total" % name), "implicit preset",
               f("quality.%s.implicit.total" % name))
        for library, metric in QUALITY_PEERS:
            yield ("%s: %s" % (name, {"ndcg": "NDCG@10", "rmse": "RMSE"}[metric]), f("quality.%s.defaults.%s" % (name, metric)),
                   library.replace("_", ", ") + ", tuned", f("quality.%s.%s.%s" % (name, library, metric)), "")
        yield ("%s: NDCG@10 as mf_tune has it" % name, f("tune.%s.ndcg" % name), "defaults", f("tune.%s.defaults" % name), "")
        yield ("%s: time of 40 trials" % name, f("tune.%s.time" % name), "40 trainings", 1, "")


def cancel_rows(f):
    """All rounds' moments together: the median says little where one is too slow."""
    found = [(float(value), name.split(".")[2]) for name in f.values if name.startswith("cancel.latency.")
             for value in f.values[name]]
    if not found:
        return
    worst, phase = max(found)
    yield ("cancel and terminate, median of %d random moments" % len(found),
           1000 * statistics.median(seconds for seconds, _ in found), "goal", 150, "ms")
    yield ("the worst of them, in phase %s; %d temporary files left" % (phase, sum(map(int, f.values["cancel.files"]))),
           1000 * worst, "goal", 150, "ms")


def citus_rows(f):
    if not f("citus.nodes.total"):
        return
    yield "an iteration on three nodes that share the cores of one", f("citus.nodes.iteration"), "one node", f("citus.one.iteration")
    yield "all of `mf_train`, ten iterations", f("citus.nodes.total"), "with rows brought to one node", f("citus.brought.total")
    yield "the same", f("citus.nodes.total"), "a table that is there", f("citus.one.total")
    yield ("memory of the largest session", f("citus.nodes.peak") / 2 ** 20, "one node's", f("citus.one.peak") / 2 ** 20, "MB")
    yield "loss", f("citus.nodes.loss"), "one node's", f("citus.one.loss"), ""


def serving_rows(f):
    """Lists of ten unless a row says otherwise."""
    items, mid = f("serving.items"), f("serving.mid_items")
    if not items:
        return
    items, mid = count(items), count(mid)
    for model, label in (("wide_joint", items + " items, joint model"), ("wide_implicit", items + " items, implicit model"),
                         ("mid_joint", mid + " items, joint model"),
                         ("wide_classic", items + " items, classic model: vectors of much the same length"),
                         ("wide_random", items + " items, random directions of equal length: the worst case")):
        found = f("serving.recall." + model)
        yield (label, f("serving." + model), "pgvector HNSW" + (", finds %.0f%% of the best" % (100 * found) if found else ""),
               f("serving.%s.hnsw" % model), "µs")
    for k, name in ((10, "wide_joint"), (100, "wide_joint.100"), (1000, "wide_joint.1000"), (10000, "wide_joint.10000")):
        yield ("%s items, joint model, k = %d" % (items, k), f("serving.single." + name), "implicit, one thread",
               scaled(f("serving.implicit.all.%d" % k), 1e6), "µs")
    yield ("lists a second, %s items, 2 clients" % count(float(f.text("shape").split()[1])), f("serving.clients_list.tps"),
           "lookups by a primary key", f("serving.clients_key.tps"), "/s")
    yield from call_rows(f, items, mid)
    yield from many_rows(f, mid)
    yield from session_rows(f, items)


def call_rows(f, items, mid):
    """What is added to a call."""
    yield ("what `fresh => true` adds for a user with 100 ratings and a new one",
           f.difference("serving.fresh_true", "serving.fresh_false"), "a lookup by a primary key", f("serving.key"), "µs")
    for name, label in (("mid", "%s candidates of %s items" % (mid, mid)), ("wide", "a tenth of %s items as candidates" % items)):
        yield (label + ", by an array out of a table", f("serving.candidates_" + name), "`SELECT cardinality(ARRAY(...))` alone",
               f("serving.array_" + name), "µs")
    for name, label in (("for", "`mf_recommend_for`"), ("similar", "`mf_similar_items`")):
        yield ("%s, %s candidates of %s items, by an array out of a table" % (label, mid, mid), f("serving.candidates_" + name),
               "`SELECT cardinality(ARRAY(...))` alone", f("serving.array_mid"), "µs")
    yield ("`mf_similar_items`, %s items, joint model" % items, f("serving.similar_wide"), "a scan in SQL of all cosines",
           scaled(f("serving.similar_scan"), 1e6), "µs")
    for name, size, label in (("mid_joint", mid, "joint model"), ("wide_joint", items, "joint model"), ("wide_implicit", items, "implicit model"),
                              ("wide_classic", items, "classic model: vectors of much the same length"),
                              ("wide_random", items, "random directions of equal length: the worst case")):
        yield ("%s items, %s, `diversity => 0.3`" % (size, label), f("serving.diversity_" + name), "without that",
               f("serving.plain_" + name), "µs")
    yield ("%s items, at most 2 of a seller" % mid, f("serving.groups.groups"), "without that",
           f("serving.groups.mid_joint"), "µs")


def many_rows(f, mid):
    """Lists of many users."""
    for name, label in (("popular", "joint model"), ("flat", "random directions of equal length")):
        yield ("`mf_recommend_all`, %s users, %s items, %s, without what they have" % (count(f("serving.few")), mid, label),
               f("serving.all_" + name), "implicit's batch, %s threads" % f.text("cores"),
               f("serving.all_%s.implicit.seconds" % name))
    yield ("LATERAL over 1,000 users", f("serving.lateral"), "1,000 calls in a loop on the server", f("serving.loop"))


def session_rows(f, items):
    yield ("a session's first call, with its connection", scaled(f("serving.first_list"), 1e-3),
           "a session's first lookup by a primary key", scaled(f("serving.first_key"), 1e-3), "ms")
    more = f.difference("serving.memory.list", "serving.memory.key")
    if more is not None:
        yield ("private memory of each of 50 sessions that serve, %s items: %.2f MB more" % (items, more),
               f("serving.memory.list"), "of 50 with lookups by a primary key", f("serving.memory.key"), "MB")
    for model, label in (("wide_joint", "joint model"), ("wide_classic", "classic model"),
                         ("wide_random", "random directions of equal length")):
        yield ("`mf_refresh`, %s items, %s: the image is made anew" % (items, label), f("serving.image_build." + model),
               "CREATE INDEX ... USING hnsw", f("serving.hnsw_build." + model))
    yield ("`mf_update`, %s items, joint model, 1,000 of them changed and 50 new: the image is made from the one before" % items,
           f("serving.image_renewal.wide_joint"), "`mf_refresh`", f("serving.image_build.wide_joint"))


def core_rows(f):
    """How many items exact search has to look at closely."""
    for norms, label in (("popular", "lengths that fall with popularity"), ("classic", "a classic model's lengths"),
                         ("flat", "equal lengths")):
        for factors in (16, 64, 256):
            name = "serving.core.%s.%s.%d" % (norms, f.text("serving.items"), factors) if f("serving.items") else ""
            if f(name):
                yield ("items scored in float, %s, %d factors; %s in all" % (label, factors, number(f(name), "µs")),
                       f(name + ".float"), "of", f("serving.items"), "items")


SECTIONS = (("The path around the sweeps", path_rows), ("Iterations beside other solvers", peer_rows),
            ("The rating part alone", rating_rows), ("More ratings, with maintenance_work_mem = 256MB", scale_rows),
            ("Taking in what is new", update_rows), ("A model for each tenant", tenant_rows),
            ("Quality of the defaults", quality_rows), ("Interrupting a training", cancel_rows),
            ("On the nodes of a Citus cluster", citus_rows), ("Serving", serving_rows),
            ("Exact search, in the core alone", core_rows))


def count(n):
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if n >= unit:
            return "%.3g%s" % (n / unit, name)
    return "%d" % n


def number(value, unit):
    if unit == "":
        return ("%.0f" if abs(value) >= 1000 else "%.4f") % value
    return ("%.0f %s" if value >= 100 else "%.1f %s" if value >= 10 or unit != "s" else "%.3f %s") % (value, unit)


def table(rows):
    """A Markdown table of rows (what, value, compared with, value[, unit]) that have both values."""
    lines = ["| what | | compared with | | ratio |", "|---|--:|---|--:|--:|"]
    for what, value, other, base, *unit in rows:
        if value is None or not base:
            continue
        unit = unit[0] if unit else "s"
        lines.append("| %s | %s | %s | %s | **%.3g** |" % (what, number(value, unit), other, number(base, unit),
                                                        value / base))
    return lines if len(lines) > 2 else []


def machine(f):
    users, items, ratings = f.text("shape").split()[:3]
    return ["%s, %s cores, %s; %s; settings `%s`. Data: %s ratings of %s users and %s items." % (
        f.text("cpu"), f.text("cores"), f.text("memory"), f.text("server").replace("postgres (PostgreSQL)", "PostgreSQL"),
        f.text("settings"), count(float(ratings)), count(float(users)), count(float(items))), "",
        "Written by `BENCH_SCALE=%s make bench`; medians of %s in turns." % (f.text("scale"), f.text("rounds"))]


def report(f):
    lines = machine(f)
    for title, rows in SECTIONS:
        body = table(rows(f))
        if body:
            lines += ["", "### " + title, ""] + body
    return lines


def write(f, lines, folder):
    path = os.path.join(folder, "benchmarks.md")
    drawn = [(name, alt, svg) for name, alt, svg in charts.draw(f) if svg]
    for name, alt, svg in drawn:
        with open(os.path.join(folder, name), "w") as file:
            file.write(svg)
    images = [line for name, alt, svg in drawn for line in ("![%s](%s)" % (alt, name), "")]
    with open(path) as file:
        text = file.read()
    inside = "\n".join([BEGIN, ""] + images + lines + ["", END])
    with open(path, "w") as file:
        file.write(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda match: inside, text, flags=re.S))


def main(figures, folder=""):
    f = Figures(figures)
    lines = report(f)
    print("\n".join(lines))
    if folder:
        write(f, lines, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
