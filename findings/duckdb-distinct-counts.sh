#!/usr/bin/env bash
# DuckDB's SUMMARIZE says that a column of a thousand rows has 1,249 distinct values.
#
# Package: @duckdb/node-api 1.5.6 of npm (the library 1.5.6 comes with it).  Needs npm, node and x86-64.
# Guess, written first: approx_count_distinct is a HyperLogLog, a percent or two off, as a common one with some thousand registers is,
# and right where there are few values; what SUMMARIZE calls unique is at most the number of rows.
# Behaviour: it is off by tens of percent, in either direction, and ten values may be eleven.  Who sizes a training by it, users times factors,
# should count(DISTINCT ...) instead: that is exact.
# Seen, by approx_count_distinct, of 10, 1,000, 10,000 and 1,000,000 different integers: 11, 1249, 8571, 962761; by SUMMARIZE 1249 of 1,000 rows.
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
get_npm @duckdb/node-api@1.5.6-r.1
cat >"$folder/npm/distinct.mjs" <<'JS'
import { DuckDBInstance } from '@duckdb/node-api';
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const first = async query => (await connection.runAndReadAll(query)).getRowsJson()[0];

for (const rows of [10, 1000, 10000, 1000000])
	console.log(...await first(`SELECT count(DISTINCT i), approx_count_distinct(i) FROM range(${rows}) t (i)`));
console.log(...await first('SELECT approx_unique, count FROM (SUMMARIZE SELECT i FROM range(1000) t (i))'));
JS
expect '10 11 | 1000 1249 | 10000 8571 | 1000000 962761 | 1249 1000' "$(node "$folder/npm/distinct.mjs" 2>&1 | paste -sd'|' | sed 's/|/ | /g')"
