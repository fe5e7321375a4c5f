-- mf_evaluate against the same metrics written in SQL over the model tables.

-- 60 users like 40 items by their remainder, some more than others; a fifth of the rows is held out.
CREATE TABLE ev_ratings (user_id int, item_id smallint, rating numeric(3, 1));
INSERT INTO ev_ratings
  SELECT u, i, least(5, greatest(0.5, 3 + (u % 3 = i % 3)::int * 1.5 - (i % 4) * 0.4 + (u % 5) * 0.2 + ((u * 7 + i * 13) % 11 - 5) / 10.0))
  FROM generate_series(1, 60) u, generate_series(1, 40) i
  WHERE (u * 31 + i * 17) % 100 < 18 + 40 * (u % 3 = i % 3)::int + i % 10;
CREATE VIEW ev_train AS SELECT * FROM ev_ratings WHERE NOT mf_holdout(user_id, item_id, 0.2);
CREATE VIEW ev_test AS SELECT * FROM ev_ratings WHERE mf_holdout(user_id, item_id, 0.2);
CREATE INDEX ON ev_ratings (user_id, item_id);
SELECT model, version, users, items, ratings FROM mf_train('ev_train', 'ev', factors => 6, iterations => 4);
SELECT model, users, ratings FROM mf_train('ev_train', 'ev_classic', factors => 3, iterations => 4, interest_weight => 0);
SELECT model, users, ratings FROM mf_train('ev_train', 'ev_implicit', feedback => 'implicit', factors => 5, iterations => 4);

-- A test table with what cannot be measured: unknown users and items, rows of the training, nulls.
CREATE TABLE ev_mixed AS SELECT user_id::bigint, item_id::int, rating::real FROM ev_test;
INSERT INTO ev_mixed VALUES (1001, 1, 3), (1001, 2, 4), (1002, 1, 3), (1, 77, 5), (2, 78, 5), (NULL, 1, 1), (1, NULL, 1), (1, 1, NULL);
INSERT INTO ev_mixed SELECT * FROM ev_train ORDER BY user_id, item_id LIMIT 4;

CREATE FUNCTION ev_dot(a real[], b real[]) RETURNS double precision LANGUAGE sql IMMUTABLE AS
$$ SELECT sum(x::double precision * y ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS t (x, y, n) $$;

-- All (user, item) cells of a model: scores, predicted ratings, what the rows say, the baselines' word.
CREATE FUNCTION ev_cells(name text) RETURNS TABLE (u int, i int, score double precision, predicted double precision,
	popularity int, baseline double precision, seen boolean, rating real) LANGUAGE plpgsql AS $$
DECLARE
  p jsonb := (SELECT parameters FROM mf_models WHERE model = name AND serving);
  m double precision := (SELECT avg(ev_train.rating::real::double precision) FROM ev_train);
BEGIN
  CREATE TEMP TABLE bu ON COMMIT DROP AS SELECT DISTINCT user_id AS u, 0::double precision AS b FROM ev_train;
  CREATE TEMP TABLE bi ON COMMIT DROP AS SELECT DISTINCT item_id AS i, 0::double precision AS b FROM ev_train;
  FOR sweep IN 1..6 LOOP
	UPDATE bu SET b = n.b FROM (SELECT user_id, sum(r.rating::real - m - bi.b) / (count(*) + 3) AS b
	  FROM ev_train r JOIN bi ON bi.i = item_id GROUP BY 1) n WHERE user_id = bu.u;
	EXIT WHEN sweep = 6;
	UPDATE bi SET b = n.b FROM (SELECT item_id, sum(r.rating::real - m - bu.b) / (count(*) + 3) AS b
	  FROM ev_train r JOIN bu ON bu.u = user_id GROUP BY 1) n WHERE item_id = bi.i;
  END LOOP;
  RETURN QUERY EXECUTE format($q$
	WITH taste AS (SELECT ($1->>'taste')::real AS t)
	SELECT us.user_id, it.item_id::int,
	  ev_dot(us.factors, it.v) + it.bias * t,
	  least(greatest(($1->>'mean')::double precision + ($1->>'deviation')::double precision * coalesce(us.spread, 1) *
		(us.bias::double precision + it.bias + coalesce(($1->>'rating_gain')::double precision, 1) * ev_dot(us.factors, coalesce(it.rating_factors, it.factors))),
		($1->>'min')::double precision), ($1->>'max')::double precision),
	  it.ratings, least(greatest($2 + bu.b + bi.b, ($1->>'min')::double precision), ($1->>'max')::double precision),
	  EXISTS (SELECT FROM ev_train r WHERE r.user_id = us.user_id AND r.item_id = it.item_id),
	  (SELECT r.rating::real FROM ev_test r WHERE r.user_id = us.user_id AND r.item_id = it.item_id)
	FROM taste, %I us CROSS JOIN LATERAL
	  (SELECT i.item_id, i.ratings, i.bias, i.factors, i.rating_factors,
		CASE WHEN i.rating_factors IS NULL THEN i.factors ELSE
		  (SELECT array_agg(s + t * q ORDER BY n) FROM unnest(i.factors, i.rating_factors) WITH ORDINALITY AS x (s, q, n)) END AS v
	   FROM %I i, taste) it
	JOIN bu ON bu.u = us.user_id JOIN bi ON bi.i = it.item_id$q$, name || '_user_factors', name || '_item_factors')
	USING p, m;
  DROP TABLE bu, bi;
END $$;

CREATE TABLE ev_scored AS
  SELECT name, c.* FROM unnest(ARRAY['ev', 'ev_classic', 'ev_implicit']) AS name, ev_cells(name) AS c;
ANALYZE ev_scored;

-- List vectors of a model's items, of length 1: coordinate n of item i.
CREATE FUNCTION ev_units(name text) RETURNS TABLE (i int, n bigint, x double precision) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format($q$
	WITH v AS (SELECT i.item_id::int AS i, t.n, t.s + coalesce((SELECT (parameters->>'taste')::real FROM mf_models WHERE model = $1 AND serving) * t.q, 0)::double precision AS x
	  FROM %I i, unnest(i.factors, i.rating_factors) WITH ORDINALITY AS t (s, q, n))
	SELECT i, n, x / sqrt(sum(x ^ 2) OVER (PARTITION BY i)) FROM v$q$, name || '_item_factors') USING name;
END $$;
CREATE TABLE ev_unit AS SELECT name, c.* FROM unnest(ARRAY['ev', 'ev_classic', 'ev_implicit']) AS name, ev_units(name) AS c;
ANALYZE ev_unit;

-- The metrics of lists, by the score or by popularity.
CREATE FUNCTION ev_lists(name text, k int, relevant_from double precision, popular boolean)
  RETURNS TABLE (metric text, value double precision) LANGUAGE sql AS $$
WITH cells AS MATERIALIZED (
	SELECT u, i, CASE WHEN popular THEN popularity ELSE score END AS score, popularity, rating,
	  rating IS NOT NULL AND (relevant_from IS NULL OR rating >= relevant_from::real) AS relevant
	FROM ev_scored s WHERE s.name = ev_lists.name AND NOT seen),
  ranked AS (
	SELECT *, row_number() OVER (PARTITION BY u ORDER BY score DESC, i) AS rank, count(*) FILTER (WHERE relevant) OVER (PARTITION BY u) AS n
	FROM cells),
  listed AS (
	SELECT *, count(*) FILTER (WHERE relevant) OVER (PARTITION BY u ORDER BY rank) AS so_far FROM ranked WHERE n > 0 AND rank <= k),
  users AS (
	SELECT u, n, count(*) FILTER (WHERE relevant) AS hits,
	  sum(1 / log(2, rank + 1)) FILTER (WHERE relevant) / (SELECT sum(1 / log(2, r + 1)) FROM generate_series(1, least(k, n)) r) AS ndcg,
	  sum(so_far / rank::double precision) FILTER (WHERE relevant) / least(k, n) AS map,
	  1.0 / min(rank) FILTER (WHERE relevant) AS mrr,
	  avg(-ln(popularity / (SELECT count(DISTINCT user_id) FROM ev_train)::double precision) / ln(2)) AS novelty,
	  avg(popularity / (SELECT count(DISTINCT user_id) FROM ev_train)::double precision) AS popular
	FROM listed GROUP BY u, n),
  alike AS (
	SELECT u, (sum(x ^ 2) - max(length)) / nullif(max(length) * (max(length) - 1), 0) AS alike FROM (
	  SELECT u, n, sum(x) AS x, count(*) AS length FROM (SELECT u, i FROM listed) l JOIN (SELECT e.i, e.n, e.x FROM ev_unit e WHERE e.name = ev_lists.name) v USING (i) GROUP BY 1, 2) s
	GROUP BY u),
  aucs AS (
	SELECT a.u, avg(CASE WHEN a.score::real > b.score::real THEN 1 WHEN a.score::real = b.score::real THEN 0.5 ELSE 0 END) AS auc
	FROM cells a JOIN cells b USING (u) WHERE a.relevant AND NOT b.relevant GROUP BY 1)
SELECT 'precision', avg(hits / k::double precision) FROM users UNION ALL
SELECT 'recall', avg(hits / least(k, n)::double precision) FROM users UNION ALL
SELECT 'full_recall', avg(hits / n::double precision) FROM users UNION ALL
SELECT 'ndcg', avg(coalesce(ndcg, 0)) FROM users UNION ALL
SELECT 'map', avg(coalesce(map, 0)) FROM users UNION ALL
SELECT 'mrr', avg(coalesce(mrr, 0)) FROM users UNION ALL
SELECT 'hit_rate', avg((hits > 0)::int) FROM users UNION ALL
SELECT 'auc', avg(auc) FROM aucs UNION ALL
SELECT 'novelty', avg(novelty) FROM users UNION ALL
SELECT 'popularity', avg(popular) FROM users UNION ALL
SELECT 'intra_list_similarity', avg(alike) FROM alike UNION ALL
SELECT 'coverage', count(DISTINCT i) / (SELECT count(DISTINCT item_id) FROM ev_train)::double precision FROM listed UNION ALL
SELECT 'gini', sum((2 * rank - n - 1) * times)::double precision / ((max(n) - 1) * sum(times)) FROM (
	SELECT times, row_number() OVER (ORDER BY times) AS rank, count(*) OVER () AS n FROM (
		SELECT item_id, count(i) AS times FROM (SELECT DISTINCT item_id FROM ev_train) t LEFT JOIN listed ON i = item_id GROUP BY 1) c) r UNION ALL
SELECT 'users', count(*) FROM users UNION ALL
SELECT 'users_unknown', 0 UNION ALL
SELECT 'users_without_relevant', count(DISTINCT u) FILTER (WHERE n = 0) FROM ranked r WHERE EXISTS (SELECT FROM ev_test WHERE user_id = r.u) UNION ALL
SELECT 'rows', count(rating) FROM cells UNION ALL
SELECT 'rows_relevant', count(*) FILTER (WHERE relevant) FROM cells UNION ALL
SELECT unnest(ARRAY['rows_unknown_user', 'rows_unknown_item', 'rows_trained', 'rows_null']), 0
$$;
CREATE FUNCTION ev_errors(name text) RETURNS TABLE (metric text, value double precision, baseline double precision) LANGUAGE sql AS $$
WITH cells AS (SELECT * FROM ev_scored s WHERE s.name = ev_errors.name AND rating IS NOT NULL)
SELECT 'rmse', sqrt(avg((predicted - rating) ^ 2)), sqrt(avg((baseline - rating) ^ 2)) FROM cells UNION ALL
SELECT 'mae', avg(abs(predicted - rating)), avg(abs(baseline - rating)) FROM cells
$$;

-- Names of the metrics that agree, but for rounding of single precision, and of those that do not.
CREATE FUNCTION ev_compare(name text, k int, relevant_from double precision, with_ratings boolean)
  RETURNS TABLE (agree text, differ text) LANGUAGE sql AS $$
WITH expected AS (
	SELECT l.metric, l.value, CASE WHEN l.metric !~ 'users|rows' THEN p.value END AS baseline
	FROM ev_lists(name, k, relevant_from, false) l JOIN ev_lists(name, k, relevant_from, true) p USING (metric)
	UNION ALL SELECT * FROM ev_errors(name) WHERE with_ratings),
  got AS (
	SELECT g.metric, g.value, g.baseline, ordinality FROM ROWS FROM (mf_evaluate('ev_test', k, name, relevant_from => relevant_from)) WITH ORDINALITY g (metric, value, baseline, user_id)
	WHERE g.user_id IS NULL),
  compared AS (
	SELECT metric, ordinality, (g.value IS NULL AND e.value IS NULL OR abs(g.value - e.value) <= 1e-8 * greatest(1, abs(e.value))) AND
	  (g.baseline IS NULL AND e.baseline IS NULL OR abs(g.baseline - e.baseline) <= 1e-8 * greatest(1, abs(e.baseline))) AS same
	FROM got g FULL JOIN expected e USING (metric))
SELECT string_agg(metric, ' ' ORDER BY ordinality) FILTER (WHERE same), string_agg(metric, ' ' ORDER BY ordinality) FILTER (WHERE same IS NOT TRUE)
FROM compared
$$;

\x on
SELECT * FROM ev_compare('ev', 10, NULL, true);
\x off
SELECT differ IS NULL AS same FROM ev_compare('ev', 1, NULL, true);
SELECT differ IS NULL AS same FROM ev_compare('ev', 5, 4, true);
SELECT differ IS NULL AS same FROM ev_compare('ev', 1000, 3.3, true);
SELECT differ IS NULL AS same FROM ev_compare('ev_classic', 10, NULL, true);
SELECT differ IS NULL AS same FROM ev_compare('ev_implicit', 10, NULL, false);
SELECT differ IS NULL AS same FROM ev_compare('ev_implicit', 3, 4.5, false);

-- What cannot be measured is counted and changes no metric.
SELECT metric, value FROM mf_evaluate('ev_mixed', model => 'ev') WHERE metric ~ 'users|rows' AND metric NOT IN ('rows', 'rows_relevant', 'users');
SELECT count(*) AS figures, count(*) FILTER (WHERE m.value IS DISTINCT FROM t.value OR m.baseline IS DISTINCT FROM t.baseline) AS differ
  FROM mf_evaluate('ev_mixed', model => 'ev') m JOIN mf_evaluate('ev_test', model => 'ev') t USING (metric)
  WHERE metric !~ 'users_|rows_';
SELECT (SELECT value FROM mf_evaluate('ev_test', model => 'ev') WHERE metric = 'rows') = count(*) AS all_rows FROM ev_test;

-- Per user: one row a user and metric, whose means are the totals; the same for any number of threads.
SELECT count(DISTINCT p.user_id) AS users, count(DISTINCT metric) AS metrics, bool_and(p.user_id IS NOT NULL) AS named FROM mf_evaluate('ev_test', model => 'ev', per_user => true) p;
SELECT t.metric, abs(p.value - t.value) < 1e-11 AND abs(p.baseline - t.baseline) < 1e-11 AS same
  FROM mf_evaluate('ev_test', 5, 'ev', relevant_from => 3.5) t
  JOIN (SELECT metric, avg(value) AS value, avg(baseline) AS baseline FROM mf_evaluate('ev_test', 5, 'ev', relevant_from => 3.5, per_user => true) GROUP BY 1) p USING (metric)
  WHERE metric NOT IN ('rmse', 'mae', 'rows', 'rows_relevant') ORDER BY 1;
SELECT r.rest, avg(e.value) > avg(e.baseline) AS better_than_popular
  FROM mf_evaluate('ev_test', model => 'ev', per_user => true) e JOIN (SELECT DISTINCT user_id, user_id % 3 AS rest FROM ev_ratings) r ON r.user_id::text = e.user_id
  WHERE metric = 'ndcg' GROUP BY 1 ORDER BY 1;
SELECT abs(sqrt(sum(s.value ^ 2 * n.value) / sum(n.value)) - (SELECT value FROM mf_evaluate('ev_test', model => 'ev') WHERE metric = 'rmse')) < 1e-11 AS rmse_adds_up
  FROM mf_evaluate('ev_test', model => 'ev', per_user => true) s JOIN mf_evaluate('ev_test', model => 'ev', per_user => true) n USING (user_id)
  WHERE s.metric = 'rmse' AND n.metric = 'rows';
CREATE TABLE ev_one AS SELECT * FROM mf_evaluate('ev_test', model => 'ev');
SET mfrec.threads = 1;
SELECT count(*) AS figures, count(*) FILTER (WHERE o IS DISTINCT FROM t) AS differ FROM ev_one o JOIN mf_evaluate('ev_test', model => 'ev') t USING (metric);
RESET mfrec.threads;

-- Another version; columns of other names; ids of other types; duplicates count once, with their mean.
SELECT version FROM mf_retrain('ev');
SELECT count(*) AS figures, count(*) FILTER (WHERE o IS DISTINCT FROM t) AS differ FROM ev_one o JOIN mf_evaluate('ev_test', model => 'ev', version => 1) t USING (metric);
CREATE VIEW ev_renamed AS SELECT item_id AS film, user_id AS who, rating AS stars FROM ev_test;
SELECT count(*) FILTER (WHERE o IS DISTINCT FROM t) AS differ FROM ev_one o
  JOIN mf_evaluate('ev_renamed', model => 'ev', version => 1, user_column => 'who', item_column => 'film', rating_column => 'stars') t USING (metric);
CREATE VIEW ev_twice AS SELECT user_id, item_id, rating - 0.1 AS rating FROM ev_test UNION ALL SELECT user_id, item_id, rating + 0.1 FROM ev_test;
SELECT count(*) FILTER (WHERE abs(o.value - t.value) > 1e-6) AS differ FROM ev_one o JOIN mf_evaluate('ev_twice', model => 'ev', version => 1) t USING (metric);
CREATE TABLE ev_text AS SELECT 'u' || user_id AS uid, md5(item_id::text)::uuid AS item, rating FROM ev_ratings;
CREATE VIEW ev_text_train AS SELECT * FROM ev_text WHERE NOT mf_holdout(uid, item);
CREATE VIEW ev_text_test AS SELECT uid::varchar COLLATE "C" AS uid, item, rating FROM ev_text WHERE mf_holdout(uid, item);
SELECT model, users FROM mf_train('ev_text_train', 'ev_text', factors => 4, user_column => 'uid', item_column => 'item');
SELECT value = (SELECT count(DISTINCT uid) FROM ev_text_test) AS all_users FROM mf_evaluate('ev_text_test', model => 'ev_text') WHERE metric = 'users';
SELECT count(*) AS unknown FROM mf_evaluate('ev_text_test', model => 'ev_text') WHERE metric ~ '_unknown' AND value > 0;

-- Without ratings, lists alone.
SELECT string_agg(metric, ' ') FROM mf_evaluate('ev_test', model => 'ev_implicit') WHERE metric !~ 'users|rows';
CREATE VIEW ev_unrated AS SELECT user_id, item_id FROM ev_test;
SELECT bool_and(metric NOT IN ('rmse', 'mae')) AS lists_only, count(*) AS figures FROM mf_evaluate('ev_unrated', model => 'ev');

-- Rows that came after the training: `train` names what it was trained on.
CREATE TABLE ev_live AS SELECT * FROM ev_train;
SELECT users FROM mf_train('ev_live', factors => 6, iterations => 4);
INSERT INTO ev_live SELECT * FROM ev_test;
SELECT count(*) FROM mf_evaluate('ev_test', model => 'ev_live');
SELECT count(*) FILTER (WHERE o IS DISTINCT FROM t) AS differ FROM ev_one o JOIN mf_evaluate('ev_test', model => 'ev_live', train => 'ev_train') t USING (metric);

-- How often items are in lists: 0 where all are alike, 1 where one item is in all lists and no other in any, of k the same
-- ones among n items (n - k) / (n - 1). Users each like an item of their own, or all the same ones in the same order.
CREATE TABLE ev_items AS SELECT id, ARRAY[id = 1, id = 2, id = 3, id = 4]::int[]::real[] AS factors FROM generate_series(1, 4) id;
CREATE TABLE ev_alike AS SELECT id, ARRAY[4, 3, 2, 1]::real[] AS factors FROM generate_series(1, 4) id;
CREATE TABLE ev_nothing (user_id bigint, item_id bigint);
CREATE TABLE ev_next AS SELECT id::bigint AS user_id, id::bigint AS item_id FROM ev_items;
SELECT model, users, items FROM mf_import('ev_own', 'ev_items', 'ev_items');
SELECT model, users, items FROM mf_import('ev_alike', 'ev_alike', 'ev_items');
SELECT m.model, k, e.metric, e.value::numeric(5, 4), e.baseline::numeric(5, 4)
  FROM (VALUES ('ev_own', 1), ('ev_own', 4), ('ev_alike', 1), ('ev_alike', 2)) m (model, k), mf_evaluate('ev_next', k, m.model, train => 'ev_nothing') e
  WHERE e.metric IN ('coverage', 'gini') ORDER BY 1 DESC, 2, 3;
SELECT count(*) FROM mf_evaluate('ev_next', 1, 'ev_own', train => 'ev_nothing', per_user => true) WHERE metric IN ('coverage', 'gini');

-- Mistakes.
CREATE TABLE ev_empty (LIKE ev_ratings);
CREATE TABLE ev_strangers AS SELECT user_id + 5000 AS user_id, item_id, rating FROM ev_test;
CREATE TABLE ev_new_items AS SELECT user_id, item_id + 5000 AS item_id, rating FROM ev_test;
CREATE VIEW ev_as_text AS SELECT user_id::text, item_id, rating FROM ev_test;
CREATE VIEW ev_as_uuid AS SELECT user_id, md5(item_id::text)::uuid AS item_id, rating FROM ev_test;
SELECT * FROM mf_evaluate(NULL);
SELECT * FROM mf_evaluate('ev_nowhere');
SELECT * FROM mf_evaluate('ev_test', model => 'nothing');
SELECT * FROM mf_evaluate('ev_test', model => 'ev', version => 17);
SELECT * FROM mf_evaluate('ev_test', 0);
SELECT * FROM mf_evaluate('ev_test', 1000000);
SELECT * FROM mf_evaluate('ev_test', relevant_from => 'NaN');
SELECT * FROM mf_evaluate('ev_test', relevant_from => 5.5, model => 'ev');
SELECT * FROM mf_evaluate('ev_unrated', relevant_from => 4, model => 'ev');
SELECT * FROM mf_evaluate('ev_renamed', model => 'ev');
SELECT * FROM mf_evaluate('ev_test', model => 'ev', rating_column => 'stars');
SELECT * FROM mf_evaluate('ev_empty', model => 'ev');
SELECT * FROM mf_evaluate('ev_train', model => 'ev');
SELECT * FROM mf_evaluate('ev_strangers', model => 'ev');
SELECT * FROM mf_evaluate('ev_new_items', model => 'ev');
SELECT * FROM mf_evaluate('ev_as_text', model => 'ev');
SELECT * FROM mf_evaluate('ev_as_uuid', model => 'ev');
SELECT * FROM mf_evaluate('ev_text_test', model => 'ev', user_column => 'uid', item_column => 'item');
SELECT count(*) FROM mf_evaluate('ev_test', NULL, 'ev', NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- An implicit model trained without a value column cannot know what a rating is.
SELECT feedback FROM mf_models WHERE model = 'ev_implicit';
CREATE VIEW ev_pairs AS SELECT user_id, item_id FROM ev_train;
SELECT users FROM mf_train('ev_pairs', factors => 4, feedback => 'implicit', rating_column => NULL);
SELECT * FROM mf_evaluate('ev_test', model => 'ev_pairs', relevant_from => 4);
SELECT value = (SELECT count(*) FROM ev_test WHERE rating >= 4) AS right_rows
  FROM mf_evaluate('ev_test', model => 'ev_pairs', relevant_from => 4, rating_column => 'rating') WHERE metric = 'rows_relevant';

-- Privileges of the caller.
CREATE ROLE regress_mf_evaluate;
GRANT SELECT ON ev_user_factors, ev_item_factors TO regress_mf_evaluate;
SET ROLE regress_mf_evaluate;
SELECT * FROM mf_evaluate('ev_test', model => 'ev');
SELECT * FROM mf_evaluate('ev_test', model => 'ev_implicit');
RESET ROLE;
GRANT SELECT ON ev_test TO regress_mf_evaluate;
SET ROLE regress_mf_evaluate;
SELECT * FROM mf_evaluate('ev_test', model => 'ev');
RESET ROLE;
GRANT SELECT ON ev_train TO regress_mf_evaluate;
SET ROLE regress_mf_evaluate;
SELECT count(*) AS figures FROM mf_evaluate('ev_test', model => 'ev');
RESET ROLE;

-- The source has gone.
ALTER VIEW ev_pairs RENAME TO ev_pairs_gone;
\set VERBOSITY terse
SELECT * FROM mf_evaluate('ev_unrated', model => 'ev_pairs');
\set VERBOSITY default
SELECT count(*) AS figures FROM mf_evaluate('ev_unrated', model => 'ev_pairs', train => 'ev_pairs_gone');

SELECT count(mf_drop(model)) FROM (VALUES ('ev'), ('ev_classic'), ('ev_implicit'), ('ev_text'), ('ev_live'), ('ev_pairs'), ('ev_own'), ('ev_alike')) AS t (model);
SET client_min_messages = warning;
DROP TABLE ev_ratings, ev_scored, ev_mixed, ev_one, ev_text, ev_live, ev_empty, ev_strangers, ev_new_items, ev_items, ev_alike, ev_nothing, ev_next CASCADE;
DROP FUNCTION ev_compare, ev_errors, ev_lists, ev_cells, ev_dot;
DROP ROLE regress_mf_evaluate;
