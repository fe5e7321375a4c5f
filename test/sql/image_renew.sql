-- images of updated versions, made from the images that there were: lists are those of images that are built
CREATE SCHEMA test_image_renew;
SET search_path = test_image_renew, public;
SET client_min_messages = warning;

-- items in several blocks, of integers and of text; new ones come before, between and behind those that there are
CREATE TABLE ratings AS SELECT u AS user_id, 2 * (abs(hashint8(u * 1000 + k)) % 9000) AS item_id, (1 + abs(hashint8(u * 77 + k)) % 5)::real AS rating
	FROM generate_series(1, 1500) u, generate_series(1, 30) k;
CREATE INDEX ON ratings (user_id);
CREATE VIEW named AS SELECT user_id, 'item ' || item_id AS item_id FROM ratings;
CREATE VIEW stars AS SELECT user_id, item_id, rating FROM ratings;
CREATE TABLE items AS SELECT i AS item_id, 'item ' || i AS name, 'group ' || abs(hashint4(i)) % 7 AS maker FROM generate_series(-50, 18050) i;
ALTER TABLE items ADD PRIMARY KEY (item_id), ADD UNIQUE (name);
ANALYZE items;
CREATE TABLE models AS SELECT * FROM (VALUES ('joint', 'ratings'), ('stars', 'stars'), ('names', 'named')) m (model, source);
SELECT items > 8192 AS many FROM mf_train('ratings', 'joint', factors => 16, interest_weight => 1, iterations => 2);
SELECT items > 8192 AS many FROM mf_train('stars', 'stars', factors => 8, interest_weight => 0, iterations => 2);
SELECT items > 8192 AS many FROM mf_train('named', 'names', factors => 8, iterations => 2);

-- whether the image of a model is made from another one, whose file has one more name
CREATE FUNCTION renewed(m text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
	SELECT EXISTS (SELECT FROM mf_models, pg_ls_dir('base/pgsql_tmp') f WHERE model = m AND serving AND f LIKE 'pgsql_tmp_mfrec.%.' || (SELECT image FROM mfrec.model_version v WHERE v.model = m ORDER BY version DESC LIMIT 1) || '.base') $$;
-- what all functions that read an image answer, to the bit
SET extra_float_digits = 3;
CREATE FUNCTION answers(m text) RETURNS TABLE (what text, answer text) LANGUAGE plpgsql AS $$
DECLARE named boolean := m = 'names';
DECLARE id text := CASE WHEN named THEN '''item '' || ' ELSE '' END;
DECLARE key text := CASE WHEN named THEN 'name' ELSE 'item_id' END;
BEGIN
	RETURN QUERY EXECUTE replace(replace(replace($q$
	SELECT 'lists', md5(string_agg(l::text, ' ' ORDER BY u, rank)) FROM generate_series(1, 1500, 7) u, mf_recommend(u, 30, item_type => NULL::<type>, model => $1, fresh => false) l
	UNION ALL SELECT 'fresh', md5(string_agg(l::text, ' ' ORDER BY u, rank)) FROM generate_series(1, 1500, 300) u, mf_recommend(u, 10, item_type => NULL::<type>, model => $1, fresh => true) l
	UNION ALL SELECT 'unknown', md5(string_agg(l::text, ' ' ORDER BY rank)) FROM mf_recommend(999999, 100, item_type => NULL::<type>, model => $1, fresh => false) l
	UNION ALL SELECT 'few candidates', md5(string_agg(l::text, ' ' ORDER BY u, rank)) FROM generate_series(1, 1500, 200) u,
		mf_recommend(u, 30, item_type => NULL::<type>, model => $1, fresh => false, candidates => (SELECT array_agg(<key> ORDER BY item_id) FROM items WHERE item_id % 200 < 2)) l
	UNION ALL SELECT 'many candidates', md5(string_agg(l::text, ' ' ORDER BY u, rank)) FROM generate_series(1, 1500, 200) u,
		mf_recommend(u, 30, item_type => NULL::<type>, model => $1, fresh => false, candidates => (SELECT array_agg(<key> ORDER BY item_id) FROM items WHERE item_id % 5 < 2)) l
	UNION ALL SELECT 'groups', md5(string_agg(l::text, ' ' ORDER BY u, rank)) FROM generate_series(1, 1500, 200) u,
		mf_recommend(u, 20, item_type => NULL::<type>, model => $1, fresh => false, per_group => 2, group_table => 'items', group_column => 'maker', group_id_column => '<key>') l
	UNION ALL SELECT 'all', md5(string_agg(l::text, ' ' ORDER BY user_id, rank)) FROM mf_recommend_all(10, user_type => NULL::bigint, item_type => NULL::<type>, model => $1, fresh => false) l
	UNION ALL SELECT 'similar', md5(string_agg(l::text, ' ' ORDER BY i, rank)) FROM generate_series(-2, 1000, 167) i, mf_similar_items(<id>i, 10, $1) l
	UNION ALL SELECT 'predicted', md5(string_agg(mf_predict(u, <id>i, $1)::text, ' ' ORDER BY u, i)) FROM generate_series(1, 1500, 400) u, generate_series(-3, 18050, 1500) i
	$q$, '<key>', key), '<id>', id), '<type>', CASE WHEN named THEN 'text' ELSE 'bigint' END) USING m;
END $$;

-- popular and rare items get rows, some lose all, new ones come; three times, each beside an image that is built of the same rows
CREATE FUNCTION change(round int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO ratings SELECT 1 + abs(hashint4(i + $1)) % 1500, 2 * (abs(hashint4(i * 31 + $1)) % 9000), 1 + i % 5 FROM generate_series(1, 60) i;
	INSERT INTO ratings SELECT 1 + abs(hashint4(i + 7 * $1)) % 1500, (ARRAY[-$1, 2 * $1 + 1, 17 + $1 * 1000, 18001 + $1])[1 + i % 4], 5 - i % 3 FROM generate_series(1, 80) i;
	DELETE FROM ratings WHERE item_id IN (SELECT DISTINCT 2 * (abs(hashint4(i + 99 * $1)) % 9000) FROM generate_series(1, 10) i) $$;
CREATE TABLE answered (round int, model text, what text, answer text);
CREATE FUNCTION round(n int) RETURNS TABLE (model text, items_added bigint, some_changed boolean, some_removed boolean, renewed boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change(n);
	CREATE TEMPORARY TABLE did ON COMMIT DROP AS SELECT m.model, u.items_added, u.items_changed > 30 AS changed, u.items_removed > 0 AS removed FROM models m, mf_update(m.model) u;
	RETURN QUERY SELECT d.*, renewed(d.model) FROM did d ORDER BY d.model COLLATE "C";
	INSERT INTO answered SELECT n, m.model, a.* FROM models m, answers(m.model) a WHERE n > 1;
	DROP TABLE did;
END $$;
SELECT * FROM round(1);
SELECT * FROM round(2);
SELECT * FROM round(3);
SELECT bool_and(renewed(model)) AS renewed FROM models;
SELECT count(*) > 0 AS refreshed FROM models, mf_refresh(model);
SELECT bool_or(renewed(model)) AS renewed FROM models;
SELECT b.model, b.what, a.answer = b.answer AS same FROM models m CROSS JOIN LATERAL (SELECT m.model, x.* FROM answers(m.model) x) b
	JOIN answered a ON a.round = 3 AND a.model = b.model AND a.what = b.what ORDER BY b.model COLLATE "C", b.what COLLATE "C";
SELECT a.model, a.what FROM answered a JOIN answered b USING (model, what) WHERE a.round = 2 AND b.round = 3 AND a.answer = b.answer;

-- items without ratings come and go, alone and beside new rows, between others and with new ids; one of them gets rows, one loses its own
CREATE TABLE described AS SELECT i AS item_id, 'maker ' || abs(hashint4(i)) % 7 AS maker, 'kind ' || i % 5 AS kind FROM generate_series(0, 17998, 2) i;
ALTER TABLE described ADD PRIMARY KEY (item_id);
SELECT items > 8192 AS many FROM mf_train('ratings', 'cold', factors => 8, interest_weight => 1, iterations => 2, item_features => 'described');
CREATE FUNCTION cold_round() RETURNS TABLE (users_changed bigint, items_added bigint, some_changed boolean, items_removed bigint, renewed boolean, same boolean, counted boolean) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMPORARY TABLE did ON COMMIT DROP AS SELECT u.users_changed, u.items_added, u.items_changed > 0 AS some_changed, u.items_removed, renewed('cold') FROM mf_update('cold') u;
	CREATE TEMPORARY TABLE patched ON COMMIT DROP AS SELECT * FROM answers('cold');
	PERFORM mf_refresh('cold');
	RETURN QUERY SELECT d.*, (SELECT bool_and(a.answer = b.answer) FROM patched a JOIN answers('cold') b USING (what)), (SELECT items = (SELECT count(*) FROM cold_item_factors) FROM mf_models WHERE model = 'cold') FROM did d;
	DROP TABLE did, patched;
END $$;
INSERT INTO described SELECT i, 'maker ' || i % 7, 'kind ' || i % 5 FROM unnest('{-7,1,4001,9001,17999,20001,20002}'::int[]) i;
SELECT * FROM cold_round();
INSERT INTO described SELECT i, 'maker ' || i % 7, 'kind ' || i % 5 FROM generate_series(3, 603, 6) i;
DELETE FROM described WHERE item_id IN (-7, 9001, 20002);
INSERT INTO ratings SELECT 1 + abs(hashint4(i)) % 1500, (ARRAY[1, 4001, 19, 24001, 400])[1 + i % 5], 1 + i % 5 FROM generate_series(1, 60) i;
DELETE FROM ratings WHERE item_id = 6000;
SELECT users_changed > 50 AS users_changed, items_added, some_changed, items_removed, renewed, same, counted FROM cold_round();
DELETE FROM described WHERE item_id > 20000 OR item_id BETWEEN 100 AND 200 AND item_id % 2 = 1;
SELECT * FROM cold_round();
SELECT count(*) AS nothing_new FROM mf_update('cold') WHERE items_added + items_changed + items_removed = 0;
INSERT INTO described SELECT i, 'maker 1', 'kind 1' FROM generate_series(30001, 33001) i;
SELECT * FROM cold_round();
SELECT mf_drop('cold');

-- evaluation looks at all places of the index
CREATE TABLE held AS SELECT user_id, item_id, avg(rating) AS rating FROM ratings WHERE mf_holdout(user_id, item_id, 0.01) GROUP BY user_id, item_id;
DELETE FROM ratings r USING held h WHERE (r.user_id, r.item_id) = (h.user_id, h.item_id);
SELECT items_changed > 100 AS many FROM mf_update('joint');
SELECT renewed('joint');
CREATE TABLE measured AS SELECT metric, value FROM mf_evaluate('held', model => 'joint');
SELECT mf_refresh('joint') > 0 AS refreshed;
SELECT count(*) > 5 AS metrics, bool_and(m.value IS NOT DISTINCT FROM e.value) AS same FROM measured m JOIN mf_evaluate('held', model => 'joint') e USING (metric);

-- what is rolled back leaves nothing; two updates in one transaction; too much for what room there is
BEGIN;
SELECT change(5);
SELECT items_added > 0 AS added FROM mf_update('joint');
SELECT change(6);
SELECT items_added > 0 AS added FROM mf_update('joint');
SELECT renewed('joint');
CREATE TABLE inside AS SELECT * FROM answers('joint');
SELECT mf_refresh('joint') > 0 AS refreshed;
SELECT bool_and(a.answer = b.answer) AS same FROM inside a JOIN answers('joint') b USING (what);
ROLLBACK;
SELECT renewed('joint'), (SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp') f WHERE f LIKE '%.base' AND f NOT LIKE ALL (SELECT '%' || image || '.base' FROM mfrec.model_version)) AS left_behind;
SELECT count(*) FROM mf_recommend(1, 10, 'joint', fresh => false);
INSERT INTO ratings SELECT 1 + i % 1500, 20000 + i, 3 FROM generate_series(1, 2000) i;
SELECT items_added >= 2000 AS many FROM mf_update('joint');
SELECT renewed('joint');
CREATE TABLE full_size AS SELECT * FROM answers('joint');
SELECT mf_refresh('joint') > 0 AS refreshed;
SELECT bool_and(a.answer = b.answer) AS same FROM full_size a JOIN answers('joint') b USING (what);
SELECT count(mf_drop(model)) FROM models;
SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp') f WHERE f LIKE '%.base' AND f NOT LIKE ALL (SELECT '%' || image || '.base' FROM mfrec.model_version);
DROP SCHEMA test_image_renew CASCADE;
