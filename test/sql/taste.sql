-- A share of the predicted rating in lists of any size: vectors of lists are s + taste * q, and nothing is lost in them.
CREATE SCHEMA test_taste;
SET search_path = test_taste, public;
SET client_min_messages = warning;
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, 1 + (hashint4(u * 1000 + i) & 3) + (u + i) % 2
	FROM generate_series(1, 60) u, generate_series(1, 45) i
	WHERE (hashint4(u + 7919 * i) & 1023) < 250 + 400 * ((u + i) % 2);
ANALYZE ratings;

-- The same in plain SQL, in double precision, from the model's tables.
CREATE FUNCTION product(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(x::float8 * y::float8) FROM unnest(a, b) t (x, y)
$$;
CREATE TABLE tastes AS SELECT taste, 'taste ' || taste AS model FROM unnest(ARRAY[0, 0.05, 1, 1e3, 1e6, 1e9]::float8[]) taste;
SELECT count(mf_train('ratings', model, factors => 8, taste => taste)) FROM tastes;
CREATE TABLE users (model text, user_id int, bias real, spread real, p real[]);
CREATE TABLE items (model text, item_id int, bias real, s real[], q real[]);
SELECT format('INSERT INTO users SELECT %1$L, user_id, bias, spread, factors FROM %2$I;
	INSERT INTO items SELECT %1$L, item_id, bias, factors, rating_factors FROM %3$I', model, model || '_user_factors', model || '_item_factors') FROM tastes \gexec
CREATE TABLE scores AS SELECT t.model, u.user_id, i.item_id, product(p, s) + taste * (product(p, q) + i.bias) AS score,
	spread * (u.bias + i.bias + (parameters->>'rating_gain')::float8 * product(p, q)) AS z, r.user_id IS NOT NULL AS seen
FROM tastes t JOIN mf_models USING (model) JOIN users u USING (model) JOIN items i USING (model) LEFT JOIN ratings r ON r.user_id = u.user_id AND r.item_id = i.item_id;
CREATE TABLE right_lists AS SELECT model, user_id, score, rank
FROM (SELECT *, row_number() OVER (PARTITION BY model, user_id ORDER BY score DESC) AS rank FROM scores WHERE NOT seen) l WHERE rank <= 10;
CREATE TABLE lists AS SELECT t.model, u AS user_id, l.* FROM tastes t, generate_series(1, 60) u, mf_recommend(u, 10, t.model) l;

-- Lists have the scores that they should have at every rank, and nobody's vector passes for changed.
CREATE TABLE scales AS SELECT model, max(abs(score)) AS scale FROM scores GROUP BY model;
SELECT t.taste, count(*) AS rows, bool_and(abs(s.score - w.score) < 2e-6 * scale) AS right_items, bool_and(abs(l.score - w.score) < 2e-6 * scale) AS right_scores,
	string_agg(DISTINCT l.reason, ', ') AS reason
FROM tastes t JOIN scales USING (model) JOIN right_lists w USING (model) LEFT JOIN lists l USING (model, user_id, rank) LEFT JOIN scores s USING (model, user_id, item_id)
GROUP BY t.taste ORDER BY t.taste;
-- for that images are no larger
SELECT t.taste, image_bytes = min(image_bytes) OVER () AS as_large
FROM tastes t JOIN mf_models USING (model) ORDER BY t.taste;
-- all users at once have the same lists
SELECT count(*) FROM (SELECT model, a.user_id, a.item_id, a.rank, a.score FROM tastes, mf_recommend_all(10, model) a
	EXCEPT SELECT model, user_id, item_id, rank, score FROM lists) d;
-- predicted ratings, whatever the taste
SELECT max(abs(l.predicted_rating - least(5, greatest(1, (parameters->>'mean')::float8 + (parameters->>'deviation')::float8 * s.z)))) < 1e-5 AS predicted
FROM lists l JOIN scores s USING (model, user_id, item_id) JOIN mf_models m ON m.model = l.model;
SELECT max(abs(mf_predict(user_id, item_id, l.model) - predicted_rating)) < 1e-6 AS predicted FROM lists l;
-- similar items are so by s, which taste has no share in
SELECT t.taste, max(abs(l.similarity - product(a.s, b.s) / sqrt(product(a.s, a.s) * product(b.s, b.s)))) < 1e-6 AS cosines
FROM tastes t JOIN items a USING (model), mf_similar_items(a.item_id, 5, t.model) l, items b
WHERE b.model = t.model AND b.item_id = l.id GROUP BY t.taste ORDER BY t.taste;
-- contributions add up to p . v
SELECT t.taste, bool_and(abs(e.sum - (s.score - t.taste * i.bias)) < 2e-6 * scale) AS adds_up
FROM tastes t JOIN scales USING (model) JOIN scores s USING (model) JOIN items i USING (model, item_id),
	LATERAL (SELECT sum(contribution::float8) FROM mf_explain(s.user_id, s.item_id, 100, t.model)) e
WHERE NOT s.seen AND s.user_id % 10 = 0 GROUP BY t.taste ORDER BY t.taste;
-- a basket of a user's rows has the user's list
SELECT t.taste, bool_and(abs(s.score - w.score) < 1e-5 * scale) AS right_items
FROM tastes t JOIN scales USING (model), generate_series(1, 60, 5) u,
	LATERAL (SELECT array_agg(item_id) AS items, array_agg(rating) AS ratings FROM ratings WHERE user_id = u) b,
	mf_recommend_for(b.items, b.ratings, 10, t.model) l, right_lists w, scores s
WHERE w.model = t.model AND w.user_id = u AND w.rank = l.rank AND s.model = t.model AND s.user_id = u AND s.item_id = l.item_id
GROUP BY t.taste ORDER BY t.taste;
-- whom to tell about an item
SELECT t.taste, bool_and(abs(l.score - s.score) < 2e-6 * scale) AS right_scores
FROM tastes t JOIN scales USING (model), generate_series(1, 45, 7) i, mf_recommend_users(i, 5, t.model) l, scores s
WHERE s.model = t.model AND s.user_id = l.user_id AND s.item_id = i GROUP BY t.taste ORDER BY t.taste;

-- A changed row counts, at every taste, and only for its user.
UPDATE ratings SET rating = 6 - rating WHERE user_id = 7;
SELECT t.taste, string_agg(DISTINCT l.reason, ', ') FILTER (WHERE u = 7) AS changed, string_agg(DISTINCT l.reason, ', ') FILTER (WHERE u <> 7) AS others
FROM tastes t, generate_series(1, 60) u, mf_recommend(u, 1, t.model) l GROUP BY t.taste ORDER BY t.taste;
-- ids that a session has not mapped yet, and an image built from the tables, say the same
SELECT count(mf_refresh(model)) FROM tastes;
SELECT count(*) FROM (SELECT t.model, u AS user_id, l.item_id, l.score, l.rank FROM tastes t, generate_series(1, 60) u, mf_recommend(u, 10, t.model) l WHERE u <> 7
	EXCEPT SELECT model, user_id, item_id, score, rank FROM lists) d;
SELECT count(mf_drop(model)) FROM tastes;
DROP SCHEMA test_taste CASCADE;
