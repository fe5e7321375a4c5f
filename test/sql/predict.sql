-- Predicted ratings, similar items and users, explanations, popular items.
CREATE SCHEMA test_predict;
SET search_path = test_predict, public;
CREATE TABLE stars (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO stars SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT users, items FROM mf_train('stars', factors => 4);
CREATE VIEW likes AS SELECT user_id, item_id FROM stars WHERE rating = 5;
SELECT users, items FROM mf_train('likes', factors => 4);

-- on the scale of the ratings and within it, also for cells that were not rated
SELECT min(p) >= 1 AS low, max(p) <= 5 AS high, bool_and((p > 3) = ((u + i) % 2 = 0)) AS right
FROM generate_series(1, 20) u, generate_series(1, 20) i, LATERAL (SELECT mf_predict(u, i) AS p) x;
-- an unknown item has none, an unknown user is the mean user
SELECT mf_predict(1, 777) AS unknown_item, mf_predict(777, 1) BETWEEN 2 AND 4 AS unknown_user,
	mf_predict(777, 1) = mf_predict(778, 1) AS all_the_same;
SELECT mf_predict(NULL, 1), mf_predict(1, NULL), mf_predict(NULL::int, NULL::int);
-- the list's column is the same prediction
SELECT count(*), bool_and(predicted_rating = mf_predict(u, item_id)) AS same
FROM generate_series(1, 20) u, mf_recommend(u, 5, fresh => false);
SELECT count(*), bool_and(predicted_rating = mf_predict(777, item_id)) AS same FROM mf_recommend(777, 5);
-- by far better than the mean
SELECT sqrt(avg((mf_predict(user_id, item_id) - rating) ^ 2)) < 1 AS close FROM stars;
-- an implicit model: interest
SELECT bool_and((p > 0.5) = ((u + i) % 2 = 0)) AS right
FROM generate_series(1, 20) u, generate_series(1, 20) i, LATERAL (SELECT mf_predict(u, i, 'likes') AS p) x;
SELECT bool_and(abs(score - mf_predict(u, item_id, 'likes')) < 1e-5) AS score
FROM generate_series(1, 20) u, mf_recommend(u, 5, 'likes', fresh => false);

-- similar items and users have the parity, are never the thing itself, and cosines fall
SELECT m, count(*), bool_and((i + s.id) % 2 = 0) AS parity, bool_or(i = s.id) AS itself, bool_and(similarity BETWEEN -1.0001 AND 1.0001) AS cosine
FROM unnest(ARRAY['stars', 'likes']) m, generate_series(1, 20) i, mf_similar_items(i, 5, m) s WHERE m = 'likes' GROUP BY m ORDER BY m;
SELECT m, count(*), bool_and((u + s.id) % 2 = 0) AS parity, bool_or(u = s.id) AS itself, bool_and(similarity BETWEEN -1.0001 AND 1.0001) AS cosine
FROM unnest(ARRAY['stars', 'likes']) m, generate_series(1, 20) u, mf_similar_users(u, 5, m) s GROUP BY m ORDER BY m;
SELECT count(*), bool_and(coalesce(similarity <= before, true)) AS falling, array_agg(rank ORDER BY rank) = ARRAY(SELECT generate_series(1, 19)) AS ranks
FROM (SELECT *, lag(similarity) OVER (ORDER BY rank) AS before FROM mf_similar_items(1, 100)) l;
SELECT count(*) FROM mf_similar_users(1, 100);
-- as computed from the model table
SELECT count(*), bool_and(abs(s.similarity - c.cosine) < 1e-3) AS same
FROM generate_series(1, 20) i, mf_similar_items(i, 19, 'likes') s, LATERAL (
	SELECT sum(x * y) / sqrt(sum(x * x) * sum(y * y)) AS cosine
	FROM likes_item_factors a, likes_item_factors b, unnest(a.factors, b.factors) f (x, y)
	WHERE a.item_id = i AND b.item_id = s.id) c;
SELECT count(*), bool_and(abs(s.similarity - c.cosine) < 1e-4) AS same
FROM mf_similar_users(3, 19) s, LATERAL (
	SELECT sum(x * y) / sqrt(sum(x * x) * sum(y * y)) AS cosine
	FROM stars_user_factors a, stars_user_factors b, unnest(a.factors, b.factors) f (x, y)
	WHERE a.user_id = 3 AND b.user_id = s.id) c;
-- nothing is similar to what is unknown
SELECT count(*) FROM mf_similar_items(777);
SELECT count(*) FROM mf_similar_users(777);
SELECT count(*) FROM mf_similar_items(NULL::int);
SELECT count(*) FROM mf_similar_users(NULL::int);

-- an explanation names items that the user has, and adds up to the score
SELECT m, count(*) > 0 AS rows, bool_and(EXISTS (SELECT FROM stars s WHERE s.user_id = u AND s.item_id = e.item_id)) AS his_own
FROM unnest(ARRAY['stars', 'likes']) m, generate_series(1, 20) u, mf_explain(u, 1 + u % 20, 3, m) e GROUP BY m ORDER BY m;
SELECT count(*) AS users, bool_and(abs(r.score - e.sum) < 1e-3) AS adds_up
FROM generate_series(1, 20) u, mf_recommend(u, 1, 'likes') r, LATERAL (SELECT sum(contribution) FROM mf_explain(u, r.item_id::int, 100, 'likes')) e;
-- what carries a score is of the item's parity
SELECT bool_and((u + e.item_id) % 2 = 0) AS parity FROM generate_series(1, 20) u, mf_recommend(u, 1, 'likes') r, mf_explain(u, r.item_id, 2, 'likes') e;
SELECT bool_and(coalesce(contribution <= before, true)) AS falling
FROM (SELECT contribution, lag(contribution) OVER () AS before FROM mf_explain(1, 3, 100)) l;
SELECT count(*) FROM mf_explain(1, 777);
SELECT count(*) FROM mf_explain(777, 1);
SELECT count(*) FROM mf_explain(NULL, 1);
SELECT count(*) FROM mf_explain(1, NULL::int);

-- popular: by the number of rows, the smaller id first
INSERT INTO stars SELECT u, 30, 5 FROM generate_series(1, 20) u;
INSERT INTO stars SELECT u, 29, 1 FROM generate_series(1, 20) u;
INSERT INTO stars SELECT u, 31, 1 FROM generate_series(1, 19) u;
SELECT version FROM mf_retrain('stars');
SELECT item_id, ratings, rank FROM mf_popular(3);
SELECT count(*) FROM mf_popular(100);
SELECT count(*) FROM mf_popular();
SELECT count(*) FROM mf_popular(NULL, NULL::text);
SELECT item_id, pg_typeof(item_id) FROM mf_popular(1, NULL::int, 'stars');
SELECT item_id, score, rank, reason FROM mf_recommend(777, 3);

SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";
SET client_min_messages = warning;
DROP SCHEMA test_predict CASCADE;
