#!/bin/bash
# What fading alone brings on ratings with times: the defaults against a half-life that mf_tune finds, split by time, and
# lists that do not go by recency.
#
#   usage: fading.bash FILE COLUMNS
#
# FILE is tab-separated, without a header; COLUMNS names what is in it, in SQL: "user_id int, item_id int, rating real,
# time bigint", with or without a rating, the time in seconds.  The last fifth of the rows is test; mf_tune sees the others
# alone.  Lists are measured by NDCG@10, also where items that nobody had before count as missed (all), ratings by RMSE.
# The database is that of PGHOST, PGDATABASE and so on, with mfrec in it; everything is done in a schema of its own.
#
# MovieTweetings (Dooms, De Pessemier, Martens, 2013) is one such file: cat of train.tsv and test.tsv of any split.
set -euo pipefail
file=$1 columns=$2
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

ask <<SQL
SET client_min_messages = error;
DROP SCHEMA IF EXISTS fading_bench CASCADE;
SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models WHERE model IN ('fading: defaults', 'fading: tuned')) m \g /dev/null
CREATE SCHEMA fading_bench;
CREATE TABLE fading_bench.rows ($columns);
SQL
ask -c "\\copy fading_bench.rows FROM '$file'"
ask <<'SQL'
SET client_min_messages = error;
SET search_path = fading_bench, public;
SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY "time") AS cut FROM rows \gset
CREATE TABLE train AS SELECT * FROM rows WHERE "time" < :cut;
CREATE TABLE test AS SELECT * FROM rows WHERE "time" >= :cut;
SELECT count(*) FROM mf_train('train', 'fading: defaults') \g /dev/null
CREATE TABLE trials AS SELECT * FROM mf_tune('train', trials => 5, time_column => 'time', trend_weight => 0, train => true, model => 'fading: tuned');
CREATE TABLE figures AS
	SELECT model, e.* FROM (VALUES ('fading: defaults'), ('fading: tuned')) m (model), LATERAL mf_evaluate('test', model => model) e;
\echo trial, half-life, its metric on the rows held out of train, on rows that the search has not seen, winner:
SELECT trial, coalesce(half_life::text, 'never'), round(value::numeric, 4), round(confirmed::numeric, 4), winner FROM trials ORDER BY trial;
\echo model, NDCG@10, NDCG@10 of all, RMSE on the test rows:
SELECT model, round(max(value) FILTER (WHERE metric = 'ndcg')::numeric, 4), round(max(value) FILTER (WHERE metric = 'all_ndcg')::numeric, 4),
	round(max(value) FILTER (WHERE metric = 'rmse')::numeric, 4) FROM figures GROUP BY model ORDER BY model;
SET client_min_messages = error;
SELECT mf_drop('fading: defaults'), mf_drop('fading: tuned') \g /dev/null
DROP SCHEMA fading_bench CASCADE;
SQL
