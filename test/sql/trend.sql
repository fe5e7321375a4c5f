-- Trends: items keep a faded count beside the plain one.
CREATE SCHEMA test_trend;
SET search_path = test_trend, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- items 1 .. 10 have ever fewer rows, and ever newer ones; some come twice, some are no ratings
CREATE TABLE plays AS SELECT u AS user_id, i AS item_id, 1 + (u + i) % 3 AS plays, timestamptz '2024-06-01 12:00 UTC' - ((u * 7 + i) % 11 + (10 - i) * 4) * interval '5 days' AS at
	FROM generate_series(1, 60) u, generate_series(1, 10) i WHERE (u * 3 + i) % 16 >= i;
CREATE INDEX ON plays (user_id);
INSERT INTO plays SELECT user_id, item_id, plays, at - interval '1 day' FROM plays WHERE user_id % 5 = 0;
INSERT INTO plays SELECT 100 + n, 3, CASE n % 3 WHEN 0 THEN 0 WHEN 1 THEN 1 END, CASE WHEN n % 3 <> 1 THEN timestamptz '2024-06-01' END FROM generate_series(1, 30) n;
-- what a training counts, and its sum by item
CREATE VIEW counted AS SELECT user_id, item_id, at FROM plays WHERE plays > 0 AND at IS NOT NULL;
CREATE FUNCTION naive(days float8, source regclass DEFAULT 'counted') RETURNS TABLE (item_id int, ratings bigint, trend float8) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE format('SELECT item_id, count(DISTINCT user_id), sum(power(2, greatest(extract(epoch FROM at - (SELECT max(at) FROM %s))::float8 / 86400 / %s, -64))) FROM %1$s GROUP BY 1', source, days); END $$;
CREATE FUNCTION trained(model text, more text DEFAULT '', source text DEFAULT 'plays', days float8 DEFAULT 30) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
	EXECUTE format('SELECT 1 FROM mf_train(%L, %L, factors => 2, iterations => 2, feedback => ''implicit'', rating_column => ''plays'', time_column => ''at''%s)', source, model, more);
	EXECUTE format('SELECT count(*) || '' items, '' || count(*) FILTER (WHERE abs(f.trend - n.trend) < 1e-5 * n.trend AND f.ratings = n.ratings) || '' as counted'' FROM %I f FULL JOIN naive(%s) n USING (item_id) WHERE version IS NULL OR version = (SELECT max(version) FROM mf_models WHERE model = %L)', model || '_item_factors', days, model) INTO r; RETURN r; END $$;

-- where rows have times they are counted, in 30 days or in the half-life in which they fade
SELECT trained('plays');
SELECT parameters ->> 'trend_half_life' AS trend_half_life, parameters ->> 'half_life' AS half_life, to_timestamp((parameters ->> 'newest')::float8) AT TIME ZONE 'UTC' AS newest FROM mf_models;
SELECT trained('fading', ', half_life => ''9 days''', days => 9);
SELECT parameters ->> 'trend_half_life' AS trend_half_life, parameters ->> 'half_life' AS half_life FROM mf_models WHERE model = 'fading';
CREATE VIEW stars AS SELECT user_id, item_id, plays AS rating, at FROM plays WHERE plays > 0 AND at IS NOT NULL;
SELECT items FROM mf_train('stars', 'stars', factors => 2, iterations => 2, time_column => 'at', half_life => '4 days');
SELECT count(*), bool_and(abs(f.trend - n.trend) < 1e-5 * n.trend) AS counted FROM stars_item_factors f FULL JOIN naive(4) n USING (item_id);
-- rows held out do not count: by chance, or the newest
SELECT trained('held', ', validation => 0.2, validation_by => ''random''') IS NOT NULL AS trained;
SELECT bool_and(f.trend <= n.trend * 1.00001) AS fewer, sum(f.trend) / sum(n.trend) BETWEEN 0.6 AND 0.95 AS part FROM held_item_factors f JOIN naive(30) n USING (item_id);
SELECT trained('held', ', validation => 0.2') IS NOT NULL AS trained;
CREATE VIEW older AS SELECT * FROM counted WHERE at <= (SELECT to_timestamp((parameters ->> 'newest')::float8) FROM mf_models WHERE model = 'held' AND serving);
SELECT bool_and(coalesce(f.trend, 0) <= n.trend * 1.00001) AS fewer, sum(f.trend) / sum(n.trend) BETWEEN 0.8 AND 1 AS nearly_all FROM held_item_factors f JOIN naive(30, 'older') n USING (item_id) WHERE version = 2;

-- the same in memory and spilled, in any order, and of any type of times
CREATE TABLE many AS SELECT u AS user_id, (u * 31 + i * i) % 97 AS item_id, 1 AS plays, (u * 1009 + i * 77777) % 5000000 AS at FROM generate_series(1, 5000) u, generate_series(1, 15) i;
CREATE VIEW backwards AS SELECT user_id, item_id, plays, at::numeric FROM many ORDER BY at DESC;
CREATE FUNCTION trends(source text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
	PERFORM FROM mf_train(source::regclass, 'many', factors => 2, iterations => 1, feedback => 'implicit', rating_column => 'plays', time_column => 'at', half_life => '3 days');
	SELECT md5(string_agg(item_id || ' ' || trend, ',' ORDER BY item_id)) || count(trend) INTO r FROM many_item_factors WHERE version = (SELECT max(version) FROM many_item_factors); RETURN r; END $$;
SELECT count(DISTINCT trends(source)) FROM unnest('{1GB,1MB}'::text[]) memory, unnest('{many,backwards}'::text[]) source, set_config('maintenance_work_mem', memory, false);
RESET maintenance_work_mem;
DROP TABLE many CASCADE;

-- updates: items with new rows move on, in the units of the training; others are not touched
CREATE VIEW stored AS SELECT item_id, ratings, trend FROM plays_item_factors WHERE version = (SELECT version FROM mf_models WHERE model = 'plays' AND serving);
CREATE TABLE before AS SELECT f.*, f.ctid AS place FROM plays_item_factors f;
CREATE VIEW later AS SELECT extract(epoch FROM max(at))::float8 - (SELECT (parameters ->> 'newest')::float8 FROM mf_models WHERE model = 'plays' AND serving) AS seconds FROM counted;
CREATE FUNCTION moved() RETURNS TABLE (items bigint, counted bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE abs(s.trend - n.trend * power(2, seconds / 86400 / 30)) < 1e-5 * s.trend AND s.ratings = n.ratings) FROM stored s FULL JOIN naive(30) n USING (item_id), later $$;
INSERT INTO plays SELECT 200 + n, 2, 1, timestamptz '2024-06-01 12:00 UTC' + n * interval '3 days' FROM generate_series(1, 30) n;
INSERT INTO plays SELECT n, 11, 1, timestamptz '2024-06-20 12:00 UTC' + n * interval '1 day' FROM generate_series(1, 12) n;
INSERT INTO plays VALUES (1, 4, 1, timestamptz '2024-01-01 12:00 UTC');
DELETE FROM plays WHERE item_id = 9 AND user_id % 2 = 0;
SELECT items_added, items_changed FROM mf_update('plays');
SELECT * FROM moved();
SELECT count(*) AS untouched FROM before b JOIN plays_item_factors f ON f.ctid = b.place AND f.trend = b.trend AND f.item_id = b.item_id;
SELECT items_added, items_changed FROM mf_update('plays');
SELECT count(*) FROM mf_refresh('plays');
SELECT * FROM moved();
-- items with many rows keep their vectors, and trend all the same
CREATE TABLE hits AS SELECT u AS user_id, i AS item_id, 1 AS plays, timestamptz '2024-01-01 UTC' + (u + i * 100) * interval '1 hour' AS at FROM generate_series(1, 1300) u, generate_series(1, 20) i WHERE i <= 2 OR (u * 7 + i * 3 + u * i) % 10 < 3;
SELECT trained('hits', source => 'hits') IS NOT NULL AS trained;
CREATE TABLE hit_items AS SELECT * FROM hits_item_factors;
INSERT INTO hits VALUES (1301, 1, 1, '2024-07-01 UTC');
SELECT items_changed FROM mf_update('hits');
SELECT f.factors = h.factors AS kept, f.trend > h.trend + 2 AS trends FROM hits_item_factors f JOIN hit_items h USING (item_id) WHERE item_id = 1;

DROP VIEW stored CASCADE;
SELECT mf_drop(model) FROM mf_models WHERE serving;
RESET client_min_messages;
SET client_min_messages = warning;
DROP SCHEMA test_trend CASCADE;
