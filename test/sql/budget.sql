-- Bounded memory: what does not fit maintenance_work_mem is spilled, and nothing else changes.
SET client_min_messages = warning;
CREATE TABLE budget_ratings AS
	SELECT (g * 7919 % 3001)::int AS user_id, (g * 104729 % 1009 * (g * 31 % 17 + 1) % 1009)::int AS item_id,
		(g * 13 % 5 + 1)::int AS rating
	FROM generate_series(1::bigint, 200000) g;

CREATE FUNCTION factors_md5(model text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(t, '','' ORDER BY t COLLATE "C")) FROM (
		SELECT user_id || '':'' || bias || factors::text AS t FROM %I UNION ALL
		SELECT item_id || ''/'' || bias || factors::text || coalesce(rating_factors::text, '''') FROM %I) x',
		model || '_user_factors', model || '_item_factors') INTO result;
	RETURN result;
END $$;

-- In memory, in temporary files, on one thread and on several: the same bits.
SET maintenance_work_mem = '256MB';
SELECT temporary_bytes > 0 AS spills FROM mf_estimate('budget_ratings', factors => 8);
SELECT users, items, ratings, iterations FROM mf_train('budget_ratings', 'in_memory', factors => 8, iterations => 3);
SET maintenance_work_mem = '1MB';
SELECT temporary_bytes > 0 AS spills FROM mf_estimate('budget_ratings', factors => 8);
SELECT users, items, ratings, iterations FROM mf_train('budget_ratings', 'spilled', factors => 8, iterations => 3);
SET mfrec.threads = 1;
SELECT users, items, ratings, iterations FROM mf_train('budget_ratings', 'alone', factors => 8, iterations => 3);
RESET mfrec.threads;
SELECT factors_md5('in_memory') = factors_md5('spilled') AS spilled, factors_md5('in_memory') = factors_md5('alone') AS alone;
SELECT a.loss = b.loss AS same_loss, a.rmse = b.rmse AS same_rmse
	FROM mf_models a, mf_models b WHERE a.model = 'in_memory' AND b.model = 'spilled';

-- Counts and held-out rows on the same two ways.
SET maintenance_work_mem = '256MB';
SELECT ratings FROM mf_train('budget_ratings', 'in_memory', feedback => 'implicit', factors => 8, iterations => 2, validation => 0.1);
SET maintenance_work_mem = '1MB';
SELECT ratings FROM mf_train('budget_ratings', 'spilled', feedback => 'implicit', factors => 8, iterations => 2, validation => 0.1);
SELECT factors_md5('in_memory') = factors_md5('spilled') AS spilled;

-- Attributes of items, and the search that trains with both again and again.
CREATE TABLE budget_items AS SELECT DISTINCT item_id, item_id % 7 AS kind, ARRAY(SELECT 'word ' || item_id * n % 101 FROM generate_series(1, 60) n) AS words FROM budget_ratings;
CREATE FUNCTION trials() RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(value || ' ' || iterations, ', ' ORDER BY trial) FROM mf_tune('budget_ratings', trials => 2, factors => 8, iterations => 4, item_features => 'budget_items', feature_categories => '{kind}') $$;
SET maintenance_work_mem = '256MB';
SELECT items FROM mf_train('budget_ratings', 'in_memory', factors => 8, iterations => 4, item_features => 'budget_items');
SELECT trials() AS in_memory \gset
SET maintenance_work_mem = '1MB';
SELECT items FROM mf_train('budget_ratings', 'spilled', factors => 8, iterations => 4, item_features => 'budget_items');
SELECT factors_md5('in_memory') = factors_md5('spilled') AS spilled, trials() = :'in_memory' AS trials;
DROP FUNCTION trials();
DROP TABLE budget_items;

-- temp_file_limit stops it with PostgreSQL's own error, and the old version serves on.
SET temp_file_limit = '100kB';
\set VERBOSITY sqlstate
SELECT mf_train('budget_ratings', 'spilled', factors => 8, iterations => 3);
\set VERBOSITY default
RESET temp_file_limit;
SELECT version, serving FROM mf_models WHERE model = 'spilled' ORDER BY version;

-- What must be in memory is compared with mfrec.max_memory before it is allocated.
SET mfrec.max_memory = '1MB';
\set VERBOSITY sqlstate
SELECT mf_train('budget_ratings', 'large', factors => 1000);
\set VERBOSITY default
RESET mfrec.max_memory;
RESET maintenance_work_mem;

-- A map of features is tried on copies of all factors, which count while it lasts.
CREATE TABLE budget_items AS SELECT g AS item_id, 'g' || g % 17 AS genre FROM generate_series(0, 1008) g;
SELECT w.memory_bytes - o.memory_bytes > 2 * 4 * 256 * (w.users + 2 * w.items) AS counted
FROM mf_estimate('budget_ratings', factors => 256, rating_factors => 0) o,
	mf_estimate('budget_ratings', factors => 256, rating_factors => 0, item_features => 'budget_items') w;
SET mfrec.max_memory = '40MB';
\set VERBOSITY sqlstate
SELECT users FROM mf_train('budget_ratings', 'plain', factors => 256, rating_factors => 0, iterations => 1);
SELECT users FROM mf_train('budget_ratings', 'tried', factors => 256, rating_factors => 0, iterations => 1, item_features => 'budget_items');
\set VERBOSITY default
RESET mfrec.max_memory;
DROP TABLE budget_items;

-- Nothing trains now.
SELECT count(*) FROM mf_progress;
SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models ORDER BY model) m;
DROP TABLE budget_ratings;
DROP FUNCTION factors_md5(text);
