-- Known items are drawn to what a map makes of their attributes where that makes users' lists of them better, and a notice says where not
CREATE SCHEMA test_drawn;
SET search_path = test_drawn, public;
\set SHOW_CONTEXT never

-- 1,500 users have seven rows each or so, most of them of films of their genre, of which there are ten: genres say what rows are too few for
CREATE TABLE films AS SELECT i AS item_id, 'genre ' || i % 10 AS genre, (SELECT string_agg('w' || abs(hashint8extended(i, n) % 60), ' ') FROM generate_series(1, 8) n) AS noise
	FROM generate_series(1, 400) i;
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 1500) u, generate_series(1, 400) i
	WHERE mf_holdout(u, i, CASE WHEN i % 10 = u % 10 THEN 0.12 ELSE 0.006 END);
CREATE TABLE train AS SELECT * FROM taken WHERE NOT mf_holdout(item_id, user_id, 0.2);
CREATE TABLE test AS SELECT * FROM taken WHERE mf_holdout(item_id, user_id, 0.2);
CREATE VIEW genres AS SELECT item_id, genre FROM films;
CREATE VIEW dice AS SELECT item_id, noise FROM films;
ANALYZE taken, train, test;

-- also where items have fewer rows than vectors have numbers, when iterations before remember each row
SELECT model, items FROM mf_train('train', 'plain', factors => 32);
SELECT model, items FROM mf_train('train', 'genres', factors => 32, item_features => 'genres');
SELECT model, items FROM mf_train('train', 'beside', factors => 32, item_features => 'films');
SELECT model, items FROM mf_train('train', 'dice', factors => 32, item_features => 'dice');
SELECT g.value > 1.02 * p.value AS better, abs(b.value - g.value) < 0.01 * g.value AS same_beside_noise, d.value = p.value AS same_by_noise_alone
FROM mf_evaluate('test', 20, 'plain') p JOIN mf_evaluate('test', 20, 'genres') g USING (metric) JOIN mf_evaluate('test', 20, 'beside') b USING (metric)
	JOIN mf_evaluate('test', 20, 'dice') d USING (metric) WHERE metric = 'ndcg';
-- noise alone leaves vectors bit for bit as they are, and columns beside it as strong as without it
SELECT count(*), bool_and(p.factors = d.factors) AS same FROM plain_item_factors p JOIN dice_item_factors d USING (item_id);
SELECT g.parameters -> 'feature_strengths' -> 'genre' = b.parameters -> 'feature_strengths' -> 'genre' AS same FROM mf_models g, mf_models b
WHERE g.model = 'genres' AND b.model = 'beside';

-- every user has nine of ten films of a genre, and attributes are right about a third of them: that is something of new films, but known
-- ones are better known by their rows
CREATE TABLE dense AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 600) u, generate_series(1, 100) i
	WHERE mf_holdout(u, i, CASE WHEN i * 7 % 10 = u % 10 THEN 0.9 ELSE 0.1 END);
CREATE VIEW few AS SELECT i AS item_id, (CASE WHEN hashint4(i) % 3 = 0 THEN i % 10 ELSE abs(hashint4(i + 1000)) % 10 END)::text AS genre FROM generate_series(1, 100) i;
SELECT model, items FROM mf_train('dense', 'dense', factors => 12, item_features => 'few');
SELECT model, items FROM mf_train('dense', 'plain dense', factors => 12);
SELECT count(*), bool_and(p.factors = d.factors) AS same FROM "plain dense_item_factors" p JOIN dense_item_factors d USING (item_id);
SELECT count(mf_drop(model)) FROM mf_models WHERE serving AND model IN ('plain', 'genres', 'beside', 'dice', 'dense', 'plain dense');
SET client_min_messages = warning;
DROP SCHEMA test_drawn CASCADE;
