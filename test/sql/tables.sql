-- Model tables as their owner has changed them: what bulk loading would pass over is refused, the rest is not.
CREATE SCHEMA test_tables;
SET search_path = test_tables, public;
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
CREATE TABLE ratings (user_id int, item_id int, rating int, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 10) u, generate_series(1, 10) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('ratings', factors => 2);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';

-- triggers
CREATE TRIGGER "Count them" AFTER INSERT ON ratings_item_factors EXECUTE FUNCTION nothing();
SELECT fails('SELECT mf_retrain(''ratings'')');
DROP TRIGGER "Count them" ON ratings_item_factors;
CREATE TABLE people AS SELECT DISTINCT user_id FROM ratings;
ALTER TABLE people ADD PRIMARY KEY (user_id);
ALTER TABLE ratings_user_factors ADD FOREIGN KEY (user_id) REFERENCES people DEFERRABLE;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_user_factors DROP CONSTRAINT ratings_user_factors_user_id_fkey;
-- triggers that do not fire on INSERT, or not at all, are nothing that training passes over
CREATE TRIGGER cut AFTER TRUNCATE ON ratings_user_factors EXECUTE FUNCTION nothing();
CREATE TRIGGER gone AFTER DELETE ON ratings_user_factors FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER changed AFTER UPDATE ON ratings_user_factors FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER off BEFORE INSERT ON ratings_user_factors FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE ratings_user_factors DISABLE TRIGGER off;
CREATE TRIGGER replica BEFORE INSERT ON ratings_user_factors FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE ratings_user_factors ENABLE REPLICA TRIGGER replica;
SELECT version > 1 AS trained FROM mf_retrain('ratings');
SET session_replication_role = replica;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_user_factors ENABLE TRIGGER replica;
SELECT version > 1 AS trained FROM mf_retrain('ratings');
RESET session_replication_role;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_user_factors ENABLE ALWAYS TRIGGER off;
DROP TRIGGER replica ON ratings_user_factors;
SELECT fails('SELECT mf_retrain(''ratings'')');
DROP TRIGGER off ON ratings_user_factors;

-- columns
CREATE DOMAIN present AS int NOT NULL;
CREATE DOMAIN preset AS int DEFAULT 3;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
ALTER TABLE ratings_item_factors ADD added positive;
SELECT version > 1 AS trained FROM mf_retrain('ratings');
ALTER TABLE ratings_item_factors DROP added, ADD added preset;
SELECT fails('SELECT mf_retrain(''ratings'')');
TRUNCATE ratings_item_factors;
ALTER TABLE ratings_item_factors DROP added, ADD added present;
SELECT fails('SELECT mf_retrain(''ratings'')');
ALTER TABLE ratings_item_factors DROP added;
SELECT version > 1 AS trained FROM mf_retrain('ratings');
-- the second vector of items: of another type it was stored as what memory lies there, and none was taken for zeros
SELECT fails(format('ALTER TABLE ratings_item_factors ALTER rating_factors TYPE %s; SELECT mf_train(''ratings'', factors => 2)', type))
	FROM (VALUES ('int USING 1'), ('name USING ''x'''), ('float8[]'), ('text'), ('jsonb USING ''{}''')) AS v (type);
SELECT fails('ALTER TABLE ratings_item_factors DROP rating_factors; SELECT mf_train(''ratings'', factors => 2)');
SELECT fails('ALTER TABLE ratings_item_factors DROP rating_factors; SELECT mf_refresh(''ratings'')');
BEGIN;
ALTER TABLE ratings_item_factors DROP rating_factors;
SELECT version > 1 AS trained FROM mf_train('ratings', factors => 2, interest_weight => 0);
SELECT count(*) FROM mf_recommend(1, 3);
ROLLBACK;
BEGIN;
CREATE TABLE parts (LIKE ratings_item_factors) PARTITION BY LIST (version);
ALTER TABLE parts ATTACH PARTITION ratings_item_factors DEFAULT;
SELECT fails('SELECT mf_retrain(''ratings'')');
ROLLBACK;
-- what a function of the source does to the tables once they have been checked
CREATE FUNCTION meddle() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE coalesce(nullif(current_setting('test.meddle', true), ''), 'SELECT 1');
	RETURN 0;
END $$;
CREATE VIEW meddled AS SELECT r.* FROM ratings r, (SELECT meddle() AS zero OFFSET 0) m WHERE zero = 0;
SELECT version FROM mf_train('meddled', factors => 2);
SELECT fails(format('SET LOCAL test.meddle = %L; SELECT mf_retrain(''meddled'')', meddle)) FROM (VALUES
	('ALTER TABLE meddled_user_factors ALTER user_id TYPE text'),
	('ALTER TABLE meddled_item_factors ALTER item_id TYPE text'),
	('ALTER TABLE meddled_item_factors ALTER factors TYPE text USING ''x'''),
	('ALTER TABLE meddled_item_factors ALTER rating_factors TYPE int USING 1'),
	('ALTER TABLE meddled_item_factors DROP rating_factors'),
	('ALTER TABLE meddled_item_factors ADD added int NOT NULL DEFAULT 1'),
	('CREATE TRIGGER t AFTER INSERT ON meddled_user_factors FOR EACH ROW EXECUTE FUNCTION nothing()'),
	('ALTER TABLE meddled_user_factors ADD CHECK (ratings > 0)'),
	('ALTER TABLE meddled_item_factors RENAME TO elsewhere'),
	('DROP TABLE meddled_item_factors'),
	('DROP TABLE meddled_user_factors'),
	('ALTER TABLE meddled_item_factors DROP bias, ADD bias real GENERATED ALWAYS AS (0) STORED')) AS v (meddle);
-- or to those that lists go by
SELECT fails('SET LOCAL test.meddle = ''DROP TABLE meddled_user_factors''; SELECT FROM mf_recommend_users(1, 3, ''meddled'')');
SELECT version FROM mf_retrain('meddled');
SELECT mf_drop('meddled');
DROP VIEW meddled;

-- PostgreSQL 18 has columns and constraints that nobody has to compute or check
DO $$ BEGIN
	IF current_setting('server_version_num')::int >= 180000 THEN
		EXECUTE 'ALTER TABLE ratings_user_factors ADD twice int GENERATED ALWAYS AS (ratings * 2) VIRTUAL';
		EXECUTE 'ALTER TABLE ratings_item_factors ADD CHECK (ratings > 100) NOT ENFORCED';
	END IF;
END $$;
SELECT version > 1 AS trained FROM mf_retrain('ratings');

SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";
DROP SCHEMA test_tables CASCADE;
