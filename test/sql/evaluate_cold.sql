-- mf_evaluate of a model with cold items: these among themselves, the others, and all, against plain SQL over lists.
CREATE SCHEMA test_evaluate_cold;
SET search_path = test_evaluate_cold, public;

-- 200 users like one of four genres; a quarter of the items is cold, and of the others a tenth of the rows held out
CREATE TABLE movies AS SELECT i AS item_id, ARRAY['genre ' || i % 4, 'set ' || i % 5] AS genres FROM generate_series(1, 120) i;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (2 + (i % 4 = u % 4)::int * 2 + (u * 7 + i * 13) % 3 / 2.0)::real AS rating
	FROM generate_series(1, 200) u, generate_series(1, 120) i WHERE (u * 31 + i * 17 + u * i) % 100 < 4 + 30 * (u % 4 = i % 4)::int + i % 9;
CREATE TABLE train AS SELECT * FROM ratings WHERE NOT mf_holdout(item_id, item_id, 0.25) AND NOT mf_holdout(user_id, item_id, 0.1);
CREATE TABLE cold AS SELECT * FROM ratings WHERE mf_holdout(item_id, item_id, 0.25);
CREATE TABLE warm AS SELECT * FROM ratings WHERE NOT mf_holdout(item_id, item_id, 0.25) AND mf_holdout(user_id, item_id, 0.1);
CREATE TABLE test AS SELECT * FROM cold UNION ALL SELECT * FROM warm;
ANALYZE train, test;
SET client_min_messages = warning;
SELECT model, users, items, ratings FROM mf_train('train', 'both', factors => 6, iterations => 8, item_features => 'movies');
SELECT model, users, items, ratings FROM mf_train('train', 'stars', factors => 6, iterations => 8, interest_weight => 0, item_features => 'movies');
SELECT model, users, items, ratings FROM mf_train('train', 'clicks', factors => 6, iterations => 8, feedback => 'implicit', item_features => 'movies');
SELECT model, users, items, ratings FROM mf_train('train', 'plain', factors => 6, iterations => 8);
RESET client_min_messages;
SELECT (SELECT count(*) FROM both_item_factors WHERE ratings = 0) AS cold_items, (SELECT count(*) FROM cold) AS cold_rows, (SELECT count(*) FROM warm) AS warm_rows;

-- The same figures from mf_recommend with candidates: of users with relevant rows of these items.
CREATE FUNCTION lists(name text, k int, candidates int[], relevant_from real) RETURNS TABLE (u int, n int, r bigint, hits bigint, ndcg float8, map float8, mrr float8)
	LANGUAGE sql AS $$
WITH relevant AS MATERIALIZED (SELECT t.user_id, t.item_id FROM test_evaluate_cold.test t WHERE t.item_id = ANY (candidates) AND t.rating >= relevant_from),
	users AS MATERIALIZED (SELECT user_id, count(*) AS r,
		cardinality(candidates) - (SELECT count(*)::int FROM test_evaluate_cold.train s WHERE s.user_id = relevant.user_id AND s.item_id = ANY (candidates)) AS n
		FROM relevant GROUP BY 1),
	hits AS MATERIALIZED (SELECT v.user_id, l.rank, row_number() OVER (PARTITION BY v.user_id ORDER BY l.rank) AS so_far
		FROM users v CROSS JOIN mf_recommend(v.user_id, k, name, candidates => candidates, fresh => false) l JOIN relevant t ON t.user_id = v.user_id AND t.item_id = l.item_id)
SELECT user_id, users.n, users.r, count(h.rank), coalesce(sum(1 / log(2, h.rank + 1)) / (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, least(k, users.r)) i), 0)::float8,
	coalesce(sum(h.so_far::float8 / h.rank) / least(k, users.r), 0), coalesce(1.0 / min(h.rank), 0)
	FROM users LEFT JOIN hits h USING (user_id) GROUP BY 1, 2, 3
$$;
-- Their means; of what a random order reaches likewise: hits are hypergeometric.
CREATE FUNCTION expected(name text, k int, part text, relevant_from real) RETURNS TABLE (metric text, value float8, baseline float8) LANGUAGE sql AS $$
WITH RECURSIVE items AS (SELECT array_agg(item_id) AS ids FROM test_evaluate_cold.both_item_factors WHERE (ratings = 0) = (part = 'cold')),
	l AS MATERIALIZED (SELECT l.*, r::float8 / n AS p, least(k, r) AS best, least(k, n) AS places, (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, least(k, r)) i)::float8 AS ideal
		FROM items, test_evaluate_cold.lists(name, k, ids, relevant_from) l),
	-- the first hit is at rank i, or there is none so far
	first AS (SELECT u, n, r, places, 1 AS i, r::float8 / n AS chance, 1 - r::float8 / n AS none FROM l
		UNION ALL SELECT u, n, r, places, i + 1, none * r / (n - i), none * (n - r - i) / (n - i) FROM first WHERE i < places)
SELECT part || '_' || m.name, m.value, m.baseline FROM (
	SELECT avg(hits::float8 / k) AS precision, avg(p * places / k) AS precision_0, avg(hits::float8 / best) AS recall, avg(p * places / best) AS recall_0,
		avg(hits::float8 / r) AS full_recall, avg(places::float8 / n) AS full_recall_0, avg(ndcg) AS ndcg,
		avg(p * (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, places) i)::float8 / ideal) AS ndcg_0, avg(map) AS map,
		avg((SELECT sum(p * (1 + (i - 1) * (r - 1)::float8 / (n - 1)) / i) FROM generate_series(1, places) i) / best) AS map_0, avg(mrr) AS mrr,
		avg((SELECT sum(chance / i) FROM first f WHERE f.u = l.u)) AS mrr_0, avg((hits > 0)::int) AS hit_rate, avg((SELECT sum(chance) FROM first f WHERE f.u = l.u)) AS hit_rate_0, count(*) AS users
	FROM l) s, LATERAL (VALUES ('precision', precision, precision_0), ('recall', recall, recall_0), ('full_recall', full_recall, full_recall_0), ('ndcg', ndcg, ndcg_0),
		('map', map, map_0), ('mrr', mrr, mrr_0), ('hit_rate', hit_rate, hit_rate_0), ('users', users, NULL)) m (name, value, baseline)
$$;
CREATE FUNCTION differing(name text, k int, relevant_from real) RETURNS TABLE (metrics bigint, differ text[]) LANGUAGE sql AS $$
SELECT count(*), array_agg(metric) FILTER (WHERE NOT coalesce(abs(e.value - x.value) < 1e-9 AND (metric LIKE 'warm%' OR e.baseline IS NULL AND x.baseline IS NULL OR abs(e.baseline - x.baseline) < 1e-9), false))
FROM (SELECT * FROM test_evaluate_cold.expected(name, k, 'cold', relevant_from) UNION ALL SELECT * FROM test_evaluate_cold.expected(name, k, 'warm', relevant_from)) x
	LEFT JOIN mf_evaluate('test_evaluate_cold.test', k, name, relevant_from => relevant_from) e USING (metric)
$$;
SELECT * FROM differing('both', 10, 0);
SELECT * FROM differing('both', 3, 3.5);
SELECT * FROM differing('both', 1000, 0);
SELECT * FROM differing('stars', 10, 0);
SELECT * FROM differing('clicks', 10, 0);

-- cold items are in the right order, and rated better than by the mean
CREATE TABLE figures AS SELECT name, e.* FROM unnest(ARRAY['both', 'stars', 'clicks', 'plain']) name, mf_evaluate('test', model => name) e;
SELECT name, value > 1.7 * baseline AS better FROM figures WHERE metric = 'cold_ndcg' ORDER BY name;
SELECT name, value > 0.65 AND baseline = 0.5 AS better FROM figures WHERE metric = 'cold_auc' ORDER BY name;
SELECT name, abs(value - (SELECT sqrt(avg((mf_predict(user_id, item_id, name) - rating)^2)) FROM cold)) < 1e-6 AS value,
	abs(baseline - (SELECT sqrt(avg((m - rating)^2)) FROM cold, (SELECT avg(rating) AS m FROM train) t)) < 1e-6 AS baseline, value < 0.9 * baseline AS better
	FROM figures WHERE metric = 'cold_rmse' ORDER BY name;
SELECT name, abs(value - (SELECT sqrt(avg((mf_predict(user_id, item_id, name) - rating)^2)) FROM warm)) < 1e-6 AS value FROM figures WHERE metric = 'warm_rmse' ORDER BY name;
-- the order of all: pairs of a relevant and another item, by their scores
WITH listed AS MATERIALIZED (SELECT f.ratings = 0 AS cold, t.user_id, l.item_id, l.score, r.item_id IS NOT NULL AS relevant
		FROM (SELECT DISTINCT user_id FROM test) t CROSS JOIN mf_recommend(t.user_id, 1000, 'both', fresh => false) l JOIN both_item_factors f USING (item_id)
		LEFT JOIN test r ON r.user_id = t.user_id AND r.item_id = l.item_id),
	users AS (SELECT a.cold, user_id, avg(CASE WHEN a.score > b.score THEN 1 WHEN a.score = b.score THEN 0.5 ELSE 0 END) AS auc
		FROM listed a JOIN listed b USING (user_id) WHERE a.cold = b.cold AND a.relevant AND NOT b.relevant GROUP BY 1, 2)
SELECT metric, abs(value - avg(auc)) < 1e-6 AS same FROM figures, users WHERE name = 'both' AND metric = CASE WHEN cold THEN 'cold_auc' ELSE 'warm_auc' END GROUP BY 1, value ORDER BY 1;
-- the baseline of the others: items by their ratings
WITH popular AS (SELECT item_id, ratings FROM both_item_factors WHERE ratings > 0),
	listed AS (SELECT u.user_id, p.item_id, row_number() OVER (PARTITION BY u.user_id ORDER BY p.ratings DESC, p.item_id) AS rank FROM (SELECT DISTINCT user_id FROM warm) u, popular p
		WHERE NOT EXISTS (SELECT FROM train s WHERE s.user_id = u.user_id AND s.item_id = p.item_id)),
	users AS (SELECT user_id, count(*) AS r, count(l.rank) FILTER (WHERE l.rank <= 10) AS hits, sum(1 / log(2, rank + 1)) FILTER (WHERE l.rank <= 10) AS gain FROM warm JOIN listed l USING (user_id, item_id) GROUP BY 1)
SELECT metric, abs(baseline - CASE metric WHEN 'warm_full_recall' THEN recall ELSE ndcg END) < 1e-9 AS same
	FROM figures, (SELECT avg(hits::float8 / r) AS recall, avg(coalesce(gain, 0) / (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, least(10, r)) i))::float8 AS ndcg FROM users) x
	WHERE name = 'both' AND metric IN ('warm_full_recall', 'warm_ndcg') ORDER BY 1;
-- and all its baselines are those of a model that knows no other items, but for how alike items are by its vectors
SELECT count(*), bool_and(abs(b.baseline - p.baseline) < 1e-12) AS same FROM figures b JOIN figures p ON b.metric = 'warm_' || p.metric WHERE b.name = 'both' AND p.name = 'plain' AND b.baseline IS NOT NULL AND p.metric <> 'intra_list_similarity';
-- what there is, in this order, and rows add up
\pset format unaligned
SELECT string_agg(metric, ' ') FROM mf_evaluate('test', model => 'both');
SELECT string_agg(metric, ' ') FROM mf_evaluate('test', model => 'clicks') WHERE metric ~ '_';
\pset format aligned
SELECT name, sum(value) FILTER (WHERE metric IN ('cold_rows', 'warm_rows')) = sum(value) FILTER (WHERE metric = 'rows') AS rows,
	sum(value) FILTER (WHERE metric IN ('cold_rows_relevant', 'warm_rows_relevant')) = sum(value) FILTER (WHERE metric = 'rows_relevant') AS relevant,
	sum(value) FILTER (WHERE metric = 'rows_unknown_item') AS unknown FROM figures GROUP BY 1 ORDER BY 1;
SELECT abs(value - (SELECT avg((f.ratings = 0)::int) FROM (SELECT DISTINCT user_id FROM test) t CROSS JOIN mf_recommend(user_id, 10, 'both', fresh => false) JOIN both_item_factors f USING (item_id))) < 1e-9 AS share, baseline
	FROM figures WHERE metric = 'cold_share' AND name = 'both';
-- users together are the mean of users alone
SELECT count(*), bool_and(abs(f.value - p.value) < 1e-9 AND (f.baseline IS NULL AND p.baseline IS NULL OR abs(f.baseline - p.baseline) < 1e-9)) AS mean
	FROM (SELECT metric, CASE WHEN metric ~ 'rows' THEN sum(value) ELSE avg(value) END AS value, CASE WHEN metric !~ 'rows' THEN avg(baseline) END AS baseline FROM mf_evaluate('test', model => 'both', per_user => true) GROUP BY 1) p
	JOIN figures f USING (metric) WHERE name = 'both' AND metric !~ 'rmse|mae';

-- what content alone reaches: cold items by the cosine of their features with the sum of those of the user's training items
CREATE TABLE by_content AS
WITH known AS (SELECT item_id FROM both_item_factors WHERE ratings > 0), weights AS (SELECT g, ln((SELECT count(*) FROM known)::float8 / count(*)) AS w FROM known JOIN movies USING (item_id), unnest(genres) g GROUP BY 1),
	features AS MATERIALIZED (SELECT item_id, g, w / sqrt(sum(w * w) OVER (PARTITION BY item_id)) AS v FROM movies, unnest(genres) g JOIN weights USING (g)),
	profiles AS (SELECT user_id, g, sum(v) AS p FROM train JOIN features USING (item_id) GROUP BY 1, 2),
	scores AS MATERIALIZED (SELECT u.user_id, i.item_id, round(coalesce(sum(p * v), 0)::numeric, 6) AS score FROM both_item_factors i CROSS JOIN both_user_factors u JOIN features f ON f.item_id = i.item_id
		LEFT JOIN profiles p ON p.user_id = u.user_id AND p.g = f.g WHERE i.ratings = 0 GROUP BY 1, 2),
	ranked AS MATERIALIZED (SELECT s.*, c.item_id IS NOT NULL AS relevant, row_number() OVER (PARTITION BY user_id ORDER BY score DESC, item_id) AS rank FROM scores s LEFT JOIN cold c USING (user_id, item_id)),
	users AS (SELECT user_id, count(*) FILTER (WHERE relevant) AS r, count(*) FILTER (WHERE relevant AND rank <= 10) AS hits, coalesce(sum(1 / log(2, rank + 1)) FILTER (WHERE relevant AND rank <= 10), 0) AS gain,
		(SELECT avg(CASE WHEN a.score > b.score THEN 1 WHEN a.score = b.score THEN 0.5 ELSE 0 END) FROM ranked a JOIN ranked b USING (user_id) WHERE user_id = u.user_id AND a.relevant AND NOT b.relevant) AS auc
		FROM ranked u GROUP BY 1 HAVING bool_or(relevant))
SELECT avg(hits::float8 / r) AS full_recall, avg(gain / (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, least(10, r)) i))::float8 AS ndcg, avg(auc)::float8 AS auc FROM users;
SELECT metric, bool_and(abs(f.value - CASE metric WHEN 'content_full_recall' THEN full_recall WHEN 'content_ndcg' THEN ndcg ELSE auc END) < 1e-6) AS same, count(*) AS models
	FROM figures f, by_content WHERE metric IN ('content_full_recall', 'content_ndcg', 'content_auc') GROUP BY 1 ORDER BY 1;
SELECT count(*), bool_and(c.baseline = f.baseline) AS random, bool_and(c.value > c.baseline) AS better FROM figures c JOIN figures f ON f.name = c.name AND f.metric = 'cold' || substr(c.metric, 8) WHERE c.metric LIKE 'content%';
-- it is left out where attributes cannot be read, or say nothing any more
BEGIN;
ALTER TABLE movies RENAME TO films;
SELECT metric FROM mf_evaluate('test', model => 'both') WHERE metric ~ 'content|cold_ndcg';
ROLLBACK;
BEGIN;
DELETE FROM movies;
SELECT metric FROM mf_evaluate('test', model => 'both') WHERE metric ~ 'content|cold_ndcg';
ROLLBACK;
BEGIN;
UPDATE movies SET genres = NULL;
SELECT metric FROM mf_evaluate('test', model => 'both') WHERE metric ~ 'content|cold_ndcg';
ROLLBACK;
BEGIN;
ALTER TABLE movies DROP genres;
SELECT metric FROM mf_evaluate('test', model => 'both') WHERE metric ~ 'content|cold_ndcg';
ROLLBACK;
-- rows of other items change nothing, nor of cold ones that have none, but for the places that these take
BEGIN;
INSERT INTO movies VALUES (1000, '{"genre 1", new}'), (1001, '{new}'), (1002, '{new}'), (1003, '{new}');
SELECT e.metric FROM mf_evaluate('test', model => 'both') e JOIN figures f USING (metric) WHERE name = 'both' AND metric LIKE 'content%' AND e.value <> f.value;
DELETE FROM movies WHERE item_id IN (SELECT item_id FROM both_item_factors WHERE ratings = 0);
SELECT abs(value - 0.5) < 1e-9 AS chance FROM mf_evaluate('test', model => 'both') WHERE metric = 'content_auc';
ROLLBACK;

-- parts are measured only where rows of cold items are
SELECT DISTINCT split_part(metric, '_', 1) AS part FROM mf_evaluate('cold', model => 'both') WHERE metric ~ '^(cold|warm)';
SELECT count(*) AS parts FROM mf_evaluate('warm', model => 'both') WHERE metric ~ '^(cold|warm|content)';
SELECT count(*) AS parts FROM figures WHERE name = 'plain' AND metric ~ '^(cold|warm)';
SELECT f.metric FROM figures f JOIN mf_evaluate('cold', model => 'both') e USING (metric) WHERE name = 'both' AND metric LIKE 'cold%' AND f.value <> e.value;
SELECT f.metric FROM figures f JOIN mf_evaluate('warm', model => 'both') e ON f.metric = 'warm_' || e.metric WHERE name = 'both' AND f.metric ~ 'rmse|mae|rows|users' AND f.value <> e.value;
-- rows of cold items that came after the training: they are left out of lists, and of the test rows
CREATE VIEW grown AS SELECT * FROM train UNION ALL SELECT * FROM cold WHERE user_id % 2 = 0;
SELECT metric, value = (SELECT count(*) FROM cold WHERE user_id % 2 = (metric <> 'rows_trained')::int) AS same FROM mf_evaluate('test', model => 'both', train => 'grown') WHERE metric IN ('cold_rows', 'rows_trained') ORDER BY 1;
CREATE VIEW grown_some AS SELECT * FROM train UNION ALL SELECT * FROM cold WHERE item_id % 2 = 0;
SELECT e.value > 0.6 AS auc, abs(e.baseline - 0.5) < 1e-9 AS chance FROM mf_evaluate('test', model => 'both', train => 'grown_some') e WHERE metric = 'cold_auc';
-- all cold items relevant: no pairs to be in order
CREATE TABLE every AS SELECT 1 AS user_id, item_id, 5 AS rating FROM both_item_factors WHERE ratings = 0;
SELECT metric, value, baseline FROM mf_evaluate('every', model => 'both') WHERE metric IN ('cold_auc', 'cold_precision', 'cold_ndcg', 'cold_mrr', 'cold_hit_rate');
-- unknown users
CREATE TABLE strangers AS SELECT user_id + (item_id % 4 = 0)::int * 1000 AS user_id, item_id, rating FROM test;
SELECT count(*) > 0 AS measured FROM mf_evaluate('strangers', model => 'both') WHERE metric LIKE 'cold%';
CREATE TABLE cold_strangers AS SELECT user_id + 1000 AS user_id, item_id, rating FROM cold UNION ALL TABLE warm;
SELECT metric, value >= 0 AS value FROM mf_evaluate('cold_strangers', model => 'both') WHERE metric ~ '^cold|^warm_users';
-- the same for any number of threads
SET mfrec.threads = 1;
CREATE TABLE one AS SELECT * FROM mf_evaluate('test', model => 'both');
SET mfrec.threads = 3;
SELECT metric FROM one FULL JOIN mf_evaluate('test', model => 'both') e USING (metric) WHERE ROW (one.value, one.baseline) IS DISTINCT FROM ROW (e.value, e.baseline);
RESET mfrec.threads;

SELECT mf_drop(m) FROM unnest(ARRAY['both', 'stars', 'clicks', 'plain']) m;
SET client_min_messages = warning;
DROP SCHEMA test_evaluate_cold CASCADE;
