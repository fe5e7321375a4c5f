-- The mistakes that a new user makes: what is said, with its SQLSTATE, and that nothing is changed.
CREATE SCHEMA test_errors;
SET search_path = test_errors, public;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN command || ': no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	IF state = '42883' THEN
		RETURN command || E'\n  ' || state || ' ' || message;    -- what PostgreSQL adds depends on its major
	END IF;
	RETURN command || E'\n  ' || state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

-- before anything is trained
SELECT fails('SELECT * FROM mf_recommend(1)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, ''ratings'')');
SELECT fails('SELECT mf_predict(1, 1)');
SELECT fails('SELECT * FROM mf_retrain()');
SELECT fails('SELECT mf_drop(''ratings'')');
SELECT fails('SELECT mf_drop(NULL)');
SELECT fails('SELECT mf_set_default(''ratings'')');
SELECT fails('SELECT mf_set_default(NULL)');
SELECT fails('SELECT mf_rollback()');
SELECT fails('SELECT mf_forget(1)');

-- the source
SELECT fails('SELECT mf_train(''ratings'')');
SELECT fails('SELECT mf_train(NULL)');
SELECT fails('SELECT mf_train(0)');
SELECT fails('SELECT mf_train(''public.nowhere'')');
CREATE TABLE ratings (user_id int, item_id int, rating int, said text, at timestamptz, CONSTRAINT ratings_key PRIMARY KEY (user_id, item_id));
SELECT fails('SELECT mf_train(''ratings_key'')');
CREATE SEQUENCE counter;
SELECT fails('SELECT mf_train(''counter'')');
SELECT fails('SELECT mf_train(''ratings'')');
SELECT fails('SELECT mf_train(''ratings'', feedback => ''implicit'')');
INSERT INTO ratings VALUES (1, 1, 5, 'good', now());
SELECT fails('SELECT mf_train(''ratings'')');
INSERT INTO ratings VALUES (1, 2, 5), (2, 2, 5), (2, 3, 5);
SELECT fails('SELECT mf_train(''ratings'')');
UPDATE ratings SET rating = NULL;
SELECT fails('SELECT mf_train(''ratings'')');
UPDATE ratings SET rating = 1 + (user_id + item_id) % 2;
-- its columns
CREATE VIEW orders AS SELECT user_id AS customer, item_id AS product, rating AS stars FROM ratings;
SELECT fails('SELECT mf_train(''orders'')');
SELECT fails('SELECT mf_train(''orders'', user_column => ''customer'')');
SELECT fails('SELECT mf_train(''orders'', user_column => ''Customer'', item_column => ''product'')');
SELECT fails('SELECT mf_train(''orders'', user_column => NULL)');
SELECT fails('SELECT mf_train(''orders'', user_column => ''customer'', item_column => NULL)');
SELECT fails('SELECT mf_train(''orders'', user_column => ''customer'', item_column => ''product'', rating_column => ''rate'')');
SELECT fails('SELECT mf_train(''orders'', user_column => ''customer'', item_column => ''product'', feedback => ''explicit'')');
SELECT fails('SELECT mf_train(''orders'', user_column => ''customer'', item_column => ''product'', weight_column => ''w'')');
SELECT fails('SELECT mf_train(''ratings'', feedback => ''explicit'', rating_column => NULL)');
SELECT fails('SELECT mf_train(''ratings'', rating_column => ''said'')');
SELECT fails('SELECT mf_train(''ratings'', rating_column => ''at'')');
SELECT fails('SELECT mf_train(''ratings'', weight_column => ''said'')');
SELECT fails('SELECT mf_train(''ratings'', user_column => ''ctid'')');
SELECT fails('SELECT mf_train(''ratings'', user_column => '''')');
CREATE TABLE documents (user_id json, item_id point, rating int);
SELECT fails('SELECT mf_train(''documents'')');
SELECT fails('SELECT mf_train(''documents'', user_column => ''rating'')');
CREATE VIEW broken AS SELECT user_id, item_id, 1 / (rating - 2) AS rating FROM ratings;
SELECT fails('SELECT mf_train(''broken'')');
-- its values
CREATE TABLE odd AS SELECT user_id, item_id, rating::real, 1::real AS weight FROM ratings;
INSERT INTO odd VALUES (7, 8, 'NaN');
SELECT fails('SELECT mf_train(''odd'')');
UPDATE odd SET rating = 'Infinity' WHERE user_id = 7;
SELECT fails('SELECT mf_train(''odd'')');
SELECT fails('SELECT mf_train(''odd'', feedback => ''implicit'')');
UPDATE odd SET rating = '-Infinity' WHERE user_id = 7;
SELECT fails('SELECT mf_train(''odd'')');
UPDATE odd SET rating = -1;
SELECT fails('SELECT mf_train(''odd'', feedback => ''implicit'')');
UPDATE odd SET rating = 0;
SELECT fails('SELECT mf_train(''odd'', feedback => ''implicit'')');
UPDATE odd SET rating = 1 + (user_id + item_id) % 2, weight = -1;
SELECT fails('SELECT mf_train(''odd'', weight_column => ''weight'')');
UPDATE odd SET weight = 'NaN' WHERE user_id = 7;
SELECT fails('SELECT mf_train(''odd'', weight_column => ''weight'')');
UPDATE odd SET weight = 0;
SELECT fails('SELECT mf_train(''odd'', weight_column => ''weight'')');
UPDATE odd SET rating = 1e30 * user_id, weight = 1e30;
SELECT fails('SELECT mf_train(''odd'', feedback => ''implicit'', weight_column => ''weight'')');
CREATE TABLE huge AS SELECT user_id, item_id, (1e300 * rating)::float8 AS rating FROM ratings;
SELECT fails('SELECT mf_train(''huge'')');
CREATE TABLE exact AS SELECT user_id, item_id, ('1e400')::numeric * rating AS rating FROM ratings;
SELECT fails('SELECT mf_train(''exact'')');

-- arguments out of range
SELECT fails(format('SELECT mf_train(''ratings'', %s)', a)) FROM unnest(ARRAY[
	'factors => 0', 'factors => -1', 'factors => 1001', 'iterations => 0', 'iterations => 10001', 'regularization => -1',
	'regularization => ''NaN''', 'regularization => ''Infinity''', 'alpha => -1', 'alpha => ''NaN''', 'interest_weight => -0.1',
	'taste => -1', 'tolerance => -1', 'tolerance => 1.5', 'validation => -0.1', 'validation => 1', 'validation => 0.95',
	'feedback => ''stars''', 'feedback => ''Explicit''', 'model => ''''', 'model => repeat(''m'', 60)', 'schema => ''nowhere''',
	'schema => ''''', 'schema => ''pg_catalog''', 'schema => ''pg_temp''', 'schema => ''pg_toast''', 'lambda => 0.1', 'seed => 1.5']) a;
-- validation that leaves nothing to train on, or to validate
CREATE TABLE one AS SELECT 1 AS user_id, 1 AS item_id;
SELECT fails('SELECT mf_train(''one'', validation => 0.9)');

-- relations that have the name of a model's table
CREATE TABLE ratings_item_factors (mine int);
SELECT fails('SELECT mf_train(''ratings'')');
SELECT fails('SELECT mf_train(''ratings'', ''ratings'')');
DROP TABLE ratings_item_factors;
CREATE INDEX ratings_user_factors ON ratings (rating);
SELECT fails('SELECT mf_train(''ratings'')');
DROP INDEX ratings_user_factors;

-- nothing of all this was left behind
SELECT count(*) FROM pg_class WHERE relnamespace = 'test_errors'::regnamespace AND relname LIKE '%factors%';
SELECT count(*) FROM mf_models;

-- a model
SELECT model, version FROM mf_train('ratings', factors => 2, rating_factors => 0);
CREATE TABLE "order" AS SELECT user_id::text, item_id::text FROM ratings;
SELECT model, version FROM mf_train('"order"', factors => 2);
SELECT fails('SELECT * FROM mf_recommend(1, 10, ''rating'')');
SELECT fails('SELECT * FROM mf_recommend(1, 10, '''')');
SELECT fails('SELECT * FROM mf_recommend(1, 0)');
SELECT fails('SELECT * FROM mf_recommend(1, -1)');
SELECT fails('SELECT * FROM mf_recommend(1, 10001)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, version => 2)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, version => 0)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, version => -1)');
SELECT fails('SELECT * FROM mf_recommend()');
SELECT fails('SELECT * FROM mf_popular(0)');
SELECT fails('SELECT * FROM mf_similar_items(1, 0)');
SELECT fails('SELECT * FROM mf_similar_users(1, 0)');
SELECT fails('SELECT * FROM mf_explain(1, 1, 0)');
SELECT fails('SELECT * FROM mf_recommend_users(1, 0)');
SELECT fails('SELECT mf_rollback(''ratings'')');
SELECT fails('SELECT mf_rollback(''ratings'', 7)');
SELECT fails('SELECT mf_rollback(version => -1)');
SELECT fails('SELECT mf_train(''ratings'', schema => ''public'')');
SET mfrec.cold_start = 'error';
SELECT fails('SELECT * FROM mf_recommend(999)');
RESET mfrec.cold_start;
SET mfrec.model = 'nonsense';
SELECT fails('SELECT * FROM mf_recommend(1)');
RESET mfrec.model;

-- ids of another type
SELECT fails('SELECT * FROM mf_recommend(1.5)');
SELECT fails('SELECT * FROM mf_recommend(''anna'')');
SELECT fails('SELECT * FROM mf_recommend(''99999999999'')');
SELECT fails('SELECT * FROM mf_recommend(true)');
SELECT fails('SELECT * FROM mf_recommend(now())');
SELECT fails('SELECT * FROM mf_recommend(ARRAY[1])');
SELECT fails('SELECT * FROM mf_recommend(ROW(1))');
SELECT fails('SELECT mf_predict(1.5, 1)');
SELECT fails('SELECT mf_predict(1, 1.5)');
SELECT fails('SELECT * FROM mf_similar_items(1.5)');
SELECT fails('SELECT * FROM mf_similar_users(true)');
SELECT fails('SELECT * FROM mf_explain(1.5, 1)');
SELECT fails('SELECT * FROM mf_explain(1, 1.5)');
SELECT fails('SELECT * FROM mf_recommend_users(1.5)');
SELECT fails('SELECT mf_forget(1.5)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, item_type => NULL::uuid)');
SELECT fails('SELECT * FROM mf_popular(10, item_type => NULL::date)');
SELECT fails('SELECT * FROM mf_recommend_users(1, 10, user_type => NULL::date)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, candidates => 5)');
SELECT fails('SELECT * FROM mf_recommend(1, 10, candidates => ''five'')');
SELECT fails('SELECT * FROM mf_recommend(1, 10, candidates => ARRAY[''five''])');
SELECT fails('SELECT * FROM mf_recommend(1, 10, candidates => ARRAY[1.5])');
SELECT fails('SELECT * FROM mf_recommend(1, 10, candidates => ARRAY[[1, 3], [5, 7]])');
SELECT fails('SELECT * FROM mf_recommend(1, 10, exclude => ARRAY[true])');
SELECT fails('SELECT * FROM mf_recommend(1, 10, exclude => 1)');
-- a text model, asked as if it were of numbers
SELECT fails('SELECT * FROM mf_recommend(''1'', 10, ''order'')');
SELECT fails('SELECT * FROM mf_recommend(1, 10, model => ''order'', item_type => NULL::text)');
SELECT fails('SELECT * FROM mf_recommend(''1'', 10, model => ''order'', item_type => NULL::int)');
SELECT fails('SELECT * FROM mf_popular(10, ''order'')');
SELECT fails('SELECT mf_predict(1, 1, ''order'')');
SELECT fails('SELECT * FROM mf_similar_items(1, 10, ''order'')');
SELECT fails('SELECT * FROM mf_similar_users(1, 10, ''order'')');
SELECT fails('SELECT * FROM mf_recommend_users(''1'', 10, ''order'')');
SELECT fails('SELECT mf_forget(1, ''order'')');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1], model => ''order'')');

-- baskets
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, NULL])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[[1], [2]])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, 3], ratings => ARRAY[1])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, 3], ratings => ARRAY[1, NULL])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, 3], ratings => ARRAY[1, ''NaN''::real])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, 3], ratings => ARRAY[1, ''Infinity''::real])');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1, 3], ratings => ''good'')');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[''1'', ''3''], ratings => ARRAY[1, 0], model => ''order'')');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[''a''])');
SELECT fails('SELECT * FROM mf_recommend_for(1)');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1], k => 0)');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[]::uuid[])');
SELECT model FROM mf_train('ratings', 'classic', interest_weight => 0, factors => 2);
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1], model => ''classic'')');

-- a model whose source changes its types
ALTER TABLE "order" ALTER item_id TYPE int USING item_id::int;
SELECT fails('SELECT mf_retrain(''order'')');
SELECT fails('SELECT * FROM mf_recommend(''1'', 3, item_type => NULL::text, model => ''order'')');
DROP TABLE "order";
SELECT fails('SELECT mf_retrain(''order'')');
SELECT fails('SELECT * FROM mf_recommend(''1'', 3, item_type => NULL::text, model => ''order'', fresh => true)');
SELECT fails('SELECT * FROM mf_explain(''1'', ''1'', 3, ''order'')');

-- a version of the future, as after going back to an older library; training again helps
BEGIN;
UPDATE mfrec.model_version SET parameters = parameters || '{"format": 99}', image = gen_random_uuid() WHERE model = 'ratings';
UPDATE mfrec.model SET version = version WHERE name = 'ratings';
SELECT fails('SELECT * FROM mf_recommend(1, 3, ''ratings'')');
SELECT fails('SELECT mf_predict(1, 3, ''ratings'')');
SELECT version > 1 AS again FROM mf_retrain('ratings');
SELECT count(*) FROM mf_recommend(1, 1, 'ratings');
ROLLBACK;

-- model tables that were changed by hand
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON ratings_user_factors FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT fails('SELECT mf_retrain(''ratings'')');
DROP TRIGGER t ON ratings_user_factors;
ALTER TABLE ratings_item_factors ADD CHECK (ratings > 0);
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_item_factors DROP CONSTRAINT ratings_item_factors_ratings_check;
ALTER TABLE ratings_item_factors ADD added int NOT NULL DEFAULT 1;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_item_factors DROP added;
ALTER TABLE ratings_item_factors ADD added int GENERATED ALWAYS AS (version + 1) STORED;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_item_factors DROP added;
ALTER TABLE ratings_user_factors RENAME bias TO offset_;
SELECT fails('SELECT mf_retrain(''ratings'')');
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
ALTER TABLE ratings_user_factors RENAME offset_ TO bias;
ALTER TABLE ratings_user_factors RENAME user_id TO who;
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_user_factors RENAME who TO user_id;
UPDATE ratings_user_factors SET factors = ARRAY[1, 2, 3];
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
UPDATE ratings_user_factors SET factors = ARRAY[1, NULL];
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
SELECT version FROM mf_retrain('ratings');
SELECT count(*) FROM mf_recommend(1, 3);
-- until mf_refresh is called, nobody looks at them again
UPDATE ratings_item_factors SET factors = ARRAY[1, 2, 3];
SELECT fails('SELECT mf_refresh(''ratings'')');
UPDATE ratings_item_factors SET factors = ARRAY[]::real[];
SELECT fails('SELECT mf_refresh(''ratings'')');
UPDATE ratings_item_factors SET factors = ARRAY['NaN', 1]::real[], rating_factors = ARRAY[1];
SELECT fails('SELECT mf_refresh(''ratings'')');
UPDATE ratings_item_factors SET factors = ARRAY['NaN', 1]::real[], rating_factors = ARRAY[1, 1];
SELECT fails('SELECT mf_refresh(''ratings'')');
DELETE FROM ratings_item_factors;
SELECT fails('SELECT mf_refresh(''ratings'')');
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
-- types that were changed, nulls where none can be
SELECT version FROM mf_retrain('ratings');
ALTER TABLE ratings_item_factors ALTER factors TYPE text USING 'x';
SELECT fails('SELECT mf_refresh(''ratings'')');
SELECT fails('SELECT mf_retrain(''ratings'')');
SELECT mf_drop('ratings');
SELECT version FROM mf_train('ratings', factors => 2, rating_factors => 0);
ALTER TABLE ratings_item_factors ALTER factors DROP NOT NULL;
UPDATE ratings_item_factors SET factors = NULL;
SELECT fails('SELECT mf_refresh(''ratings'')');
SELECT version FROM mf_train('ratings', factors => 2, rating_factors => 0);
ALTER TABLE ratings_user_factors ALTER factors DROP NOT NULL;
UPDATE ratings_user_factors SET factors = NULL WHERE user_id = 1;
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
SELECT fails('SELECT * FROM mf_similar_users(2, 3)');
ALTER TABLE ratings_user_factors ALTER factors TYPE float8[];
SELECT fails('SELECT * FROM mf_recommend(1, 3)');
SELECT fails('SELECT * FROM mf_similar_users(1, 3)');
ALTER TABLE ratings_user_factors ALTER factors TYPE text USING 'x';
SELECT fails('SELECT * FROM mf_recommend(1, 3)');

-- read-only transactions
BEGIN READ ONLY;
SELECT fails('SELECT mf_train(''ratings'')');
SELECT fails('SELECT mf_retrain(''ratings'')');
SELECT fails('SELECT mf_drop(''ratings'')');
SELECT fails('SELECT mf_rollback(''ratings'')');
SELECT fails('SELECT mf_set_default(''ratings'')');
SELECT fails('SELECT mf_forget(1, ''ratings'')');
COMMIT;

SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";
DROP SCHEMA test_errors CASCADE;
