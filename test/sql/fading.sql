-- Rows that fade: their weight halves with every half-life of age before the newest row.
CREATE SCHEMA fading;
SET search_path = fading, public;
SET client_min_messages = warning;

-- ages in whole half-lives of 90 days, so that what is left of a row is a power of 2, to the bit
CREATE TABLE stars AS
	SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating, (1 + (u + 2 * i) % 4)::real AS count,
		timestamptz '2024-06-01 12:00 UTC' - (u * 5 + i) % 4 * interval '2160 hours' AS rated_at,
		power(0.5, (u * 5 + i) % 4)::real AS fade, (1 + (u + 2 * i) % 4) * power(0.5, (u * 5 + i) % 4)::real AS faded
	FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * 5 + i * 3) % 4 <> 0;
CREATE INDEX ON stars (user_id);
CREATE VIEW times AS
	SELECT user_id, item_id, rating, fade, rated_at, rated_at AT TIME ZONE 'UTC' AS "timestamp", (rated_at AT TIME ZONE 'UTC')::date AS date,
		extract(epoch FROM rated_at)::bigint AS bigint, extract(epoch FROM rated_at)::float8 AS "double precision",
		extract(epoch FROM rated_at) AS numeric, (extract(epoch FROM rated_at) - 1700000000)::int AS integer
	FROM stars;

-- A training's vectors and biases, and what it reports; it leaves the model w.
CREATE FUNCTION learnt(source text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE sum text;
BEGIN
	PERFORM mf_drop(name) FROM mfrec.model WHERE name = 'w';
	EXECUTE format('SELECT concat_ws('','', loss, rmse, iterations) FROM mf_train(%L, ''w'', iterations => 4, factors => 8%s)', source, arguments) INTO sum;
	SELECT md5(sum || string_agg(concat_ws(',', user_id, bias, factors), ',' ORDER BY user_id)) INTO sum FROM w_user_factors;
	SELECT md5(sum || string_agg(concat_ws(',', item_id, bias, factors, rating_factors), ',' ORDER BY item_id)) INTO sum FROM w_item_factors;
	RETURN sum;
END $$;

-- of ratings it is what a column of such weights is, of times of any type
SELECT learnt('stars', ', interest_weight => 0, weight_column => ''fade''') AS weighted, learnt('stars', ', interest_weight => 0') AS plain \gset
SELECT name, learnt('times', format(', interest_weight => 0, time_column => %L, half_life => ''90 days''', name)) = :'weighted' AS same
FROM unnest(ARRAY['rated_at', 'timestamp', 'date', 'bigint', 'double precision', 'numeric', 'integer']) name;
SELECT learnt('times', ', interest_weight => 0, time_column => ''rated_at'', half_life => ''2160 hours''') = :'weighted' AS hours,
	learnt('times', ', interest_weight => 0, time_column => ''rated_at'', half_life => ''3 months''') = :'weighted' AS months,
	learnt('times', ', interest_weight => 0, time_column => ''rated_at''') = :'plain' AS never,
	learnt('times', ', interest_weight => 0, time_column => ''rated_at'', half_life => ''30 days''') <> :'weighted' AS shorter;
-- beside a column of weights, by which it is multiplied
SELECT learnt('stars', ', interest_weight => 0, weight_column => ''count'', time_column => ''rated_at'', half_life => ''90 days''')
	= learnt('stars', ', interest_weight => 0, weight_column => ''faded''') AS multiplied;

-- in both parts; later calls go by what the version keeps
SELECT learnt('stars', ', time_column => ''rated_at'', half_life => ''90 days''') IS NOT NULL AS trained;
SELECT round((parameters ->> 'mean_fade')::numeric, 4) = round((SELECT avg(fade) FROM stars)::numeric, 4) AS mean_fade,
	parameters ->> 'half_life' AS half_life, to_timestamp((parameters ->> 'newest')::float8) AT TIME ZONE 'UTC' AS newest
FROM mf_models WHERE model = 'w';

-- ratings fade more slowly than what users choose where there are both, unless there is a column of weights
CREATE FUNCTION roots(arguments text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM learnt('stars', arguments || ', time_column => ''rated_at'', half_life => ''90 days''');
	RETURN (SELECT parameters ->> 'rating_roots' FROM mf_models WHERE model = 'w');
END $$;
SELECT roots('') AS both, roots(', weight_column => ''count''') AS weighted, roots(', interest_weight => 0') AS ratings_alone, roots(', feedback => ''implicit''') AS implicit;

-- values of implicit feedback fade after their logarithm is taken: the optimum by the formula.  A cell weighs
-- c = 1 + alpha * f * fade, of which c - (1 - min(f * fade, 1)) against 1 and the rest against 0.
CREATE VIEW clicks AS SELECT user_id, item_id, count, rated_at, fade FROM stars;
-- How far user vectors are from solving their part of the objective, relative to what cancels in it: the worst of all.
CREATE FUNCTION gradient(cells text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE worst float8;
BEGIN
	EXECUTE format($q$
	WITH o AS (SELECT (parameters ->> 'alpha')::float8 AS alpha, (parameters ->> 'user_ratings')::float8 AS user_ratings,
			(parameters ->> 'interest_regularization')::float8 AS l, parameters -> 'mean_user' AS mean FROM mf_models WHERE model = 'w'),
		raw AS (%s), f AS (SELECT user_id, item_id, fade, number / (SELECT avg(number * fade) FROM raw) * (SELECT avg(mean_fade) FROM raw) AS f FROM raw),
		product AS (SELECT u.user_id, i.item_id, i.factors, u.factors AS p, u.ratings, (SELECT sum(a * b) FROM unnest(u.factors, i.factors) x (a, b)) AS s
			FROM w_user_factors u, w_item_factors i),
		term AS (SELECT p.user_id, p.factors, p.p, p.ratings, (1 + alpha * coalesce(f * fade, 0)) * s AS square,
				CASE WHEN f IS NULL THEN 0 ELSE least(f * fade, 1) + alpha * f * fade END AS right
			FROM product p LEFT JOIN f USING (user_id, item_id), o),
		sums AS (SELECT user_id, k, sum(square * v) - sum("right" * v) AS g, sum(abs(square * v)) + sum("right" * abs(v)) AS scale, min(p[k]) AS p, min(ratings) AS n
			FROM term, unnest(factors) WITH ORDINALITY x (v, k) GROUP BY 1, 2)
	SELECT max(abs(g + l * sqrt(n / user_ratings) * (p - (mean ->> (k::int - 1))::float8)) / scale) FROM sums, o$q$, cells) INTO worst;
	RETURN worst;
END $$;
SELECT learnt('clicks', ', feedback => ''implicit'', rating_column => ''count'', time_column => ''rated_at'', half_life => ''90 days''') IS NOT NULL AS trained;
SELECT gradient('SELECT user_id, item_id, ln(1 + count) AS number, fade, (SELECT avg(fade) FROM clicks) AS mean_fade FROM clicks') < 1e-5 AS solved,
	gradient('SELECT user_id, item_id, ln(1 + count * fade) / fade AS number, fade, (SELECT avg(fade) FROM clicks) AS mean_fade FROM clicks') < 1e-5 AS faded_before,
	gradient('SELECT user_id, item_id, ln(1 + count) AS number, 1 AS fade, 1 AS mean_fade FROM clicks') < 1e-5 AS never;

-- rows of one place fade each for itself: of ratings the newer one counts more, values add up
CREATE TABLE twice AS SELECT user_id, item_id, rating, count, rated_at, fade FROM stars
	UNION ALL SELECT user_id, item_id, 1 + rating % 5, count + 1, rated_at - interval '4320 hours', fade / 4 FROM stars WHERE user_id % 3 = 0;
CREATE VIEW merged AS SELECT user_id, item_id, (sum(rating * fade) / sum(fade))::real AS rating, (sum(fade) / count(*))::real AS fade FROM twice GROUP BY 1, 2;
SELECT learnt('twice', ', interest_weight => 0, time_column => ''rated_at'', half_life => ''90 days''') AS merged \gset
SELECT learnt('merged', ', interest_weight => 0, weight_column => ''fade''') = :'merged' AS same;
SELECT learnt('twice', ', feedback => ''implicit'', rating_column => ''count'', time_column => ''rated_at'', half_life => ''90 days''') IS NOT NULL AS trained;
SELECT gradient('SELECT user_id, item_id, ln(1 + sum(count)::float8) AS number, sum(count * fade) / sum(count)::float8 AS fade, (SELECT avg(fade) FROM twice) AS mean_fade FROM twice GROUP BY 1, 2') < 1e-5 AS solved;
CREATE INDEX ON twice (user_id);

-- current rows give the stored user; later rows count as the newest ones do, and other users keep theirs
CREATE FUNCTION agrees(source text, arguments text) RETURNS TABLE (stored bigint, fresh bigint, basket bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM learnt(source, arguments);
	UPDATE w_user_factors SET fingerprint = NULL;	-- which would tell that nothing has changed
	SELECT count(*) FILTER (WHERE reason = 'model'), count(*) FILTER (WHERE reason = 'fresh') INTO stored, fresh
	FROM generate_series(1, 60) u, LATERAL mf_recommend(u, 1, 'w', fresh => true, exclude_seen => false) r;
	SELECT count(*) INTO basket FROM mf_recommend_for(ARRAY[1, 2, 3], k => 5, model => 'w');
	RETURN NEXT;
END $$;
SELECT * FROM agrees('stars', ', time_column => ''rated_at'', half_life => ''40 days''');
SELECT * FROM agrees('twice', ', time_column => ''rated_at'', half_life => ''40 days'', weight_column => ''count''');
SELECT * FROM agrees('twice', ', feedback => ''implicit'', rating_column => NULL, time_column => ''rated_at'', half_life => ''1 day''');
SELECT * FROM agrees('twice', ', feedback => ''implicit'', rating_column => ''count'', time_column => ''rated_at'', half_life => ''40 days''');
SELECT count(*), bool_and(abs(explained - score) < 1e-3) AS explained
FROM mf_recommend(7, 3, 'w', fresh => true, exclude_seen => false) l, LATERAL (SELECT sum(contribution) AS explained FROM mf_explain(7, l.item_id, k => 100, model => 'w')) e;
SELECT learnt('stars', ', time_column => ''rated_at'', half_life => ''40 days''') IS NOT NULL AS both_parts;
SELECT count(*), bool_and(abs(explained + taste * bias * power((trend / m + 40) / (ratings + 40), 0.7) - score) < 1e-3) AS explained
FROM (SELECT (parameters ->> 'taste')::float8 AS taste, (parameters ->> 'trend_mean')::float8 AS m FROM mf_models WHERE model = 'w') o, mf_recommend(7, 3, 'w', fresh => true, exclude_seen => false) l JOIN w_item_factors USING (item_id),
	LATERAL (SELECT sum(contribution) AS explained FROM mf_explain(7, l.item_id, k => 100, model => 'w')) e;
SELECT learnt('twice', ', feedback => ''implicit'', rating_column => ''count'', time_column => ''rated_at'', half_life => ''40 days''') IS NOT NULL AS trained;
INSERT INTO twice SELECT 5, item_id, 5, 9, '2024-07-01', 1 FROM generate_series(1, 10) item_id;
SELECT reason, count(*) FROM generate_series(1, 60) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1 ORDER BY 1;
CREATE TEMP TABLE later AS SELECT * FROM mf_recommend(5, 5, 'w', fresh => true);
UPDATE twice SET rated_at = '2031-07-01' WHERE user_id = 5 AND count = 9 AND rated_at > '2024-06-02';
SELECT count(*) AS as_before FROM mf_recommend(5, 5, 'w', fresh => true) JOIN later USING (item_id, score, rank);

-- another training goes on with the column and the half-life, from the newest row that there is by then
UPDATE twice SET rated_at = '2024-07-01 12:00 UTC' WHERE rated_at > '2024-06-02';
SELECT version FROM mf_retrain('w');
SELECT parameters ->> 'half_life' AS half_life, to_timestamp((parameters ->> 'newest')::float8) AT TIME ZONE 'UTC' AS newest FROM mf_models WHERE model = 'w' AND serving;
SELECT mf_rollback('w');
SELECT parameters ->> 'half_life' AS half_life, to_timestamp((parameters ->> 'newest')::float8) AT TIME ZONE 'UTC' AS newest FROM mf_models WHERE model = 'w' AND serving;
SELECT parameters -> 'time_column' AS time_column, parameters -> 'half_life' AS half_life FROM mfrec.model WHERE name = 'w';

-- a version that fades, where the arguments of a newer one name no times: current rows count as the newest ones do
CREATE FUNCTION lists() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', u, item_id, score), ',' ORDER BY u, rank) FROM generate_series(1, 60) u, mf_recommend(u, 3, 'w', fresh => true) $$;
SELECT learnt('stars', ', time_column => ''rated_at'', half_life => ''40 days''') IS NOT NULL AS trained;
BEGIN;
UPDATE stars SET rated_at = '2030-01-01';
SELECT lists() AS newest \gset
ROLLBACK;
SELECT lists() AS dated \gset
SELECT version, mf_rollback('w') AS serving FROM mf_train('stars', 'w', factors => 8);
SELECT lists() = :'newest' AS as_newest, :'dated' <> :'newest' AS differ;

-- spilled or not, in whatever order rows come, also with rows held out and several of one place
CREATE TABLE large AS SELECT g AS user_id, i % 18 AS item_id, 1 + (g * 7 + i * 3 + g * i) % 5 AS rating, g * 1000 + i * 77777 AS seconds
	FROM generate_series(1, 6000) g, generate_series(1, 20) i;
CREATE VIEW backwards AS SELECT * FROM large ORDER BY seconds DESC, item_id;
SELECT a, count(DISTINCT md5) FROM unnest(ARRAY[', factors => 4', ', factors => 4, feedback => ''implicit''', ', factors => 4, feedback => ''implicit'', validation => 0.2']) a,
	unnest(ARRAY['1GB', '1MB']) memory, unnest(ARRAY['large', 'backwards']) source, set_config('maintenance_work_mem', memory, false),
	LATERAL (SELECT replace(a, ', factors => 4', '') || ', time_column => ''seconds'', half_life => ''10 days''') b (arguments),
	LATERAL learnt(source, arguments) md5
GROUP BY a ORDER BY a COLLATE "C";
RESET maintenance_work_mem;
DROP TABLE large CASCADE;

-- rows so old that nothing is left of them are observations all the same
SELECT * FROM agrees('stars', ', time_column => ''rated_at'', half_life => ''1 second''');
SELECT * FROM agrees('stars', ', feedback => ''implicit'', rating_column => NULL, time_column => ''rated_at'', half_life => ''1 microsecond''');
SELECT count(*), count(*) FILTER (WHERE factors::text ~ 'NaN|Inf') AS broken FROM w_user_factors;
-- rows of one time are as good as rows without
CREATE VIEW at_once AS SELECT user_id, item_id, rating, date '2024-01-01' AS day FROM stars;
SELECT learnt('at_once', ', time_column => ''day'', half_life => ''1 day''') = learnt('at_once', '') AS same;

-- mf_estimate takes the same arguments; mf_evaluate reads no times
SELECT ratings, users, items FROM mf_estimate('stars', factors => 8, time_column => 'rated_at', half_life => '90 days');
SELECT learnt('stars', ', time_column => ''rated_at'', half_life => ''90 days''') IS NOT NULL AS trained;
CREATE VIEW test AS SELECT user_id, item_id, rating FROM stars WHERE (user_id + item_id) % 5 = 0;
CREATE VIEW train AS SELECT user_id, item_id, rating FROM stars WHERE (user_id + item_id) % 5 <> 0;
SELECT metric, value FROM mf_evaluate('test', model => 'w', train => 'train') WHERE metric IN ('rows', 'users');

-- null times have no age; other nulls come first
SET client_min_messages = notice;
CREATE TABLE gaps AS SELECT user_id, item_id, CASE WHEN user_id = 2 THEN NULL ELSE rating END AS rating, CASE WHEN user_id <= 3 THEN NULL ELSE rated_at END AS rated_at FROM stars;
CREATE INDEX ON gaps (user_id);
SELECT users, ratings FROM mf_train('gaps', factors => 4, time_column => 'rated_at', half_life => '90 days');
SELECT count(*) AS recommended FROM mf_recommend(1, 40, 'gaps', fresh => true);
SELECT users, ratings FROM mf_train('gaps', 'no times', factors => 4);
-- skipped in folding in as in training, whether the others fade or not
SET client_min_messages = warning;
SELECT half_life, (SELECT count(*) FROM mf_train('gaps', factors => 4, time_column => 'rated_at', half_life => half_life)) AS trained,
	(SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1, 5, 'gaps', fresh => true)) AS untimed, (SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(9, 5, 'gaps', fresh => true)) AS timed
FROM (VALUES (interval '90 days'), (NULL)) h (half_life);
SET client_min_messages = notice;

-- times that cannot be
SELECT mf_train('stars', 'x', time_column => 'missing', half_life => '90 days');
SELECT mf_train('stars', 'x', half_life => '90 days');
SELECT mf_train('stars', 'x', time_column => 'rated_at', half_life => '0');
SELECT mf_train('stars', 'x', time_column => 'rated_at', half_life => '-1 day');
CREATE VIEW texts AS SELECT user_id, item_id, rating, rated_at::text AS said FROM stars;
SELECT mf_train('texts', 'x', time_column => 'said', half_life => '90 days');
CREATE VIEW endless AS SELECT user_id, item_id, rating, CASE WHEN user_id = 7 AND item_id = 8 THEN 'infinity' ELSE rated_at END AS "timestamp",
	CASE WHEN user_id = 7 AND item_id = 8 THEN '-infinity' ELSE rated_at::date END AS date, CASE WHEN user_id = 7 AND item_id = 8 THEN 'NaN' ELSE 1::float8 END AS "double precision" FROM stars;
SELECT mf_train('endless', 'x', time_column => 'timestamp', half_life => '90 days');
SELECT mf_train('endless', 'x', time_column => 'date', half_life => '90 days');
SELECT mf_train('endless', 'x', time_column => 'double precision', half_life => '90 days');
CREATE VIEW beyond AS SELECT user_id, item_id, CASE WHEN user_id = 9 AND item_id = 3 THEN 1e400 ELSE rating::numeric END AS rating, CASE WHEN user_id = 7 AND item_id = 8 THEN 1e400 ELSE 1::numeric END AS seconds, 1e39 AS weight FROM stars;
SELECT mf_train('beyond', 'x', rating_column => NULL, time_column => 'seconds');
SELECT mf_train('beyond', 'x', rating_column => 'rating');
SELECT mf_train('beyond', 'x', rating_column => NULL, weight_column => 'weight');
CREATE VIEW ahead AS SELECT user_id, item_id, rating, CASE WHEN user_id = 7 AND item_id = 8 THEN '3001-01-01' ELSE rated_at END AS rated_at,
	extract(epoch FROM rated_at) * 1000 AS milliseconds FROM stars;
SELECT users FROM mf_train('ahead', factors => 4, time_column => 'rated_at', half_life => '90 days');
SELECT users FROM mf_train('ahead', factors => 4, time_column => 'milliseconds', half_life => '90 days');

-- users' taste turns: for a year they take items of their own parity, then for a month, and fewer, of the other one
CREATE TABLE drift AS
	SELECT u AS user_id, i AS item_id, '2023-01-01 UTC'::timestamptz + CASE WHEN turned THEN 365 + day % 30 ELSE day END * interval '1 day' AS taken_at
	FROM generate_series(1, 300) u, generate_series(1, 200) i, LATERAL (SELECT (u + i) % 2 = 1 AS turned, (u * 31 + i * 17) % 365 AS day, (hashint4(u * 1000 + i) & 1023) AS chance) x
	WHERE chance < CASE WHEN turned THEN 80 ELSE 160 END;
CREATE FUNCTION new_taste(model text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN share < 0.3 THEN 'old' WHEN share > 0.7 THEN 'new' ELSE share::text END
	FROM (SELECT avg(((user_id + item_id) % 2)) AS share FROM mf_recommend_all(5, model, fresh => false)) x
$$;
SELECT model, ratings > 0 AS trained FROM mf_train('drift', 'old taste', factors => 8);
SELECT model, ratings > 0 AS trained FROM mf_train('drift', 'new taste', factors => 8, time_column => 'taken_at', half_life => '30 days');
SELECT model, new_taste(model) AS taste FROM unnest(ARRAY['old taste', 'new taste']) model;

SET client_min_messages = warning;
SELECT count(mf_drop(name)) AS dropped FROM mfrec.model WHERE name IN ('w', 'gaps', 'no times', 'ahead', 'old taste', 'new taste');
DROP SCHEMA fading CASCADE;
