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
