-- Tables whose rows are elsewhere: in children, in Citus' shards, behind functions and other storage.
CREATE SCHEMA test_elsewhere;
SET search_path = test_elsewhere, public;
CREATE TABLE ratings (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT users FROM mf_train('ratings', factors => 4);

-- a child of the users' table
CREATE TABLE more_users () INHERITS (ratings_user_factors);
WITH moved AS (DELETE FROM ratings_user_factors WHERE user_id = 1 RETURNING *) INSERT INTO more_users SELECT * FROM moved;
SELECT DISTINCT reason FROM mf_recommend(1, 3, fresh => false);
SELECT mf_forget(1);
SELECT DISTINCT reason FROM mf_recommend(1, 3, fresh => false);
DROP TABLE more_users;

-- what Citus notes of its tables; it invalidates a table when that changes, as creating and dropping a trigger does
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE nodes (user_id int, item_id int, CONSTRAINT by_user CHECK (user_id > 0), CONSTRAINT by_item CHECK (item_id > 0));
SELECT substring(conbin::text FROM '\{VAR[^}]*\}') AS by_user FROM pg_constraint WHERE conname = 'by_user' \gset
SELECT substring(conbin::text FROM '\{VAR[^}]*\}') AS by_item FROM pg_constraint WHERE conname = 'by_item' \gset
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", partkey text);
RESET allow_system_table_mods;
CREATE VIEW lookups AS SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name = 'CachedPlanSource' AND ident LIKE 'SELECT factors%FROM test_elsewhere.ratings_user_factors%';

-- a trigger alone changes nothing; users of a table that Citus has are found by queries
CREATE TRIGGER truncates AFTER TRUNCATE ON ratings_user_factors EXECUTE FUNCTION nothing();
\c -
SET search_path = test_elsewhere, public;
SELECT DISTINCT reason FROM mf_recommend(2, 3, fresh => false);
SELECT * FROM lookups;
INSERT INTO pg_dist_partition VALUES ('ratings_user_factors', 'h', :'by_user');
DROP TRIGGER truncates ON ratings_user_factors;
CREATE TRIGGER truncates AFTER TRUNCATE ON ratings_user_factors EXECUTE FUNCTION nothing();
SELECT DISTINCT reason FROM mf_recommend(2, 3, fresh => false);
SELECT * FROM lookups;
SELECT mf_forget(2);
SELECT DISTINCT reason FROM mf_recommend(2, 3, fresh => false);
SELECT version FROM mf_retrain();
DELETE FROM pg_dist_partition;
SELECT version FROM mf_retrain();

-- bookkeeping that Citus has is not what it was
INSERT INTO pg_dist_partition VALUES ('mfrec.model', 'n', NULL);
CREATE TRIGGER truncates AFTER TRUNCATE ON mfrec.model EXECUTE FUNCTION nothing();
SELECT count(*) FROM mf_recommend(3, 3);
SELECT version FROM mf_retrain();
SELECT version FROM mf_train('ratings', 'other');
UPDATE pg_dist_partition SET logicalrelid = 'mfrec.model_version';
CREATE TRIGGER truncates AFTER TRUNCATE ON mfrec.model_version EXECUTE FUNCTION nothing();
\c -
SET search_path = test_elsewhere, public;
SELECT count(*) FROM mf_recommend(3, 3);
SELECT version FROM mf_retrain();
DELETE FROM pg_dist_partition;
DROP TRIGGER truncates ON mfrec.model;
DROP TRIGGER truncates ON mfrec.model_version;
SELECT count(*) FROM mf_recommend(3, 3);

-- what a lookup in a table of Citus' costs is told by how it is distributed
INSERT INTO nodes TABLE ratings;
INSERT INTO pg_dist_partition VALUES ('nodes', 'h', :'by_user');
SELECT version FROM mf_train('nodes', factors => 4);
CREATE INDEX ON nodes (item_id, user_id);
CREATE INDEX ON nodes (user_id) WHERE item_id > 3;
SELECT version FROM mf_train('nodes', factors => 4);
CREATE INDEX ON nodes (user_id);
SELECT version FROM mf_train('nodes', factors => 4);
UPDATE pg_dist_partition SET partkey = :'by_item';
ALTER TABLE nodes SET (fillfactor = 90);
SELECT version FROM mf_train('nodes', factors => 4);
UPDATE pg_dist_partition SET partmethod = 'n', partkey = NULL;
ALTER TABLE nodes SET (fillfactor = 95);
SELECT version FROM mf_train('nodes', factors => 4);

-- shards of which this node has a placement: users of one shard, and the bookkeeping; others are found by queries
DELETE FROM pg_dist_partition;
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint, shardstorage "char", shardminvalue text, shardmaxvalue text);
CREATE TABLE pg_catalog.pg_dist_placement (placementid bigint, shardid bigint, shardstate int, shardlength bigint, groupid int);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int);
RESET allow_system_table_mods;
INSERT INTO pg_dist_local_group VALUES (3);
INSERT INTO pg_dist_partition VALUES ('ratings_user_factors', 'h', :'by_item'), ('mfrec.model', 'n', NULL);
INSERT INTO pg_dist_shard VALUES ('ratings_user_factors', 7, 't', '0', '2147483647'), ('ratings_user_factors', 8, 't', '-2147483648', '-1'),
	('mfrec.model', 9, 't', NULL, NULL);
INSERT INTO pg_dist_placement VALUES (1, 7, 1, 0, 2), (2, 7, 1, 0, 3), (3, 8, 1, 0, 2), (4, 8, 4, 0, 3), (5, 9, 1, 0, 3);
CREATE TABLE ratings_user_factors_7 (LIKE ratings_user_factors INCLUDING ALL);
CREATE TABLE ratings_user_factors_8 (LIKE ratings_user_factors INCLUDING ALL);
WITH moved AS (DELETE FROM ratings_user_factors WHERE hashint4(user_id) >= 0 RETURNING *) INSERT INTO ratings_user_factors_7 SELECT * FROM moved;
CREATE TABLE mfrec.model_9 (LIKE mfrec.model INCLUDING ALL);
ALTER INDEX mfrec.model_9_pkey RENAME TO model_pkey_9;
ALTER INDEX mfrec.model_9_is_default_idx RENAME TO model_default_9;
INSERT INTO mfrec.model_9 TABLE mfrec.model;
DELETE FROM mfrec.model;
\c -
SET search_path = test_elsewhere, public;
SELECT hashint4(u) >= 0 AS here, count(*), count(DISTINCT reason), min(reason) FROM generate_series(3, 12) u, mf_recommend(u, 1, fresh => false) GROUP BY 1 ORDER BY 1;
SELECT hashint4(u) >= 0 AS here, count(DISTINCT reason), min(reason) FROM generate_series(3, 12) u, mf_recommend(u, 1, 'nodes', fresh => false) GROUP BY 1 ORDER BY 1;
DELETE FROM ratings_user_factors_7;
SELECT hashint4(u) >= 0 AS here, count(DISTINCT reason), min(reason) FROM generate_series(3, 12) u, mf_recommend(u, 1, fresh => false) GROUP BY 1 ORDER BY 1;
DROP TABLE ratings_user_factors_7;
SELECT hashint4(u) >= 0 AS here, count(DISTINCT reason), min(reason) FROM generate_series(3, 12) u, mf_recommend(u, 1, fresh => false) GROUP BY 1 ORDER BY 1;
DELETE FROM pg_dist_placement WHERE shardid = 9;
\c -
SET search_path = test_elsewhere, public;
SELECT count(*) FROM mf_recommend(3, 1);
INSERT INTO mfrec.model TABLE mfrec.model_9;
DROP TABLE mfrec.model_9, ratings_user_factors_8;
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition, pg_catalog.pg_dist_shard, pg_catalog.pg_dist_placement, pg_catalog.pg_dist_local_group;
RESET allow_system_table_mods;
\c -
SET search_path = test_elsewhere, public;
SELECT mf_citus();

-- a worker of Citus, where models are not
SET application_name = 'citus_internal gpid=10000000123';
SELECT count(*) FROM mf_recommend(1, 3, 'nowhere');
RESET application_name;

-- functions cost what their author says, other storage what it likes
CREATE FUNCTION bought() RETURNS TABLE (user_id int, item_id int) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY TABLE test_elsewhere.ratings; END $$;
CREATE VIEW by_function AS SELECT * FROM bought();
SELECT version FROM mf_train('by_function', factors => 4);
CREATE VIEW by_series AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 12) u, generate_series(1, 12) i WHERE (u + i) % 2 = 0;
SELECT version FROM mf_train('by_series', factors => 4);
CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD other_rows TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE by_column (user_id int, item_id int, PRIMARY KEY (user_id, item_id)) USING columnar;
INSERT INTO by_column TABLE ratings;
SET enable_seqscan = off;
SELECT version FROM mf_train('by_column', factors => 4);
CREATE TABLE by_row USING other_rows AS TABLE ratings;
SELECT version FROM mf_train('by_row', factors => 4);
CREATE INDEX ON by_row (user_id);
ANALYZE by_row;
SELECT version FROM mf_train('by_row', factors => 4);
RESET enable_seqscan;
SELECT name, fresh FROM mfrec.model ORDER BY name COLLATE "C";

SELECT mf_drop(model) FROM mf_models WHERE serving;
SET client_min_messages = warning;
DROP SCHEMA test_elsewhere CASCADE;
DROP ACCESS METHOD columnar;
DROP ACCESS METHOD other_rows;
