-- Cold items: of the relation of attributes, and rated by nobody
CREATE SCHEMA test_cold;
SET search_path = test_cold, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- 72 films that users of their genre rate well and others seldom, 73 to 80 which nobody has rated, two of each genre
CREATE TABLE films AS SELECT i AS item_id, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + i % 4] AS genre FROM generate_series(1, 80) i;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, CASE WHEN i % 4 = u % 4 THEN 5 ELSE 2 END - (u * 7 + i * 3) % 2 AS rating
	FROM generate_series(1, 300) u, generate_series(1, 72) i WHERE mf_holdout(u, i, CASE WHEN i % 4 = u % 4 THEN 0.4 ELSE 0.05 END);
CREATE INDEX ON ratings (user_id);
-- rows that are no ratings: user 1 has 73, of user 301 nothing else is known
INSERT INTO ratings VALUES (1, 73, NULL), (301, 74, NULL);
CREATE VIEW taken AS SELECT user_id, item_id FROM ratings WHERE rating IS NOT NULL;
SELECT items FROM mf_train('ratings', 'both', factors => 4, item_features => 'films');
SELECT items FROM mf_train('ratings', 'stars', factors => 4, item_features => 'films', interest_weight => 0);
SELECT items FROM mf_train('taken', 'clicks', factors => 4, item_features => 'films', feedback => 'implicit');
CREATE TABLE models AS SELECT model FROM (VALUES ('both'), ('stars'), ('clicks')) m (model);
CREATE FUNCTION cold() RETURNS int[] LANGUAGE sql IMMUTABLE AS 'SELECT ARRAY[73, 74, 75, 76, 77, 78, 79, 80]';

-- among cold films those of the user's genre come first, and nobody's list has none at all
SELECT model, count(*) AS films, bool_and((rank <= 2) = (item_id % 4 = user_id % 4)) AS genre_first, bool_and(reason = 'model') AS stored
FROM models, generate_series(2, 300, 7) AS user_id, mf_recommend(user_id, 10, model, candidates => cold()) GROUP BY model ORDER BY model;
SELECT model, count(*) > 0 AS has_cold FROM models, generate_series(2, 300, 7) AS user_id, mf_recommend(user_id, 20, model) WHERE item_id > 72 GROUP BY model ORDER BY model;

-- new_items => false leaves them out, and nothing else: in lists of one user, of all users, of a basket, of similar items
CREATE FUNCTION list(model text, "user" int, new_items bool) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(item_id || ' ' || score, ', ' ORDER BY rank) FROM mf_recommend("user", 100, model, new_items => new_items) WHERE new_items IS NOT TRUE OR item_id <= 72 $$;
SELECT model, bool_and(list(model, u, false) = list(model, u, true)) AS same, bool_and(list(model, u, false) <> list(model, u, NULL)) AS null_is_true
FROM models, generate_series(2, 300, 7) u GROUP BY model ORDER BY model;
SELECT model, new_items, count(*) > 0 AS listed, count(*) FILTER (WHERE item_id > 72) > 0 AS cold, bool_and(rank <= 40) AS ranked
FROM models, (VALUES (true), (false), (NULL)) n (new_items), mf_recommend_all(40, model, new_items => new_items) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, bool_and(a.score = r.score) AS as_one_by_one FROM models, LATERAL (SELECT * FROM mf_recommend_all(40, model, new_items => false) a WHERE user_id % 50 = 3) a
	JOIN LATERAL mf_recommend(a.user_id, 40, model, new_items => false) r USING (item_id, rank) GROUP BY model ORDER BY model;
SELECT new_items, count(*), count(*) FILTER (WHERE item_id > 72) AS cold FROM (VALUES (true), (false), (NULL)) n (new_items),
	mf_recommend_for(ARRAY[4, 8, 12], k => 100, model => 'both', new_items => new_items) GROUP BY 1 ORDER BY 1;
SELECT model, new_items, count(*), count(*) FILTER (WHERE id > 72) AS cold FROM models, (VALUES (true), (false), (NULL)) n (new_items),
	mf_similar_items(80, 100, model, new_items) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM mf_recommend(2, 10, 'both', candidates => cold(), new_items => false);
SELECT item_id FROM mf_recommend(2, 10, 'both', candidates => cold() || 6, exclude_seen => false, new_items => false);
SELECT count(*), count(*) FILTER (WHERE item_id > 72) AS cold, count(*) FILTER (WHERE item_id < 5) AS excluded
FROM mf_recommend(2, 100, 'both', exclude => ARRAY[1, 2, 3, 4], exclude_seen => false, new_items => false);
SELECT new_items, count(*), bool_or(item_id > 72) AS cold, max(n) AS most FROM (VALUES (true), (false)) v (new_items),
	LATERAL (SELECT item_id, count(*) OVER (PARTITION BY item_id % 4) AS n
		FROM mf_recommend(2, 100, 'both', per_group => 19, group_table => 'films', group_column => 'genre', group_id_column => 'item_id', exclude_seen => false, new_items => new_items)) l GROUP BY 1 ORDER BY 1;
-- models without features have no new items
SELECT items FROM mf_train('ratings', 'plain', factors => 4);
SELECT list('plain', 2, true) = list('plain', 2, false) AS same;
SELECT count(*) AS priors FROM plain_item_factors WHERE prior IS NOT NULL;
SELECT * FROM mf_similar_items(5, model => 'plain', by => 'content');
-- a table of items from before gets the column, unless it has another one of that name
ALTER TABLE plain_item_factors DROP prior, ADD prior text;
SELECT items FROM mf_train('ratings', 'plain', factors => 4, item_features => 'films');
ALTER TABLE plain_item_factors DROP prior;
SELECT items FROM mf_train('ratings', 'plain', factors => 4, item_features => 'films');
SELECT count(*) FROM mf_similar_items(5, 100, 'plain', by => 'content');
SELECT mf_drop('plain');

-- what is popular: cold items never, and of an unknown user after all others, with a score of 0
SELECT model, count(*), max(item_id) <= 72 AS rated, min(ratings) > 0 AS counted FROM models, mf_popular(1000, model) GROUP BY model ORDER BY model;
SELECT count(*) FROM mf_popular(1000, item_type => NULL::int, model => 'both');
SELECT new_items, count(*), string_agg(item_id || ' ' || score, ', ' ORDER BY rank) FILTER (WHERE rank > 72) AS last, count(DISTINCT reason) AS reasons, min(reason) AS reason
FROM (VALUES (true), (false)) v (new_items), mf_recommend(1000, 1000, 'both', new_items => new_items) GROUP BY 1 ORDER BY 1;
SELECT item_id, score, rank, reason FROM mf_recommend(1000, 3, 'both', candidates => cold());
SELECT count(*) FROM mf_recommend(1000, 3, 'both', candidates => cold(), new_items => false);
SELECT new_items, count(*), min(score) FROM (VALUES (true), (false)) v (new_items), mf_recommend_for(ARRAY[1000], k => 100, model => 'both', new_items => new_items) GROUP BY 1 ORDER BY 1;
SELECT new_items, count(*), bool_or(item_id > 72) AS cold FROM (VALUES (true), (false)) v (new_items),
	mf_recommend(1000, 100, 'both', per_group => 19, group_table => 'films', group_column => 'genre', group_id_column => 'item_id', new_items => new_items) GROUP BY 1 ORDER BY 1;

-- similar items of a cold one and of a rated one: of their genre
SELECT model, item, count(*), bool_and(id % 4 = item % 4) AS of_its_genre, bool_or(id > 72) AS cold FROM models, (VALUES (80), (74), (5)) i (item), mf_similar_items(item, 19, model)
GROUP BY 1, 2 ORDER BY 1, 2;

-- by content: what attributes alone make of items, so here all of a genre are alike, rated or not
SELECT model, item, count(*), bool_and((id % 4 = item % 4) = (similarity > 0.999)) AS of_its_genre, count(*) FILTER (WHERE id > 72) AS cold, bool_or(id = item) AS itself
FROM models, (VALUES (80), (74), (5)) i (item), mf_similar_items(item, 100, model, by => 'content') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, count(*), bool_or(id::int > 72) AS cold FROM models, mf_similar_items('5', 100, model, new_items => false, by => 'content') GROUP BY 1 ORDER BY 1;
SELECT count(*), count(*) FILTER (WHERE prior IS NULL) AS without, bool_and((prior IS NULL) = (ratings = 0)) AS cold FROM both_item_factors;
-- what is added to factors of all new items for the sake of their places in lists is left out of it
SELECT bool_and(abs(s.similarity - (SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b))
	FROM (SELECT a, CASE WHEN y.prior IS NULL THEN b - c ELSE b END AS b FROM unnest(x.prior, coalesce(y.prior, y.factors), shift) v (a, b, c)) w)) < 1e-5) AS cosine
FROM both_item_factors x, mf_similar_items(x.item_id, 100, 'both', by => 'content') s JOIN both_item_factors y ON y.item_id = s.id,
	(SELECT array_agg(c::float8 ORDER BY k) AS shift FROM mf_models m, jsonb_array_elements_text(parameters->'cold_shift') WITH ORDINALITY u (c, k) WHERE m.model = 'both' AND serving AND schema = 'test_cold') m
WHERE x.item_id IN (5, 6);
CREATE FUNCTION alike(model text, by text) RETURNS text LANGUAGE sql AS 'SELECT string_agg(id || '' '' || similarity, '','' ORDER BY rank) FROM mf_similar_items(5, 100, model, by => by)';
SELECT model, alike(model, NULL) = alike(model, 'factors') AS default, alike(model, NULL) <> alike(model, 'content') AS other FROM models ORDER BY model;
SELECT count(*) FROM mf_similar_items(777, 100, 'both', by => 'content');
SELECT count(*) FROM mf_similar_items(NULL::int, by => 'content');
-- a rated item of which attributes say nothing has no content
UPDATE both_item_factors SET prior = NULL WHERE item_id = 5;
SELECT count(*) FROM mf_similar_items(5, 100, 'both', by => 'content');
SELECT count(*), bool_or(id = 5) AS nothing FROM mf_similar_items(6, 100, 'both', by => 'content');
SELECT * FROM mf_similar_items(5, by => 'genre');

-- predictions: what lists show, and more for the user's genre
SELECT model, bool_and(abs(mf_predict(user_id, l.item_id, model) - CASE model WHEN 'clicks' THEN l.score ELSE l.predicted_rating END) < 1e-4) AS as_listed,
	avg(mf_predict(user_id, l.item_id, model)) FILTER (WHERE l.item_id % 4 = user_id % 4) > avg(mf_predict(user_id, l.item_id, model)) FILTER (WHERE l.item_id % 4 <> user_id % 4) AS more
FROM models, generate_series(2, 300, 7) AS user_id, mf_recommend(user_id, 10, model, candidates => cold()) l GROUP BY model ORDER BY model;
SELECT model, mf_predict(1000, 80, model) IS NOT NULL AS of_the_mean_user FROM models ORDER BY model;

-- whom to tell about one: users of its genre, by the scores of their lists
SELECT model, count(*), bool_and(user_id % 4 = item % 4) AS of_its_genre, bool_and(abs(r.score - l.score) < 1e-5) AS as_listed, bool_or(model <> 'clicks' AND user_id = 1 AND item = 73) AS had
FROM models, generate_series(73, 80) item, mf_recommend_users(item, 30, model) r, LATERAL (SELECT score FROM mf_recommend(user_id, 10, model, candidates => ARRAY[item], fresh => false, exclude_seen => false)) l
GROUP BY model ORDER BY model;
SELECT count(*), bool_or(id = 2) AS own FROM mf_similar_users(2, 5, 'both');

-- explanations add up to the score, of ratings alone with the item's own part: a cold item's taste is no part of it
CREATE FUNCTION spread_of(u int) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT ((sum(z ^ 2) - sum(z) ^ 2 / count(*) + 10 * v) / (count(*) + 9) / v) ^ 0.35
	FROM (SELECT rating::float8 / (parameters->>'deviation')::float8 AS z, (parameters->>'user_variance')::float8 AS v FROM ratings, mf_models WHERE user_id = u AND model = 'stars' AND serving) r GROUP BY v $$;
CREATE VIEW explained AS SELECT model, u AS user_id, i AS item_id, (SELECT score FROM mf_recommend(u, 1, model, candidates => ARRAY[i], exclude_seen => false, fresh => true)) AS score,
	(SELECT sum(contribution) FROM mf_explain(u, i, 1000, model)) +
	CASE WHEN model = 'stars' THEN (SELECT (parameters->>'mean')::float8 + (parameters->>'deviation')::float8 * spread_of(u) * bias FROM mf_models JOIN stars_item_factors f USING (version) WHERE model = 'stars' AND f.item_id = i) ELSE 0 END AS sum
	FROM models, (VALUES (2), (3), (4), (5)) v (u), unnest(cold()) i;
SELECT model, count(*), bool_and(abs(score - sum) < 1e-4) AS adds_up, bool_and(score <> 0) AS scored FROM explained GROUP BY model ORDER BY model;

-- what users have of them at the training, though it is no rating, stays out of their lists
SELECT fresh, string_agg(item_id::text, ' ' ORDER BY item_id) FROM (VALUES (true), (false)) f (fresh), mf_recommend(1, 10, 'both', candidates => cold(), fresh => fresh) GROUP BY 1 ORDER BY 1;
SELECT fresh, string_agg(item_id::text, ' ' ORDER BY item_id) FROM (VALUES (true), (false)) f (fresh), mf_recommend(301, 10, 'both', candidates => cold(), fresh => fresh) GROUP BY 1 ORDER BY 1;
SELECT fresh, user_id, count(*) FROM (VALUES (true), (false)) f (fresh), mf_recommend_all(100, 'both', fresh => fresh) WHERE user_id IN (1, 2) AND item_id > 72 GROUP BY 1, 2 ORDER BY 1, 2;

-- a row of a cold item after the training: the user becomes what the formula says with the item in it, computed here for two dimensions
SELECT items FROM mf_train('taken', 'flat', factors => 2, item_features => 'films', feedback => 'implicit');
CREATE FUNCTION formula("user" int, OUT x float8, OUT y float8) LANGUAGE sql AS $$
	WITH o AS (SELECT version, (parameters->>'alpha')::float8 AS alpha, (parameters->'mean_user'->>0)::float8 AS mx, (parameters->'mean_user'->>1)::float8 AS my,
			(parameters->>'interest_regularization')::float8 * sqrt(n / (parameters->>'user_ratings')::float8) AS held
			FROM mf_models, (SELECT count(*) AS n FROM taken WHERE user_id = "user") c WHERE model = 'flat' AND serving),
		s AS (SELECT factors[1]::float8 AS x, factors[2]::float8 AS y, t.item_id IS NOT NULL AS has, ratings FROM o JOIN flat_item_factors f USING (version)
			LEFT JOIN taken t ON t.item_id = f.item_id AND t.user_id = "user" WHERE ratings > 0 OR t.item_id IS NOT NULL),
		m AS (SELECT sum(c * x * x) + held AS a, sum(c * x * y) AS b, sum(c * y * y) + held AS d, sum(CASE WHEN has THEN c * x ELSE 0 END) + held * mx AS r, sum(CASE WHEN has THEN c * y ELSE 0 END) + held * my AS q
			FROM o, LATERAL (SELECT *, CASE WHEN has THEN 1 + alpha ELSE 1 END AS c FROM s) w GROUP BY held, mx, my)
	SELECT (r * d - b * q) / (a * d - b * b), (a * q - b * r) / (a * d - b * b) FROM m $$;
CREATE FUNCTION is_formula("user" int) RETURNS bool LANGUAGE sql AS $$
	SELECT bool_and(abs(score - (x * factors[1] + y * factors[2])) < 1e-5) FROM formula("user"), mf_recommend("user", 100, 'flat', fresh => true, exclude_seen => false) l
		JOIN flat_item_factors f ON f.item_id = l.item_id AND f.version = (SELECT version FROM mf_models WHERE model = 'flat' AND serving) $$;
SELECT bool_and(is_formula(u)) AS stored FROM generate_series(2, 300, 29) u;
INSERT INTO ratings VALUES (2, 76, 5), (3, 75, 4), (3, 79, 5), (999, 80, 5);
SELECT u, is_formula(u) AS folded_in, (SELECT min(reason) FROM mf_recommend(u, 1, 'flat', fresh => true)) AS reason FROM (VALUES (2), (3), (4), (999)) v (u) ORDER BY u;
SELECT model, count(*), bool_and(abs(score - sum) < 1e-4) AS adds_up FROM explained GROUP BY model ORDER BY model;
-- whose list leaves it out, and is of films like it
SELECT model, bool_or(item_id IN (75, 79)) AS has FROM models, mf_recommend(3, 100, model) GROUP BY model ORDER BY model;
SELECT model, bool_and(item_id % 4 = 0) AS like_it, min(reason) AS reason FROM models, mf_recommend(999, 10, model) GROUP BY model ORDER BY model;
SELECT bool_and(item_id % 4 = 0) AS like_it FROM mf_recommend_for(ARRAY[80], k => 10, model => 'both');
SELECT model, item_id FROM models, mf_explain(999, 4, 10, model) ORDER BY 1;
DELETE FROM ratings WHERE item_id > 72 AND rating IS NOT NULL;

-- tables that were edited, versions with and without features
CREATE TABLE before AS SELECT model, u, list(model, u, false) AS rated, list(model, u, NULL) AS "all" FROM models, generate_series(2, 300, 59) u;
CREATE VIEW same AS SELECT bool_and(rated = list(model, u, false)) AS rated, bool_and("all" = list(model, u, NULL)) AS "all" FROM before;
SELECT model, mf_refresh(model) FROM models ORDER BY model;
SELECT * FROM same;
SELECT model, (SELECT version FROM mf_train(CASE model WHEN 'clicks' THEN 'taken' ELSE 'ratings' END::regclass, model, factors => 4, feedback => CASE model WHEN 'clicks' THEN 'implicit' ELSE 'explicit' END,
	interest_weight => CASE model WHEN 'stars' THEN 0 END)) FROM models ORDER BY model;
SELECT model, count(*) FILTER (WHERE item_id > 72) AS cold FROM models, mf_recommend(2, 100, model) GROUP BY 1 ORDER BY 1;
SELECT model, count(*) FILTER (WHERE item_id > 72) AS cold FROM models, mf_recommend(2, 100, model, version => 1) GROUP BY 1 ORDER BY 1;
SELECT model, mf_rollback(model) FROM models ORDER BY model;
SELECT * FROM same;
SELECT mf_rollback('both', 2);
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => cold());
SELECT mf_rollback('both', 1);
DELETE FROM both_item_factors WHERE version = 1 AND item_id = 77;
SELECT mf_refresh('both');
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 10, 'both', candidates => cold());
SELECT mf_forget(2, 'both');
SELECT count(*) FROM mf_recommend_users(80, 1000, 'both') WHERE user_id = 2;

-- attributes that have gone, and that are new: at the next training
DELETE FROM films WHERE item_id = 78;
INSERT INTO films VALUES (0, 'action'), (-1, 'comedy');
SELECT items FROM mf_retrain('stars');
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 10, 'stars', candidates => cold() || ARRAY[0, -1]);
SELECT version FROM mf_train('ratings', 'stars', factors => 4, item_features => 'films');
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 10, 'stars', candidates => cold() || ARRAY[0, -1]);
-- rated since, they are items as others
INSERT INTO ratings SELECT u, 0, 5 FROM generate_series(4, 40, 4) u;
SELECT items FROM mf_retrain('stars');
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 100, 'stars', exclude_seen => false, new_items => false) WHERE item_id < 1 OR item_id > 72;
DELETE FROM ratings WHERE item_id = 0;
DELETE FROM films WHERE item_id < 1;
INSERT INTO films VALUES (78, 'drama');

-- attributes that say nothing: new items have vectors of zeros, and every function an answer
CREATE VIEW noise AS SELECT item_id, substr(md5(item_id::text), 1, 1) < '8' AS heads FROM films;
SET client_min_messages = notice;
SELECT items FROM mf_train('ratings', 'noise', factors => 4, item_features => 'noise');
SET client_min_messages = warning;
SELECT bool_and(score = 0) AS zero, bool_and(predicted_rating BETWEEN 1 AND 5) AS predicted, string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 10, 'noise', candidates => cold());
SELECT count(*), bool_and(similarity = 0) AS zero FROM mf_similar_items(80, 100, 'noise');
SELECT count(*), bool_and(score = 0) AS zero FROM mf_recommend_users(80, 1000, 'noise');
SELECT abs(sum(contribution)) < 1e-6 AS nothing FROM mf_explain(3, 80, 1000, 'noise');
SELECT count(*), bool_or(id > 72) AS cold FROM mf_similar_items(5, 100, 'noise', new_items => false);
SELECT mf_drop('noise');
-- of 200 alike the first twenty are by lot, not by id: whether the first 50 are taken or the last, a list finds what a random one would, about
CREATE VIEW dice AS SELECT i AS item_id, substr(md5(i::text), 1, 1) < '8' AS heads FROM generate_series(1, 272) i;
SELECT items FROM mf_train('ratings', 'dice', factors => 4, item_features => 'dice');
CREATE TABLE first_taken AS SELECT u AS user_id, i AS item_id, 5 AS rating FROM generate_series(1, 20) u, generate_series(73, 122) i;
CREATE TABLE last_taken AS SELECT u AS user_id, i AS item_id, 5 AS rating FROM generate_series(1, 20) u, generate_series(223, 272) i;
SELECT metric, f.value BETWEEN f.baseline / 2 AND f.baseline * 2 AS first_found, l.value BETWEEN l.baseline / 2 AND l.baseline * 2 AS last_found
FROM mf_evaluate('first_taken', 20, 'dice') f JOIN mf_evaluate('last_taken', 20, 'dice') l USING (metric) WHERE metric = 'cold_full_recall';
SELECT mf_drop('dice');

-- who may not see some of them
CREATE ROLE regress_cold;
GRANT USAGE ON SCHEMA test_cold TO regress_cold;
GRANT SELECT ON ALL TABLES IN SCHEMA test_cold TO regress_cold;
ALTER TABLE both_item_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON both_item_factors USING (item_id <> 73 AND item_id <> 76 AND item_id <> 6);
SET ROLE regress_cold;
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(3, 10, 'both', candidates => cold());
SELECT count(*) AS films, count(*) FILTER (WHERE item_id > 72) AS cold FROM mf_recommend(1000, 100, 'both');
SELECT count(*) FROM mf_popular(100, 'both');
SELECT count(*) FROM mf_recommend(3, 100, 'both', exclude_seen => false, new_items => false);
SELECT mf_predict(3, 76, 'both') IS NULL AS hidden, mf_predict(3, 80, 'both') IS NULL AS shown;
RESET ROLE;
DROP POLICY visible ON both_item_factors;
ALTER TABLE both_item_factors DISABLE ROW LEVEL SECURITY;

-- ids of text and uuid
CREATE VIEW text_ratings AS SELECT 'u' || user_id AS user_id, 'film ' || item_id AS item_id, rating FROM ratings;
CREATE VIEW text_films AS SELECT 'film ' || item_id AS item_id, genre FROM films;
CREATE VIEW uuid_ratings AS SELECT md5(user_id::text)::uuid AS user_id, md5(item_id::text)::uuid AS item_id, rating FROM ratings;
CREATE VIEW uuid_films AS SELECT md5(item_id::text)::uuid AS item_id, genre FROM films;
SELECT items FROM mf_train('text_ratings', 'texts', factors => 4, item_features => 'text_films');
SELECT items FROM mf_train('uuid_ratings', 'uuids', factors => 4, item_features => 'uuid_films');
SELECT string_agg(item_id, ', ' ORDER BY item_id) FROM mf_recommend('u3', 2, item_type => NULL::text, model => 'texts', candidates => ARRAY(SELECT 'film ' || c FROM unnest(cold()) c));
SELECT count(*), count(*) FILTER (WHERE item_id::text = 'film 80') AS cold FROM mf_recommend('u3', 100, item_type => NULL::text, model => 'texts', exclude_seen => false, new_items => false);
SELECT count(DISTINCT item_id), count(*) FILTER (WHERE item_id = 'film 80') AS cold FROM mf_recommend_all(100, user_type => NULL::text, item_type => NULL::text, model => 'texts', new_items => false);
SELECT count(*), bool_or(id = 'film 80') AS cold FROM mf_similar_items('film 4'::text, 100, 'texts', new_items => false);
SELECT count(*) FROM mf_popular(100, item_type => NULL::text, model => 'texts');
SELECT count(*), bool_and(c % 4 = 3) AS of_the_genre FROM mf_recommend(md5('3')::uuid, 2, item_type => NULL::uuid, model => 'uuids', candidates => ARRAY(SELECT md5(c::text)::uuid FROM unnest(cold()) c)) l
	JOIN unnest(cold()) c ON md5(c::text)::uuid = l.item_id;
SELECT count(*), count(*) FILTER (WHERE item_id = md5('80')::uuid) AS cold
FROM mf_recommend(md5('3')::uuid, 100, item_type => NULL::uuid, model => 'uuids', exclude_seen => false, new_items => false);
SELECT count(*), bool_or(id = md5('80')::uuid) AS cold FROM mf_similar_items(md5('4')::uuid, 100, 'uuids', new_items => false);

-- films of which all rows are held out are as cold as those of their genre
INSERT INTO films SELECT i, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + i % 4] FROM generate_series(81, 120) i;
INSERT INTO ratings SELECT i, i, 5 FROM generate_series(81, 120) i;
INSERT INTO ratings SELECT 1000 + u, 2 + u % 70, 1 + u % 5 FROM generate_series(1, 60) u;
SELECT items FROM mf_train('ratings', 'held', factors => 4, item_features => 'films', validation => 0.3);
SELECT count(*) > 0 AS held_out, bool_and(f.factors = c.factors AND f.rating_factors = c.rating_factors AND f.bias = c.bias) AS cold
FROM held_item_factors f JOIN held_item_factors c ON c.item_id = 73 + (f.item_id - 73) % 4 WHERE f.item_id > 80 AND f.ratings = 0;
-- of which users know nothing: who has lost no row to the sample stays as stored
UPDATE held_user_factors SET fingerprint = NULL WHERE ratings > 0;
SELECT count(*) > 20 AS users, bool_and(reason = 'model') AS stored FROM held_user_factors f, mf_recommend(f.user_id, 1, 'held', fresh => true)
WHERE f.ratings > 0 AND f.ratings = (SELECT count(*) FROM ratings r WHERE r.user_id = f.user_id AND rating IS NOT NULL);
SELECT count(*) FROM mf_popular(1000, 'held') WHERE ratings = 0;

-- measuring knows them
CREATE TABLE test AS SELECT u AS user_id, i AS item_id, 5 AS rating FROM generate_series(2, 300) u, unnest(cold()) i WHERE i % 4 = u % 4;
SELECT metric, value FROM mf_evaluate('test', 20, 'both') WHERE metric IN ('rows', 'rows_unknown_item');
SELECT value > 0 AS found, baseline FROM mf_evaluate('test', 20, 'both') WHERE metric = 'recall';

DROP VIEW explained;
SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models WHERE schema = 'test_cold') m;
DROP OWNED BY regress_cold;
DROP ROLE regress_cold;
DROP SCHEMA test_cold CASCADE;
