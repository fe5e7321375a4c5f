#!/usr/bin/env bash
# DuckDB takes a vector of zeros for the very opposite of every other.
#
# Package: @duckdb/node-api 1.5.6 of npm (the library 1.5.6 comes with it).  Needs npm, node and x86-64.
# Guess, written first: the cosine of a vector of zeros and another is NaN, or NULL, as nothing divided by nothing is, and sorts apart.
# Behaviour: it is -1, the distance 2, both of arrays and of lists, and that of two vectors of zeros likewise.  Items without a vector, as new ones,
# are last in a list of similar ones beside true opposites, and first in one of the least similar; nothing tells them apart.  Correlation of a
# constant, which is the same question, is NaN there.
# Seen: cosine of (0, 0) and (1, 1), of (0, 0) and itself, of (-1, -1) and (1, 1): -1 -1 -1; the first's distance 2; corr NaN.
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
get_npm @duckdb/node-api@1.5.6-r.1
cat >"$folder/npm/zero.mjs" <<'JS'
import { DuckDBInstance } from '@duckdb/node-api';
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const answer = await connection.runAndReadAll(`SELECT array_cosine_similarity([0, 0]::FLOAT[2], [1, 1]::FLOAT[2]),
	list_cosine_similarity([0, 0]::DOUBLE[], [0, 0]::DOUBLE[]), array_cosine_similarity([-1, -1]::FLOAT[2], [1, 1]::FLOAT[2]),
	array_cosine_distance([0, 0]::FLOAT[2], [1, 1]::FLOAT[2]), (SELECT corr(x, y) FROM (VALUES (1, 1), (1, 2)) t (x, y))`);
console.log(...answer.getRowsJson()[0]);
JS
expect '-1 -1 -1 2 NaN' "$(node "$folder/npm/zero.mjs" 2>&1)"
