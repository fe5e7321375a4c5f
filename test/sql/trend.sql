-- Trends: items keep a faded count beside the plain one; mf_popular and cold start go by it.
CREATE SCHEMA test_trend;
SET search_path = test_trend, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; hint text; BEGIN EXECUTE command; RETURN 'nothing'; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT; RETURN said || ' / ' || hint; END $$;

-- items 1 .. 10 have ever fewer rows, and ever newer ones; some come twice, some are no ratings
CREATE TABLE plays AS SELECT u AS user_id, i AS item_id, 1 + (u + i) % 3 AS plays, timestamptz '2024-06-01 12:00 UTC' - ((u * 7 + i) % 11 + (10 - i) * 4) * interval '5 days' AS at
	FROM generate_series(1, 60) u, generate_series(1, 10) i WHERE (u * 3 + i) % 16 >= i;
CREATE INDEX ON plays (user_id);
INSERT INTO plays SELECT user_id, item_id, plays, at - interval '1 day' FROM plays WHERE user_id % 5 = 0;
INSERT INTO plays SELECT 100 + n, 3, CASE n % 3 WHEN 0 THEN 0 WHEN 1 THEN 1 END, CASE WHEN n % 3 <> 1 THEN timestamptz '2024-06-01' END FROM generate_series(1, 30) n;
-- what a training counts, and its sum by item
CREATE VIEW counted AS SELECT user_id, item_id, at FROM plays WHERE plays > 0 AND at IS NOT NULL;
-- by the formula of the reference; origin: seconds of a row that counts 1, the newest one unless given
CREATE FUNCTION naive(days float8, source regclass DEFAULT 'counted', origin float8 DEFAULT NULL) RETURNS TABLE (item_id int, ratings bigint, trend float8) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE format('SELECT item_id, count(DISTINCT user_id), sum(power(1 + abs(age), -sign(age)))::float8
	FROM (SELECT *, (coalesce(%s, (SELECT max(extract(epoch FROM at))::float8 FROM %s)) - extract(epoch FROM at)::float8) / 86400 / %s AS age FROM %2$s) r GROUP BY 1', quote_nullable(origin) || '::float8', source, days); END $$;
CREATE FUNCTION naive_order(days float8, origin float8 DEFAULT NULL) RETURNS text LANGUAGE sql AS 'SELECT string_agg(item_id || '' '' || ratings, '','' ORDER BY trend::real DESC, ratings DESC, item_id) FROM naive(days, origin => origin)';
CREATE FUNCTION listed(half_life interval, by text, model text DEFAULT NULL) RETURNS text LANGUAGE sql AS 'SELECT string_agg(item_id || '' '' || ratings, '','' ORDER BY rank) FROM mf_popular(100, model, half_life => half_life, by => by)';
CREATE FUNCTION trained(model text, more text DEFAULT '', source text DEFAULT 'plays', days float8 DEFAULT 2) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
	EXECUTE format('SELECT 1 FROM mf_train(%L, %L, factors => 2, iterations => 2, feedback => ''implicit'', rating_column => ''plays'', time_column => ''at''%s)', source, model, more);
	EXECUTE format('SELECT count(*) || '' items, '' || count(*) FILTER (WHERE abs(f.trend - n.trend) < 1e-5 * n.trend AND f.ratings = n.ratings) || '' as counted'' FROM %I f FULL JOIN naive(%s) n USING (item_id) WHERE version IS NULL OR version = (SELECT max(version) FROM mf_models WHERE model = %L)', model || '_item_factors', days, model) INTO r; RETURN r; END $$;

-- where rows have times they are counted, by a half-life of 2 days or by that in which they fade
SELECT trained('plays');
SELECT parameters ->> 'trend_half_life' AS trend_half_life, parameters ->> 'half_life' AS half_life, to_timestamp((parameters ->> 'newest')::float8) AT TIME ZONE 'UTC' AS newest FROM mf_models;
SELECT trained('fading', ', half_life => ''1 day''', days => 1);
SELECT parameters ->> 'trend_half_life' AS trend_half_life, parameters ->> 'half_life' AS half_life FROM mf_models WHERE model = 'fading';
CREATE VIEW stars AS SELECT user_id, item_id, plays AS rating, at FROM plays WHERE plays > 0 AND at IS NOT NULL;
SELECT items FROM mf_train('stars', 'stars', factors => 2, iterations => 2, time_column => 'at', half_life => '4 days');
SELECT count(*), bool_and(abs(f.trend - n.trend) < 1e-5 * n.trend) AS counted FROM stars_item_factors f FULL JOIN naive(2) n USING (item_id);
-- by ratings, as ever, by trend, and by any half-life: by all rows that there are
SELECT listed(NULL, NULL) = listed(NULL, 'ratings') AS default_order, listed(NULL, 'ratings') = string_agg(item_id || ' ' || ratings, ',' ORDER BY ratings DESC, item_id) AS by_ratings FROM naive(1);
SELECT listed(NULL, 'trend') = naive_order(2) AS stored, listed('2 days', NULL) = naive_order(2) AS same, listed(NULL, 'trend', 'fading') = naive_order(1) AS fading, listed(NULL, 'trend') <> listed(NULL, 'ratings') AS another FROM naive(1) LIMIT 1;
SELECT days, listed(days * interval '1 day', NULL) = naive_order(days) AS by_rows, listed(days * interval '1 day', 'trend', 'fading') = naive_order(days) AS of_another FROM unnest('{0.5,4,9,30,90,10000}'::float8[]) days;
SELECT count(DISTINCT listed(days * interval '1 day', NULL)) > 1 AS differ FROM unnest('{0.5,4,30,10000}'::float8[]) days;
-- the popular of a category
SELECT half_life, array_agg(item_id ORDER BY rank) = (SELECT array_agg(item_id::bigint ORDER BY trend::real DESC, ratings DESC) FROM naive(coalesce(extract(day FROM half_life), 2)) WHERE item_id IN (2, 3, 7)) AS candidates
FROM unnest('{NULL,3 days}'::interval[]) half_life, mf_popular(9, 'plays', ARRAY[2, 3, 7, 99], half_life, 'trend') GROUP BY 1;
SELECT min(pg_typeof(item_id)::text) AS type, count(*) FROM mf_popular(3, NULL::smallint, 'plays', ARRAY[1, 2, 3], '7 days') UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, NULL::text, 'plays', '{1,2}', '7 days', by => 'trend');
-- by another half-life rows count as they are now, of items that the version knows; what is stored is of the training
BEGIN;
INSERT INTO plays SELECT u, 1, 1, timestamptz '2024-06-02 12:00 UTC' FROM generate_series(1, 50) u;
INSERT INTO plays VALUES (1, 4000, 1, timestamptz '2024-06-02 12:00 UTC');
SELECT left(listed('1 day', NULL), 2) AS now, left(listed(NULL, 'trend'), 2) AS stored;
ROLLBACK;

-- rows held out do not count: by chance, or the newest
SELECT trained('held', ', validation => 0.2, validation_by => ''random''') IS NOT NULL AS trained;
SELECT bool_and(f.trend <= n.trend * 1.00001) AS fewer, sum(f.trend) / sum(n.trend) BETWEEN 0.6 AND 0.95 AS part FROM held_item_factors f JOIN naive(2) n USING (item_id);
SELECT trained('held', ', validation => 0.2') IS NOT NULL AS trained;
CREATE VIEW older AS SELECT * FROM counted WHERE at <= (SELECT to_timestamp((parameters ->> 'newest')::float8) FROM mf_models WHERE model = 'held' AND serving);
SELECT bool_and(coalesce(f.trend, 0) <= n.trend * 1.00001) AS fewer, sum(f.trend) / sum(n.trend) BETWEEN 0.8 AND 1 AS nearly_all FROM held_item_factors f JOIN naive(2, 'older') n USING (item_id) WHERE version = 2;

-- the same in memory and spilled, in any order, and of any type of times
CREATE TABLE many AS SELECT u AS user_id, (u * 31 + i * i) % 97 AS item_id, 1 AS plays, (u * 1009 + i * 77777) % 5000000 AS at FROM generate_series(1, 5000) u, generate_series(1, 15) i;
CREATE VIEW backwards AS SELECT user_id, item_id, plays, at::numeric FROM many ORDER BY at DESC;
CREATE FUNCTION trends(source text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
	PERFORM FROM mf_train(source::regclass, 'many', factors => 2, iterations => 1, feedback => 'implicit', rating_column => 'plays', time_column => 'at', half_life => '3 days');
	SELECT md5(string_agg(item_id || ' ' || trend, ',' ORDER BY item_id)) || md5(listed('5 days', 'trend', 'many')) || count(trend) INTO r FROM many_item_factors WHERE version = (SELECT max(version) FROM many_item_factors); RETURN r; END $$;
SELECT count(DISTINCT trends(source)) FROM unnest('{1GB,1MB}'::text[]) memory, unnest('{many,backwards}'::text[]) source, set_config('maintenance_work_mem', memory, false);
RESET maintenance_work_mem;
DROP TABLE many CASCADE;

-- cold start: what is popular of late, of which the score is the count
SET mfrec.cold_start = trending;
SELECT l.reason, count(*), bool_and(l.rank = p.rank) AS in_order, bool_and(l.score = f.trend) AS counts FROM mf_recommend(9999, 100, 'plays') l JOIN mf_popular(100, 'plays', by => 'trend') p USING (item_id) JOIN plays_item_factors f USING (item_id) GROUP BY 1;
SELECT reason, array_agg(item_id ORDER BY rank) FILTER (WHERE item_id IN (2, 7)) AS among FROM mf_recommend(9999, 100, 'plays', candidates => ARRAY[2, 7, 9], exclude => ARRAY[9]) GROUP BY 1;
SELECT array_agg(item_id) = ARRAY(SELECT item_id::int FROM mf_popular(4, 'plays', by => 'trend')) AS basket FROM mf_recommend_for(ARRAY[5000], k => 4, model => 'plays');
SELECT reason, array_agg(item_id) = ARRAY(SELECT min(item_id) FROM (SELECT item_id, min(rank) OVER (PARTITION BY item_id % 2) = rank AS first, rank FROM mf_popular(100, 'plays', by => 'trend') p) x WHERE first GROUP BY rank ORDER BY rank) AS grouped
FROM mf_recommend(9999, 2, 'plays', candidates => ARRAY[1,2,3,4,5,6,7,8,9,10], per_group => 1, groups => ARRAY[1,0,1,0,1,0,1,0,1,0]) GROUP BY 1;
SELECT DISTINCT reason FROM mf_recommend(1, 3, 'plays', exclude_seen => false);
-- who has only rows that are no ratings: without what they have
SELECT DISTINCT reason, 3 = ANY (array_agg(item_id) OVER ()) AS had FROM mf_recommend(102, 100, 'plays');
-- a user's first row ends it
BEGIN; INSERT INTO plays VALUES (9999, 3, 2, '2024-06-01'); SELECT DISTINCT reason FROM mf_recommend(9999, 3, 'plays', fresh => true); ROLLBACK;
-- a model without times goes on with what is popular
CREATE VIEW untimed AS SELECT user_id, item_id, plays FROM plays WHERE plays > 0;
SELECT items FROM mf_train('untimed', 'untimed', factors => 2, iterations => 2, feedback => 'implicit', rating_column => 'plays');
SELECT reason, bool_and(l.score = p.ratings) AS counts FROM mf_recommend(9999, 100, 'untimed') l JOIN mf_popular(100, 'untimed') p USING (item_id, rank) GROUP BY 1;
SELECT count(trend) AS trends FROM untimed_item_factors;
SELECT count(*) FROM mf_recommend_for(ARRAY[5000], k => 4, model => 'untimed');
RESET mfrec.cold_start;
SELECT DISTINCT reason FROM mf_recommend(9999, 3, 'plays');

-- what cannot be
SELECT fails('SELECT mf_popular(3, ''untimed'', by => ''trend'')');
SELECT fails('SELECT mf_popular(3, ''untimed'', half_life => ''1 day'')');
SELECT fails('SELECT mf_popular(3, ''plays'', by => ''time'')');
SELECT fails('SELECT mf_popular(3, ''plays'', by => ''ratings'', half_life => ''1 day'')');
SELECT fails('SELECT mf_popular(3, ''plays'', half_life => ' || quote_literal(h) || ')') FROM unnest('{0,-1 day}'::text[]) h;
BEGIN; INSERT INTO plays VALUES (1, 1, 1, 'infinity'); SELECT fails('SELECT mf_popular(3, ''plays'', half_life => ''1 day'')'); ROLLBACK;
BEGIN; INSERT INTO plays VALUES (1, 1, 1, '-infinity'); SELECT fails('SELECT mf_popular(3, ''plays'', half_life => ''1 day'')'); ROLLBACK;
-- as a training does: rows that are no ratings have no age, and are not the newest, either
BEGIN;
INSERT INTO plays VALUES (1, 1, NULL, 'infinity'), (1, 1, NULL, '-infinity'), (1, 2, NULL, NULL), (1, 2, 1, NULL), (1, 2, 0, '2024-06-01 18:00 UTC'), (1, 2, NULL, '2034-06-01 UTC');
SELECT trained('nulls', ', half_life => ''1 day''', days => 1);
SELECT listed(NULL, 'trend', 'nulls') = naive_order(1) AS stored, listed('4 days', NULL, 'nulls') = naive_order(4) AS counted;
CREATE TABLE kinds AS SELECT user_id, item_id, 'play' AS kind, at FROM counted;
INSERT INTO kinds VALUES (1, 1, 'search', 'infinity'), (1, 1, NULL, '-infinity');
SELECT items FROM mf_train('kinds', 'kinds', factors => 2, iterations => 2, time_column => 'at', half_life => '1 day', event_column => 'kind', event_weights => '{"play": 1}');
SELECT string_agg(item_id || ' ' || ratings, ',' ORDER BY rank) = naive_order(4) AS counted FROM mf_popular(100, 'kinds', half_life => '4 days');
DELETE FROM kinds WHERE kind = 'play';
SELECT count(*) AS items FROM mf_popular(100, 'kinds', half_life => '4 days');
ROLLBACK;
BEGIN; ALTER TABLE plays RENAME TO gone; SELECT fails('SELECT mf_popular(3, ''plays'', half_life => ''1 day'')'); SELECT count(*) FROM mf_popular(3, 'plays', by => 'trend'); ROLLBACK;

-- updates: items with new rows move on, in the units of the training; others are not touched
CREATE VIEW stored AS SELECT item_id, ratings, trend FROM plays_item_factors WHERE version = (SELECT version FROM mf_models WHERE model = 'plays' AND serving);
CREATE TABLE before AS SELECT f.*, f.ctid AS place FROM plays_item_factors f;
CREATE FUNCTION origin() RETURNS float8 LANGUAGE sql AS $$ SELECT (parameters ->> 'newest')::float8 FROM mf_models WHERE model = 'plays' AND serving $$;
CREATE FUNCTION moved() RETURNS TABLE (items bigint, counted bigint, listed boolean) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE abs(s.trend - n.trend) < 1e-5 * s.trend AND s.ratings = n.ratings), listed(NULL, 'trend') = naive_order(2, origin()) FROM stored s FULL JOIN naive(2, origin => origin()) n USING (item_id) $$;
INSERT INTO plays SELECT 200 + n, 2, 1, timestamptz '2024-06-01 12:00 UTC' + n * interval '3 days' FROM generate_series(1, 30) n;
INSERT INTO plays SELECT n, 11, 1, timestamptz '2024-06-20 12:00 UTC' + n * interval '1 day' FROM generate_series(1, 12) n;
INSERT INTO plays VALUES (1, 4, 1, timestamptz '2024-01-01 12:00 UTC');
DELETE FROM plays WHERE item_id = 9 AND user_id % 2 = 0;
SELECT items_added, items_changed FROM mf_update('plays');
SELECT * FROM moved();
SELECT count(*) AS untouched FROM before b JOIN plays_item_factors f ON f.ctid = b.place AND f.trend = b.trend AND f.item_id = b.item_id;
-- the image of the update says what the tables say
SELECT string_agg(item_id || ' ' || ratings, ',' ORDER BY trend DESC, ratings DESC, item_id) = listed(NULL, 'trend') AS as_stored FROM stored;
SELECT items_added, items_changed FROM mf_update('plays');
SELECT count(*) FROM mf_refresh('plays');
SELECT * FROM moved();
-- so long after the training that nothing else counts
BEGIN;
INSERT INTO plays SELECT 300 + n, 5, 1, timestamptz '2124-06-01 12:00 UTC' FROM generate_series(1, 3) n;
INSERT INTO plays SELECT 300 + n, 6, 1, timestamptz '2124-06-01 12:00 UTC' FROM generate_series(1, 9) n;
SELECT items_changed FROM mf_update('plays');
SELECT left(listed(NULL, 'trend'), 4), (SELECT bool_and(trend < 1e38) FROM stored) AS finite;
ROLLBACK;
-- items with many rows keep their vectors, and trend all the same
CREATE TABLE hits AS SELECT u AS user_id, i AS item_id, 1 AS plays, timestamptz '2024-01-01 UTC' + (u + i * 100) * interval '1 hour' AS at FROM generate_series(1, 1300) u, generate_series(1, 20) i WHERE i <= 2 OR (u * 7 + i * 3 + u * i) % 10 < 3;
SELECT trained('hits', source => 'hits') IS NOT NULL AS trained;
CREATE TABLE hit_items AS SELECT * FROM hits_item_factors;
INSERT INTO hits VALUES (1301, 1, 1, '2024-07-01 UTC');
SELECT items_changed FROM mf_update('hits');
SELECT f.factors = h.factors AS kept, f.trend > h.trend + 2 AS trends FROM hits_item_factors f JOIN hit_items h USING (item_id) WHERE item_id = 1;

-- a retraining counts anew; a rollback brings the older version's back
SELECT version FROM mf_retrain('plays');
SELECT * FROM moved();
SELECT mf_rollback('plays');
SELECT string_agg(item_id || ' ' || ratings, ',' ORDER BY trend DESC, ratings DESC, item_id) = listed(NULL, 'trend') AS as_stored FROM stored;
-- tables that are older get their column; a version without it has no trends
ALTER TABLE plays_item_factors DROP trend CASCADE;
SELECT mf_rollback('plays', 2);
SELECT mf_refresh('plays') IS NOT NULL AS read_anew;
SELECT fails('SELECT mf_popular(3, ''plays'', by => ''trend'')');
INSERT INTO plays VALUES (1, 4, 1, timestamptz '2024-01-01 12:00 UTC');
SELECT items_changed FROM mf_update('plays');
SELECT fails('SELECT mf_popular(3, ''plays'', by => ''trend'')');
SELECT version FROM mf_retrain('plays');
SELECT listed(NULL, 'trend') = naive_order(2) AS counted;
-- factors from elsewhere have none; their source may have
SELECT user_id AS id, factors INTO elsewhere FROM plays_user_factors WHERE version = 3 AND factors <> '{}';
SELECT item_id AS id, factors INTO elsewhere_items FROM plays_item_factors WHERE version = 3;
SELECT items FROM mf_import('imported', 'elsewhere', 'elsewhere_items', source => 'untimed', rating_column => 'plays', regularization => 1, alpha => 2);
SELECT fails('SELECT mf_popular(3, ''imported'', by => ''trend'')');
SET mfrec.cold_start = trending;
SELECT DISTINCT reason FROM mf_recommend(9999, 3, 'imported');
RESET mfrec.cold_start;

-- new items, which nobody has had, come last and are not listed
CREATE TABLE songs AS SELECT i AS item_id, 'kind ' || i % 3 AS kind FROM generate_series(1, 30) i;
ALTER TABLE songs ADD PRIMARY KEY (item_id);
SELECT trained('songs', ', item_features => ''songs''') IS NOT NULL AS trained;
SELECT count(*) AS items, count(trend) AS trends, count(*) FILTER (WHERE ratings > 0) AS rated FROM songs_item_factors;
SELECT count(*), bool_and(ratings > 0) AS rated FROM mf_popular(100, 'songs', by => 'trend') UNION ALL SELECT count(*), bool_and(ratings > 0) FROM mf_popular(100, 'songs', half_life => '1 day');
SET mfrec.cold_start = trending;
SELECT reason, count(*), min(rank) FILTER (WHERE item_id > 11) AS first_new FROM mf_recommend(9999, 100, 'songs') GROUP BY 1;
RESET mfrec.cold_start;

SELECT mf_drop(model) FROM mf_models WHERE serving;
RESET client_min_messages;
SET client_min_messages = warning;
DROP SCHEMA test_trend CASCADE;
