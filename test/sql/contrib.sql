-- Id types, indexes and sources that other modules bring: citext, btree_gist, file_fdw, postgres_fdw, ICU collations.
SELECT count(*) < 4 OR NOT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS missing
FROM pg_available_extensions WHERE name IN ('citext', 'btree_gist', 'file_fdw', 'postgres_fdw') \gset
\if :missing
\echo skipped: citext, btree_gist, file_fdw, postgres_fdw and ICU are not all there
\quit
\endif
SET client_min_messages = warning;
CREATE SCHEMA test_contrib;
SET search_path = test_contrib, public;
CREATE EXTENSION citext;
CREATE EXTENSION btree_gist;
CREATE EXTENSION file_fdw;
CREATE EXTENSION postgres_fdw;
CREATE TABLE numbers AS SELECT u, i FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;

-- ids that are equal whatever their case
CREATE TABLE names AS SELECT (CASE WHEN i % 3 = 0 THEN 'U' ELSE 'u' END || u)::citext AS user_id, ('i' || i)::citext AS item_id FROM numbers;
SELECT users, items, ratings FROM mf_train('names', factors => 4);
SELECT DISTINCT reason FROM mf_recommend('U1', 3, item_type => NULL::citext);
SELECT DISTINCT reason FROM mf_recommend('u1'::citext, 3, item_type => NULL::citext, fresh => false);
SELECT mf_predict('U1', 'I1') > 0.5 AS own, mf_predict('u1', 'i2') < 0.5 AS other;
SELECT substr(id, 2)::int % 2 AS odd FROM mf_similar_items('I1'::citext, 1);
SELECT mf_drop('names');
-- a split has equal ids on the same side, and those of lower case where text of lower case is
SELECT count(*) AS rows, count(*) FILTER (WHERE mf_holdout(a.user_id, a.item_id, 0.5) <> mf_holdout(b.user_id, a.item_id, 0.5)) AS torn,
	count(*) FILTER (WHERE mf_holdout(a.user_id, 7, 0.5) <> mf_holdout(b.user_id, 7, 0.5)) AS torn_beside_a_number,
	count(*) FILTER (WHERE mf_holdout(7, a.user_id, 0.5) <> mf_holdout(7, b.user_id, 0.5)) AS torn_behind_one,
	count(*) FILTER (WHERE mf_holdout(a.user_id, 'i1', 0.5) <> mf_holdout(lower(a.user_id::text), 'i1', 0.5)) AS other_than_text,
	count(*) FILTER (WHERE mf_holdout(a.user_id::text, 8, 0.5) <> mf_holdout(b.user_id, 8, 0.5)) AS torn_by_a_cast,
	count(*) FILTER (WHERE mf_holdout(a.user_id || '', 7, 0.5) <> mf_holdout(b.user_id || '', 7, 0.5)) > 0 AS text_differs
FROM names a JOIN names b ON a.user_id = b.user_id AND a.user_id::text <> b.user_id::text;
CREATE DOMAIN login AS citext;
CREATE TABLE logins AS SELECT DISTINCT user_id::text::login AS user_id FROM names;
SELECT count(*) FILTER (WHERE mf_holdout(a.user_id, 7, 0.5) <> mf_holdout(b.user_id, 7, 0.5)) AS torn FROM logins a JOIN logins b ON a.user_id = b.user_id;
SELECT count(*) FILTER (WHERE mf_variant(a.user_id, '{"a": 1, "b": 1}') <> mf_variant(b.user_id, '{"a": 1, "b": 1}')) AS torn FROM logins a JOIN logins b ON a.user_id = b.user_id;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE loosely AS SELECT (CASE WHEN i % 3 = 0 THEN 'U' ELSE 'u' END || u) COLLATE loose AS user_id, i AS item_id FROM numbers;
SELECT users, items, ratings FROM mf_train('loosely', factors => 4);
SELECT DISTINCT reason FROM mf_recommend('U1', 3);
SELECT DISTINCT reason FROM mf_recommend('U1', 3, fresh => false);
SELECT count(*) FROM loosely WHERE mf_holdout(user_id, item_id);
SELECT count(*) FROM loosely WHERE mf_holdout(item_id, user_id);
SELECT mf_variant(user_id, '{"a": 1}') FROM loosely LIMIT 1;
SELECT count(DISTINCT held) FROM (SELECT mf_holdout(lower(user_id) COLLATE "C", 7) AS held FROM loosely WHERE user_id = 'u1') h;
SELECT mf_drop('loosely');
-- a column whose collation comes to tell less apart: its ids have another hash than those of the model's tables
CREATE TABLE strictly (user_id text, item_id text, PRIMARY KEY (user_id, item_id));
INSERT INTO strictly SELECT 'u' || u, 'i' || i FROM numbers;
SELECT users, items, ratings FROM mf_train('strictly', factors => 4);
ALTER TABLE strictly ALTER user_id TYPE text COLLATE loose, ALTER item_id TYPE text COLLATE loose;
SELECT DISTINCT reason FROM mf_recommend('u1', 3, item_type => NULL::text);
SELECT mf_retrain('strictly');
ALTER TABLE test_contrib.strictly_user_factors ALTER COLUMN user_id TYPE pg_catalog.text COLLATE test_contrib.loose;
SELECT mf_retrain('strictly');
ALTER TABLE test_contrib.strictly_item_factors ALTER COLUMN item_id TYPE pg_catalog.text COLLATE test_contrib.loose;
SELECT version FROM mf_retrain('strictly');
SELECT reason, bool_or(item_id IN (SELECT item_id FROM strictly WHERE user_id = 'u1')) AS owned FROM mf_recommend('U1', 3, item_type => NULL::text) GROUP BY 1;
-- and back
ALTER TABLE strictly ALTER user_id TYPE text COLLATE "C", ALTER item_id TYPE text COLLATE "default";
SELECT version FROM mf_retrain('strictly');
SELECT reason, bool_or(item_id IN (SELECT item_id FROM strictly WHERE user_id = 'u1')) AS owned FROM mf_recommend('u1', 3, item_type => NULL::text) GROUP BY 1;
SELECT DISTINCT reason FROM mf_recommend('U1', 3, item_type => NULL::text);
SELECT mf_rollback('strictly');
SELECT reason, bool_or(item_id IN (SELECT item_id FROM strictly WHERE user_id = 'u1')) AS owned FROM mf_recommend('u1', 3, item_type => NULL::text) GROUP BY 1;
\c -
SET search_path = test_contrib, public;
SET client_min_messages = warning;
SELECT reason, bool_or(item_id IN (SELECT item_id FROM strictly WHERE user_id = 'u1')) AS owned FROM mf_recommend('u1', 3, item_type => NULL::text) GROUP BY 1;
SELECT mf_drop('strictly');

-- GiST indexes find an id of the column's own type only; from 18 on a primary key can be one
DO $$ BEGIN
	EXECUTE format('CREATE TABLE stays (user_id int, item_id smallint, valid int4range, %s)',
		CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'PRIMARY KEY (user_id, valid WITHOUT OVERLAPS)'
		ELSE 'EXCLUDE USING gist (user_id WITH =, valid WITH &&)' END);
END $$;
INSERT INTO stays SELECT u, i, int4range(i, i + 1) FROM numbers;
CREATE INDEX ON stays USING gist (item_id);
ANALYZE stays;
SET seq_page_cost = 1000000;
SELECT users, items, ratings FROM mf_train('stays', factors => 4);
SELECT fresh FROM mfrec.model WHERE name = 'stays';
SELECT count(*), bool_and(item_id % 2 = 1) AS odd, min(reason) FROM mf_recommend(1, 2);
SELECT count(*) FROM mf_recommend_users(1, 20);
RESET seq_page_cost;
SELECT DISTINCT reason FROM mf_recommend(5000000000, 3);
SELECT count(*) FROM mf_recommend_users(5000000000, 20);
SELECT mf_forget(5000000000), mf_forget(1);
CREATE TABLE kinds AS SELECT i::bigint AS id, i % 4 / 2 AS kind FROM generate_series(1, 12) i;
SELECT count(*) FROM mf_recommend(3, 5, per_group => 1, group_table => 'kinds', group_column => 'kind', group_id_column => 'id', exclude_seen => false);
ALTER TABLE kinds ALTER id TYPE smallint;
SELECT count(*) FROM mf_recommend(3, 5, per_group => 1, group_table => 'kinds', group_column => 'kind', group_id_column => 'id', exclude_seen => false);
SELECT mf_drop('stays');

-- a table of another server: this one, which may want a password
\set password ''
\getenv host PGHOST
\getenv password PGPASSWORD
SELECT coalesce(nullif(:'host', ':' || 'host'), split_part(current_setting('unix_socket_directories'), ',', 1)) AS host,
	current_setting('port') AS port, current_database() AS database, current_user AS me \gset
CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'database');
CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user :'me', password :'password');
CREATE FOREIGN TABLE far (user_id int OPTIONS (column_name 'u'), item_id int OPTIONS (column_name 'i'))
	SERVER here OPTIONS (schema_name 'test_contrib', table_name 'numbers');
SET client_min_messages = notice;
SELECT users, items, ratings FROM mf_train('far', factors => 4);
SELECT fresh FROM mfrec.model WHERE name = 'far';
SET client_min_messages = warning;
SELECT count(*), bool_and((item_id + 1) % 2 = 0) AS own_parity FROM mf_recommend(1, 2, fresh => true);
INSERT INTO numbers VALUES (101, 2);
SELECT count(*), bool_and(item_id % 2 = 0) AS even, array_agg(DISTINCT reason) FROM mf_recommend(101, 4, fresh => true);
SELECT version, ratings FROM mf_retrain();
SELECT mf_drop('far');

-- a program's output
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE lines (user_id int, item_id int) SERVER files
	OPTIONS (program 'printf "1,1\n1,3\n2,2\n2,4\n3,1\n3,3\n3,5\n"', format 'csv');
SELECT users, items, ratings FROM mf_train('lines', factors => 2);
SELECT fresh FROM mfrec.model WHERE name = 'lines';
SELECT item_id FROM mf_recommend(1, 1, fresh => true);
SELECT mf_drop('lines');

DROP SCHEMA test_contrib CASCADE;
