-- The node of plans for functions that return a list: it takes the place of the server's, and gives the same rows.
CREATE SCHEMA test_list_scan;
SET search_path = test_list_scan, public;
SET client_min_messages = warning;

-- a checkerboard: users like items of their own parity, of which each has left out one in five
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 60) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT users, items FROM mf_train('bought', factors => 4, seed => 1);
CREATE TABLE numbered AS SELECT g AS n FROM generate_series(1, 3) g;
ANALYZE numbered;

-- Which node a query's list comes from.
CREATE FUNCTION node(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Custom Scan|Function Scan on mf' THEN
			RETURN NEXT regexp_replace(line, '^[ >-]*', '');
		END IF;
	END LOOP;
END $$;
-- The rows of a query as text, by the function in FROM and by the one in the select list, which has no such node.
CREATE FUNCTION same_rows(call text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	scanned text[];
	projected text[];
BEGIN
	EXECUTE format('SELECT array_agg(row(r.*)::text) FROM (SELECT * FROM %s) r', call) INTO scanned;
	EXECUTE format('SELECT array_agg(r.x::text) FROM (SELECT %s AS x OFFSET 0) r', call) INTO projected;
	RETURN scanned = projected AND cardinality(scanned) > 0;
END $$;

EXPLAIN (COSTS OFF) SELECT item_id FROM mf_recommend(42, 3) r WHERE rank > 1;
EXPLAIN (COSTS OFF, VERBOSE) SELECT n, (SELECT sum(s.id) FROM mf_similar_items(n, 3, 'bought') s WHERE rank < n) FROM numbered;

-- each function that returns a list
SELECT call, min(node) AS node, same_rows(call) FROM (VALUES ('mf_recommend(42, 3)'), ('mf_recommend(''42'', 3)'),
	('mf_recommend(42, 3, item_type => NULL::int)'), ('mf_recommend(42, 3, item_type => NULL::text)'), ('mf_recommend(42, 3, NULL::varchar)'),
	('mf_recommend_for(ARRAY[1, 3], k => 3)'), ('mf_similar_items(3, 3)'), ('mf_similar_users(3, 3)'), ('mf_recommend_users(3, 3)'),
	('mf_recommend_users(3, 3, user_type => NULL::int)'), ('mf_popular(3)'), ('mf_popular(3, item_type => NULL::text)')) v (call), node('SELECT * FROM ' || call) GROUP BY call ORDER BY call;

-- columns, in any order, once or more, none, under conditions and joins
SELECT rank, item_id % 2 AS parity, rank + 1 AS next, rank AS again FROM mf_recommend(42, 3);
SELECT count(*) FROM mf_recommend(42, 3);
SELECT rank FROM mf_recommend(42, 5) WHERE item_id % 2 = 0 AND rank BETWEEN 2 AND 3;
SELECT reason, predicted_rating IS NULL AS no_rating, score > 0 AS scored FROM mf_recommend(42, 1);
SELECT a.rank, b.rank FROM mf_recommend(42, 4) a JOIN mf_recommend(42, 4) b USING (item_id) ORDER BY 1;
SELECT rank FROM mf_recommend(42, 2) UNION ALL SELECT rank + 10 FROM mf_recommend(41, 2) ORDER BY 1;
SELECT n, array_agg(r.rank ORDER BY r.rank) AS ranks, bool_and((n + item_id) % 2 = 0) FILTER (WHERE rank < 3) AS own
	FROM numbered, LATERAL mf_recommend(n, n) r GROUP BY n ORDER BY n;
SELECT n, r.item_id IS NULL AS none FROM numbered LEFT JOIN LATERAL mf_recommend(NULLIF(n, 2), 1) r ON true ORDER BY n;

-- one call for all that a subquery is asked, as its arguments stay; a call for each where they do not
CREATE SEQUENCE calls;
CREATE FUNCTION counted(u int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT u FROM nextval('calls') $$;
SELECT n, (SELECT count(*) FROM mf_recommend(counted(1), 5) r WHERE r.rank < n) AS above FROM numbered ORDER BY n;
SELECT nextval('calls') AS calls;
SELECT n, (SELECT count(*) FROM mf_recommend(counted(n), 5) r WHERE r.rank < n) AS above FROM numbered ORDER BY n;
SELECT nextval('calls') AS calls;
SELECT n, (SELECT count(*) FROM mf_recommend((SELECT max(n) FROM numbered WHERE n < o.n), 5) r) AS of_former FROM numbered o ORDER BY n;

-- cursors go back
BEGIN;
DECLARE there CURSOR FOR SELECT rank FROM mf_recommend(42, 3);
FETCH 2 FROM there;
FETCH BACKWARD 1 FROM there;
FETCH ALL FROM there;
FETCH BACKWARD ALL FROM there;
FETCH 1 FROM there;
COMMIT;

-- parameters, by plans of any kind
PREPARE listed(int, bigint, text) AS SELECT rank, (item_id + $1) % 2 AS other FROM mf_recommend($1, $2, $3);
SET plan_cache_mode = force_generic_plan;
EXECUTE listed(42, 2, 'bought');
EXECUTE listed(41, 1, NULL);
EXECUTE listed(NULL, 1, NULL);
EXECUTE listed(41, 0, NULL);
EXECUTE listed(41, 1, 'nonesuch');
SET plan_cache_mode = force_custom_plan;
EXECUTE listed(42, 2, 'bought');
RESET plan_cache_mode;

-- in a process of a parallel plan
BEGIN;
SELECT set_config(name, 'on', true) AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT rank, reason FROM mf_recommend(42, 2);
COMMIT;

-- candidates of a query that is run once
SELECT node FROM node('SELECT item_id FROM mf_recommend(42, 3, candidates => ARRAY(SELECT generate_series(1, 9)))');
SELECT bool_and(item_id < 10) FROM mf_recommend(42, 3, candidates => ARRAY(SELECT generate_series(1, 9)));

-- what is left to the server's node
SELECT query, node FROM (VALUES ('SELECT r FROM mf_recommend(42, 3) r'), ('SELECT * FROM mf_recommend(42, 3) WITH ORDINALITY'),
	('SELECT * FROM mf_recommend(42, 3) r WHERE r IS NOT NULL'),
	('SELECT s.whole FROM numbered LEFT JOIN (SELECT coalesce(r::text, '''') AS whole FROM mf_recommend(42, 3) r) s ON true'),
	('SELECT * FROM ROWS FROM (mf_recommend(42, 3), mf_popular(3))'), ('SELECT rank FROM numbered, mf_recommend(42, 3) FOR UPDATE OF numbered'),
	('SELECT rank FROM numbered o, LATERAL mf_recommend((SELECT max(n) FROM numbered WHERE n < o.n), 3)'),
	('SELECT rank FROM numbered, mf_recommend(n, 3)'),
	('UPDATE numbered SET n = rank FROM mf_recommend(42, 3) WHERE rank = n'), ('SELECT * FROM mf_recommend_all(3)')) v (query), node(query);
SELECT item_id % 2 AS parity, ordinality FROM mf_recommend(42, 2) WITH ORDINALITY;
SELECT (r).rank, (r).reason FROM mf_recommend(42, 2) r;
SELECT n, s.whole ~ 'model' AS model FROM numbered LEFT JOIN (SELECT coalesce(r::text, '') AS whole FROM mf_recommend(42, 1) r) s ON n > 1 ORDER BY n;

-- ids of another type than the parser takes them for, as it does where named arguments come in an order of their own
CREATE TABLE sold AS SELECT md5(user_id::text)::uuid AS user_id, 'item ' || item_id AS item_id FROM bought;
SELECT users, items FROM mf_train('sold', factors => 4, seed => 1);
SELECT count(*) FROM mf_recommend_users('item 3'::text, 3, user_type => NULL::uuid, model => 'sold') r WHERE r.user_id IS NOT NULL;
SELECT * FROM mf_recommend_users('item 3'::text, 3, model => 'sold', user_type => NULL::uuid);
SELECT rank FROM mf_recommend_users('item 3'::text, 3, model => 'sold', user_type => NULL::uuid) r WHERE r.user_id = 'x';
SELECT rank FROM mf_recommend_users('item 3'::text, 3, model => 'sold', user_type => NULL::uuid);
SELECT mf_drop('sold');

-- the right to call is looked at in each execution, and so is what the function has become
CREATE ROLE regress_list_scan;
GRANT USAGE ON SCHEMA test_list_scan TO regress_list_scan;
GRANT SELECT ON bought, bought_user_factors, bought_item_factors TO regress_list_scan;
SET ROLE regress_list_scan;
EXECUTE listed(42, 1, 'bought');
RESET ROLE;
BEGIN;
DO $$ BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', (SELECT oid::regprocedure FROM pg_proc WHERE prosrc = 'mf_recommend' ORDER BY oid LIMIT 1));
END $$;
SET LOCAL ROLE regress_list_scan;
EXECUTE listed(42, 1, 'bought');
ROLLBACK;
BEGIN;
DO $$ BEGIN
	EXECUTE format('ALTER FUNCTION %s SET mfrec.model = ''bought''', (SELECT oid::regprocedure FROM pg_proc WHERE prosrc = 'mf_recommend' ORDER BY oid LIMIT 1));
END $$;
SELECT node FROM node('SELECT item_id FROM mf_recommend(42, 3)');
EXECUTE listed(42, 1, NULL);
ROLLBACK;
SELECT node FROM node('SELECT item_id FROM mf_recommend(42, 3)');
-- a function that has been made strict returns nothing for nulls
BEGIN;
DO $$ BEGIN
	EXECUTE format('ALTER FUNCTION %s STRICT', (SELECT oid::regprocedure FROM pg_proc WHERE prosrc = 'mf_recommend' ORDER BY oid LIMIT 1));
END $$;
EXECUTE listed(42, 1, NULL);
SELECT node FROM node('SELECT item_id FROM mf_recommend(42, 3)');
ROLLBACK;

SELECT mf_drop('bought');
DROP SCHEMA test_list_scan CASCADE;
DROP ROLE regress_list_scan;
