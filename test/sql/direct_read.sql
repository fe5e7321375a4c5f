-- What is read from tables directly is what the query of the source would have brought, whoever reads it.
CREATE SCHEMA test_direct;
SET search_path = test_direct, public;
SET mfrec.threads = 2;
CREATE TABLE ratings (user_id int, item_id int, rating real);
INSERT INTO ratings SELECT u, (u * i * 7919) % 503, (u * 3 + i) % 5 + 1 FROM generate_series(1, 700) u, generate_series(1, 30) i;
INSERT INTO ratings VALUES (1, 2, NULL), (NULL, 2, 3), (3, NULL, 3);
-- of this view the query runs
CREATE VIEW queried AS SELECT * FROM ratings WHERE random() IS NOT NULL;
CREATE FUNCTION bits(model text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	sum text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(f, '','' ORDER BY f)) FROM (SELECT ''u'' || (u - ''version'')::text AS f FROM
			(SELECT to_jsonb(t) AS u FROM %I t) t UNION ALL SELECT ''i'' || (i - ''version'')::text FROM (SELECT to_jsonb(t) AS i FROM %I t) t) f',
		model || '_user_factors', model || '_item_factors') INTO sum;
	RETURN sum;
END $$;
-- trains on a source and says whether the model is that of another, to the bit
CREATE FUNCTION trains_as(source text, other text, VARIADIC settings text[] DEFAULT '{}') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	setting text;
BEGIN
	FOREACH setting IN ARRAY settings
	LOOP
		PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
	END LOOP;
	PERFORM mf_drop('mine') FROM mf_models WHERE model = 'mine' LIMIT 1;
	PERFORM mf_train(source::regclass, 'mine', factors => 4, iterations => 2);
	RETURN bits('mine') = bits(other);
END $$;

SELECT users, items, ratings FROM mf_train('queried', 'queried', factors => 4, iterations => 2);
SELECT users, items, ratings FROM mf_train('ratings', 'plain', factors => 4, iterations => 2);
SET client_min_messages = warning;
SELECT bits('plain') = bits('queried') AS same;
ALTER TABLE ratings SET (parallel_workers = 2);
SELECT trains_as('ratings', 'queried', 'max_parallel_maintenance_workers=' || n) AS same FROM generate_series(0, 2) n;
SELECT trains_as('ratings', 'queried', 'max_parallel_maintenance_workers=' || n, 'maintenance_work_mem=1MB') AS same FROM generate_series(0, 2) n;
SELECT trains_as('ratings', 'queried', 'parallel_leader_participation=off') AS same;
SELECT trains_as('ratings', 'queried', 'max_parallel_workers=0') AS same;
ALTER TABLE ratings RESET (parallel_workers);
SELECT trains_as('ratings', 'queried', 'min_parallel_table_scan_size=0', 'mfrec.threads=' || n) AS same FROM generate_series(1, 2) n;

-- other storage of the same rows
CREATE VIEW renamed AS SELECT user_id, item_id, rating FROM ratings;
CREATE MATERIALIZED VIEW kept AS TABLE ratings;
CREATE TEMPORARY TABLE own AS TABLE ratings;
CREATE UNLOGGED TABLE unlogged AS TABLE ratings;
CREATE TABLE wide (gone text, note text DEFAULT repeat('x', 100), rating numeric, user_id bigint, big text, item_id smallint) WITH (parallel_workers = 2);
INSERT INTO wide (rating, user_id, item_id, big) SELECT rating, user_id, item_id,
	CASE WHEN user_id % 97 = 0 THEN (SELECT string_agg(md5(item_id || '.' || n), '') FROM generate_series(1, 200) n) END FROM ratings;
ALTER TABLE wide DROP gone;
SELECT pg_relation_size(reltoastrelid) > 0 AS toasted FROM pg_class WHERE oid = 'wide'::regclass;
CREATE TABLE made (user_id int, twice int, item_id int GENERATED ALWAYS AS (twice / 2) STORED, rating double precision);
INSERT INTO made (user_id, twice, rating) SELECT user_id, 2 * item_id, rating FROM ratings;
CREATE DOMAIN id AS int;
CREATE DOMAIN stars AS numeric(3, 1);
CREATE TABLE domains (user_id id, item_id id, rating stars);
INSERT INTO domains TABLE ratings;
CREATE TABLE later (user_id int, item_id int);
INSERT INTO later SELECT user_id, item_id FROM ratings WHERE rating = 3;
ALTER TABLE later ADD rating real DEFAULT 3;
INSERT INTO later SELECT * FROM ratings WHERE rating IS DISTINCT FROM 3;
SELECT source, trains_as(source, 'queried') AS same
FROM unnest(ARRAY['renamed', 'kept', 'own', 'unlogged', 'wide', 'made', 'domains', 'later']) source;

-- partitions with columns in another order and dropped ones, one of them partitioned itself; and tables that inherit
CREATE TABLE parts (user_id int, item_id int, rating real) PARTITION BY RANGE (user_id);
CREATE TABLE part_1 (rating real, gone date, item_id int, note text DEFAULT 'n', user_id int);
ALTER TABLE part_1 DROP gone;
ALTER TABLE parts ADD note text;
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM (0) TO (200);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (200) TO (500) PARTITION BY HASH (user_id);
CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_2_2 PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE part_3 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT * FROM ratings;
CREATE TABLE base (user_id int, item_id int, rating real);
CREATE TABLE child (more text, extra int) INHERITS (base);
INSERT INTO base SELECT * FROM ratings WHERE user_id % 2 = 0 OR user_id IS NULL;
INSERT INTO child (user_id, item_id, rating) SELECT * FROM ratings WHERE user_id % 2 = 1;
SELECT source, n, trains_as(source, 'queried', 'min_parallel_table_scan_size=' || n) AS same
FROM unnest(ARRAY['parts', 'base']) source, unnest(ARRAY['0', '8MB']) n;
CREATE TABLE numbers (user_id int, item_id int, rating numeric);
CREATE TABLE more_numbers (also int) INHERITS (numbers);
INSERT INTO more_numbers SELECT * FROM ratings;
SELECT trains_as('numbers', 'queried') AS same;

-- rows that this transaction has written and removed, in a subtransaction, too, and by the isolation level
BEGIN;
CREATE TABLE mine_now (LIKE ratings) WITH (parallel_workers = 2);
INSERT INTO mine_now SELECT * FROM ratings WHERE item_id % 2 = 0 OR item_id IS NULL;
SAVEPOINT s;
INSERT INTO mine_now SELECT * FROM ratings WHERE item_id % 2 = 1;
INSERT INTO mine_now SELECT user_id, item_id, 1 FROM ratings;
RELEASE s;
DELETE FROM mine_now WHERE ctid IN (SELECT ctid FROM mine_now ORDER BY ctid OFFSET (SELECT count(*) FROM ratings));
SELECT trains_as('mine_now', 'queried') AS same;
SAVEPOINT s;
INSERT INTO mine_now VALUES (1, 1, 'NaN');
SELECT trains_as('mine_now', 'queried');
ROLLBACK TO s;
SELECT trains_as('mine_now', 'queried') AS same;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT trains_as('ratings', 'queried', 'min_parallel_table_scan_size=0') AS same;
ROLLBACK;
CREATE FUNCTION tries() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO ratings VALUES (1, 1, -'infinity'::real);
		PERFORM mf_train('ratings', 'tried');
	EXCEPTION WHEN invalid_parameter_value THEN
		RETURN 'refused, then as before: ' || trains_as('ratings', 'queried', 'min_parallel_table_scan_size=0');
	END;
END $$;
SELECT tries();
CREATE TABLE held (LIKE ratings) WITH (parallel_workers = 2);
INSERT INTO held SELECT DISTINCT user_id, (item_id + 1) % 503, 3 FROM ratings;
CREATE VIEW held_queried AS SELECT * FROM held WHERE random() IS NOT NULL;
BEGIN READ ONLY;
SELECT count(*) > 0 AS measured, bool_and(t.value IS NOT DISTINCT FROM q.value) AS same
FROM mf_evaluate('held', model => 'queried') t JOIN mf_evaluate('held_queried', model => 'queried') q USING (metric);
COMMIT;
-- and what is another model is one
CREATE VIEW fewer AS SELECT * FROM ratings WHERE user_id > 1;
SELECT trains_as('fewer', 'queried') AS same;

-- errors and notices are the same
RESET client_min_messages;
\set VERBOSITY default
CREATE TABLE odd (user_id int, item_id int, value double precision, weight numeric, at timestamp, kind text) WITH (parallel_workers = 2);
CREATE VIEW odd_queried AS SELECT * FROM odd WHERE random() IS NOT NULL;
INSERT INTO odd SELECT u, i, u % 4 + 1, 1.5, timestamp '2024-01-01' + i * interval '1 day', CASE WHEN i % 2 = 0 THEN 'buy' ELSE 'view' END
	FROM generate_series(1, 50) u, generate_series(1, 20) i;
INSERT INTO odd VALUES (1, 1, NULL, 1, '2024-01-01', 'buy'), (2, 2, 0, 1, '2024-01-01', 'view'), (3, 3, 1, 0, '2024-01-01', 'buy'),
	(4, 4, 1, 1, NULL, 'buy'), (5, 5, 1, 1, '2024-01-01', 'like'), (NULL, 5, 1, 1, '2024-01-01', 'like');
CREATE FUNCTION trained(source text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM mf_train(source::regclass, 'm' || source, rating_column => 'value', weight_column => 'weight', time_column => 'at',
		half_life => '30 days', event_column => 'kind', event_weights => '{"buy": 3, "view": 1, "share": 2}', factors => 2, iterations => 1);
	RETURN bits('m' || source);
END $$;
\set SHOW_CONTEXT never
SELECT trained('odd') = trained('odd_queried') AS same;
CREATE TABLE faults (n int, value double precision, weight numeric, at timestamp);
INSERT INTO faults VALUES (1, 'NaN', 1, '2024-01-01'), (2, 'infinity', 1, '2024-01-01'), (3, -1, 1, '2024-01-01'), (4, 1, 'NaN', '2024-01-01'),
	(5, 1, -2, '2024-01-01'), (6, 1e30, 1e30, '2024-01-01'), (7, 1, 1, 'infinity'), (8, 1e300, 1, '2024-01-01'), (9, 1, 1e300, '2024-01-01');
CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	fault faults;
	message text;
	detail text;
	hint text;
	state text;
BEGIN
	FOR fault IN SELECT * FROM faults ORDER BY n
	LOOP
		BEGIN
			INSERT INTO odd VALUES (7, 8, fault.value, fault.weight, fault.at, 'buy');
			PERFORM trained(source);
			RETURN NEXT fault.n || ' taken';
		EXCEPTION WHEN others THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
			RETURN NEXT concat_ws(' | ', fault.n, state, message, detail, hint);
		END;
	END LOOP;
END $$;
SET client_min_messages = warning;
SELECT direct.r AS refused, direct.r = query.r AS same
FROM refused('odd') WITH ORDINALITY direct (r, n) JOIN refused('odd_queried') WITH ORDINALITY query (r, n) USING (n) ORDER BY n;

-- what a role may not read, and what row security hides
RESET client_min_messages;
CREATE ROLE regress_direct;
GRANT USAGE, CREATE ON SCHEMA test_direct TO regress_direct;
GRANT SELECT (user_id, item_id) ON ratings TO regress_direct;
SET ROLE regress_direct;
SELECT users FROM mf_train('ratings', 'partly', factors => 2, iterations => 1);
SELECT users FROM mf_train('ratings', 'partly', rating_column => NULL, factors => 2, iterations => 1);
RESET ROLE;
GRANT SELECT ON renamed TO regress_direct;
REVOKE SELECT (user_id, item_id) ON ratings FROM regress_direct;
SET ROLE regress_direct;
SELECT users FROM mf_train('ratings', 'none', rating_column => NULL, factors => 2, iterations => 1);
SELECT users FROM mf_train('renamed', 'of_view', factors => 2, iterations => 1);
RESET ROLE;
GRANT SELECT ON ratings TO regress_direct;
ALTER TABLE ratings ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON ratings TO regress_direct USING (user_id <= 10);
SET ROLE regress_direct;
SELECT users FROM mf_train('ratings', 'few', factors => 2, iterations => 1);
RESET ROLE;
SELECT users FROM mf_train('ratings', 'all_rows', factors => 2, iterations => 1);

-- nothing there
CREATE TABLE none (LIKE ratings);
SELECT mf_train('none', 'none');
CREATE TABLE no_parts (LIKE ratings) PARTITION BY LIST (user_id);
SELECT mf_train('no_parts', 'none');
CREATE MATERIALIZED VIEW unfilled AS TABLE ratings WITH NO DATA;
SELECT mf_train('unfilled', 'none');
SET client_min_messages = warning;
SELECT count(mf_drop(model)) > 0 AS dropped FROM (SELECT DISTINCT model FROM mf_models WHERE schema = 'test_direct') m;
DROP SCHEMA test_direct CASCADE;
DROP ROLE regress_direct;
