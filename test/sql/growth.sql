-- Ids whose column grows in the source: lists go on at once, and the next training alters the model's tables,
-- whose older versions stay. What cannot be done is an error that says the statement.
CREATE SCHEMA test_growth;
SET search_path = test_growth, public;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN command || ': no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN command || E'\n  ' || state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET mfrec.keep_versions = 3;

-- Trains on ids of one type, makes them another, and tells how that goes: lists of a user before and after must
-- be the same, a rating and a user that come then must count, a retrain must find what it had, and older versions
-- and what refers to the tables must stay.
CREATE FUNCTION grow(old text, new text, user_ text, newcomer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	list text := format('SELECT string_agg(btrim(replace(id, ''.00'', '''')) || '' '' || rank, '', '' ORDER BY rank) FROM mf_recommend(%L, 4, item_type => NULL::text, model => ''grown'') AS r (id)', user_);
	before text;
	after text;
	counts text;
	fresh text;
	explained text;
	everybody text;
BEGIN
	DROP TABLE IF EXISTS grown CASCADE;
	PERFORM mf_drop(model) FROM mf_models WHERE model = 'grown' AND serving;
	EXECUTE format('CREATE TABLE grown (user_id %s, item_id %1$s, rating int, PRIMARY KEY (user_id, item_id))', old);
	EXECUTE format('INSERT INTO grown SELECT u::text::%s, i::text::%1$s, CASE WHEN (u + i) %% 2 = 0 THEN 5 ELSE 1 END
		FROM generate_series(1, 12) u, generate_series(1, 12) i WHERE (u * 7 + i * 3) %% 5 <> 0', old);
	PERFORM mf_train('grown', factors => 4);
	EXECUTE list INTO before;
	EXECUTE format('ALTER TABLE grown ALTER user_id TYPE %s USING user_id::%1$s, ALTER item_id TYPE %1$s USING item_id::%1$s', new);
	EXECUTE list INTO after;
	IF after IS DISTINCT FROM before THEN
		RETURN format('lists: %s, but they were %s', after, before);
	END IF;
	EXECUTE format('INSERT INTO grown SELECT %L, item_id, rating FROM grown WHERE user_id = %L::%s', newcomer, user_, new);
	EXECUTE format('SELECT string_agg(DISTINCT reason, '','') FROM mf_recommend(%L, 4, item_type => NULL::text, model => ''grown'')', newcomer) INTO fresh;
	EXECUTE format('SELECT count(*) FROM mf_explain(%L, ''1'', 3, ''grown'')', newcomer) INTO explained;
	SELECT string_agg(item, ', ' ORDER BY rank) INTO everybody FROM (SELECT btrim(replace(item, '.00', '')) || ' ' || rank, rank
		FROM mf_recommend_all(4, NULL::text, NULL::text, 'grown') AS a (user_id, item, score, rank) WHERE btrim(replace(a.user_id, '.00', '')) = user_) AS l (item, rank);
	IF everybody IS DISTINCT FROM before THEN
		RETURN format('all: %s, but they were %s', everybody, before);
	END IF;
	PERFORM mf_retrain('grown');
	SELECT string_agg(version || ': ' || n, ', ' ORDER BY version) INTO counts
		FROM (SELECT version, count(*) FROM grown_user_factors GROUP BY 1) AS v (version, n);
	EXECUTE replace(list, ') AS r', ', version => 1) AS r') INTO after;
	IF after IS DISTINCT FROM before THEN
		RETURN format('version 1: %s, but it was %s', after, before);
	END IF;
	PERFORM mf_rollback('grown');
	EXECUTE list INTO after;
	IF after IS DISTINCT FROM before THEN
		RETURN format('back: %s, but it was %s', after, before);
	END IF;
	RETURN format('%s -> %s: a newcomer is %s, explained by %s; now %s; versions %s', old, new, fresh, explained,
		(SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'grown_user_factors'::regclass AND attname = 'user_id'), counts);
END $$;

SELECT grow('int', 'bigint', '3', '3000000000');
SELECT grow('smallint', 'int', '3', '100000');
SELECT grow('smallint', 'bigint', '3', '3000000000');
SELECT grow('bigint', 'int', '3', '100000');
SELECT grow('varchar(3)', 'text', '3', 'somebody else');
SELECT grow('varchar(3)', 'varchar(20)', '3', 'somebody else');
SELECT grow('varchar(3)', 'varchar', '3', 'somebody else');
SELECT grow('text', 'varchar(20)', '3', 'somebody else');
SELECT grow('char(3)', 'text', '3', 'somebody else');
SELECT grow('char(3)', 'char(20)', '3', 'somebody else');
SELECT grow('char(3)', 'varchar(20)', '3', 'somebody else');
SELECT grow('int', 'numeric', '3', '3000000000');
SELECT grow('int', 'numeric(20)', '3', '3000000000');
SELECT grow('int', 'numeric(8, 2)', '3', '100000');
SELECT grow('numeric(3)', 'numeric(20)', '3', '3000000000');
SELECT grow('numeric(3)', 'numeric(20, 2)', '3', '3000000000.5');
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE DOMAIN large AS bigint CHECK (VALUE > 0);
CREATE DOMAIN code AS varchar(3);
SELECT grow('small', 'int', '3', '100000');
SELECT grow('int', 'large', '3', '3000000000');
SELECT grow('small', 'large', '3', '3000000000');
SELECT grow('code', 'text', '3', 'somebody else');

-- what the tables have been given stays
SELECT mf_drop('grown');
DROP TABLE grown;
CREATE ROLE regress_growth_reader;
CREATE TABLE grown (user_id int, item_id int, rating int, PRIMARY KEY (user_id, item_id));
INSERT INTO grown SELECT u, i, (u + i) % 3 FROM generate_series(1, 9) u, generate_series(1, 9) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('grown', factors => 2);
GRANT SELECT ON grown_user_factors TO regress_growth_reader;
CREATE INDEX by_item ON grown_item_factors (item_id) INCLUDE (bias);
COMMENT ON COLUMN grown_item_factors.item_id IS 'a product';
ALTER TABLE grown ALTER user_id TYPE bigint, ALTER item_id TYPE bigint;
SELECT fails('SELECT mf_update(''grown'')');
SELECT version FROM mf_retrain('grown');
SELECT has_table_privilege('regress_growth_reader', 'grown_user_factors', 'SELECT'), pg_get_indexdef('by_item'::regclass),
	col_description('grown_item_factors'::regclass, 2), attstorage
	FROM pg_attribute WHERE attrelid = 'grown_user_factors'::regclass AND attname = 'factors';
REVOKE SELECT ON grown_user_factors FROM regress_growth_reader;
DROP ROLE regress_growth_reader;

-- a rollback takes it all back
ALTER TABLE grown ALTER user_id TYPE numeric;
BEGIN;
SELECT version FROM mf_retrain('grown');
SELECT pg_typeof(user_id) FROM grown_user_factors LIMIT 1;
ROLLBACK;
SELECT pg_typeof(user_id) FROM grown_user_factors LIMIT 1;
SELECT count(*) FROM mf_recommend(1, 3, 'grown');

-- what keeps the column from being altered is named, before anything is read
CREATE VIEW fans AS SELECT user_id FROM grown_user_factors;
SELECT fails('SELECT mf_retrain(''grown'')');
DROP VIEW fans;
SELECT version FROM mf_retrain('grown');
SELECT count(*) FROM mf_recommend(1, 1, 'grown') a, mf_recommend(2::numeric, 1, 'grown') b, mf_recommend('3', 1, 'grown') c;
-- integers and numeric are passed and come back as either
SELECT count(*) FROM mf_recommend(1, 2, NULL::numeric, 'grown') r JOIN grown g ON g.item_id = r.item_id AND g.user_id = 2;
BEGIN;
ALTER TABLE grown ALTER item_id TYPE numeric;
SELECT fails('DO $x$ BEGIN PERFORM * FROM mf_similar_items(1::numeric, 3); PERFORM * FROM mf_explain(1, 3::numeric); PERFORM * FROM mf_recommend_for(ARRAY[1::numeric]);
	PERFORM * FROM mf_recommend_all(3, NULL::numeric, NULL::numeric); PERFORM * FROM mf_popular(3, NULL::numeric); END $x$');
SELECT version FROM mf_retrain('grown');
SELECT fails('DO $x$ BEGIN PERFORM * FROM mf_recommend(1, 3); PERFORM * FROM mf_recommend(1::numeric, 3, NULL::int); PERFORM * FROM mf_recommend(1, 3, NULL::numeric);
	PERFORM * FROM mf_similar_items(1, 3); PERFORM * FROM mf_similar_users(1, 3); PERFORM * FROM mf_explain(1, 3); PERFORM * FROM mf_recommend_for(ARRAY[1]); PERFORM * FROM mf_recommend_users(1);
	PERFORM * FROM mf_recommend_all(3); PERFORM * FROM mf_popular(3, NULL::smallint); END $x$');
SELECT bool_and(item_id = item_id::int AND pg_typeof(item_id)::text = 'bigint') AS integers FROM mf_recommend(1, 3);
INSERT INTO grown VALUES (1.5, 1.5, 2), (2, 1.5, 2);
SELECT version FROM mf_retrain('grown');
SELECT fails('SELECT mf_recommend(1, 10, exclude_seen => false)');
SELECT count(*) FROM mf_recommend(1.5, 10, NULL::numeric) WHERE item_id = 1;
ROLLBACK;

-- to types that do not hold the values, or not by themselves
ALTER TABLE grown ALTER user_id TYPE int;
SELECT fails('SELECT mf_retrain(''grown'')');
ALTER TABLE test_growth.grown_user_factors ALTER COLUMN user_id TYPE integer;
SELECT version FROM mf_retrain('grown');
ALTER TABLE grown ALTER user_id TYPE text;
SELECT count(*) FROM mf_recommend(1, 3, 'grown');
SELECT count(*) FROM mf_recommend('1', 3, 'grown');
SELECT fails('SELECT mf_retrain(''grown'')');
SELECT fails('SELECT mf_update(''grown'')');
ALTER TABLE test_growth.grown_user_factors ALTER COLUMN user_id TYPE pg_catalog.text;
SELECT users_added, users_changed = users AS all_users, users_removed FROM mf_update('grown') u JOIN mf_models m USING (model, version);
SELECT users_changed + items_changed AS changed FROM mf_update('grown');
SELECT version FROM mf_retrain('grown');
SELECT count(*) FROM mf_recommend('1', 3, 'grown');
ALTER TABLE grown ALTER user_id TYPE uuid USING md5(user_id)::uuid;
SELECT fails('SELECT mf_retrain(''grown'')');
SELECT fails('SELECT count(*) FROM mf_recommend(''1'', 3, ''grown'')');
ALTER TABLE grown_user_factors ALTER user_id TYPE uuid USING md5(user_id)::uuid;
SELECT version FROM mf_retrain('grown');
ALTER TABLE grown ALTER user_id TYPE date USING '2026-01-01'::date + abs(hashtext(user_id::text)) % 100000;
SELECT fails('SELECT mf_retrain(''grown'')');

SELECT mf_drop('grown');
DROP SCHEMA test_growth CASCADE;
