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
SELECT * FROM folded();
TRUNCATE before;
INSERT INTO before SELECT user_id, factors FROM clicks_user_factors;
INSERT INTO rows SELECT user_id, item_id, 1 + rating % 5, count + 1, rated_at - interval '2160 hours' FROM rows WHERE item_id = 41;
INSERT INTO rows SELECT user_id, item_id, 1 + rating % 5, count + 2, '2024-08-01' FROM rows WHERE user_id = 1 AND item_id < 41;
SELECT model, u.* FROM models, updated(model) u WHERE model <> 'weighted' ORDER BY model;
SELECT * FROM folded();
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
SELECT gradient(41, 'ln(1 + sum(count)::float8)', 'sum(count * fade) / sum(count)::float8') < 1e-5 AS solved,
	gradient(41, 'ln(1 + sum(count * fade)::float8)', '1') < 1e-5 AS faded_before, gradient(41, 'ln(1 + sum(count)::float8)', '1') < 1e-5 AS never;

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
UPDATE events SET kind = 'purchase' WHERE (user_id, item_id) = (101, 1);
SELECT model, u.* FROM unnest(ARRAY['events', 'values']) model, updated(model) u;
SELECT vectors('events') = vectors('values') AS same;

SELECT count(mf_drop(model)) FROM mf_models WHERE serving;
DROP SCHEMA update_time CASCADE;
