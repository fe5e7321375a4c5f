-- Splits by time: validation holds out the newest rows, and mf_tune finds out how rows should fade.
CREATE SCHEMA time_split;
SET search_path = time_split, public;
SET client_min_messages = warning;

CREATE TABLE stars AS
	SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating, (u * 40 + i) * 7919 % 2400 AS seconds, (u * 40 + i) * 7919 % 4 AS quarter
	FROM generate_series(1, 60) u, generate_series(0, 39) i;
CREATE VIEW older AS SELECT * FROM stars WHERE seconds < 1800;
CREATE FUNCTION learnt(source text, arguments text, OUT ratings bigint, OUT iterations int, OUT rmse float8, OUT newest float8, OUT vectors text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM mf_drop(name) FROM mfrec.model WHERE name = 'w';
	EXECUTE format('SELECT ratings, iterations, rmse FROM mf_train(%L, ''w'', factors => 4%s)', source, arguments) INTO ratings, iterations, rmse;
	SELECT (parameters ->> 'newest')::float8 INTO newest FROM mf_models WHERE model = 'w';
	SELECT md5(string_agg(concat_ws(',', user_id, bias, factors), ',' ORDER BY user_id)) INTO vectors FROM w_user_factors;
END $$;

-- the newest quarter is held out, by default where there are times; the rest fades from its own newest row on
SELECT split, ratings, newest FROM unnest(ARRAY['', ', validation_by => ''time''', ', validation_by => ''random''']) split,
	LATERAL learnt('stars', ', validation => 0.25, time_column => ''seconds'', half_life => ''5 min''' || split) ORDER BY split COLLATE "C";
SELECT l.vectors = o.vectors AS as_the_older_ones, l.ratings = o.ratings AS as_many
FROM learnt('stars', ', interest_weight => 0, iterations => 3, validation => 0.25, time_column => ''seconds''') l,
	LATERAL learnt('older', ', interest_weight => 0, iterations => ' || l.iterations) o;
SELECT parameters -> 'validation_by' AS kept FROM mfrec.model WHERE name = 'w';
SELECT ratings < 1900 AND ratings > 1700 AS random FROM learnt('stars', ', validation => 0.25, time_column => ''seconds'', validation_by => ''random''');
SELECT parameters -> 'validation_by' AS kept FROM mfrec.model WHERE name = 'w';

-- where times are the same, a share of their rows, the same ones in whatever order rows come, in memory or spilled
SELECT abs(ratings - 2400 * 0.7) < 40 AS share, newest FROM learnt('stars', ', validation => 0.3, time_column => ''quarter'', half_life => ''1 s''');
CREATE TABLE large AS SELECT g AS user_id, i % 18 AS item_id, 1 + (g * 7 + i * 3 + g * i) % 5 AS rating, (g * 1000 + i * 77777) / 100000 * 1000.5 - 3000 AS seconds
	FROM generate_series(1, 6000) g, generate_series(1, 20) i;
CREATE VIEW backwards AS SELECT * FROM large ORDER BY seconds DESC, item_id;
SELECT a, count(DISTINCT vectors), count(DISTINCT round(rmse::numeric, 6)) AS errors, min(l.ratings) > 80000 AND max(l.ratings) < 100000 AS held_out FROM unnest(ARRAY['', ', feedback => ''implicit''', ', half_life => ''1 hour''']) a,
	unnest(ARRAY['1GB', '1MB']) memory, unnest(ARRAY['large', 'backwards']) source, set_config('maintenance_work_mem', memory, false),
	LATERAL learnt(source, ', iterations => 3, validation => 0.2, time_column => ''seconds''' || a) l
GROUP BY a ORDER BY a COLLATE "C";
RESET maintenance_work_mem;
DROP TABLE large CASCADE;

-- what users have taken before is no test of lists
CREATE TABLE again AS SELECT user_id, item_id, 1 AS rating, seconds FROM stars WHERE (user_id + item_id) % 3 = 0
	UNION ALL SELECT user_id, item_id, 1, 5000 FROM stars WHERE (user_id + item_id) % 3 = 0 AND user_id > 1;
DELETE FROM again WHERE user_id = 1 AND item_id = 2;
INSERT INTO again VALUES (1, 2, 1, 5001);
SELECT count(*) AS measured, max(round(validation::numeric, 5)) AS of_the_one_item_that_is_new FROM learnt('again', ', feedback => ''implicit'', iterations => 3, validation => 0.3, time_column => ''seconds'''), mf_training_log WHERE model = 'w';

SELECT mf_train('stars', 'x', validation_by => 'time');
SELECT mf_train('stars', 'x', validation_by => 'weekday');
SELECT mf_train('stars', 'x', validation => 0.9, time_column => 'missing');
SELECT ratings FROM mf_estimate('stars', factors => 4, validation => 0.25, time_column => 'seconds', validation_by => 'time');

-- a search tries how rows may fade: it finds a taste that turns each month, and leaves alone one that stays
CREATE TABLE turns AS
	SELECT u AS user_id, i AS item_id, '2023-01-01 UTC'::timestamptz + (month * 30 + (u * 7 + i * 11) % 30) * interval '1 day' AS taken_at
	FROM generate_series(1, 400) u, generate_series(1, 300) i, LATERAL (SELECT i * 7919 % 12 AS month) m
	WHERE (hashint4(u * 1000 + i) & 1023) < CASE WHEN (u + i / 12) % 4 = month % 4 THEN 300 ELSE 20 END;
CREATE VIEW stays AS
	SELECT u AS user_id, i AS item_id, '2023-01-01 UTC'::timestamptz + (hashint4(u * 500 + i) & 255) * interval '1 day' AS taken_at
	FROM generate_series(1, 400) u, generate_series(1, 300) i WHERE (hashint4(u * 1000 + i) & 1023) < CASE WHEN (u + i) % 4 = 0 THEN 300 ELSE 20 END;
SELECT count(*) AS trials, count(DISTINCT half_life) AS half_lives, min(half_life) AS least, max(half_life) AS most, count(*) FILTER (WHERE trial > 1 AND factors = 16 AND half_life IS NULL) > 0 AS also_never,
	max(half_life) FILTER (WHERE winner) <= '60 days' AS fades
FROM mf_tune('turns', trials => 14, factors => 16, time_column => 'taken_at');
SELECT max(half_life) FILTER (WHERE winner) AS fades FROM mf_tune('stays', trials => 8, factors => 16, time_column => 'taken_at', regularization => 1, alpha => 2);
-- what is given is not searched; the winner is trained with what won
SELECT DISTINCT half_life FROM mf_tune('turns', trials => 3, factors => 16, time_column => 'taken_at', half_life => '45 days 12:00');
SELECT DISTINCT half_life FROM mf_tune('turns', trials => 3, factors => 16);
SELECT count(*) FROM mf_tune('turns', trials => 5, factors => 16, time_column => 'taken_at', regularization => 1, alpha => 2, trend_weight => 0, train => true, model => 'w');
SELECT parameters ->> 'time_column' AS time_column, (parameters ->> 'half_life')::float8 <= 60 * 86400 AS fades FROM mfrec.model WHERE name = 'w';

SELECT count(mf_drop(name)) AS dropped FROM mfrec.model WHERE name = 'w';
DROP SCHEMA time_split CASCADE;
