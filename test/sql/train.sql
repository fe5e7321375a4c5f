-- Training: its tables, its arguments, and that it does the same thing twice.
CREATE SCHEMA test_train;
SET search_path = test_train, public;
-- A checkerboard: user u likes item i where both are even or both are odd.
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings
	SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT count(*) FROM ratings;

-- One call with nothing but defaults.
SELECT model, version, users, items, ratings, iterations > 0 AS iterated, loss > 0 AS loss,
	rmse BETWEEN 0 AND 1 AS rmse, seconds >= 0 AS seconds
FROM mf_train('ratings');
SELECT model, version, serving, is_default, source_schema, source, schema, user_table, item_table, feedback, users, items,
	ratings, fresh, table_bytes > 0 AS table_bytes, trained_at <= clock_timestamp() AS trained
FROM mf_models;
\d ratings_user_factors
\d ratings_item_factors
SELECT attname, attstorage, attstattarget FROM pg_attribute
WHERE attrelid = 'ratings_item_factors'::regclass AND attname IN ('factors', 'rating_factors') ORDER BY attname COLLATE "C";
SELECT version, count(*), sum(ratings) FROM ratings_user_factors GROUP BY version;
SELECT version, count(*), sum(ratings), count(rating_factors) FROM ratings_item_factors GROUP BY version;
SELECT count(*) AS users, count(*) FILTER (WHERE f.ratings = r.ratings) AS right
FROM ratings_user_factors f JOIN (SELECT user_id, count(*) AS ratings FROM ratings GROUP BY user_id) r USING (user_id);
-- the log: one line an iteration, and the loss never rises
SELECT count(*) = max(iteration) AS lines, bool_and(loss > 0) AS positive, bool_and(coalesce(loss <= before * 1.000001, true)) AS falling,
	bool_and(seconds >= 0) AS seconds, count(validation) AS validated
FROM (SELECT *, lag(loss) OVER (ORDER BY iteration) AS before FROM mf_training_log WHERE model = 'ratings') l;
SELECT count(*) AS iterations FROM mf_models m JOIN mf_training_log l USING (model, version) WHERE l.iteration = m.iterations;

-- the three presets tell own parity from the other
SELECT bool_and((mf_predict(u, i) > 3) = ((u + i) % 2 = 0)) AS learnt FROM generate_series(1, 20) u, generate_series(1, 20) i;
SELECT model, rmse < 1 AS rmse FROM mf_train('ratings', 'classic', interest_weight => 0, factors => 4);
SELECT count(*) FILTER (WHERE bias <> 0) > 0 AS biases, count(rating_factors) AS rating_factors FROM classic_item_factors;
SELECT bool_and((mf_predict(u, i, 'classic') > 3) = ((u + i) % 2 = 0)) AS learnt FROM generate_series(1, 20) u, generate_series(1, 20) i;
CREATE VIEW likes AS SELECT user_id, item_id FROM ratings WHERE rating = 5;
SELECT model, rmse FROM mf_train('likes', factors => 4);
SELECT model, feedback FROM mf_models ORDER BY model COLLATE "C";
SELECT bool_and((mf_predict(u, i, 'likes') > 0.3) = ((u + i) % 2 = 0)) AS learnt FROM generate_series(1, 20) u, generate_series(1, 20) i;
SELECT count(*), count(rating_factors) FROM likes_item_factors;

-- every argument counts: a fingerprint of all factors of a model's serving version
CREATE FUNCTION fingerprint(model text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE print text; serving int;
BEGIN
	SELECT m.version INTO serving FROM mf_models m WHERE m.model = fingerprint.model AND m.serving;
	EXECUTE format('SELECT md5((SELECT string_agg(x::text, '','' ORDER BY user_id) FROM (SELECT user_id, ratings, bias, factors FROM %I WHERE version = $1) x)
		|| (SELECT string_agg(y::text, '','' ORDER BY item_id) FROM (SELECT item_id, ratings, bias, factors, rating_factors FROM %I WHERE version = $1) y))',
		model || '_user_factors', model || '_item_factors') INTO print USING serving;
	RETURN print;
END $$;
-- the fingerprint of a training with these arguments
CREATE FUNCTION trained(arguments text, source text DEFAULT 'ratings') RETURNS text LANGUAGE plpgsql AS $$
DECLARE print text;
BEGIN
	SET LOCAL client_min_messages = warning;
	EXECUTE format('SELECT fingerprint(t.model) FROM mf_train(%L, ''try'', %s) t', source, arguments) INTO print;
	PERFORM mf_drop('try');
	RETURN print;
END $$;
SELECT count(*) AS trainings, count(DISTINCT trained(a)) AS different FROM unnest(ARRAY[
	'factors => 3', 'factors => 3, regularization => 2', 'factors => 3, alpha => 3', 'factors => 3, interest_weight => 0.7',
	'factors => 3, interest_weight => 0', 'factors => 3, feedback => ''implicit''', 'factors => 3, rating_column => NULL',
	'factors => 3, iterations => 1', 'factors => 3, seed => 2', 'factors => 3, seed => -2', 'factors => 3, validation => 0.2',
	'factors => 4', 'factors => 1', 'factors => 3, tolerance => 0.5', 'factors => 3, weight_column => ''item_id''']) a;
-- defaults written out change nothing
SELECT count(DISTINCT trained(a)) FROM unnest(ARRAY['factors => 3', 'factors => 3, seed => 1', 'factors => 3, feedback => ''explicit''',
	'factors => 3, rating_column => ''rating'', user_column => ''user_id'', item_column => ''item_id''', 'factors => 3, regularization => 1',
	'factors => 3, model => NULL, weight_column => NULL, schema => NULL, alpha => NULL, validation => NULL, validation => 0']) a
WHERE a NOT LIKE '%model%';
SELECT count(DISTINCT trained(a)) FROM unnest(ARRAY['factors => 3', 'factors => 3, alpha => NULL, feedback => NULL, iterations => NULL,
	regularization => NULL, interest_weight => NULL, taste => NULL, tolerance => NULL, validation => NULL, seed => NULL,
	weight_column => NULL, schema => NULL']) a;
-- taste changes lists, not factors
SELECT count(DISTINCT trained(a)) FROM unnest(ARRAY['factors => 3, taste => 0', 'factors => 3, taste => 3']) a;
SELECT version FROM mf_train('ratings', 'tasteless', factors => 3, taste => 0);
SELECT version FROM mf_train('ratings', 'tasteful', factors => 3, taste => 3);
SELECT count(*) > 0 AS differ FROM mf_recommend(1, 20, 'tasteless') a JOIN mf_recommend(1, 20, 'tasteful') b USING (item_id) WHERE a.score <> b.score;

-- bit for bit the same: twice, with any number of threads, from the rows in another order
SELECT trained('factors => 9') = trained('factors => 9') AS twice;
CREATE TABLE shuffled AS SELECT * FROM ratings ORDER BY md5(user_id || '/' || item_id);
SELECT trained('factors => 9') = trained('factors => 9', 'shuffled') AS shuffled;
SELECT trained('factors => 9, feedback => ''implicit''') = trained('factors => 9, feedback => ''implicit''', 'shuffled') AS shuffled;
SELECT trained('factors => 9, validation => 0.2') = trained('factors => 9, validation => 0.2', 'shuffled') AS shuffled;
CREATE TABLE prints (threads int, print text);
CREATE TABLE many AS SELECT u AS user_id, (u * i * 7919) % 997 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 600) u, generate_series(1, 40) i;
SET mfrec.threads = 1;
INSERT INTO prints SELECT 1, trained('factors => 20', 'many');
SET mfrec.threads = 2;
INSERT INTO prints SELECT 2, trained('factors => 20', 'many');
SET mfrec.threads = 4;
INSERT INTO prints SELECT 4, trained('factors => 20', 'many');
RESET mfrec.threads;
SELECT count(*), count(DISTINCT print) FROM prints;

-- stopping: at the maximum, at a tolerance, by rows held out
SELECT iterations FROM mf_train('ratings', 'stop', iterations => 3, factors => 3);
SELECT iterations < 50 AS earlier FROM mf_train('ratings', 'stop', iterations => 50, tolerance => 0.05, factors => 3);
SELECT iterations <= 4 AS stopped, rmse > 0 AS rmse, ratings < 320 AS held_out FROM mf_train('ratings', 'held', iterations => 4, validation => 0.2, factors => 3);
SELECT count(*) > 0 AS lines, count(validation) > 0 AS validated FROM mf_training_log WHERE model = 'held';
SELECT iterations <= 4 AS stopped, t.ratings < 160 AS held_out FROM mf_train('likes', 'held', iterations => 4, validation => 0.3, factors => 3) t;

-- nothing is in progress now
SELECT count(*) FROM mf_progress;

-- a warm start goes on where the last training stopped
SELECT version FROM mf_train('ratings', 'warm', iterations => 2, factors => 3, seed => 3);
SELECT version FROM mf_retrain('warm');
SELECT a.loss > b.loss AS further FROM mf_training_log a JOIN mf_training_log b USING (model)
WHERE model = 'warm' AND a.version = 1 AND b.version = 2 AND a.iteration = 2 AND b.iteration = 1;
-- a cold one does not
SELECT version FROM mf_train('ratings', 'warm', iterations => 2, factors => 3, seed => 3);
SELECT count(DISTINCT loss) FROM mf_training_log WHERE model = 'warm' AND iteration = 1;
-- arguments come back at retraining
SELECT iterations, (SELECT factors FROM mf_models WHERE model = 'warm' AND serving) FROM mf_retrain('warm');

-- ROLLBACK leaves nothing
BEGIN;
SELECT version FROM mf_train('ratings', 'undone', factors => 3);
SELECT count(*) > 0 AS there FROM mf_recommend(1, 3, 'undone');
ROLLBACK;
SELECT to_regclass('undone_user_factors'), to_regclass('undone_item_factors');
SELECT count(*) FROM mf_models WHERE model = 'undone';
SELECT count(*) FROM mf_training_log WHERE model = 'undone';
BEGIN;
SELECT fingerprint('classic') AS before \gset
SAVEPOINT s;
SELECT version FROM mf_train('ratings', 'classic', interest_weight => 0, factors => 4, seed => 9);
SELECT fingerprint('classic') <> :'before' AS changed;
ROLLBACK TO s;
SELECT fingerprint('classic') = :'before' AS unchanged;
COMMIT;
SELECT version, serving FROM mf_models WHERE model = 'classic' ORDER BY version;

SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models) m ORDER BY model COLLATE "C";
SELECT count(*) FROM pg_class WHERE relnamespace = 'test_train'::regnamespace AND relname LIKE '%factors';
SET client_min_messages = warning;
DROP SCHEMA test_train CASCADE;
