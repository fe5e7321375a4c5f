-- Ids of every type, and every way to pass one.
CREATE SCHEMA test_ids;
SET search_path = test_ids, public;
CREATE TABLE numbers (u int, i int, PRIMARY KEY (u, i));
INSERT INTO numbers SELECT u, i FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
CREATE FUNCTION uuid_of(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT md5(n::text)::uuid';
CREATE DOMAIN customer AS bigint CHECK (VALUE > 0);
CREATE DOMAIN sku AS varchar(20) COLLATE "C";
CREATE TYPE colour AS ENUM ('red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'violet', 'pink', 'brown', 'black', 'grey', 'white');

-- Trains on the checkerboard with ids turned into other types by two expressions; does a user's list
-- hold what it should?  The number of right items among the two that nobody else would choose.
CREATE FUNCTION board(user_sql text, item_sql text) RETURNS TABLE (users bigint, types text, model_types text)
LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL client_min_messages = warning;
	DROP TABLE IF EXISTS b;
	EXECUTE format('CREATE TABLE b AS SELECT %s AS user_id, %s AS item_id, u, i FROM numbers', user_sql, item_sql);
	PERFORM mf_train('b', 'board', factors => 4);
	RETURN QUERY SELECT count(*), format_type(a.atttypid, a.atttypmod) || ', ' || format_type(c.atttypid, c.atttypmod),
		format_type(d.atttypid, d.atttypmod) || ', ' || format_type(e.atttypid, e.atttypmod)
	FROM board_user_factors f, pg_attribute a, pg_attribute c, pg_attribute d, pg_attribute e
	WHERE a.attrelid = 'b'::regclass AND a.attname = 'user_id' AND c.attrelid = 'b'::regclass AND c.attname = 'item_id'
		AND d.attrelid = 'board_user_factors'::regclass AND d.attname = 'user_id'
		AND e.attrelid = 'board_item_factors'::regclass AND e.attname = 'item_id'
	GROUP BY 2, 3;
END $$;

-- integers: items come as bigint, whatever they are
SELECT * FROM board('u::int2', 'i::int2');
SELECT array_agg(DISTINCT (item_id + 1) % 2) AS even FROM mf_recommend(1, 1, 'board');
SELECT array_agg(DISTINCT (item_id + 1) % 2) AS even FROM mf_recommend(1::bigint, 1, 'board');
SELECT mf_drop('board');
SELECT * FROM board('u::int8 + 5000000000', 'i::int8 - 5000000000');
SELECT item_id + 5000000000 FROM mf_recommend(5000000001, 1, 'board', candidates => ARRAY[-4999999999, -4999999998], exclude_seen => false);
SELECT mf_predict(5000000001, -4999999999, 'board') > 0.5 AS own, mf_predict(5000000001, -4999999998, 'board') < 0.5 AS other;
SELECT mf_drop('board');
-- an id out of its type's range is nobody, not somebody else
SELECT * FROM board('u', 'i');
SELECT DISTINCT reason FROM mf_recommend(4294967297, 1, 'board');
SELECT DISTINCT reason FROM mf_recommend(4294967297, 1, 'board', fresh => true);
SELECT mf_predict(1, 4294967297, 'board');
SELECT mf_forget(4294967297, 'board');
SELECT count(*) FROM mf_similar_users(4294967297, 3, 'board');
SELECT count(*) FROM mf_explain(4294967297, 1::bigint, 3, 'board');
SELECT count(*) FROM mf_recommend_users(4294967297, 3, 'board');
-- all the ways to say 1
SELECT count(*) FROM mf_recommend(1, 3, 'board');
SELECT count(*) FROM mf_recommend(1::smallint, 3, 'board');
SELECT count(*) FROM mf_recommend('1', 3, 'board');
SELECT count(*) FROM mf_recommend(' 1 '::text, 3, 'board');
SELECT count(*) FROM mf_recommend('1'::varchar, 3, 'board');
SELECT count(*) FROM mf_recommend(user_id => 1, model => 'board', k => 3);
SELECT count(*) FROM mf_recommend(1::customer, 3, 'board');
PREPARE p(bigint) AS SELECT count(*) FROM mf_recommend($1, 3, 'board');
EXECUTE p(1);
PREPARE q AS SELECT count(*) FROM mf_recommend($1, $2, $3);
EXECUTE q('1', '3', 'board');
SELECT mf_predict(1, 1, 'board') = mf_predict('1', '1', 'board') AS same,
	mf_predict(1, 1, 'board') = mf_predict(1, '1', 'board') AS mixed;
SELECT count(*) FROM mf_similar_items(1, 3, 'board');
SELECT count(*) FROM mf_similar_items('1', 3, 'board');
SELECT pg_typeof(id) FROM mf_similar_items(1::bigint, 1, 'board');
SELECT pg_typeof(id) FROM mf_similar_items('1', 1, 'board');
SELECT count(*) FROM mf_similar_users('1', 3, 'board');
SELECT count(*) FROM mf_explain('1', '3', 3, 'board');
SELECT count(*) FROM mf_explain(1, '3', 3, 'board');
SELECT count(*) FROM mf_explain('1', 3, 3, 'board');
-- items as another integer type, or as text
SELECT pg_typeof(item_id) FROM mf_recommend(1, 1, NULL::int, 'board');
SELECT pg_typeof(item_id) FROM mf_recommend(1, 1, item_type => NULL::smallint, model => 'board');
SELECT pg_typeof(item_id) FROM mf_recommend(1, 1, item_type => NULL::text, model => 'board');
SELECT pg_typeof(item_id) FROM mf_popular(1, NULL::int, 'board');
SELECT mf_drop('board');

-- text, varchar, char, uuid, dates, enums, domains
SELECT * FROM board('''u'' || u', '''i'' || i');
SELECT reason, substr(item_id, 2)::int % 2 AS odd FROM mf_recommend('u1', 1, item_type => NULL::text, model => 'board');
SELECT count(*) FROM mf_recommend('u1'::text, 3, item_type => ''::text, model => 'board', candidates => ARRAY['i1', 'i2', 'i3'], exclude_seen => false);
SELECT count(*) FROM mf_recommend('u1'::varchar, 3, item_type => NULL::varchar, model => 'board', candidates => ARRAY['i1', 'i2']::varchar[], exclude_seen => false);
SELECT mf_predict('u1', 'i1', 'board') > 0.5 AS own, mf_predict('u1', 'i2', 'board') < 0.5 AS other, mf_predict('u1', 'x', 'board') AS unknown;
SELECT substr(id, 2)::int % 2 AS odd FROM mf_similar_items('i1', 2, 'board');
SELECT substr(id, 2)::int % 2 AS odd FROM mf_similar_users('u1', 2, 'board');
SELECT substr(user_id, 2)::int % 2 AS odd FROM mf_recommend_users('i1', 1, NULL::text, 'board');
SELECT substr(item_id, 2)::int % 2 AS odd FROM mf_recommend_for(ARRAY['i1', 'i3'], k => 1, model => 'board');
SELECT count(*) > 0 AS explained, bool_and(substr(item_id, 2)::int % 2 = 1) AS odd FROM mf_explain('u1', 'i1', 5, 'board');
SELECT pg_typeof(item_id) FROM mf_popular(1, NULL::text, 'board');
SELECT count(*), bool_and(item_id IN ('i1', 'i2')) AS candidates FROM mf_popular(9, NULL::text, 'board', ARRAY['i1', 'i2', 'x']);
SELECT count(*) FROM mf_popular(9, ''::varchar, 'board', '{i1,i2}'::varchar[]);
SELECT mf_drop('board');
SELECT * FROM board('(''u'' || u)::varchar(10)', '(''i'' || i)::char(5)');
SELECT DISTINCT reason FROM mf_recommend('u1', 3, item_type => NULL::char(5), model => 'board');
SELECT mf_predict('u1', 'i1', 'board') > 0.5 AS own, mf_predict('u1', 'i1   ', 'board') > 0.5 AS padded;
SELECT mf_predict('u1', item_id, 'board') > 0.5 AS own, item_id = 'i1' AS as_cast FROM mf_recommend('u1', 1, NULL::text, 'board', candidates => ARRAY['i1'], exclude_seen => false);
SELECT id = btrim(id) AS similar FROM mf_similar_items('i1', 1, 'board');
SELECT bool_and(item_id = btrim(item_id)) AS everybody FROM mf_recommend_all(1, NULL::text, NULL::text, 'board');
SELECT mf_drop('board');
SELECT * FROM board('uuid_of(u)', 'uuid_of(i)');
SELECT i % 2 AS odd FROM mf_recommend(uuid_of(1), 2, NULL::uuid, 'board') r JOIN generate_series(1, 12) i ON uuid_of(i) = r.item_id
WHERE r.rank = 1;
SELECT reason FROM mf_recommend('c4ca4238-a0b9-2382-0dcc-509a6f75849b', 1, NULL::uuid, 'board');
SELECT reason FROM mf_recommend('C4CA4238A0B923820DCC509A6F75849B', 1, item_type => NULL::uuid, model => 'board');
SELECT count(*) FROM mf_recommend(uuid_of(1), 9, NULL::uuid, 'board', candidates => ARRAY(SELECT uuid_of(i) FROM generate_series(1, 3) i), exclude_seen => false);
SELECT mf_predict(uuid_of(1), uuid_of(1), 'board') > 0.5 AS own, mf_predict(uuid_of(1), uuid_of(2), 'board') < 0.5 AS other;
SELECT mf_predict(uuid_of(1), uuid_of(1)::text, 'board') > 0.5 AS own;
SELECT count(*) FROM mf_similar_items(uuid_of(1), 3, 'board');
SELECT pg_typeof(id) FROM mf_similar_items(uuid_of(1)::text, 1, 'board');
SELECT mf_drop('board');
SELECT * FROM board('date ''2020-01-01'' + u', '(enum_range(NULL::colour))[i]');
SELECT count(*) FROM mf_recommend(date '2020-01-02', 3, NULL::colour, 'board');
SELECT reason FROM mf_recommend('2020-01-02', 1, NULL::colour, 'board');
SELECT mf_predict('2020-01-02', 'red', 'board') > 0.5 AS own;
SELECT mf_drop('board');
SELECT * FROM board('u::customer', '(''i'' || i)::sku');
SELECT DISTINCT reason FROM mf_recommend(1, 1, item_type => NULL::sku, model => 'board');
SELECT DISTINCT reason FROM mf_recommend(1::customer, 1, item_type => NULL::text, model => 'board');
SELECT mf_predict(1::bigint, 'i1', 'board') > 0.5 AS own;
SELECT mf_drop('board');
SELECT * FROM board('u::numeric / 2', 'u::float8 * 0 + i');
SELECT DISTINCT reason FROM mf_recommend(0.5, 1, NULL::float8, 'board');
SELECT DISTINCT reason FROM mf_recommend(0.50, 1, NULL::float8, 'board');
SELECT mf_drop('board');
SELECT * FROM board('ARRAY[u, u]', 'decode(lpad(i::text, 4, ''0''), ''hex'')');
SELECT DISTINCT reason FROM mf_recommend(ARRAY[1, 1], 1, NULL::bytea, 'board');
SELECT mf_drop('board');

-- integers near and far, falling and rising, at the ends of their type: each gets a number of its own
CREATE TABLE far (user_id bigint, item_id bigint, n bigint);
INSERT INTO far SELECT CASE u % 5 WHEN 0 THEN -9223372036854775808 + u WHEN 1 THEN 9223372036854775807 - u
		WHEN 2 THEN -u WHEN 3 THEN 1000000 - u ELSE u * 10000000019 END, i * (CASE WHEN i % 2 = 0 THEN -1 ELSE 4000 END), u
	FROM generate_series(1, 3000) u, generate_series(1, 40) i WHERE (u * 31 + i * 17) % 40 < 4;
INSERT INTO far SELECT user_id + 1, item_id, n FROM far WHERE n % 5 = 4;
SELECT users, items, ratings FROM mf_train('far', factors => 2, iterations => 1);
SELECT count(*) FILTER (WHERE f.ratings IS DISTINCT FROM s.ratings) AS wrong, count(*) AS users
FROM (SELECT user_id, count(DISTINCT item_id) AS ratings FROM far GROUP BY user_id) s FULL JOIN far_user_factors f USING (user_id);
SELECT count(*) FILTER (WHERE f.ratings IS DISTINCT FROM s.ratings) AS wrong, count(*) AS items
FROM (SELECT item_id, count(DISTINCT user_id) AS ratings FROM far GROUP BY item_id) s FULL JOIN far_item_factors f USING (item_id);
SELECT mf_drop('far');

-- types that cannot be ids
CREATE TABLE b3 (user_id json, item_id int);
SELECT mf_train('b3');

SET client_min_messages = warning;
DROP SCHEMA test_ids CASCADE;
