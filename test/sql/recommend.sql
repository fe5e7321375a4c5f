-- Lists: whom they suit, how long they are, and their order.
CREATE SCHEMA test_recommend;
SET search_path = test_recommend, public;

-- Users buy items of their own parity only, and not all of them.
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 20) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT model, version, users, items, ratings, rmse IS NULL AS no_rmse FROM mf_train('bought', factors => 4);

-- Two items of their own parity are left for every user, and come before all others.
SELECT count(*) AS users, bool_and((u + item_id) % 2 = 0) AS own_parity
FROM generate_series(1, 20) u, mf_recommend(u, 2);
SELECT bool_and(not_bought) AS nothing_twice
FROM (SELECT NOT EXISTS (SELECT FROM bought b WHERE b.user_id = u AND b.item_id = r.item_id) AS not_bought
	FROM generate_series(1, 20) u, mf_recommend(u, 12) r) l;
-- ranks count up, scores do not; there is no predicted rating without ratings
SELECT array_agg(rank ORDER BY rank) AS ranks, bool_and(coalesce(score <= before, true)) AS falling,
	count(predicted_rating) AS predicted, array_agg(DISTINCT reason) AS reasons
FROM (SELECT *, lag(score) OVER (ORDER BY rank) AS before FROM mf_recommend(3, 5)) l;
-- in the order of rank without ORDER BY
SELECT bool_and(rank = row) AS ordered FROM (SELECT rank, row_number() OVER () AS row FROM mf_recommend(3, 5)) l;

-- k
SELECT k, (SELECT count(*) FROM mf_recommend(1, k)) FROM (VALUES (1), (2), (11), (12), (13), (10000)) v (k) ORDER BY k;
SELECT count(*) FROM mf_recommend(1);
SELECT count(*) FROM mf_recommend(1, NULL);

-- what was bought, too
SELECT count(*) FROM mf_recommend(1, 100, exclude_seen => false);
SELECT count(*) FROM mf_recommend(1, 10, exclude_seen => false)
	JOIN bought ON bought.user_id = 1 AND bought.item_id = mf_recommend.item_id;

-- an unknown user gets what most have bought
INSERT INTO bought SELECT u, 21 FROM generate_series(1, 20) u;
SELECT version FROM mf_retrain('bought');
SELECT item_id, rank, reason FROM mf_recommend(999, 1);
SELECT item_id, ratings, rank FROM mf_popular(1);
SET mfrec.cold_start = 'empty';
SELECT * FROM mf_recommend(999, 1);
SET mfrec.cold_start = 'error';
SELECT * FROM mf_recommend(999, 1);
RESET mfrec.cold_start;

-- a null user has no list
SELECT * FROM mf_recommend(NULL::int);

-- inside queries: joins, LATERAL, LIMIT, prepared statements, functions
CREATE TABLE products (id int PRIMARY KEY, name text);
INSERT INTO products SELECT i, 'product ' || i FROM generate_series(1, 21) i;
SELECT count(*) FROM mf_recommend(4, 3) r JOIN products p ON p.id = r.item_id;
SELECT u.user_id, count(*) FROM (SELECT DISTINCT user_id FROM bought WHERE user_id <= 3) u,
	LATERAL mf_recommend(u.user_id, 4) r GROUP BY u.user_id ORDER BY u.user_id;
SELECT count(*) FROM (SELECT * FROM mf_recommend(4, 10) LIMIT 2) l;
PREPARE list(int, int) AS SELECT count(*), count(DISTINCT item_id) FROM mf_recommend($1, $2);
EXECUTE list(1, 3);
EXECUTE list(2, 4);
EXECUTE list(NULL, 4);
PREPARE untyped AS SELECT count(*) FROM mf_recommend($1, $2);
EXECUTE untyped('1', 3);
CREATE FUNCTION first_item(u int) RETURNS bigint LANGUAGE plpgsql STABLE AS
	'BEGIN RETURN (SELECT item_id FROM mf_recommend(u, 1)); END';
SELECT count(DISTINCT u), bool_and((first_item(u) + u) % 2 = 0) AS own_parity FROM generate_series(1, 20) u;

-- several sessions of parallel workers
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*), bool_and((user_id + item_id) % 2 = 0) AS own_parity
FROM (SELECT DISTINCT user_id FROM bought) u, LATERAL (SELECT item_id FROM mf_recommend(u.user_id, 1)) r;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- a basket of somebody unknown: their parity is that of the basket, which is left out
SELECT count(*), bool_and(item_id % 2 = 0 OR item_id = 21) AS even, bool_or(item_id IN (2, 4, 6)) AS basket
FROM mf_recommend_for(ARRAY[2, 4, 6], k => 3);
SELECT count(*), bool_and(item_id % 2 = 1) AS odd FROM mf_recommend_for(ARRAY[1, 3, 5]::bigint[], k => 3);
SELECT pg_typeof(item_id) FROM mf_recommend_for(ARRAY[2]::smallint[], k => 1);
-- strengths: mostly odd
SELECT bool_and(item_id % 2 = 1) AS odd FROM mf_recommend_for(ARRAY[1, 3, 2], ratings => ARRAY[10, 10, 0.01], k => 3);
-- repeated items and unknown ones do no harm; of nothing known, the popular ones
SELECT count(*) FROM mf_recommend_for(ARRAY[2, 2, 777], k => 4);
SELECT item_id, rank FROM mf_recommend_for(ARRAY[777], k => 1);
SELECT item_id, rank FROM mf_recommend_for(ARRAY[]::int[], k => 1);
SELECT * FROM mf_recommend_for(NULL::int[]);

-- whom to tell about an item: of its parity, and only those who do not have it
SELECT count(*), bool_and(user_id % 2 = 0) AS even,
	bool_or(EXISTS (SELECT FROM bought b WHERE b.user_id = r.user_id AND b.item_id = 2)) AS have_it
FROM mf_recommend_users(2, 2) r;
SELECT pg_typeof(user_id) FROM mf_recommend_users(2, 1, NULL::int);
SELECT count(*) FROM mf_recommend_users('2', 3);
SELECT count(*) FROM mf_recommend_users(777, 3);
SELECT count(*) FROM mf_recommend_users(NULL::int, 3);

SELECT mf_drop('bought');
SET client_min_messages = warning;
DROP SCHEMA test_recommend CASCADE;
