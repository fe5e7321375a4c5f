-- Serving functions in parallel workers answer as they do in the session itself.
CREATE SCHEMA test_parallel;
SET search_path = test_parallel, public;
SET client_min_messages = warning;
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 40) u, generate_series(1, 40) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE products AS SELECT i AS id, i % 5 AS seller FROM generate_series(1, 40) i;
CREATE TABLE named AS SELECT 'u' || user_id AS user_id, md5(item_id::text)::uuid AS item_id FROM ratings;
CREATE INDEX ON named (user_id);
SELECT version FROM mf_train('ratings', factors => 4, iterations => 2);
SELECT version FROM mf_retrain('ratings');
SELECT version FROM mf_train('ratings', 'stars', factors => 4, iterations => 2, interest_weight => 0);
SELECT version FROM mf_train('named', factors => 4, iterations => 2);

CREATE VIEW calls AS
	SELECT 'model' AS call, u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, fresh => false) r
	UNION ALL SELECT 'fresh', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, fresh => true) r
	UNION ALL SELECT 'version', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, version => 1) r
	UNION ALL SELECT 'stars', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, 'stars') r
	UNION ALL SELECT 'filter', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, candidates => ARRAY[1, 2, 3, 4, 5, 6, 7], exclude => ARRAY[4]) r
	UNION ALL SELECT 'table', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 5, per_group => 1, group_table => 'products', group_column => 'seller') r
	UNION ALL SELECT 'groups', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend(u, 2, candidates => ARRAY[1, 2, 3], per_group => 1, groups => ARRAY[7, 7, 8]) r
	UNION ALL SELECT 'typed', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend('u' || u, 5, item_type => NULL::uuid, model => 'named') r
	UNION ALL SELECT 'basket', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend_for(ARRAY[u, u + 2], k => 5) r
	UNION ALL SELECT 'rated basket', u, r::text FROM generate_series(1, 45) u, LATERAL mf_recommend_for(ARRAY[u, u + 2], ARRAY[5, 1], 5, 'stars') r
	UNION ALL SELECT 'users', i, r::text FROM generate_series(1, 45) i, LATERAL mf_recommend_users(i, 5) r
	UNION ALL SELECT 'similar items', i, r::text FROM generate_series(1, 45) i, LATERAL mf_similar_items(i, 5) r
	UNION ALL SELECT 'similar users', u, r::text FROM generate_series(1, 45) u, LATERAL mf_similar_users(u, 5) r
	UNION ALL SELECT 'explain', u, r::text FROM generate_series(1, 45) u, LATERAL mf_explain(u, 7, 5) r
	UNION ALL SELECT 'popular', 0, r::text FROM mf_popular(5) r
	UNION ALL SELECT 'predict', u, mf_predict(u, i)::text FROM generate_series(1, 45) u, generate_series(1, 45) i
	UNION ALL SELECT 'predict by name', u, mf_predict('u' || u, 'c4ca4238-a0b9-2382-0dcc-509a6f75849b', 'named')::text FROM generate_series(1, 45) u;
CREATE TABLE serial AS SELECT * FROM calls;

-- the setting had another name before 16
SELECT name AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset
SET :forced = on;
CREATE FUNCTION workers(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Workers Launched';
END $$;
SELECT workers('SELECT * FROM calls');
CREATE TABLE parallel AS SELECT * FROM calls;
SELECT call, count(*) AS rows, count(*) FILTER (WHERE s.r IS DISTINCT FROM p.r) AS different
FROM (SELECT *, row_number() OVER (PARTITION BY call, u ORDER BY r) AS n FROM serial) s
	FULL JOIN (SELECT *, row_number() OVER (PARTITION BY call, u ORDER BY r) AS n FROM parallel) p USING (call, u, n)
GROUP BY call ORDER BY call;

-- what the session has done in this transaction counts in workers, too: rows, a training, settings
BEGIN;
INSERT INTO ratings VALUES (100, 2, 5), (100, 4, 5);
SELECT workers('SELECT * FROM mf_recommend(100, 3)');
SELECT bool_and(item_id % 2 = 0) AS even, array_agg(DISTINCT reason) AS reasons FROM mf_recommend(100, 3);
SELECT version FROM mf_retrain('ratings');
SELECT DISTINCT reason FROM mf_recommend(100, 3);
SET LOCAL mfrec.model = 'named';
SELECT count(*) FROM mf_recommend('u1', 3, item_type => NULL::uuid);
SET LOCAL mfrec.cold_start = 'empty';
SELECT count(*) FROM mf_recommend('nobody', 3, item_type => NULL::uuid);
ROLLBACK;
SELECT DISTINCT reason FROM mf_recommend(100, 3);

-- errors of a worker
SELECT * FROM mf_recommend(1, 3, 'none');
SELECT * FROM mf_recommend(1, 0);
-- temporary tables belong to the session, as in any parallel query
CREATE TEMP TABLE mine AS SELECT * FROM ratings;
SET :forced = off;
SELECT version FROM mf_train('mine', factors => 4, iterations => 2, schema => 'test_parallel');
SELECT count(*) FROM mf_recommend(1, 3, 'mine', fresh => true);
SET :forced = on;
SELECT count(*) FROM mf_recommend(1, 3, 'mine');
\set VERBOSITY terse
SELECT count(*) FROM mf_recommend(1, 3, 'mine', fresh => true);
\set VERBOSITY default

-- what writes stays in the session
SELECT workers('SELECT mf_retrain(''ratings'')') AS training, workers('SELECT * FROM mf_progress') AS progress;
SELECT proname, proparallel FROM pg_proc WHERE proname ~ '^mf_' AND provolatile <> 'v' AND proparallel <> 's' ORDER BY proname;
SELECT proname FROM pg_proc WHERE proname ~ '^mf_' AND provolatile = 'v' AND proparallel = 's' ORDER BY proname;

SET :forced = off;
SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models) m;
DROP SCHEMA test_parallel CASCADE;
