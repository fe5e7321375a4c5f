-- mf_update of rows that have times, and of events
CREATE SCHEMA update_time;
SET search_path = update_time, public;
SET client_min_messages = warning;

-- ages in whole half-lives of 90 days; `fade` is what is left of a row, as long as the newest one that was trained on is of 2024-06-01
CREATE FUNCTION fade(rated_at timestamptz) RETURNS real LANGUAGE sql IMMUTABLE AS $$
	SELECT power(0.5, greatest(0, extract(epoch FROM timestamptz '2024-06-01 12:00 UTC' - rated_at) / extract(epoch FROM interval '2160 hours')))::real $$;
CREATE TABLE rows AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating, 1 + (u + 2 * i) % 4 AS count,
		timestamptz '2024-06-01 12:00 UTC' - (u * 5 + i) % 4 * interval '2160 hours' AS rated_at
	FROM generate_series(1, 200) u, generate_series(1, 40) i WHERE (hashint4(u * 100 + i) & 1023) < 300;
CREATE VIEW weighed AS SELECT *, fade(rated_at) AS fade FROM rows;
CREATE VIEW clicks AS SELECT user_id, item_id, count, rated_at FROM rows;
CREATE INDEX ON rows (user_id);
CREATE TABLE models AS SELECT * FROM (VALUES ('faded'), ('weighted'), ('both'), ('clicks')) m (model);
CREATE FUNCTION train() RETURNS bigint LANGUAGE sql AS $$
	SELECT users FROM mf_train('weighed', 'faded', factors => 4, interest_weight => 0, time_column => 'rated_at', half_life => '90 days');
	SELECT users FROM mf_train('weighed', 'weighted', factors => 4, interest_weight => 0, weight_column => 'fade');
	SELECT users FROM mf_train('rows', 'both', factors => 4, time_column => 'rated_at', half_life => '90 days');
	SELECT users FROM mf_train('clicks', 'clicks', factors => 4, feedback => 'implicit', rating_column => 'count', time_column => 'rated_at', half_life => '90 days') $$;
CREATE FUNCTION vectors(model text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE format(
	'SELECT md5((SELECT string_agg(concat_ws('' '', user_id, ratings, bias, factors), '' '' ORDER BY user_id) FROM %I u) || (SELECT string_agg(concat_ws('' '', item_id, ratings, bias, factors), '' '' ORDER BY item_id) FROM %I i))', model || '_user_factors', model || '_item_factors') INTO r; RETURN r; END $$;
CREATE FUNCTION updated(model text) RETURNS TABLE (did text) LANGUAGE sql AS $$ SELECT concat_ws(' ', users_added, users_changed, users_removed, items_added, items_changed, items_removed) FROM mf_update(model) $$;
SELECT train();
SELECT vectors('faded') = vectors('weighted') AS same;

-- old rows and new ones, and one that is newer than all that were trained on, of known users and items and new ones
CREATE TABLE before AS SELECT user_id, factors FROM clicks_user_factors;
INSERT INTO rows SELECT u, 41, 4 + u % 2, 2, timestamptz '2024-06-01 12:00 UTC' - u % 3 * interval '2160 hours' FROM generate_series(1, 60, 3) u;
INSERT INTO rows SELECT 300, i, 1 + i % 5, 3, timestamptz '2024-07-01' FROM generate_series(1, 20) i;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT vectors('faded') = vectors('weighted') AS same;

-- rows of one place: each fades for itself, and what is left is averaged or adds up, as folding in has it
CREATE FUNCTION folded() RETURNS TABLE (model text, reasons text) LANGUAGE sql AS $$
	SELECT model, string_agg(DISTINCT reason, ' ') FROM models, (SELECT DISTINCT user_id FROM rows WHERE item_id = 41) u,
		mf_recommend(user_id, 3, model, fresh => true, exclude_seen => false) WHERE model <> 'weighted' GROUP BY model ORDER BY model $$;
BEGIN; UPDATE faded_user_factors SET fingerprint = NULL; UPDATE both_user_factors SET fingerprint = NULL; UPDATE clicks_user_factors SET fingerprint = NULL; SELECT * FROM folded(); ROLLBACK;
TRUNCATE before;
INSERT INTO before SELECT user_id, factors FROM clicks_user_factors;
INSERT INTO rows SELECT user_id, item_id, 1 + rating % 5, count + 1, rated_at - interval '2160 hours' FROM rows WHERE item_id = 41;
INSERT INTO rows SELECT user_id, item_id, 1 + rating % 5, count + 2, '2024-08-01' FROM rows WHERE user_id = 1 AND item_id < 41;
SELECT model, u.* FROM models, updated(model) u WHERE model <> 'weighted' ORDER BY model;
BEGIN; UPDATE faded_user_factors SET fingerprint = NULL; UPDATE both_user_factors SET fingerprint = NULL; UPDATE clicks_user_factors SET fingerprint = NULL; SELECT * FROM folded(); ROLLBACK;
-- an item solves its equations, by users as they were; had they faded before the logarithm, or not at all, it would not
CREATE FUNCTION gradient(i int, number text, fade text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE g float8;
BEGIN
	EXECUTE format($q$
	WITH o AS (SELECT (parameters ->> 'alpha')::float8 AS alpha, (parameters ->> 'value_scale')::float8 AS scale, (parameters ->> 'mean_fade')::float8 AS mean_fade,
			(parameters ->> 'regularization')::float8 * (parameters ->> 'interest_regularization')::float8 AS l, (parameters ->> 'item_ratings')::float8 AS item_ratings,
			(parameters ->> 'item_exponent')::float8 AS exponent FROM mf_models WHERE model = 'clicks'),
		item AS (SELECT factors AS s, ratings FROM clicks_item_factors WHERE item_id = %1$s),
		cells AS (SELECT user_id, %2$s AS number, %3$s AS fade FROM weighed WHERE item_id = %1$s GROUP BY user_id),
		term AS (SELECT b.factors, coalesce(number * fade / scale * mean_fade, 0) AS w, alpha, (SELECT sum(x::float8 * y) FROM unnest(b.factors, s) t (x, y)) AS score
			FROM before b LEFT JOIN cells USING (user_id), item, o),
		sums AS (SELECT k, sum((1 + alpha * w) * score * v - (least(w, 1) + alpha * w) * v) AS g, sum((least(w, 1) + alpha * w) * v) AS target
			FROM term, unnest(factors) WITH ORDINALITY x (v, k) GROUP BY k)
	SELECT sqrt(sum((g + l * (ratings / item_ratings) ^ exponent * s[k]) ^ 2)) / sqrt(sum(target ^ 2)) FROM sums, item, o$q$, i, number, fade) INTO g;
	RETURN g;
END $$;
SELECT gradient(41, 'ln(1 + sum(count)::float8)', 'sum(count * fade) / sum(count)::float8') < 1e-4 AS solved,
	gradient(41, 'ln(1 + sum(count * fade)::float8)', '1') < 1e-4 AS faded_before, gradient(41, 'ln(1 + sum(count)::float8)', '1') < 1e-4 AS never;

-- a row's time is noticed, and one without counts no more than in a training
UPDATE rows SET rated_at = rated_at - interval '1 hour' WHERE user_id = 7 AND item_id = (SELECT min(item_id) FROM rows WHERE user_id = 7);
INSERT INTO rows VALUES (400, 7, 4, 3, NULL), (8, 7, 4, 3, NULL);
SELECT model, u.* FROM models, updated(model) u WHERE model <> 'weighted' ORDER BY model;
SELECT count(*) FROM both_user_factors WHERE user_id = 400;
-- a version whose rows fade needs their times
SELECT version FROM mf_train('rows', 'both', factors => 4);
SELECT mf_rollback('both');
SELECT mf_update('both');
SELECT mf_drop(model) FROM mf_models WHERE serving;

-- events, as values of what they weigh are, and as folding in has them
CREATE TABLE events AS SELECT u AS user_id, i AS item_id, (ARRAY['view', 'cart', 'purchase'])[1 + (u * 7 + i * 3) % 3] AS kind
	FROM generate_series(1, 100) u, generate_series(1, 40) i WHERE (hashint4(u * 100 + i) & 1023) < 300;
CREATE INDEX ON events (user_id);
CREATE VIEW valued AS SELECT user_id, item_id, (ARRAY[1, 3, 5])[array_position(ARRAY['view', 'cart', 'purchase'], kind)] AS value FROM events WHERE kind <> 'search';
SELECT users FROM mf_train('events', 'events', factors => 4, feedback => 'implicit', event_column => 'kind', event_weights => '{"view": 1, "cart": 3, "purchase": 5}');
SELECT users FROM mf_train('valued', 'values', factors => 4, feedback => 'implicit', rating_column => 'value');
INSERT INTO events SELECT u, 41, (ARRAY['view', 'cart', 'purchase'])[1 + u % 3] FROM generate_series(1, 30) u;
INSERT INTO events SELECT u, 41, 'purchase' FROM generate_series(1, 10) u;
INSERT INTO events VALUES (101, 41, 'cart'), (101, 1, 'view'), (102, 1, 'search');
SELECT model, u.* FROM unnest(ARRAY['events', 'values']) model, updated(model) u;
SELECT vectors('events') = vectors('values') AS same;
SELECT string_agg(DISTINCT reason, ' ') FROM generate_series(1, 101) u, mf_recommend(u, 3, 'events', fresh => true, exclude_seen => false)
	WHERE u <= 30 OR u = 101;
BEGIN; UPDATE events_user_factors SET fingerprint = NULL; SELECT string_agg(DISTINCT reason, ' ') FROM generate_series(1, 101) u, mf_recommend(u, 3, 'events', fresh => true, exclude_seen => false)
	WHERE u <= 30 OR u = 101; ROLLBACK;
UPDATE events SET kind = 'purchase' WHERE (user_id, item_id) = (101, 1);
SELECT model, u.* FROM unnest(ARRAY['events', 'values']) model, updated(model) u;
SELECT vectors('events') = vectors('values') AS same;

-- Found by time: what is stored is what a scan of all rows stores.  Item 1 has so many ratings that it stays.
CREATE TABLE came (user_id int, item_id int, rating real, at timestamptz);
INSERT INTO came SELECT u, i, 1 + (u * 7 + i * 3 + u * i) % 5, timestamptz '2024-01-01 UTC' + (u * 17 + i) % 90 * interval '1 day'
	FROM generate_series(1, 1200) u, generate_series(1, 60) i WHERE i = 1 OR (hashint4(u * 100 + i) & 1023) < 150;
INSERT INTO came SELECT u, i, 3, timestamptz '2024-02-01 UTC' FROM generate_series(1, 1200, 7) u, generate_series(2, 60, 9) i;
CREATE INDEX came_item_id ON came (item_id);
CREATE INDEX came_user_id ON came (user_id);
CREATE INDEX came_at ON came (at);
CREATE VIEW taken AS SELECT user_id, item_id, rating AS count, at FROM came;
ANALYZE came;
CREATE TABLE ways AS SELECT * FROM (VALUES ('timed', 'scanned'), ('timed fade', 'scanned fade'), ('timed clicks', 'scanned clicks')) w (timed, scanned);
SELECT count(t.users) FROM ways, unnest(ARRAY[timed, scanned]) model, mf_train(CASE WHEN model ~ 'clicks' THEN 'taken' ELSE 'came' END::regclass, model, factors => 4, iterations => 4, time_column => 'at', half_life => CASE WHEN model ~ ' ' THEN interval '30 days' END,
	feedback => CASE WHEN model ~ 'clicks' THEN 'implicit' END, rating_column => CASE WHEN model ~ 'clicks' THEN 'count' ELSE 'rating' END) t;
CREATE FUNCTION apart(a text, b text, id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; BEGIN EXECUTE format($q$
	SELECT concat_ws(' ', nullif(count(*) FILTER (WHERE a.%1$I IS NULL OR b.%1$I IS NULL), 0), CASE WHEN bool_or(a.ratings <> b.ratings) THEN 'ratings' END, CASE WHEN bool_or(a.fingerprint <> b.fingerprint) THEN 'fingerprints' END,
		CASE WHEN max((SELECT max(abs(x - y)) FROM unnest(a.factors, b.factors) v (x, y))) > 1e-4 THEN 'vectors' END, CASE WHEN max(abs(a.bias - b.bias)) > 1e-4 THEN 'biases' END,
		CASE WHEN max(abs((to_jsonb(a) ->> 'trend')::float8 / (to_jsonb(b) ->> 'trend')::float8 - 1)) > 1e-5 THEN 'trends' END)
	FROM %2$I a FULL JOIN %3$I b USING (%1$I)$q$, id, a, b) INTO said; RETURN said; END $$;
-- One by time, another of the same by a scan: whether fewer rows were read, what each did, what is not the same, and what the first one does again.
CREATE FUNCTION both_ways() RETURNS TABLE (model text, fewer bool, timed text, scanned text, users text, items text, again text) LANGUAGE plpgsql AS $$
DECLARE w ways; BEGIN FOR w IN SELECT * FROM ways ORDER BY ways.timed LOOP
	model := w.timed;
	SELECT t.rows, concat_ws(' ', users_added, users_changed, users_removed, items_added, items_changed, items_removed) INTO again, timed FROM mf_update(w.timed) t;
	SELECT t.rows > again::int, concat_ws(' ', users_added, users_changed, users_removed, items_added, items_changed, items_removed) INTO fewer, scanned FROM mf_update(w.scanned, all_rows => true) t;
	users := apart(w.timed || '_user_factors', w.scanned || '_user_factors', 'user_id');
	items := apart(w.timed || '_item_factors', w.scanned || '_item_factors', 'item_id');
	SELECT concat_ws(' ', users_added, users_changed, users_removed, items_added, items_changed, items_removed) INTO again FROM mf_update(w.timed);
	RETURN NEXT;
END LOOP; END $$;
SET enable_seqscan = off;
SET jit = off;
SELECT * FROM both_ways();
-- new rows of known users and items and new ones, a user who takes one thing twice, a user of one row
INSERT INTO came SELECT u, 61, 1 + u % 5, timestamptz '2024-04-01 UTC' + u * interval '1 minute' FROM generate_series(1, 20) u;
INSERT INTO came SELECT u, 1, 4, '2024-04-02 UTC' FROM generate_series(1201, 1202) u;
INSERT INTO came VALUES (3, 1, 5, '2024-04-02 UTC'), (3, 2, 5, '2024-04-02 UTC'), (3, 2, 4, '2024-04-02 00:01 UTC'), (1206, 62, 3, '2024-04-02 UTC');
SELECT * FROM both_ways();
-- rows that come late, a row of the newest time, one that is older than what is known of its user
INSERT INTO came VALUES (4, 5, 2, '2024-04-02 UTC'), (1203, 1, 2, '2024-04-02 UTC'), (5, 1, 2, '2024-04-01 23:59 UTC'), (1201, 3, 2, '2024-04-01 23:58 UTC'), (3, 9, 1, '2024-04-02 00:01 UTC');
SELECT * FROM both_ways();
-- a user whose older rows were changed as well; a row too old to be found waits for a scan, and for what its user and item do
INSERT INTO came VALUES (8, 10, 2, '2024-04-03 UTC'), (9, 10, 2, '2024-03-01 UTC'), (9, 1, 2, '2024-03-01 UTC');
UPDATE came SET rating = 5 WHERE user_id = 8 AND at < '2024-03-01';
SELECT * FROM both_ways();
INSERT INTO came VALUES (9, 11, 2, '2024-04-03 UTC');
SELECT * FROM both_ways();
SELECT model, concat_ws(' ', users_changed, items_changed) FROM ways, mf_update(timed, true) ORDER BY 1;
SELECT * FROM both_ways();
-- a user who is new to the version, but came too long ago, met by an item's rows
INSERT INTO came VALUES (1300, 12, 2, '2024-03-01 UTC'), (10, 12, 2, '2024-04-03 00:01 UTC');
SET client_min_messages = notice;
SELECT rows > 10000 AS scan, users_added, users_changed FROM mf_update('timed');
-- what would spare a scan is said
BEGIN;
DROP INDEX came_at;
SELECT rows > 10000 AS scan FROM mf_update('timed');
ROLLBACK;
BEGIN;
DROP INDEX came_user_id;
SELECT rows > 10000 AS scan FROM mf_update('timed');
ROLLBACK;
BEGIN;
DROP INDEX came_item_id;
SELECT rows > 10000 AS scan FROM mf_update('timed');
SELECT rows > 10000 AS scan FROM mf_update('timed clicks');
ROLLBACK;
-- many new rows, and versions of which it is not known until when they were read
BEGIN;
INSERT INTO came SELECT u, 20, 3, '2024-04-04 UTC' FROM generate_series(1, 1200) u;
SELECT rows > 10000 AS scan, users_changed FROM mf_update('timed');
ROLLBACK;
BEGIN;
UPDATE mfrec.model_version SET parameters = parameters - 'read_until';
INSERT INTO came VALUES (10, 13, 2, '2024-04-03 00:01 UTC');
SELECT rows > 10000 AS scan FROM mf_update('timed');
SELECT rows > 10000 AS scan FROM mf_update('timed');
ROLLBACK;
BEGIN;
SELECT version FROM mf_train('came', 'timed', factors => 4, iterations => 1);
SELECT mf_rollback('timed');
SELECT rows > 10000 AS scan FROM mf_update('timed');
ROLLBACK;
SELECT mf_update('timed', late => '-1 second');
-- null is the default
SELECT rows > 10000 AS scan FROM mf_update('timed', NULL, NULL);
-- whatever the zone is called
BEGIN;
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL DateStyle = 'SQL, DMY';
INSERT INTO came VALUES (14, 3, 2, '2024-04-03 00:02 UTC');
SELECT rows > 10000 AS scan, users_changed FROM mf_update('timed');
ROLLBACK;
-- a row of the future does not hide those that come before it
INSERT INTO came VALUES (11, 12, 2, '2924-04-03 UTC');
SELECT rows > 10000 AS scan, users_changed FROM mf_update('timed');
INSERT INTO came VALUES (12, 13, 2, now());
SELECT rows > 10000 AS scan, users_changed FROM mf_update('timed');
SET client_min_messages = warning;

-- rows of so many users that tables are looked through for them
RESET enable_seqscan;
SELECT count(mf_drop(model)) FROM ways, unnest(ARRAY[timed, scanned]) model;
DELETE FROM came WHERE at > '2025-01-01';
SELECT count(t.users) FROM ways, unnest(ARRAY[timed, scanned]) model, mf_train(CASE WHEN model ~ 'clicks' THEN 'taken' ELSE 'came' END::regclass, model, factors => 4, iterations => 4, time_column => 'at', half_life => CASE WHEN model ~ ' ' THEN interval '30 days' END,
	feedback => CASE WHEN model ~ 'clicks' THEN 'implicit' END, rating_column => CASE WHEN model ~ 'clicks' THEN 'count' ELSE 'rating' END) t;
INSERT INTO came SELECT u, 14 + u % 3, 1 + u % 5, timestamptz '2024-07-04 UTC' FROM generate_series(1, 1200, 15) u;
INSERT INTO came VALUES (1400, 70, 3, '2024-07-04 UTC'), (1400, 3, NULL, '2024-07-04 UTC'), (1, 71, NULL, '2024-07-04 UTC');
SET min_parallel_table_scan_size = 0;
SELECT * FROM both_ways();
SET enable_seqscan = off;

-- accounts that are merged: 7 and 8, who have had some items both, and 9, which gets another name
CREATE TABLE accounts AS SELECT user_id, item_id, max(rating) AS rating, min(at) AS at FROM came WHERE user_id <= 1200 AND item_id <= 60 AND at < '2024-04-01' GROUP BY 1, 2;
CREATE INDEX ON accounts (user_id);
CREATE INDEX ON accounts (item_id);
CREATE INDEX ON accounts (at);
ANALYZE accounts;
SELECT count(t.users) FROM unnest(ARRAY['merged', 'merged too']) model, mf_train('accounts', model, factors => 4, iterations => 4, time_column => 'at') t;
CREATE TABLE as_trained AS SELECT item_id, ratings FROM merged_item_factors;
SELECT count(*) > 1 AS both_had FROM accounts a JOIN accounts b USING (item_id) WHERE a.user_id = 7 AND b.user_id = 8;
UPDATE accounts SET user_id = 8 WHERE user_id = 7;
UPDATE accounts SET user_id = 5000 WHERE user_id = 9;
CREATE VIEW of_accounts AS SELECT user_id, string_agg(DISTINCT model || ' ' || reason, ', ') AS reasons, bool_or(EXISTS (SELECT FROM accounts a WHERE (a.user_id, a.item_id) = (u.user_id, l.item_id))) AS gets_what_they_have
	FROM unnest(ARRAY['merged', 'merged too']) model, unnest(ARRAY[7, 8, 9, 5000]) u (user_id), mf_recommend(user_id, 100, model, fresh => false) l GROUP BY 1;
CREATE VIEW miscounted AS SELECT model, count(*) FROM (SELECT 'merged' AS model, item_id, ratings FROM merged_item_factors UNION ALL SELECT 'merged too', item_id, ratings FROM "merged too_item_factors") f
	JOIN (SELECT item_id, count(DISTINCT user_id) AS ratings FROM accounts GROUP BY 1) a USING (item_id) WHERE f.ratings <> a.ratings GROUP BY 1;
-- nothing of that is new by its time; all rows tell
SELECT users_added, users_changed, users_removed, items_changed FROM mf_update('merged');
SELECT users_added, users_changed, users_removed, items_changed > 1 AS items FROM mf_update('merged too', all_rows => true);
SELECT * FROM of_accounts ORDER BY 1;
SELECT model FROM miscounted ORDER BY 1;
SELECT user_id, f.ratings = a.ratings AS counted FROM "merged too_user_factors" f JOIN (SELECT user_id, count(DISTINCT item_id) AS ratings FROM accounts GROUP BY 1) a USING (user_id) WHERE user_id IN (8, 5000) ORDER BY 1;
-- with new rows they are what they have now; items count these, and not once more what they had; the old accounts stay until all rows are read
INSERT INTO accounts VALUES (8, 44, 3, '2024-05-01 UTC'), (5000, 44, 3, '2024-05-01 UTC');
SELECT users_added, users_changed, users_removed, items_changed FROM mf_update('merged');
SELECT * FROM of_accounts ORDER BY 1;
SELECT item_id, f.ratings - t.ratings AS more FROM merged_item_factors f JOIN as_trained t USING (item_id) WHERE f.ratings <> t.ratings ORDER BY 1;
SELECT users_added, users_changed, users_removed, items_changed > 1 AS items FROM mf_update('merged', all_rows => true);
SELECT users_changed, items_changed FROM mf_update('merged too');
SELECT * FROM of_accounts ORDER BY 1;
SELECT count(*) AS miscounted FROM miscounted;
SELECT apart('merged_user_factors', 'merged too_user_factors', 'user_id') ~ 'ratings|fingerprints|[0-9]' AS users, apart('merged_item_factors', 'merged too_item_factors', 'item_id') ~ 'ratings|fingerprints|[0-9]' AS items;
-- old rows of somebody who is new are theirs; their items count them when all rows are read
INSERT INTO accounts SELECT 6000, item_id, 4, at FROM accounts WHERE user_id = 10;
INSERT INTO accounts VALUES (6000, 50, 4, '2024-05-02 UTC');
SELECT users_added, users_changed, users_removed, items_changed FROM mf_update('merged');
SELECT ratings = (SELECT count(DISTINCT item_id) FROM accounts WHERE user_id = 6000) AS counted FROM merged_user_factors WHERE user_id = 6000;
SELECT users_added, users_changed, items_changed = (SELECT count(*) FROM accounts WHERE user_id = 10 AND item_id <> 50) AS items FROM mf_update('merged', all_rows => true);
SELECT count(*) AS miscounted FROM miscounted WHERE model = 'merged';
DROP VIEW miscounted;

-- a source that is not what it was: an error that says what helps, or the same rows
CREATE FUNCTION updates_after(command text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE said text; hint text; did text; BEGIN
	EXECUTE command;
	SELECT concat_ws(' ', 'changed:', users_added, users_changed, users_removed, items_added, items_changed, items_removed) INTO did FROM mf_update('shop', all_rows => true);
	RAISE EXCEPTION USING MESSAGE = did, HINT = 'none';
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT; RETURN said || ' / ' || hint; END $$;
CREATE TABLE shop AS SELECT user_id, item_id, rating, at FROM came WHERE user_id <= 60;
SELECT users FROM mf_train('shop', factors => 2, iterations => 2, time_column => 'at', half_life => '1 month');
SELECT (parameters ->> 'half_life')::float8 / 86400 AS days FROM mf_models WHERE model = 'shop';
\pset format unaligned
\pset tuples_only on
SELECT c || ': ' || updates_after(c) FROM unnest(ARRAY['ALTER TABLE shop DROP at', 'ALTER TABLE shop RENAME at TO since', 'ALTER TABLE shop ALTER at TYPE text', 'ALTER TABLE shop ALTER at TYPE date USING (at AT TIME ZONE ''UTC'')::date',
	'ALTER TABLE shop ALTER rating TYPE numeric', 'ALTER TABLE shop DROP rating', 'ALTER TABLE shop RENAME user_id TO who', 'ALTER TABLE shop RENAME TO store', 'DROP TABLE shop', 'TRUNCATE shop', 'UPDATE shop SET at = NULL',
	'UPDATE shop SET rating = NULL', 'UPDATE shop SET at = NULL WHERE user_id = 7', 'INSERT INTO shop VALUES (7, 1, 3, ''-infinity'')', 'INSERT INTO shop VALUES (7, 99, 3, ''3024-01-01 UTC'')']) c;
\pset format aligned
\pset tuples_only off

-- whatever the type of times, and the kind of index; partitions too
CREATE TABLE times (user_id text, item_id int, "timestamptz" timestamptz, "timestamp" timestamp, date date, int4 int4, int8 int8, float4 float4, float8 float8, "numeric" numeric) PARTITION BY HASH (user_id);
CREATE TABLE times_0 PARTITION OF times FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE times_1 PARTITION OF times FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE FUNCTION insert_times(users int, items int, day int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO times SELECT 'u' || u, i, t, t AT TIME ZONE 'UTC', (t AT TIME ZONE 'UTC')::date, e, e, e - 1700000000, e, e FROM generate_series(1, 300) u, generate_series(1, 41) i,
		LATERAL (SELECT timestamptz '2024-01-01 UTC' + (day + u % 90) * interval '1 day' AS t) t, LATERAL (SELECT extract(epoch FROM t) AS e) e
	WHERE u BETWEEN users AND users + CASE WHEN day = 0 THEN 300 ELSE 4 END AND i BETWEEN items AND items + CASE WHEN day = 0 THEN 300 ELSE 0 END AND (day > 0 OR i < 41 AND (hashint4(u * 100 + i) & 1023) < 300) $$;
SELECT insert_times(1, 1, 0);
CREATE INDEX ON times (user_id);
CREATE INDEX ON times (item_id);
SELECT count(t.users), sum(n) FROM unnest(ARRAY['timestamptz', 'timestamp', 'date', 'int4', 'int8', 'float4', 'float8', 'numeric']) WITH ORDINALITY c (name, n), mf_train('times', name, factors => 2, iterations => 2, feedback => 'implicit', rating_column => NULL, time_column => name) t;
DO $$ DECLARE name text; BEGIN FOREACH name IN ARRAY ARRAY['timestamptz', 'timestamp', 'date', 'int4', 'int8', 'float4', 'float8', 'numeric'] LOOP
	EXECUTE format('CREATE INDEX ON times USING %s (%I)', CASE WHEN name IN ('timestamp', 'int8') THEN 'brin' ELSE 'btree' END, name); END LOOP; END $$;
SELECT insert_times(7, 41, 120), insert_times(9, 39, 120), insert_times(9, 39, 121);
INSERT INTO times SELECT 'new', 39, "timestamptz", "timestamp", date, int4, int8, float4, float8, "numeric" FROM times WHERE item_id = 39 ORDER BY date DESC LIMIT 1;
SELECT name, u.rows < (SELECT count(*) FROM times) AS fewer, u.users_added, u.users_changed, u.items_added, u.items_changed, s.users_changed + s.items_changed AS missed
	FROM unnest(ARRAY['timestamptz', 'timestamp', 'date', 'int4', 'int8', 'float4', 'float8', 'numeric']) name, mf_update(name) u, mf_update(CASE WHEN u.version > 0 THEN name END, all_rows => true) s;
RESET enable_seqscan;
RESET jit;
DROP FUNCTION both_ways();
SELECT count(mf_drop(model)) FROM mf_models WHERE serving;
DROP SCHEMA update_time CASCADE;
