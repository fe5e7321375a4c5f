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
	ratings, fresh, table_bytes > 0 AS table_bytes
FROM mf_models;
\d ratings_user_factors
\d ratings_item_factors
SELECT attname, attstorage, attstattarget FROM pg_attribute
WHERE attrelid = 'ratings_item_factors'::regclass AND attname IN ('factors', 'rating_factors') ORDER BY attname COLLATE "C";

DROP TABLE ratings;
SELECT mf_drop('ratings');
