-- candidates, exclude and per_group of every list: what naive SQL over the model's tables lists, on many calls.
CREATE SCHEMA test_lists;
SET search_path = test_lists, public;
SET client_min_messages = warning;
-- a number from a and b, evenly below n; ids of any type by their number
CREATE FUNCTION drawn(a int, b int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$SELECT (('x' || substr(md5(a || ' ' || b), 1, 7))::bit(28)::int % n)$$;
CREATE FUNCTION id_of(type text, n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE type WHEN 'uuid' THEN md5(n::text)::uuid::text WHEN 'text' THEN 'id ' || n WHEN 'bigint' THEN (n + 5000000000)::text ELSE n::text END$$;
CREATE FUNCTION dot(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS
	$$SELECT sum(x::float8 * y) FROM unnest(a, b) u (x, y)$$;
CREATE TABLE pairs AS SELECT u, i FROM generate_series(1, 50) u, generate_series(1, 40) i WHERE drawn(u, i, 9) < 1 + (u + i) % 4;
DO $$
DECLARE t text;
BEGIN
	FOREACH t IN ARRAY '{int,bigint,text,uuid}'::text[] LOOP
		EXECUTE format('CREATE TABLE of_%1$s AS SELECT id_of(%1$L, u)::%1$s AS user_id, id_of(%1$L, i)::%1$s AS item_id FROM pairs', t);
		EXECUTE format('ALTER TABLE of_%s ADD PRIMARY KEY (user_id, item_id)', t);
		PERFORM mf_train(format('of_%s', t)::regclass, factors => 6);
		-- some items have no row here, and some rows no seller
		EXECUTE format('CREATE TABLE sellers_%1$s AS SELECT id_of(%1$L, i)::%1$s AS id, nullif(i %% 6, 0) AS seller FROM generate_series(1, 48) i WHERE i %% 11 <> 0', t);
	END LOOP;
END $$;

-- What each function could list of subject n, with its score, as naive SQL; of a basket, which has no table, the whole list.
CREATE FUNCTION naive(function text, type text, n int) RETURNS text LANGUAGE sql AS $$
	SELECT replace(replace(CASE function
		WHEN 'mf_similar_items' THEN 'SELECT o.item_id AS id, dot(o.factors, t.factors) / sqrt(dot(o.factors, o.factors) * dot(t.factors, t.factors)) AS score
			FROM of_#T_item_factors o JOIN of_#T_item_factors t ON t.item_id = #X AND o.item_id <> #X'
		WHEN 'mf_similar_users' THEN 'SELECT o.user_id AS id, dot(o.factors, t.factors) / sqrt(dot(o.factors, o.factors) * dot(t.factors, t.factors)) AS score
			FROM of_#T_user_factors o JOIN of_#T_user_factors t ON t.user_id = #X AND o.user_id <> #X'
		WHEN 'mf_recommend_users' THEN 'SELECT user_id AS id, dot(u.factors, i.factors) AS score FROM of_#T_user_factors u JOIN of_#T_item_factors i ON item_id = #X
			WHERE NOT EXISTS (SELECT FROM of_#T s WHERE s.user_id = u.user_id AND s.item_id = #X)'
		WHEN 'mf_popular' THEN 'SELECT item_id AS id, ratings::float8 AS score FROM of_#T_item_factors'
		WHEN 'mf_recommend_for' THEN 'SELECT item_id AS id, score FROM mf_recommend_for(ARRAY[#X, ' || quote_literal(id_of(type, 1 + n % 37)) || '::#T], k => 10000, model => ''of_#T'')'
		ELSE 'SELECT item_id AS id, dot(u.factors, i.factors) AS score FROM of_#T_user_factors u CROSS JOIN of_#T_item_factors i
			WHERE u.user_id = #X AND NOT EXISTS (SELECT FROM of_#T s WHERE s.user_id = #X AND s.item_id = i.item_id)' END,
		'#T', type), '#X', quote_literal(id_of(type, n)) || '::' || type)$$;
-- its call, with more arguments
CREATE FUNCTION call(function text, type text, n int, k int, arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT replace(replace(replace(replace(CASE function
		WHEN 'mf_similar_items' THEN 'SELECT id, similarity AS score, rank FROM mf_similar_items(#X, k => #K, model => ''of_#T'' #A)'
		WHEN 'mf_similar_users' THEN 'SELECT id, similarity AS score, rank FROM mf_similar_users(#X, k => #K, model => ''of_#T'' #A)'
		WHEN 'mf_recommend_users' THEN 'SELECT user_id AS id, score, rank FROM mf_recommend_users(#X, k => #K, user_type => NULL::#T, model => ''of_#T'' #A)'
		WHEN 'mf_popular' THEN 'SELECT item_id AS id, ratings AS score, rank FROM mf_popular(k => #K, item_type => NULL::#T, model => ''of_#T'' #A)'
		WHEN 'mf_recommend_for' THEN 'SELECT item_id AS id, score, rank FROM mf_recommend_for(ARRAY[#X, ' || quote_literal(id_of(type, 1 + n % 37)) || '::#T], k => #K, model => ''of_#T'' #A)'
		WHEN 'mf_recommend_all' THEN 'SELECT item_id AS id, score, rank FROM mf_recommend_all(k => #K, user_type => NULL::#T, item_type => NULL::#T, model => ''of_#T'' #A) WHERE user_id = #X'
		ELSE 'SELECT item_id AS id, score, rank FROM mf_recommend(#X, k => #K, item_type => NULL::#T, model => ''of_#T'' #A)' END,
		'#T', type), '#X', quote_literal(id_of(type, n)) || '::' || type), '#A', arguments), '#K', k::text)$$;
-- An array of up to `most` ids, some unknown, some twice, some null; or none, or null.
CREATE FUNCTION ids(type text, seed int, most int, nulls boolean) RETURNS text LANGUAGE sql AS $$
	SELECT CASE drawn(seed, 0, 9) WHEN 0 THEN 'NULL' WHEN 1 THEN 'ARRAY[]' ELSE
		'ARRAY[' || (SELECT string_agg(CASE WHEN nulls AND drawn(seed, j, 13) = 0 THEN 'NULL' ELSE quote_literal(id_of(type, 1 + drawn(seed, j, 55))) END, ', ')
			FROM generate_series(1, 1 + drawn(seed, -1, most)) j) || ']' END || '::' || type || '[]' $$;

-- How many of n calls list anything, and how many list something else than they should: the best k that the filters let in, and of
-- each group at most so many.
CREATE FUNCTION differences(function text, type text, calls int) RETURNS TABLE (listed bigint, full_lists bigint, differ bigint, example text) LANGUAGE plpgsql AS $$
DECLARE
	arguments text; among text; without text; k int; per int; by_array boolean; answer text; wrong boolean; n int;
BEGIN
	listed := 0; full_lists := 0; differ := 0;
	FOR seed IN 1..calls LOOP
		n := 1 + drawn(seed, 1, 40);
		k := (ARRAY[1, 3, 10, 100])[1 + drawn(seed, 2, 4)];
		per := CASE WHEN drawn(seed, 3, 2) = 0 THEN 1 + drawn(seed, 4, 3) END;
		by_array := drawn(seed, 5, 2) = 0;
		among := ids(type, seed * 7, CASE drawn(seed, 6, 3) WHEN 0 THEN 8 ELSE 60 END, per IS NULL OR NOT by_array);
		without := ids(type, seed * 11, CASE drawn(seed, 7, 10) WHEN 0 THEN 1000 ELSE 20 END, true);
		by_array := by_array AND among !~ '^NULL';
		arguments := format(', candidates => %s, exclude => %s', among, without);
		-- groups by array: those of the table, in the candidates' order; an id that stands there twice has its group twice
		IF per IS NOT NULL AND by_array THEN
			arguments := arguments || format(', per_group => %s, groups => ARRAY(SELECT s.seller FROM unnest(%s) WITH ORDINALITY c (id, n) LEFT JOIN sellers_%s s USING (id) ORDER BY c.n)', per, among, type);
		ELSIF per IS NOT NULL THEN
			arguments := arguments || format(', per_group => %s, group_table => ''sellers_%s'', group_column => ''seller''', per, type);
		END IF;
		EXECUTE format('WITH answer AS (%s), whole AS (%s), let_in AS (
				SELECT w.*, s.seller FROM whole w LEFT JOIN sellers_%s s USING (id)
				WHERE (%4$s IS NULL OR id IN (SELECT unnest(%4$s))) AND (%5$s IS NULL OR id NOT IN (SELECT x FROM unnest(%5$s) x WHERE x IS NOT NULL))),
			capped AS (SELECT *, row_number() OVER (PARTITION BY seller ORDER BY score DESC, id) AS place FROM let_in),
			best AS (SELECT id, score, row_number() OVER (ORDER BY score DESC, id) AS rank FROM capped
				WHERE %6$L::int IS NULL OR seller IS NULL OR place <= %6$L::int ORDER BY score DESC, id LIMIT %7$s)
			SELECT (SELECT count(*) FROM answer), EXISTS (SELECT FROM answer a FULL JOIN best b USING (id)
				WHERE a.rank IS DISTINCT FROM b.rank OR abs(a.score - b.score) > 1e-5)',
			call(function, type, n, k, arguments), naive(function, type, n), type, among, without, per, k) INTO answer, wrong;
		listed := listed + (answer::int > 0)::int;
		full_lists := full_lists + (answer::int = k)::int;
		differ := differ + wrong::int;
		IF wrong THEN example := call(function, type, n, k, arguments); END IF;
	END LOOP;
	RETURN NEXT;
END $$;
SELECT f AS function, t AS type, listed * 2 > calls AS lists, full_lists * 10 > calls AS full, differ, example
FROM unnest('{mf_recommend,mf_recommend_for,mf_recommend_all,mf_similar_items,mf_popular,mf_recommend_users,mf_similar_users}'::text[]) f,
	(VALUES ('int', 200), ('bigint', 40), ('text', 40), ('uuid', 40)) AS t (t, calls), differences(f, t, calls) ORDER BY f, t;
-- a model of ratings and of interest, whose list vectors are others than those by which items are alike
SELECT mf_drop('of_int');
ALTER TABLE of_int ADD rating real;
UPDATE of_int SET rating = 1 + drawn(user_id, item_id, 5);
SELECT version FROM mf_train('of_int', factors => 5);
SELECT feedback, factors FROM mf_models WHERE model = 'of_int';
SELECT f AS function, differ, example
FROM unnest('{mf_recommend_for,mf_similar_items,mf_popular,mf_similar_users}'::text[]) f, differences(f, 'int', 100) ORDER BY f;
-- lists of all users are those of each
SELECT count(*) > 100 AS rows, count(*) FILTER (WHERE a.rank IS DISTINCT FROM b.rank OR a.score IS DISTINCT FROM b.score) AS differ
FROM mf_recommend_all(7, 'of_int', candidates => ARRAY(SELECT generate_series(1, 60, 2)), exclude => '{5,7}'::int[],
	per_group => 2, group_table => 'sellers_int', group_column => 'seller') a
FULL JOIN (SELECT u AS user_id, l.* FROM generate_series(1, 50) u, mf_recommend(u, 7, 'of_int', candidates => ARRAY(SELECT generate_series(1, 60, 2)),
	exclude => '{5,7}'::int[], per_group => 2, group_table => 'sellers_int', group_column => 'seller') l) b USING (user_id, item_id);
-- more candidates than are looked up one by one
SELECT count(*) > 100 AS rows, count(*) FILTER (WHERE a.rank IS DISTINCT FROM b.rank OR a.score IS DISTINCT FROM b.score) AS differ
FROM mf_recommend_all(7, 'of_int', candidates => ARRAY(SELECT i % 20 FROM generate_series(1, 300) i)) a
FULL JOIN mf_recommend_all(7, 'of_int', candidates => ARRAY(SELECT generate_series(0, 19))) b USING (user_id, item_id);

-- Among many items the nearest are found by an index of directions: of a model of ratings and interest, of one of ratings alone, and of
-- vectors that are nearly as near in large numbers.
CREATE TABLE large AS SELECT user_id, item_id, 1 + drawn(user_id, item_id, 5) AS rating
	FROM (SELECT DISTINCT 1 + drawn(n, 1, 300) AS user_id, 1 + drawn(n, 2, 3000) AS item_id FROM generate_series(1, 30000) n) p;
CREATE TABLE lines AS SELECT i AS id, ARRAY[1 + i % 3, 2, i % 7, CASE WHEN i % 2 = 0 THEN 0 ELSE 1e-7 * (i % 100) END]::real[] AS factors
	FROM generate_series(1, 2000) i;
SELECT users > 250 AS users, items > 2500 AS items FROM mf_train('large', factors => 20);
SELECT items > 2500 AS items FROM mf_train('large', 'alone', factors => 20, interest_weight => 0);
SELECT items FROM mf_import('lines', 'lines', 'lines', feedback => 'implicit');
CREATE TABLE vectors AS SELECT model, item_id, v, sqrt(dot(v, v)) AS length FROM (
	SELECT 'large' AS model, item_id, factors AS v FROM large_item_factors UNION ALL
	SELECT 'alone', item_id, factors FROM alone_item_factors UNION ALL
	SELECT 'lines', item_id, factors FROM lines_item_factors) f;
CREATE TABLE asked AS SELECT model, item_id AS x, 1 + drawn(item_id, 0, 20) AS k,
		CASE WHEN drawn(item_id, 1, 2) = 0 THEN ARRAY(SELECT i FROM generate_series(1, 3000) i WHERE drawn(i, item_id, 3) > 0) END AS among,
		ARRAY(SELECT drawn(i, item_id, 3000) FROM generate_series(1, 50) i) AS without
	FROM (SELECT *, row_number() OVER (PARTITION BY model ORDER BY md5(item_id::text)) AS n FROM vectors) v WHERE n <= 10;
CREATE TABLE naive AS SELECT model, x, n.* FROM asked a, LATERAL (
	SELECT o.item_id AS id, dot(o.v, t.v) / (o.length * t.length) AS similarity FROM vectors t, vectors o
	WHERE t.model = a.model AND o.model = a.model AND t.item_id = x AND o.item_id <> x
		AND (among IS NULL OR o.item_id IN (SELECT unnest(among))) AND o.item_id NOT IN (SELECT unnest(without))) n;
-- what is listed at a rank is as near as what naive SQL has there; of what differs by rounding alone either
SELECT a.model, count(*) = sum(DISTINCT wanted) AS complete, count(*) FILTER (WHERE (abs(a.similarity - n.similarity) < 1e-6 AND abs(i.similarity - n.similarity) < 1e-12) IS NOT TRUE) AS differ
FROM (SELECT model, x, s.* FROM asked, mf_similar_items(x, k, model, candidates => among, exclude => without) s) a
	JOIN (SELECT *, row_number() OVER (PARTITION BY model, x ORDER BY similarity DESC, id) AS rank FROM naive) n USING (model, x, rank)
	JOIN naive i ON i.model = a.model AND i.x = a.x AND i.id = a.id
	JOIN (SELECT model, sum(k) AS wanted FROM asked GROUP BY model) w ON w.model = a.model
GROUP BY a.model ORDER BY a.model;

-- Among many users, who are cut to the best of their groups time and again: in rows that come best last, with a group that has half of
-- them, and many that have few.
CREATE TABLE crowd AS SELECT i AS id, ARRAY[i % 9973, 1 + i % 17, i / 1000]::real[] AS factors FROM generate_series(1, 30000) i;
CREATE TABLE crowd_items AS SELECT i AS id, ARRAY[i % 3 - 1, i % 2, i]::real[] AS factors FROM generate_series(1, 6) i;
CREATE VIEW tenants AS SELECT id, CASE WHEN id % 2 = 0 THEN 'all' WHEN id % 23 > 0 THEN 'few ' || id % 4999 END AS tenant FROM crowd;
SELECT users FROM mf_import('crowd', 'crowd', 'crowd_items', feedback => 'implicit');
WITH asked AS (SELECT x, per, k FROM generate_series(1, 6) x, (VALUES (1, 10), (2, 500), (3, 6000)) AS a (per, k)),
	naive AS (SELECT x, per, k, id, score, row_number() OVER (PARTITION BY x, per, k ORDER BY score DESC, id) AS rank FROM (
		SELECT x, per, k, u.id, t.tenant, dot(u.factors, i.factors) AS score,
			row_number() OVER (PARTITION BY x, per, t.tenant ORDER BY dot(u.factors, i.factors) DESC, u.id) AS place
		FROM asked JOIN crowd_items i ON i.id = x CROSS JOIN crowd u JOIN tenants t ON t.id = u.id) w WHERE tenant IS NULL OR place <= per),
	listed AS (SELECT x, per, k, l.* FROM asked, mf_recommend_users(x, k, 'crowd', per_group => per, group_table => 'tenants', group_column => 'tenant') l)
SELECT per, k, count(l.user_id) AS listed, count(*) FILTER (WHERE l.user_id IS DISTINCT FROM n.id OR abs(l.score - n.score) > 1e-5 * abs(n.score)) AS differ
FROM (SELECT * FROM naive WHERE rank <= k) n FULL JOIN listed l USING (x, per, k, rank) GROUP BY per, k ORDER BY per, k;

-- items that have come since the training, by their attributes, for a basket that does not have them
CREATE TABLE kinds AS SELECT i AS item_id, i % 4 AS kind FROM generate_series(1, 40) i;
CREATE TABLE kind_rows AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE u % 4 = i % 4 AND drawn(u, i, 3) > 0;
SELECT items FROM mf_train('kind_rows', factors => 4, item_features => 'kinds', feature_categories => '{kind}');
INSERT INTO kinds VALUES (101, 1), (102, 2), (103, 3);
SELECT array_agg(item_id ORDER BY item_id) AS listed, min(item_id) FILTER (WHERE rank = 1) AS best FROM mf_recommend_for(ARRAY[1, 5, 9], model => 'kind_rows', candidates => ARRAY[101, 102, 103, 2, 5, 999], exclude => ARRAY[103]);
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend_for(ARRAY[1, 5, 101], model => 'kind_rows', candidates => ARRAY[101, 102, 2]);
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend_for(ARRAY[999], model => 'kind_rows', candidates => ARRAY[101, 2]);
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend_for(ARRAY[1], model => 'kind_rows', candidates => ARRAY[101, 2], new_items => false);
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend_for(ARRAY[1], model => 'kind_rows', candidates => ARRAY[101, 2], per_group => 1, groups => ARRAY['a', 'a']);

-- strings, and parameters without a type
SELECT count(*) FROM mf_recommend_for(ARRAY[1, 2], k => 3, model => 'of_int', candidates => '{3,4,5,6,1}', exclude => '{3}');
SELECT count(*) FROM mf_similar_items(1, 10, 'of_int', candidates => '3,4,1', exclude => ' {4}'::varchar);
SELECT count(*) FROM mf_similar_users(1, 10, 'of_int', candidates => '{1,2,3}'::text, exclude => '{}');
SELECT count(*) FROM mf_recommend_users(1, 100, 'of_int', candidates => ARRAY[1, 2, 3, 4, 5, NULL, 5000000000], exclude => NULL)
	UNION ALL SELECT 5 - count(DISTINCT user_id) FROM of_int WHERE item_id = 1 AND user_id <= 5;
PREPARE untyped AS SELECT count(*) FROM mf_similar_items($1, 10, 'of_text', candidates => $2, exclude => $3);
EXECUTE untyped ('id 1', '{id 1,id 2,id 3}', '{id 3}');
PREPARE popular AS SELECT array_agg(item_id ORDER BY rank) = ARRAY(SELECT item_id FROM mf_popular(3, 'of_int', exclude => ARRAY[1, 2])) AS same FROM mf_popular(3, 'of_int', exclude => $1);
EXECUTE popular ('{2,1,1}');
-- a literal behind a literal is taken for the model, where users come as text
SELECT count(*), min(pg_typeof(user_id)::text) AS type FROM mf_recommend_users('id 1', 3, NULL::text, 'of_text');
SELECT count(*), min(pg_typeof(user_id)::text) AS type FROM mf_recommend_users('id 1', 3, NULL::text, 'of_text', '{id 2,id 3,id 4,id 5,id 6,id 7}');
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', '{1,2}');
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', ARRAY(SELECT generate_series(1, 50)));
-- what is no array of ids, or asks for groups by halves
SELECT count(*) FROM mf_recommend_for(ARRAY[1], model => 'of_int', candidates => 7);
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', exclude => 7);
SELECT count(*) FROM mf_similar_items(1, 3, 'of_int', candidates => ARRAY[[1, 2], [3, 4]]);
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', candidates => ARRAY[true]);
SELECT count(*) FROM mf_popular(3, 'of_int', per_group => 0, group_table => 'sellers_int', group_column => 'seller');
SELECT count(*) FROM mf_recommend_all(3, 'of_int', per_group => 1);
SELECT count(*) FROM mf_similar_items(1, 3, 'of_int', groups => ARRAY[1]);
SELECT count(*) FROM mf_recommend_for(ARRAY[1], model => 'of_int', per_group => 1, groups => ARRAY[1]);
SELECT count(*) FROM mf_similar_items(1, 3, 'of_int', candidates => ARRAY[1, 2], per_group => 1, groups => ARRAY[1]);
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', per_group => 1);
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', per_group => 0, group_table => 'sellers_int', group_column => 'seller');
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', per_group => 1, groups => ARRAY[1]);
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', candidates => ARRAY[1, 2], per_group => 1, groups => ARRAY[1]);
SELECT count(*) FROM mf_recommend_users(1, 3, 'of_int', per_group => 1, group_table => 'sellers_int', group_column => 'none');
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', per_group => 1, group_table => 'sellers_text', group_column => 'seller');
CREATE VIEW twice AS SELECT id, seller FROM sellers_int UNION ALL SELECT 7, 2;
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', per_group => 1, group_table => 'twice', group_column => 'seller');
SELECT count(*) FROM mf_similar_users(1, 3, 'of_int', candidates => ARRAY[2, 3], per_group => 1, group_table => 'twice', group_column => 'seller');

-- how many rows the planner expects
CREATE FUNCTION expected(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM ' || query INTO plan;
	RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
SELECT expected('mf_similar_items(1, 10, ''of_int'', candidates => ARRAY[1, 2, 3])'), expected('mf_recommend_for(ARRAY[1], candidates => ARRAY[1, 2])'),
	expected('mf_recommend_all(5, ''of_int'', candidates => ARRAY[1, 2])'), expected('mf_recommend_all(5, ''of_int'')');

DEALLOCATE ALL;
SELECT mf_drop(model) FROM mf_models WHERE model ~ '^(of_|large|alone|lines|kind_rows|crowd)' GROUP BY model ORDER BY model COLLATE "C";
DROP SCHEMA test_lists CASCADE;
