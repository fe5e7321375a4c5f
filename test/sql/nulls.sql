-- NULL in each argument of each function, by turns: an answer, no rows, or a clear error, never a crash.
CREATE SCHEMA test_nulls;
SET search_path = test_nulls, public;
SET client_min_messages = warning;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u + i) % 5 AS rating, 1 AS weight, u + i AS seconds
	FROM generate_series(1, 8) u, generate_series(1, 8) i WHERE (u + i) % 3 <> 0;
CREATE TABLE attributes AS SELECT i AS item_id, i % 2 AS kind FROM generate_series(1, 8) i;
CREATE TABLE people AS SELECT u AS user_id, u % 2 AS kind FROM generate_series(1, 8) u;
SELECT version FROM mf_train('ratings', factors => 2);
SELECT version FROM mf_retrain('ratings');
CREATE TABLE vectors AS SELECT item_id AS id, factors FROM ratings_item_factors WHERE version = 2;
CREATE TABLE shops AS SELECT user_id % 2 AS shop_id, * FROM ratings;
SELECT count(version) FROM mf_train_each('shops', 'shop_id', factors => 2);
CREATE TABLE test AS SELECT u AS user_id, i AS item_id, 1 + (u + i) % 5 AS rating FROM generate_series(1, 8) u, generate_series(1, 8) i
	WHERE (u + i) % 3 = 0;

-- What a call with named arguments gives: its number of rows, or its error.
CREATE FUNCTION result(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; n bigint;
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || call INTO n;
	RETURN n || ' rows';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN state || ' ' || message;
END $$;
-- An argument that works, by its name and type.
CREATE FUNCTION good(function text, name text, type text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN function = 'mf_train_each' AND name = 'source' THEN '''test_nulls.shops''::regclass'
		WHEN function = 'mf_train_each' AND name = 'model' THEN '''shops'''
		WHEN function = 'mf_train_each' AND name = 'by' THEN '''shop_id'''
		WHEN name = 'tenant' THEN '''1'''
		WHEN name IN ('source', 'train') THEN '''test_nulls.ratings''::regclass'
		WHEN name = 'test' THEN '''test_nulls.test''::regclass'
		WHEN name = 'titles' THEN '''test_nulls.attributes''::regclass'
		WHEN name = 'title_column' THEN '''kind'''
		WHEN name = 'title_id_column' THEN '''item_id'''
		WHEN name = 'users' THEN '''{1}''::text[]'
		WHEN name = 'model' THEN '''ratings'''
		WHEN name IN ('user_id', 'item_id') THEN CASE type WHEN 'text' THEN '''1''::text' ELSE '1' END
		WHEN name = 'relation' THEN '''test_nulls.vectors''::regclass'
		WHEN name = 'vector_column' THEN '''factors'''
		WHEN name = 'id_column' THEN '''id'''
		WHEN name = 'of' THEN '''items'''
		WHEN name IN ('item_type', 'user_type', 'id_type') THEN CASE type WHEN 'text' THEN '''''::text' ELSE '1' END
		WHEN name = 'candidates' AND function = 'mf_recommend_for' THEN 'ARRAY[4, 5]'
		WHEN name IN ('candidates', 'items', 'groups') THEN 'ARRAY[1, 2]'
		WHEN name = 'exclude' THEN 'ARRAY[3]'
		WHEN name IN ('group_table', 'group_column', 'group_id_column', 'boost_table', 'boost_column', 'boost_id_column') THEN 'NULL'
		WHEN name = 'boosts' THEN 'ARRAY[0.5, 1]'
		WHEN name = 'ratings' THEN 'ARRAY[1, 2]::real[]'
		WHEN name = 'feedback' THEN '''explicit'''
		WHEN name = 'user_column' THEN '''user_id'''
		WHEN name = 'item_column' THEN '''item_id'''
		WHEN name = 'rating_column' THEN '''rating'''
		WHEN name = 'weight_column' THEN '''weight'''
		WHEN name = 'schema' THEN '''test_nulls'''
		WHEN name = 'item_features' THEN '''test_nulls.attributes''::regclass'
		WHEN name = 'user_features' THEN '''test_nulls.people''::regclass'
		WHEN name = 'variants' THEN '''{"a": 1}''::jsonb'
		WHEN name = 'experiment' THEN '''one'''
		WHEN name = 'feature_categories' THEN 'ARRAY[''kind'']'
		WHEN name = 'time_column' THEN '''seconds'''
		WHEN name = 'half_life' THEN CASE function WHEN 'mf_popular' THEN 'NULL' ELSE '''1 day''::interval' END
		WHEN name = 'late' THEN '''1 day''::interval'
		WHEN name = 'event_column' THEN '''seconds'''
		WHEN name IN ('event_weights', 'relevant_event') THEN 'NULL'
		WHEN name = 'guard' THEN 'NULL'
		WHEN name = 'distribute' THEN 'false'
		WHEN name = 'validation_by' THEN '''random'''
		WHEN name = 'factors' THEN '2'
		WHEN name = 'by' THEN CASE function WHEN 'mf_popular' THEN '''ratings''' ELSE '''factors''' END
		WHEN name IN ('iterations', 'k', 'version') THEN '2'
		WHEN name IN ('validation', 'fraction') THEN '0.2'
		WHEN type IN ('integer', 'bigint', 'smallint') THEN '1'
		WHEN type = 'double precision' THEN '0.5'
		WHEN type = 'boolean' THEN 'true' END
$$;
-- The call of a function with all its arguments, the n-th one null (0: none).
CREATE FUNCTION call(f regprocedure, n int) RETURNS text LANGUAGE sql AS $$
	SELECT 'public.' || p.proname || '(' || string_agg(format('%I => %s', a.name,
		CASE WHEN a.number = n THEN 'NULL' || CASE WHEN a.name IN ('candidates', 'exclude', 'groups', 'items') THEN '::int[]'
			WHEN t.type IN ('"any"', 'anyelement') THEN '::int' ELSE '::' || t.type END
			ELSE good(p.proname, a.name, t.type) END), ', ' ORDER BY a.number) || ')'
	FROM pg_proc p, unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY a (type, name, number),
		LATERAL (SELECT format_type(a.type, NULL) AS type) t
	WHERE p.oid = f GROUP BY p.proname
$$;

\pset format unaligned
\pset tuples_only on
SELECT p.oid::regprocedure || ': ' || coalesce(p.proargnames[n], 'none') || ' -> ' || (
	CASE WHEN p.proname IN ('mf_train', 'mf_retrain', 'mf_train_each') THEN regexp_replace(result(call(p.oid, n)), '"test_nulls.*', '')
	ELSE result(call(p.oid, n)) END)
FROM pg_proc p, generate_series(0, p.pronargs) n
WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('mf_train', 'mf_train_each', 'mf_tenant', 'mf_recommend', 'mf_recommend_for',
	'mf_recommend_users', 'mf_predict', 'mf_similar_items', 'mf_similar_users', 'mf_explain', 'mf_popular', 'mf_holdout', 'mf_variant', 'mf_evaluate',
	'mf_map', 'mf_components', 'mf_clusters', 'mf_cluster_labels', 'mf_pca', 'mf_kmeans', 'mf_report')
ORDER BY p.oid::regprocedure::text COLLATE "C", n;
-- those that change models
SELECT result('mf_retrain(NULL)');
SELECT result('mf_retrain_each(NULL)');
SELECT result('mf_rollback(NULL, NULL)');
SELECT result('mf_rollback(''ratings'', NULL)');
SELECT result('mf_forget(NULL::int, ''ratings'')');
SELECT result('mf_forget(NULL::text, ''ratings'')');
SELECT result('mf_forget(1, NULL)');
SELECT result('mf_set_default(NULL)');
SELECT result('mf_drop(NULL)');

SELECT mf_drop('ratings'), mf_drop('shops');
DROP SCHEMA test_nulls CASCADE;
