-- What a user has a row of is not recommended, whatever its value.
CREATE SCHEMA test_seen;
SET search_path = test_seen, public;

-- Users take items of their own parity, and not all of them.
CREATE TABLE taken (user_id int, item_id int, value real);
INSERT INTO taken SELECT u, i, 1 + (u + i) % 3 FROM generate_series(1, 40) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
CREATE INDEX ON taken (user_id);
SELECT version, users, items, ratings FROM mf_train('taken', 'implicit', feedback => 'implicit', weight_column => 'value', factors => 4);
SELECT version, users, items, ratings FROM mf_train('taken', 'both', rating_column => 'value', factors => 4);
SELECT version, users, items, ratings FROM mf_train('taken', 'stars', rating_column => 'value', interest_weight => 0, factors => 4);

-- Rows that have come since, of which training could make nothing; users 101 and 102 are new.
INSERT INTO taken VALUES (1, 2, NULL), (1, 4, 0), (1, 6, -1), (1, 8, 'NaN'), (1, 8, NULL), (1, 10, 'Infinity'),
	(2, 1, NULL), (101, 4, NULL), (101, 5, 'NaN'), (101, 6, 0), (101, 7, -1), (102, 3, 2), (102, 4, NULL), (NULL, 3, 1), (103, NULL, 1);
CREATE VIEW models AS SELECT unnest(ARRAY['implicit', 'both', 'stars']) AS model;
CREATE FUNCTION has(u bigint, i bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM taken WHERE user_id = u AND item_id = i)';
-- what lists have that the user has a row of: nothing
SELECT model, u AS user_id, count(*) AS listed, count(*) FILTER (WHERE has(u, item_id)) AS seen, min(reason) AS reason
FROM models, unnest(ARRAY[1, 2, 101, 102]) u, mf_recommend(u, 20, model, fresh => true) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, count(*) AS listed, count(*) FILTER (WHERE has(user_id, item_id)) AS seen
FROM models, mf_recommend_all(20, model) GROUP BY 1 ORDER BY 1;
SELECT model, count(*) AS listed, count(*) FILTER (WHERE has(user_id, i)) AS seen
FROM models, generate_series(1, 10) i, mf_recommend_users(i, 50, model) GROUP BY 1 ORDER BY 1;
-- the same with groups, and with what is seen left in
CREATE TABLE kinds AS SELECT i AS id, i % 3 AS kind FROM generate_series(1, 20) i;
SELECT model, u AS user_id, count(*) AS listed, count(*) FILTER (WHERE has(u, item_id)) AS seen
FROM models, unnest(ARRAY[1, 101]) u,
	mf_recommend(u, 20, model, fresh => true, per_group => 3, group_table => 'kinds', group_column => 'kind') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, count(*) FROM models, mf_recommend(101, 20, model, fresh => true, exclude_seen => false) GROUP BY 1 ORDER BY 1;
-- they do not change anybody's vector
SELECT model, array_agg(DISTINCT reason) FROM models, mf_recommend(2, 5, model, fresh => true) GROUP BY 1 ORDER BY 1;

SELECT mf_drop(model) FROM models ORDER BY model;

-- long rows, and ids that are strings: what is read of a user without a value is kept until the list is made
CREATE TABLE long AS SELECT 1 AS user_id, i AS item_id, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE 1 + i % 5 END AS value FROM generate_series(1, 1500) i
	UNION ALL SELECT 2, i, 1 + i % 4 FROM generate_series(1, 1600) i;
CREATE INDEX ON long (user_id);
CREATE TABLE names AS SELECT 'user' || user_id AS user_id, 'item' || item_id AS item_id, value FROM long;
CREATE INDEX ON names (user_id);
SET client_min_messages = warning;
SELECT ratings FROM mf_train('long', rating_column => 'value', interest_weight => 0, factors => 4, iterations => 2);
SELECT ratings FROM mf_train('names', rating_column => 'value', interest_weight => 0, factors => 4, iterations => 2);
RESET client_min_messages;
INSERT INTO long SELECT 1, i, CASE WHEN i % 2 = 1 THEN 1 + i % 5 END FROM generate_series(1501, 1580) i;
INSERT INTO names SELECT 'user1', 'item' || i, CASE WHEN i % 2 = 1 THEN 1 + i % 5 END FROM generate_series(1501, 1580) i;
SELECT count(*), min(item_id) FROM mf_recommend(1, 2000, 'long', fresh => true);
SELECT count(*), min(item_id) FROM mf_recommend('user1', 2000, item_type => NULL::text, model => 'names', fresh => true);
SELECT mf_drop('long'), mf_drop('names');

-- What users have belongs to the version: lists leave it out where the source is not read.  User 101 has only rows
-- without a value, 105 one of an item that nobody has rated; a part of the rows of model both is held out.
DROP INDEX taken_user_id_idx;
DELETE FROM taken WHERE value < 0 OR value = 'Infinity' OR value = 'NaN';
INSERT INTO taken VALUES (104, 1000, NULL), (104, 1, NULL), (104, 3, 0), (105, 1000, NULL);
UPDATE taken SET value = NULL WHERE user_id IN (101, 104);
CREATE TABLE before AS SELECT * FROM taken;
CREATE OR REPLACE FUNCTION has(u bigint, i bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM before WHERE user_id = u AND item_id = i)';
SELECT version, users, items, ratings FROM mf_train('taken', 'implicit', feedback => 'implicit', weight_column => 'value', factors => 4);
SET client_min_messages = warning;
SELECT version, users, items, ratings FROM mf_train('taken', 'both', rating_column => 'value', factors => 4, validation => 0.3);
SELECT version, users, items, ratings FROM mf_train('taken', 'stars', rating_column => 'value', interest_weight => 0, factors => 4, seed => 7);
-- what the tables say, and that without these rows the model is the same to the last bit
SELECT user_id, ratings, factors, octet_length(seen) AS bytes FROM implicit_user_factors WHERE ratings = 0 ORDER BY user_id;
SELECT users, items, ratings, (SELECT count(*) FROM implicit_user_factors) AS rows FROM mf_models WHERE model = 'implicit';
SELECT min(number), max(number), count(DISTINCT number), bool_and(ratings >= next) AS falls
FROM (SELECT number, ratings, coalesce(lead(ratings) OVER (ORDER BY number), 0) AS next FROM both_item_factors) i;
CREATE VIEW rated AS SELECT * FROM taken WHERE value > 0;
SELECT version FROM mf_train('rated', 'plain', feedback => 'implicit', weight_column => 'value', factors => 4);
SELECT count(*) AS differ FROM (SELECT user_id, ratings, bias, factors FROM implicit_user_factors WHERE factors <> '{}'
	EXCEPT SELECT user_id, ratings, bias, factors FROM plain_user_factors) d;
SELECT mf_drop('plain');
-- lists without a look at the source
CREATE VIEW lists AS
	SELECT model, 'mf_recommend' AS call, u AS user_id, item_id FROM models, generate_series(1, 106) u, mf_recommend(u, 30, model, fresh => false)
	UNION ALL SELECT model, 'grouped', u, item_id FROM models, generate_series(1, 106) u,
		mf_recommend(u, 30, model, fresh => false, per_group => 4, group_table => 'kinds', group_column => 'kind')
	UNION ALL SELECT model, 'mf_recommend_all', user_id, item_id FROM models, mf_recommend_all(30, model, fresh => false)
	UNION ALL SELECT model, 'mf_recommend_users', user_id, i FROM models, generate_series(1, 20) i, mf_recommend_users(i, 60, model);
SELECT model, call, count(*) AS listed, count(*) FILTER (WHERE has(user_id, item_id)) AS seen FROM lists GROUP BY 1, 2 ORDER BY 1, 2;
SELECT u AS user_id, min(reason), count(*), count(*) FILTER (WHERE has(u, item_id)) AS seen FROM unnest(ARRAY[1, 101, 104, 105]) u, mf_recommend(u, 30, fresh => false) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM mf_recommend(101, 30, exclude_seen => false);
-- users of whom nothing else is known are none of those that are alike, or to be told
SELECT count(*) FROM mf_similar_users(101, 50);
SELECT count(*) FROM mf_similar_users(1, 50);
SELECT count(*) FROM (SELECT user_id FROM mf_recommend_all(1) UNION SELECT user_id FROM mf_recommend_users(20, 60)) l WHERE user_id > 100;
SELECT mf_predict(101, 3) = mf_predict(999, 3) AS as_anybody;
-- current rows add to it, where they are read; rows that have gone since do not take from it
INSERT INTO taken VALUES (1, 11, NULL), (1, 1, 2), (104, 5, NULL), (3, 2, NULL);
DELETE FROM taken WHERE user_id = 2;
CREATE FUNCTION left_out(u int, how boolean) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT string_agg(i::text, ' ' ORDER BY i) FROM generate_series(1, 20) i WHERE i NOT IN (SELECT item_id FROM mf_recommend(u, 30, fresh => how)) $$;
SELECT u AS user_id, (SELECT string_agg(DISTINCT item_id::text, ' ') FROM before WHERE user_id = u AND item_id <= 20) <> '' AS had,
	left_out(u, false) = (SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM (SELECT DISTINCT item_id FROM before WHERE user_id = u AND item_id <= 20) b) AS version,
	left_out(u, true) = (SELECT string_agg(item_id::text, ' ' ORDER BY item_id)
		FROM (SELECT item_id FROM before WHERE user_id = u AND item_id <= 20 UNION SELECT item_id FROM taken WHERE user_id = u AND item_id <= 20) b) AS both
FROM unnest(ARRAY[1, 2, 3, 101, 104]) u;
SELECT count(*) FROM mf_recommend_all(30) WHERE (user_id, item_id) IN (SELECT user_id, item_id FROM taken UNION SELECT user_id, item_id FROM before);
SELECT count(*) FROM mf_recommend_all(30, fresh => false) WHERE (user_id, item_id) IN (VALUES (1, 11), (1, 1), (3, 2));
SELECT count(*) FROM (SELECT mf_recommend_users(2, 60) AS r) l WHERE (r).user_id = 3;
SELECT count(*) FROM (SELECT mf_recommend_users(4, 60) AS r) l WHERE (r).user_id = 2;
-- the version says it also when the source has gone
BEGIN;
ALTER TABLE taken RENAME TO elsewhere;
SELECT count(*) AS listed, count(*) FILTER (WHERE has(user_id, item_id)) AS seen FROM mf_recommend_all(30);
SELECT count(*) AS listed, count(*) FILTER (WHERE has(user_id, i)) AS seen FROM generate_series(1, 20) i, mf_recommend_users(i, 60);
ROLLBACK;
-- an older version has what users had then
SELECT version FROM mf_retrain('implicit');
SELECT v AS version, count(*) FILTER (WHERE item_id = 1) AS lists_1 FROM generate_series(1, 2) v, mf_recommend(1, 30, version => v, fresh => false) GROUP BY 1 ORDER BY 1;
-- erased with the user
SELECT mf_forget(1);
SELECT count(*) FROM mf_recommend(1, 30, fresh => false);
-- an import says it, too, where it has a source; by ids in any order
CREATE TABLE users AS SELECT user_id AS id, factors FROM implicit_user_factors WHERE version = 2 AND factors <> '{}' ORDER BY md5(user_id::text);
CREATE TABLE items AS SELECT item_id::bigint AS id, factors FROM implicit_item_factors WHERE version = 2 ORDER BY md5(item_id::text);
CREATE VIEW part_users AS SELECT * FROM users WHERE id > 10;
INSERT INTO users SELECT 200, factors FROM users LIMIT 1;
SELECT users, items FROM mf_import('imported', 'users', 'items', source => 'taken', rating_column => 'value');
CREATE OR REPLACE FUNCTION has(u bigint, i bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM taken WHERE user_id = u AND item_id = i)';
SELECT count(*) AS listed, count(*) FILTER (WHERE has(u, item_id)) AS seen FROM generate_series(1, 200) u, mf_recommend(u, 30, 'imported', fresh => false) WHERE reason = 'model';
SELECT count(*) AS listed, count(*) FILTER (WHERE has(user_id, item_id)) AS seen FROM mf_recommend_all(30, 'imported', fresh => false);
SELECT count(*) FILTER (WHERE seen IS NULL) AS nothing_known, count(*) FILTER (WHERE seen = '') AS nothing FROM imported_user_factors;
-- also of users without a vector, who get what is popular
SELECT users FROM mf_import('part', 'part_users', 'items', source => 'taken', rating_column => 'value');
SELECT u AS user_id, min(reason) AS reason, count(*) AS listed, count(*) FILTER (WHERE has(u, item_id)) AS seen
FROM unnest(ARRAY[3, 4, 20, 101, 104, 300]) u, mf_recommend(u, 30, 'part', fresh => false) GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT user_id) FROM mf_recommend_all(1, 'part');
SELECT mf_drop('part');
SELECT users, items FROM mf_import('imported', 'users', 'items');
SELECT count(*) FILTER (WHERE seen IS NULL) AS nothing_known FROM imported_user_factors WHERE version = 2;
SELECT count(*) FROM mf_recommend(3, 30, 'imported');
SELECT count(*) FROM mf_recommend_all(1, 'imported', fresh => false);

-- what does not fit in memory is stored as what does: ratings, those held out, and rows without a value
CREATE TABLE many AS SELECT u AS user_id, i AS item_id, CASE WHEN u > 1180 OR (u * 13 + i) % 2 = 0 THEN NULL ELSE 1 + (u + i) % 5 END AS value
	FROM generate_series(1, 1200) u, generate_series(1, 900) i WHERE (u * 7 + i * i) % 3 = 0;
SELECT users, items, ratings FROM mf_train('many', 'held', rating_column => 'value', factors => 2, iterations => 1, validation => 0.1);
SET maintenance_work_mem = '1MB';
SELECT users, items, ratings FROM mf_train('many', 'spilled', rating_column => 'value', factors => 2, iterations => 1, validation => 0.1);
RESET maintenance_work_mem;
SELECT count(*), count(*) FILTER (WHERE h.seen = s.seen) AS same, count(*) FILTER (WHERE h.factors = '{}') AS unknown
FROM held_user_factors h JOIN spilled_user_factors s USING (user_id);
SELECT count(*) AS listed, count(*) FILTER (WHERE (u * 7 + item_id * item_id) % 3 = 0) AS seen FROM generate_series(1, 1200, 109) u, mf_recommend(u, 900, 'spilled', fresh => false);
SELECT sum(CASE WHEN (u * 7 + i * i) % 3 = 0 THEN 0 ELSE 1 END) AS not_seen FROM generate_series(1, 1200, 109) u, generate_series(1, 900) i;

-- Tables of 0.1.0 have no such columns: lists go by current rows alone, and a training adds the columns.
CREATE OR REPLACE FUNCTION has(u bigint, i bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM taken WHERE user_id = u AND item_id = i)';
CREATE FUNCTION make_old(model text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DELETE FROM %I WHERE factors = %L', model || '_user_factors', '{}');
	EXECUTE format('ALTER TABLE %I DROP COLUMN seen, RESET (toast_tuple_target)', model || '_user_factors');
	EXECUTE format('ALTER TABLE %I DROP COLUMN number', model || '_item_factors');
	RETURN mf_refresh(model);
END $$;
SELECT mf_train('taken', 'stars', rating_column => 'value', interest_weight => 0, factors => 4) IS NOT NULL AS trained;
SELECT make_old('stars');
SELECT how, count(*) FILTER (WHERE has(3, item_id)) > 0 AS seen FROM unnest(ARRAY[true, false]) how, mf_recommend(3, 30, 'stars', fresh => how) GROUP BY 1 ORDER BY 1;
SELECT count(*) > 0 AS listed, count(*) FILTER (WHERE has(user_id, item_id)) AS seen FROM mf_recommend_all(30, 'stars');
SELECT count(*) FROM mf_recommend_all(30, 'stars', fresh => false);
SELECT count(*) > 0 AS listed, count(*) FILTER (WHERE has(user_id, 2)) AS seen FROM mf_recommend_users(2, 60, 'stars');
-- not while the tables are published, nor where the name is taken
SET client_min_messages = error;
CREATE PUBLICATION test_seen FOR TABLE stars_user_factors;
SET client_min_messages = notice;
SELECT version FROM mf_retrain('stars');
DROP PUBLICATION test_seen;
ALTER TABLE stars_item_factors ADD COLUMN number text;
SELECT version FROM mf_retrain('stars');
ALTER TABLE stars_item_factors DROP COLUMN number;
SELECT version FROM mf_retrain('stars');
SET client_min_messages = warning;
SELECT count(*) > 0 AS listed, count(*) FILTER (WHERE has(u, item_id)) AS seen
FROM generate_series(1, 106) u, mf_recommend(u, 30, 'stars', fresh => false);
SELECT a.attname, a.attstorage, c.reloptions FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
WHERE attrelid IN ('stars_user_factors'::regclass, 'stars_item_factors'::regclass) AND attname IN ('seen', 'number') ORDER BY 1;

-- Damaged bytes are told, by who looks at them.
CREATE FUNCTION state_of(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
UPDATE stars_user_factors SET seen = '\xe0';
SELECT state_of(call) FROM unnest(ARRAY['SELECT mf_recommend(3, 30, ''stars'', fresh => false)', 'SELECT mf_recommend(3, 30, ''stars'', fresh => true)',
	'SELECT mf_recommend(3, 30, ''stars'', exclude_seen => false)', 'SELECT mf_predict(3, 1, ''stars'')',
	'SELECT mf_recommend_all(1, ''stars'', exclude_seen => false)', 'SELECT mf_similar_users(3, 5, ''stars'')']) call;
SELECT left(state_of(call), 29) FROM unnest(ARRAY['SELECT mf_recommend_all(1, ''stars'')', 'SELECT mf_recommend_users(3, 5, ''stars'')']) call;
UPDATE stars_user_factors SET seen = decode(repeat('00', 400), 'hex');
SELECT state_of('SELECT mf_recommend(3, 30, ''stars'', fresh => false)');
UPDATE stars_item_factors SET number = NULL;
SELECT state_of('SELECT mf_refresh(''stars'')'), state_of('SELECT mf_recommend(3, 30, ''stars'', fresh => false)');
UPDATE stars_item_factors SET number = 1000000 WHERE item_id = 3;
SELECT state_of('SELECT mf_refresh(''stars'')');
SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model;
SET client_min_messages = warning;
DROP SCHEMA test_seen CASCADE;
