-- Lists for everybody: the same as each user's own, whoever asks for them how.
CREATE SCHEMA test_recommend_all;
SET search_path = test_recommend_all, public;

-- Users buy items of their own parity only, and not all of them.
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 20) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT model, users, items FROM mf_train('bought', factors => 4);

-- Two items of their own parity are left for every user, and come before all others.
SELECT count(*), count(DISTINCT user_id) AS users, bool_and((user_id + item_id) % 2 = 0) AS own_parity FROM mf_recommend_all(2);
-- how long lists are; ranks count up in the order of the rows, scores do not
SELECT count(*), count(*) FILTER (WHERE n = 10) AS full FROM (SELECT user_id, count(*) AS n FROM mf_recommend_all() GROUP BY user_id) l;
SELECT count(*) FROM mf_recommend_all(10000);
SELECT count(*), bool_and(rank = row AND coalesce(score <= before, true)) AS falling
FROM (SELECT rank, score, row_number() OVER list AS row, lag(score) OVER list AS before
	FROM (SELECT *, row_number() OVER () AS place FROM mf_recommend_all(5)) a WINDOW list AS (PARTITION BY user_id ORDER BY place)) l;

-- What a user has is left out.  These are the differences between the lists and those of single users,
-- from the model alone, without what each has now.
CREATE FUNCTION differences(k int, model text) RETURNS TABLE (lists bigint, missing bigint, wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	source text := (SELECT format('%I.%I', source_schema, m.source) FROM mfrec.model m WHERE name = model);
BEGIN
	EXECUTE format('CREATE TEMP TABLE rows AS SELECT user_id::bigint, item_id::bigint FROM %s', source);
	RETURN QUERY EXECUTE format($q$
		WITH everybody AS MATERIALIZED (SELECT * FROM mf_recommend_all($1, $2)),
		single AS MATERIALIZED (SELECT u.user_id::bigint, r.item_id, r.score,
				row_number() OVER (PARTITION BY u.user_id ORDER BY r.rank)::int AS rank
			FROM (SELECT DISTINCT user_id FROM %s WHERE version = (SELECT version FROM mfrec.model WHERE name = $2)) u,
				LATERAL mf_recommend(u.user_id, 10000, $2, fresh => false) r
			WHERE (u.user_id::bigint, r.item_id) NOT IN (SELECT user_id, item_id FROM rows WHERE user_id IS NOT NULL AND item_id IS NOT NULL))
		SELECT (SELECT count(DISTINCT user_id) FROM everybody),
			(SELECT count(*) FROM (SELECT * FROM single WHERE rank <= $1 EXCEPT SELECT * FROM everybody) d),
			(SELECT count(*) FROM (SELECT * FROM everybody EXCEPT SELECT * FROM single WHERE rank <= $1) d)$q$,
		(SELECT format('%I.%I', schema, user_table) FROM mfrec.model m WHERE name = model)) USING k, model;
	DROP TABLE rows;
END $$;
SELECT * FROM differences(1, 'bought');
SELECT * FROM differences(5, 'bought');
SELECT * FROM differences(10000, 'bought');
-- nothing left out; the source is not even read
SELECT count(*), count(*) FILTER (WHERE b.user_id IS NOT NULL) AS bought
FROM mf_recommend_all(20, exclude_seen => false) r LEFT JOIN bought b USING (user_id, item_id);
SELECT count(*) FROM mf_recommend_all(20, exclude_seen => NULL);

-- What was bought since the training is left out, too; it does not change the vectors, nor make a user.  What was bought then stays so.
BEGIN;
INSERT INTO bought SELECT 3, i FROM generate_series(1, 20) i ON CONFLICT DO NOTHING;
INSERT INTO bought VALUES (21, 1), (1, 21);
DELETE FROM bought WHERE user_id = 4;
SELECT user_id, count(*) FROM mf_recommend_all(20) WHERE user_id IN (3, 4, 21) GROUP BY user_id;
SELECT * FROM differences(7, 'bought');
DELETE FROM bought;
SELECT count(*) FROM mf_recommend_all(20);
ROLLBACK;

-- explicit feedback, both parts and ratings alone, with duplicates, nulls and ids out of order; scores are those of mf_recommend
CREATE TABLE rated (user_id smallint, item_id bigint, rating real);
INSERT INTO rated SELECT 700 - u, 50 - i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END + (u * i % 3) * 0.1
	FROM generate_series(1, 600) u, generate_series(1, 40) i WHERE (u * 7 + i * 3) % 5 < 2;
INSERT INTO rated SELECT * FROM rated WHERE item_id % 4 = 0;
INSERT INTO rated VALUES (1, NULL, 3), (NULL, 1, 3), (699, 10, NULL);
SET client_min_messages = warning;
SELECT users, items FROM mf_train('rated', 'both', factors => 5, iterations => 3);
SELECT users, items FROM mf_train('rated', 'classic', factors => 5, iterations => 3, interest_weight => 0);
RESET client_min_messages;
SELECT * FROM differences(7, 'both');
SELECT * FROM differences(7, 'classic');
-- the same from any number of threads
CREATE TABLE lists AS SELECT * FROM mf_recommend_all(7, 'both');
SET mfrec.threads = 1;
SELECT count(*) FROM (SELECT * FROM mf_recommend_all(7, 'both') EXCEPT SELECT * FROM lists) d;
SET mfrec.threads = 3;
SELECT count(*) FROM (SELECT * FROM mf_recommend_all(7, 'both') EXCEPT SELECT * FROM lists) d;
-- so many rows that they are sorted on disk
BEGIN;
INSERT INTO rated SELECT r.* FROM rated r, generate_series(1, 9);
SET LOCAL maintenance_work_mem = '1MB';
SELECT count(*) FROM (SELECT * FROM mf_recommend_all(7, 'both') EXCEPT SELECT * FROM lists) d;
SELECT count(*) FROM (SELECT mf_recommend_all(7, 'both') LIMIT 1) d;
ROLLBACK;
RESET mfrec.threads;

-- flat norms and many items: users look at all items together; the table of users is in no order
CREATE TABLE flat (user_id int, item_id int);
INSERT INTO flat SELECT u, u * 30 + i FROM generate_series(1, 300) u, generate_series(0, 39) i;
SELECT users, items > 8192 AS many FROM mf_train('flat', factors => 8, iterations => 1);
UPDATE flat_item_factors SET factors = (SELECT array_agg((x / sqrt(s))::real ORDER BY n)
	FROM (SELECT n, x, sum(x * x) OVER () AS s FROM (SELECT n, (hashint8extended(item_id, n) % 1000003)::float8 AS x FROM generate_series(1, 8) n) r) v);
UPDATE flat_user_factors SET factors = (SELECT array_agg((hashint8extended(user_id, n) % 1000003)::real ORDER BY n) FROM generate_series(1, 8) n)
	WHERE user_id % 50 <> 0;
UPDATE flat_user_factors SET factors = array_fill(0::real, ARRAY[8]) WHERE user_id % 100 = 0;
SELECT mf_refresh('flat') > 0 AS refreshed;
CREATE TABLE flat_lists AS SELECT * FROM mf_recommend_all(6, 'flat');
SELECT count(*), count(DISTINCT user_id) AS users FROM flat_lists;
SELECT count(*) AS wrong FROM (SELECT * FROM flat_lists EXCEPT
	SELECT u::bigint, item_id, score, rank::int FROM (SELECT u, r.item_id, r.score, row_number() OVER (PARTITION BY u ORDER BY r.rank) AS rank
		FROM generate_series(1, 300) u, LATERAL mf_recommend(u, 60, 'flat', fresh => false) r
		WHERE NOT EXISTS (SELECT FROM flat f WHERE f.user_id = u AND f.item_id = r.item_id)) s) d;
SET mfrec.threads = 1;
SELECT count(*) FROM (SELECT * FROM mf_recommend_all(6, 'flat') EXCEPT SELECT * FROM flat_lists) d;
RESET mfrec.threads;

-- rows come as they are made: a select list asks for no more than it needs, and may leave
SELECT count(*) FROM (SELECT mf_recommend_all(5, 'both') LIMIT 7) l;
SELECT (r).rank, (r).score IS NOT NULL AS scored FROM (SELECT mf_recommend_all(3, 'both') AS r LIMIT 4) l;
SELECT count(*) FROM (SELECT 1 FROM mf_recommend_all(5, 'both') LIMIT 7) l;
BEGIN;
DECLARE partial CURSOR FOR SELECT (r).rank FROM (SELECT mf_recommend_all(2, 'both') AS r) l;
FETCH 3 FROM partial;
-- another training does not disturb it
SELECT version FROM mf_retrain('bought');
SELECT count(*) FROM mf_recommend_all(2, 'both');
MOVE FORWARD 1000 IN partial;
FETCH 1 FROM partial;
MOVE FORWARD ALL IN partial;
FETCH 1 FROM partial;
CLOSE partial;
DECLARE held CURSOR WITH HOLD FOR SELECT (r).rank FROM (SELECT mf_recommend_all(2, 'both') AS r) l;
FETCH 1 FROM held;
SAVEPOINT s;
DECLARE other CURSOR FOR SELECT mf_recommend_all(2, 'both');
MOVE 5 IN other;
ROLLBACK TO s;
FETCH 1 FROM held;
COMMIT;
MOVE FORWARD ALL IN held;
CLOSE held;
-- twice at a time, for every row of a table, and again after an error in the middle
SELECT count(*) FROM mf_recommend_all(2, 'both') a JOIN mf_recommend_all(3, 'both') b USING (user_id, rank);
SELECT v, count(*) FROM (VALUES (1), (3)) v (v), LATERAL mf_recommend_all(v, 'both') GROUP BY v ORDER BY v;
SELECT 1 / ((r).rank - 2) AS quotient FROM (SELECT mf_recommend_all(3, 'both') AS r) l;
DO $$
BEGIN
	PERFORM 1 / ((r).rank - 2) FROM (SELECT mf_recommend_all(3, 'both') AS r) l;
EXCEPTION WHEN division_by_zero THEN
	PERFORM mf_recommend_all(3, 'both');
END $$;
PREPARE everybody(int, text) AS SELECT count(*) FROM mf_recommend_all($1, $2);
EXECUTE everybody(2, 'both');
EXECUTE everybody(NULL, 'both');
CREATE FUNCTION first_ranks() RETURNS SETOF int LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM mf_recommend_all(4, 'both') LOOP
		RETURN NEXT r.rank;
		EXIT WHEN r.rank = 3;
	END LOOP;
END $$;
SELECT * FROM first_ranks();

-- arguments and errors
SELECT count(*) FROM mf_recommend_all(NULL, NULL::text, NULL, NULL);
SELECT count(*) FROM mf_recommend_all(1, 'both', false, 1);
SELECT count(*) FROM mf_recommend_all(model => 'bought', k => 1, version => 1);
SELECT count(*) FROM mf_recommend_all(0);
SELECT count(*) FROM mf_recommend_all(10001);
SELECT count(*) FROM mf_recommend_all(model => 'nobody');
SELECT count(*) FROM mf_recommend_all(model => 'bought', version => 9);
SELECT count(*) FROM mf_recommend_all(model => 'bought', version => 0);
-- a source that has gone is missed where somebody wants it read, or where the version does not say what users have
BEGIN;
DROP TABLE rated;
SELECT count(*) FROM mf_recommend_all(1, 'both', exclude_seen => false);
SELECT count(*) FROM mf_recommend_all(1, 'both');
SELECT count(*) FROM mf_recommend_all(1, 'both', fresh => false);
SAVEPOINT gone;
SELECT count(*) FROM mf_recommend_all(1, 'both', fresh => true);
ROLLBACK TO gone;
UPDATE both_item_factors SET number = NULL;
SELECT mf_refresh('both') > 0 AS refreshed;
SAVEPOINT old;
SELECT count(*) FROM mf_recommend_all(1, 'both');
ROLLBACK TO old;
SELECT count(*) FROM mf_recommend_all(1, 'both', fresh => false);
ROLLBACK;
-- a model whose users have got lost
BEGIN;
DELETE FROM bought_user_factors;
SELECT count(*) FROM mf_recommend_all();
ROLLBACK;
-- a vector that was edited by hand
BEGIN;
UPDATE bought_user_factors SET factors = ARRAY[1, 2] WHERE user_id = 5;
SELECT count(*) FROM mf_recommend_all();
ROLLBACK;

-- ids of other types
CREATE TABLE tagged AS SELECT md5(user_id::text)::uuid AS user_id, 'item ' || item_id AS item_id FROM bought;
SELECT users FROM mf_train('tagged', factors => 4);
SELECT count(*), count(DISTINCT user_id) AS users, pg_typeof(min(user_id::text)::uuid), min(pg_typeof(item_id)::text)
FROM mf_recommend_all(2, user_type => NULL::uuid, item_type => NULL::text, model => 'tagged');
SELECT count(*) FROM mf_recommend_all(2, NULL::uuid, NULL::text, 'tagged') r JOIN tagged USING (user_id, item_id);
SELECT count(*) FROM (SELECT mf_recommend_all(2, NULL::uuid, NULL::text, 'tagged')) r;
SELECT count(*) FROM mf_recommend_all(2, NULL::text, NULL::text, 'tagged');
SELECT count(*) FROM mf_recommend_all(2, 'tagged');
SELECT min(pg_typeof(user_id)::text), min(pg_typeof(item_id)::text) FROM mf_recommend_all(2, NULL::int, NULL::smallint, 'bought');

-- a budget of memory
BEGIN;
INSERT INTO bought_user_factors SELECT version, u, 0, 0, factors FROM bought_user_factors, generate_series(100, 100000) u
	WHERE user_id = 1 AND version = 2;
SELECT count(*), count(DISTINCT user_id) FROM mf_recommend_all(1);
SET LOCAL mfrec.max_memory = '1MB';
SELECT count(*) FROM mf_recommend_all(1);
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA test_recommend_all CASCADE;
SELECT mf_drop(name) FROM mfrec.model WHERE schema = 'test_recommend_all';
