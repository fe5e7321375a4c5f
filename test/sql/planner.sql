-- What the planner knows of lists: rows follow k and candidates, joins go through primary keys.
CREATE SCHEMA test_planner;
SET search_path = test_planner, public;

CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 2000) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT users, items FROM mf_train('bought', factors => 4, iterations => 1);

-- What the planner expects of a query, at the top of its plan.
CREATE FUNCTION expected(query text, what text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> what;
END $$;
CREATE FUNCTION expected_rows(query text) RETURNS numeric LANGUAGE sql RETURN expected(query, 'Plan Rows');
CREATE FUNCTION expected_cost(query text) RETURNS numeric LANGUAGE sql RETURN expected(query, 'Total Cost');
-- a call of each function, with these further arguments
CREATE FUNCTION calls(more text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT call FROM (VALUES ('mf_recommend(1%s)'), ('mf_recommend(''1''%s)'),
		('mf_recommend(1, item_type => NULL::int%s)'), ('mf_recommend(''1'', item_type => NULL::int%s)'),
		('mf_recommend_for(ARRAY[1, 2]%s)'), ('mf_similar_items(1%s)'), ('mf_similar_items(''1''%s)'),
		('mf_similar_users(1%s)'), ('mf_similar_users(''1''%s)'), ('mf_recommend_users(1%s)'),
		('mf_recommend_users(''1''%s)'), ('mf_recommend_users(1, user_type => NULL::int%s)'),
		('mf_recommend_users(''1'', user_type => NULL::int%s)'), ('mf_explain(1, 2%s)'), ('mf_explain(''1'', ''2''%s)'),
		('mf_explain(1, ''2''%s)'), ('mf_popular(model => NULL%s)'), ('mf_popular(item_type => NULL::int%s)')) v (f),
		format(f, more) call $$;

-- k, wherever it stands in a call; every function that returns a list has it
SELECT expected_rows('SELECT * FROM ' || call) AS rows, count(*), min(call) FROM calls(', k => 7') call GROUP BY 1;
SELECT expected_rows('SELECT * FROM ' || call) AS rows, count(*) FROM calls(', k => 3 + 4000') call GROUP BY 1;
SELECT expected_rows('SELECT * FROM ' || call) AS rows, count(*) FROM calls('') call WHERE call !~ '_type' GROUP BY 1;
SELECT expected_rows('SELECT * FROM mf_recommend(1, 25)') AS position,
	expected_rows('SELECT * FROM mf_recommend(1, NULL)') AS missing,
	expected_rows('SELECT * FROM mf_recommend(1, (random() * 100)::int)') AS unknown,
	expected_rows('SELECT mf_recommend(1, 25)') AS in_select_list,
	expected_rows('SELECT * FROM mf_recommend(1, -5)') AS absurd;
SELECT count(*) AS lists, count(*) FILTER (WHERE prosupport <> 'mf_serve_support'::regproc) AS without
FROM pg_proc WHERE proname ~ '^mf_' AND 'k' = ANY (proargnames) AND proretset AND proname NOT IN ('mf_evaluate', 'mf_components', 'mf_cluster_labels');
-- of a prepared statement what is known when it is planned
SET plan_cache_mode = force_custom_plan;
PREPARE list(int) AS SELECT * FROM mf_recommend(1, $1);
SELECT expected_rows('EXECUTE list(33)');
SET plan_cache_mode = force_generic_plan;
SELECT expected_rows('EXECUTE list(33)');
RESET plan_cache_mode;

-- candidates bound it
SELECT expected_rows('SELECT * FROM mf_recommend(1, 10, candidates => ARRAY[1, 2, 3])') AS three,
	expected_rows('SELECT * FROM mf_recommend(1, candidates => ARRAY[1, 2, 3])') AS three_of_ten,
	expected_rows('SELECT * FROM mf_recommend(1, 2, candidates => ARRAY[1, 2, 3])') AS two,
	expected_rows('SELECT * FROM mf_recommend(1, 5, candidates => ARRAY[]::int[])') AS at_least_one,
	expected_rows('SELECT * FROM mf_recommend(1, 5, candidates => ARRAY[1, (random() * 5)::int])') AS two_expressions,
	expected_rows('SELECT * FROM mf_recommend(1, 5, candidates => ARRAY(SELECT 1))') AS unknown,
	expected_rows('SELECT * FROM mf_recommend(1, 5, candidates => NULL::int[])') AS missing,
	expected_rows('SELECT * FROM mf_popular(5, candidates => ARRAY[1, 2, 3])') AS popular;

-- a longer list costs more, more candidates do, and what looks at all users does where there are more
SELECT expected_cost('SELECT * FROM mf_recommend(1, 1000)') > 2 * expected_cost('SELECT * FROM mf_recommend(1, 10)') AS length,
	expected_cost('SELECT * FROM mf_recommend(1, 10, candidates => ''' || (SELECT array_agg(i) FROM generate_series(1, 10000) i)::text || '''::int[])')
		> 2 * expected_cost('SELECT * FROM mf_recommend(1, 10, candidates => ARRAY[1])') AS candidates;
CREATE VIEW fewer AS SELECT * FROM bought WHERE user_id <= 20;
SELECT users FROM mf_train('fewer', factors => 4, iterations => 1);
ANALYZE bought_user_factors, fewer_user_factors;
SELECT expected_cost('SELECT * FROM mf_similar_users(1)') > 10 * expected_cost('SELECT * FROM mf_similar_users(1, model => ''fewer'')') AS users,
	expected_cost('SELECT * FROM mf_recommend_users(1)') > 10 * expected_cost('SELECT * FROM mf_recommend_users(1, model => ''fewer'')') AS item,
	expected_cost('SELECT * FROM mf_similar_items(1)') < expected_cost('SELECT * FROM mf_similar_users(1)') AS items,
	expected_cost('SELECT * FROM mf_similar_users(1, model => ''none'')') > 0 AS no_such_model;
-- lists for everybody: one each
SELECT expected_rows('SELECT * FROM mf_recommend_all(7, ''fewer'')') AS fewer, expected_rows('SELECT * FROM mf_recommend_all(3)') AS all_users,
	expected_rows('SELECT * FROM mf_recommend_all(3, user_type => NULL::int, item_type => NULL::int)') AS typed,
	expected_cost('SELECT * FROM mf_recommend_all(3)') > 10 * expected_cost('SELECT * FROM mf_recommend_all(3, ''fewer'')') AS costs_more;
SET mfrec.model = 'fewer';
SELECT expected_cost('SELECT * FROM mf_similar_users(1)') = expected_cost('SELECT * FROM mf_similar_users(1, model => ''fewer'')') AS by_setting;
RESET mfrec.model;

-- of the version that is asked for, however many are kept
SELECT version, users FROM mf_retrain('fewer');
INSERT INTO bought SELECT u, u % 7 FROM generate_series(1, 5) u ON CONFLICT DO NOTHING;
CREATE OR REPLACE VIEW fewer AS SELECT * FROM bought WHERE user_id <= 30;
SET mfrec.keep_versions = 3;
SELECT version, users FROM mf_retrain('fewer');
RESET mfrec.keep_versions;
ANALYZE fewer_user_factors;
SELECT expected_rows('SELECT * FROM mf_recommend_all(7, ''fewer'')') AS serving, expected_rows('SELECT * FROM mf_recommend_all(7, ''fewer'', version => 1)') AS older,
	expected_rows('SELECT * FROM mf_recommend_all(7, ''fewer'', version => 9)') AS none,
	expected_rows('SELECT * FROM mf_recommend_all(7, user_type => NULL::int, item_type => NULL::int, model => ''fewer'', version => 2)') AS typed;
-- a large table is joined through its primary key, for one user and for many
CREATE TABLE products (id int PRIMARY KEY, name text);
INSERT INTO products SELECT i, 'product ' || i FROM generate_series(1, 100000) i;
CREATE TABLE people AS SELECT u AS id FROM generate_series(1, 1000) u;
ANALYZE products, people;
EXPLAIN (COSTS OFF) SELECT p.name, r.score FROM mf_recommend(42, 10) r JOIN products p ON p.id = r.item_id ORDER BY r.rank;
SELECT expected_rows('SELECT p.name, r.score FROM mf_recommend(42, 10) r JOIN products p ON p.id = r.item_id ORDER BY r.rank');
EXPLAIN (COSTS OFF) SELECT s.similarity, p.name FROM mf_similar_items(42, 10) s JOIN products p USING (id);
EXPLAIN (COSTS OFF) SELECT u.id, r.item_id FROM people u, LATERAL mf_recommend(u.id, 10) r;
SELECT expected_rows('SELECT u.id, r.item_id FROM people u, LATERAL mf_recommend(u.id, 10) r') AS ten_each,
	expected_rows('SELECT u.id, r.item_id FROM people u, LATERAL mf_recommend(u.id, 3) r') AS three_each,
	expected_rows('SELECT u.id, p.name FROM people u, LATERAL mf_recommend(u.id, 10) r JOIN products p ON p.id = r.item_id') AS joined;
-- where a list is as long as the table, hashing is cheaper
EXPLAIN (COSTS OFF) SELECT p.name, r.score FROM mf_recommend(42, 10000) r JOIN products p ON p.id = r.item_id;

-- the support function is the planner's alone; minor versions say so differently
DO $$ BEGIN
	PERFORM mf_serve_support(NULL);
EXCEPTION WHEN undefined_function OR feature_not_supported THEN
	RAISE NOTICE 'not to be called';
END $$;

SELECT mf_drop('fewer');
SELECT mf_drop('bought');
SET client_min_messages = warning;
DROP SCHEMA test_planner CASCADE;
