#!/usr/bin/env bash
# usearch stores vectors in 8 bits without their lengths, also where the metric is the inner product.
#
# Package: usearch 2.26.2 of npm.  Needs npm, node and x86-64.
# Guess, written first: quantization 'i8' costs digits: scores by metric 'ip' are right to about a hundredth, and a vector
# twice as long scores twice as much, as with 'f16'.
# Behaviour: each vector, the query too, is brought to one length and then to whole numbers up to 127.  Scores are those
# of directions, times some 127 * 127, and a model's popular items, whose vectors are long, are no better than the
# others.  The index takes the pair of metric and type without a word (the package's README says that 8 bits are for metrics
# like cosine).
# Seen, ids and 1 - distance of the same direction at lengths 1, 2 and a half:
#   f16   1 0 2   1.92 0.96 0.48
#   i8    all three at 15608
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
get_npm usearch@2.26.2
cat >"$folder/npm/lengths.js" <<'JS'
const { Index } = require('usearch');
const direction = [0.3, -0.2, 0.5, 0.1, 0.4, -0.1, 0.2, 0.6];

for (const quantization of ['f16', 'i8']) {
	const index = new Index({ metric: 'ip', dimensions: direction.length, quantization });
	[1, 2, 0.5].forEach((length, id) => index.add(BigInt(id), new Float32Array(direction.map(x => x * length))));
	const found = index.search(new Float32Array(direction), 3, 1);
	console.log(quantization, ...(quantization === 'f16' ? [...found.keys].map(Number) : []), ...[...found.distances].map(x => (1 - x).toFixed(2)));
}
JS
expect 'f16 1 0 2 1.92 0.96 0.48 | i8 15608.00 15608.00 15608.00' "$(node "$folder/npm/lengths.js" 2>&1 | paste -sd'|' | sed 's/|/ | /g')"
