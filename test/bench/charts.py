"""Draws the charts of docs/benchmarks.md as SVG."""
import math

INK, FAINT, GRID = "#24292f", "#6e7781", "#d8dee4"
BLUE, GREEN, ORANGE, PURPLE, GREY = "#2f6fb3", "#3a8f5c", "#d97a1e", "#8250a0", "#8c959f"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text(x, y, words, anchor="start", color=INK, size=13, weight="normal"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-size="%d" font-weight="%s">%s</text>' % (
        x, y, anchor, color, size, weight, escape(words))


def line(x1, y1, x2, y2, color=GRID, dashes=""):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="%s"/>' % (
        x1, y1, x2, y2, color, dashes)


def picture(width, height, title, parts):
    """An SVG of its own, on white, so that it can be read on any page."""
    return "\n".join(
        ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
         'font-family="Helvetica, Arial, sans-serif" role="img">' % (width, height, width, height),
         "<title>%s</title>" % escape(title), '<rect width="100%" height="100%" fill="#ffffff"/>',
         text(20, 28, title, size=16, weight="bold")] + parts + ["</svg>", ""])


class Axis:
    """Maps values to places; ticks at round values."""

    def __init__(self, low, high, start, end, log=False):
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        if self.log:
            first, last = math.floor(math.log10(self.low) + 1e-9), math.ceil(math.log10(self.high) - 1e-9)
            every = [10.0 ** power for power in range(first, last + 1)]
        else:
            step = nice(self.high / 4)
            every = [step * k for k in range(int(self.high / step + 1e-9) + 1)]
        return [tick for tick in every if self.low * 0.999 <= tick <= self.high * 1.001]


def nice(value):
    """The next round number: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= value * 0.999)


def short(value):
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return "%.3g%s" % (value / unit, name)
    return "%.3g" % value


def frame(x, y, x_label, y_label, y_format=short, x_ticks=None):
    """Grid, ticks and what the axes are."""
    parts = []
    for tick in y.ticks():
        parts += [line(x.start, y(tick), x.end, y(tick)), text(x.start - 8, y(tick) + 4, y_format(tick), "end", FAINT, 12)]
    for tick in x_ticks or x.ticks():
        parts += [line(x(tick), y.start, x(tick), y.start + 5, FAINT), text(x(tick), y.start + 20, short(tick), "middle", FAINT, 12)]
    return parts + [line(x.start, y.start, x.end, y.start, FAINT),
                    text((x.start + x.end) / 2, y.start + 40, x_label, "middle", FAINT, 12),
                    text(x.start - 45, y.end - 14, y_label, "start", FAINT, 12)]


def curve(x, y, points, color, dashes=""):
    places = [(x(a), y(b)) for a, b in points]
    return ['<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>' % (
        " ".join("%.1f,%.1f" % place for place in places), color, dashes)] + [
        '<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (a, b, color) for a, b in places]


def end_labels(curves, x, y):
    """Names beside the last points, moved apart where they would touch."""
    parts, below = [], -math.inf
    for name, points, color in sorted(curves, key=lambda c: y(c[1][-1][1])):
        place = max(y(points[-1][1]) + 4, below + 16)
        parts.append(text(x(points[-1][0]) + 10, place, name, "start", color, 12))
        below = place
    return parts


def rows_chart(f):
    """Seconds by number of ratings."""
    tables = [t for t in ("ratings_10", "ratings_3", "ratings", "ratings_huge") if f("scale.%s.total" % t)]
    if len(tables) < 2:
        return None
    rows = [f("scale.%s.rows" % t) for t in tables]
    curves = [(name, list(zip(rows, [f(*[p % t for p in parts]) for t in tables])), color) for name, color, parts in (
        ("mf_train, 3 iterations", INK, ["scale.%s.total"]), ("sweeps", ORANGE, ["scale.%s.sweep"]),
        ("read", BLUE, ["scale.%s.read"]), ("sort", GREEN, ["scale.%s.sort"]), ("store", PURPLE, ["scale.%s.store"]),
        ("SELECT sum(...)", GREY, ["floor.%s"]))]
    seconds = [value for name, points, color in curves for n, value in points]
    x = Axis(rows[0] / 1.15, rows[-1], 75, 560, log=True)
    y = Axis(10 ** math.floor(math.log10(min(seconds))), 10 ** math.ceil(math.log10(max(seconds))), 370, 70, log=True)
    parts = frame(x, y, "ratings", "seconds", x_ticks=rows)
    for name, points, color in curves:
        parts += curve(x, y, points, color)
    return picture(760, 430, "Seconds by number of ratings, 64 factors, maintenance_work_mem = 256MB",
                   parts + end_labels(curves, x, y))


def loss_points(seconds, losses, goal):
    return [(time, max(100 * (loss / goal - 1), 0.01)) for time, loss in zip(seconds, losses)]


def loss_panel(f, factors, left):
    """Loss above that of ten exact iterations, by seconds; a dashed line where implicit's ten iterations end."""
    exact = f.series("solver_exact.%d.loss" % factors)
    if len(exact) < 10:
        return []
    curves = [("exact solves", loss_points(f.series("solver_exact.%d.seconds" % factors), exact, exact[9]), GREY),
              ("mfrec", loss_points(f.series("solver.%d.seconds" % factors), f.series("solver.%d.loss" % factors), exact[9]),
               ORANGE)]
    peer = f("implicit_cg.%d.iteration" % factors)
    most = max([points[-1][0] for name, points, color in curves] + [10 * peer if peer else 0])
    x = Axis(0, most * 1.05, left, left + 300)
    y = Axis(0.01, 100, 370, 90, log=True)
    parts = frame(x, y, "seconds", "", lambda tick: "%g%%" % tick)
    parts.append(text(left, 66, "%d factors" % factors, weight="bold"))
    if peer:
        parts += [line(x(10 * peer), y.start, x(10 * peer), y.end, BLUE, "5 4"),
                  text(x(10 * peer) - 6, y.end + 12, "implicit: 10 iterations", "end", BLUE, 12)]
    for name, points, color in curves:
        parts += curve(x, y, points, color)
    return parts + [text(left + 110, 66, "mfrec", color=ORANGE, size=12), text(left + 165, 66, "exact solves", color=FAINT, size=12),
                    line(x.start, y(0.1), x.end, y(0.1), ORANGE, "2 4")]


def loss_chart(f):
    parts = [part for factors, left in ((128, 75), (256, 455)) for part in loss_panel(f, factors, left)]
    return parts and picture(790, 430, "Loss above that of 10 exact iterations, by seconds", parts)


def shares_chart(f):
    """Where the time of a whole training goes, beside leaving the database."""
    ways = [(label, [(f(*names) or 0, color, what) for what, color, names in pieces], f(need)) for label, need, pieces in (
        ("mf_train, clicks", "implicit.total", training("implicit")),
        ("mf_train, ratings", "joint.total", training("joint")),
        ("COPY out, implicit, COPY back", "leave.fit", (
            ("COPY out", BLUE, ["floor.export"]), ("decode and CSR", GREEN, ["leave.decode", "leave.matrix"]),
            ("train", ORANGE, ["leave.fit"]), ("COPY back", PURPLE, ["leave.encode", "leave.import_user", "leave.import_item"]))))]
    ways = [way for way in ways if way[2]]
    if not ways:
        return None
    x = Axis(0, 1.02 * max(sum(piece[0] for piece in pieces) for label, pieces, need in ways), 20, 740)
    parts, top = [], 60
    for label, pieces, need in ways:
        parts += bar(x, top, label, pieces)
        top += 86
    parts += [line(x.start, top - 6, x.end, top - 6, FAINT)]
    for tick in x.ticks():
        parts += [line(x(tick), top - 6, x(tick), top - 1, FAINT), text(x(tick), top + 14, short(tick), "middle", FAINT, 12)]
    return picture(760, top + 50, "Where the seconds go, 64 factors, 10 iterations",
                   parts + [text((x.start + x.end) / 2, top + 34, "seconds", "middle", FAINT, 12)])


def training(name):
    return (("read", BLUE, [name + ".read"]), ("sort", GREEN, [name + ".sort"]), ("sweeps", ORANGE, [name + ".sweep"]),
            ("store", PURPLE, [name + ".store", name + ".switch"]))


def bar(x, top, label, pieces):
    """Its parts side by side; underneath, what each is."""
    total = sum(piece[0] for piece in pieces)
    parts = [text(x.start, top + 6, "%s: %.3g s" % (label, total), weight="bold")]
    at, legend = 0, x.start
    for seconds, color, what in pieces:
        words = "%s %.2g s (%.0f%%)" % (what, seconds, 100 * seconds / total)
        parts.append('<rect x="%.1f" y="%d" width="%.1f" height="24" fill="%s"/>' % (
            x(at), top + 14, x(at + seconds) - x(at), color))
        parts.append('<rect x="%.1f" y="%d" width="10" height="10" fill="%s"/>' % (legend, top + 46, color))
        parts.append(text(legend + 15, top + 55, words, color=FAINT, size=12))
        at += seconds
        legend += 34 + 6.3 * len(words)
    return parts


def serving_lines(f, sizes):
    """Of both panels: (name, points, color, dashes)."""
    def points(names, factor=1.0):
        found = [(size, f(name)) for size, name in zip(sizes, names)]
        return [(size, factor * value) for size, value in found if value]

    models = ["size_%d" % size for size in sizes[:-1]] + ["wide_joint"]
    calls = [("mfrec, k = 10", points(["serving." + m for m in models]), INK, ""),
             ("pgvector HNSW", points(["serving.%s.hnsw" % m for m in models]), BLUE, ""),
             ("implicit", points(["serving.implicit.%d.10" % size for size in sizes[:-1]] + ["serving.implicit.all.10"], 1e6),
              GREEN, "")]
    calls += [("mfrec, k = %d" % k, points(["serving.single.%s.%d" % (m, k) for m in models]), color, "5 4")
              for k, color in ((100, ORANGE), (1000, PURPLE))]
    core = [("%d factors" % d, points(["serving.core.popular.%d.%d" % (size, d) for size in sizes]), color, "")
            for d, color in ((16, GREEN), (64, INK), (256, ORANGE))]
    return [[curve for curve in panel if curve[1]] for panel in (calls, core)]


def serving_panel(curves, title, sizes, left, right):
    """Microseconds by number of items."""
    found = [value for name, points, color, dashes in curves for size, value in points]
    if not found:
        return []
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    x = Axis(sizes[0] / 1.15, sizes[-1], left, right, log=True)
    y = Axis(10.0 ** low, 10.0 ** max(high, low + 1), 370, 90, log=True)
    parts = frame(x, y, "items", "", lambda tick: "%g µs" % tick, x_ticks=sizes) + [text(left, 66, title, weight="bold")]
    for name, points, color, dashes in curves:
        parts += curve(x, y, points, color, dashes)
    return parts + end_labels([line[:3] for line in curves], x, y)


def serving_chart(f):
    """Latency by number of items, beside the peers; more places and more factors as further lines."""
    if not f("serving.items"):
        return None
    sizes = [int(size) for size in f.text("serving.sizes").split()] + [int(f("serving.items"))]
    calls, core = serving_lines(f, sizes)
    parts = serving_panel(calls, "A call, 64 factors", sizes, 75, 320) + \
        serving_panel(core, "Search in the core, k = 10", sizes, 515, 715)
    return parts and picture(800, 430, "Latency of a list by number of items, one client", parts)


SETS = (("movietweetings-100k", "MovieTweetings 100k", BLUE), ("movietweetings-5core", "its 5-core", GREEN),
        ("movietweetings-10core", "its 10-core", ORANGE), ("anime", "anime", PURPLE))


def diversity_points(f, name):
    """Changes in per cent, of likeness and of NDCG, against lists without diversity, by tenths of it."""
    found = []
    for tenths in range(6):
        values = [(f("diversity.%s.%d.%s" % (name, tenths, metric)), f("diversity.%s.0.%s" % (name, metric)))
                  for metric in ("intra_list_similarity", "ndcg")]
        if all(value and base for value, base in values):
            found.append(tuple(100 * (value / base - 1) for value, base in values))
    return found


def diversity_chart(f):
    """NDCG against how alike a list's items are: both as changes, likeness falls to the right."""
    curves = [(label, diversity_points(f, name), color) for name, label, color in SETS]
    curves = [curve for curve in curves if curve[1]]
    if not curves:
        return None
    x, y = Axis(0, 70, 75, 600), Axis(-20, 10, 370, 90)
    parts = [text(20, 48, "changes in %; a point for each of 0, 0.1, ... 0.5; 0.3 is ringed", color=FAINT, size=12)]
    for change in (-20, -15, -10, -5, 0, 5, 10):
        parts += [line(x.start, y(change), x.end, y(change), FAINT if change == 0 else GRID),
                  text(x.start - 8, y(change) + 4, "%+d" % change if change else "0", "end", FAINT, 12)]
    for change in range(0, 71, 10):
        parts += [line(x(change), y.start, x(change), y.start + 5, FAINT),
                  text(x(change), y.start + 20, "-%d" % change if change else "0", "middle", FAINT, 12)]
    parts += [text((x.start + x.end) / 2, y.start + 40, "intra-list similarity", "middle", FAINT, 12),
              text(x.start - 45, y.end - 14, "NDCG@10", "start", FAINT, 12)]
    turned = [(label, [(-alike, ndcg) for alike, ndcg in points], color) for label, points, color in curves]
    for label, points, color in turned:
        parts += curve(x, y, points, color)
        if len(points) > 3:
            parts.append('<circle cx="%.1f" cy="%.1f" r="6" fill="none" stroke="%s"/>' % (x(points[3][0]), y(points[3][1]), color))
    return picture(760, 430, "NDCG@10 against the likeness of a list's items", parts + end_labels(turned, x, y))


def draw(f):
    """(file name, what it shows, SVG or None) of every chart."""
    return (("benchmarks-shares.svg", "Where the seconds of a training go", shares_chart(f)),
            ("benchmarks-rows.svg", "Seconds by number of ratings", rows_chart(f)),
            ("benchmarks-loss.svg", "Loss by seconds with 128 and 256 factors", loss_chart(f)),
            ("benchmarks-serving.svg", "Latency of a list by number of items, beside pgvector and implicit", serving_chart(f)),
            ("diversity.svg", "NDCG@10 against the likeness of a list's items, for four sets of data", diversity_chart(f)))
