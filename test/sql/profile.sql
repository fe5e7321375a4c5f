-- what is known of users: those of a table of profiles without ratings get the lists of their like
CREATE SCHEMA profile;
SET search_path = profile, public;

-- 8 kinds of 20 users and 10 items each: users have 6 or so of their kind's items, and one of any
CREATE TABLE clicks (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO clicks
SELECT u, (u % 8) * 10 + i FROM generate_series(1, 160) u, generate_series(0, 9) i WHERE (u * 7 + i * 3 + u * i) % 10 < 6;
INSERT INTO clicks SELECT u, (u * 31 + 5) % 80 FROM generate_series(1, 160) u ON CONFLICT DO NOTHING;
-- users 1001 to 1016 have rated nothing; 2001 is of no kind that anybody has; 3001 has no row
CREATE TABLE people (user_id int PRIMARY KEY, kind text, height real);
INSERT INTO people
SELECT u, 'kind ' || u % 8, 150 + (u * 37) % 50 FROM (SELECT generate_series(1, 160) UNION ALL SELECT generate_series(1001, 1016)) x(u);
INSERT INTO people VALUES (2001, 'unheard of', NULL);

SELECT model, version, users, items FROM mf_train('clicks', 'kinds', factors => 16, user_features => 'people');
SET client_min_messages = warning;

-- of two columns one says something
SELECT key, value::text::float > 0 AS used
FROM mf_models, jsonb_each(parameters -> 'user_feature_strengths') WHERE model = 'kinds' ORDER BY key;
-- the table of features says what each adds: a profile is the mean user and the sum of that
SELECT side, attribute, taken_as, count(*), sum(items) AS users, bool_and(cardinality(factors) = 16) AS factors, bool_and(rating_factors IS NULL AND bias = 0) AS alone FROM kinds_feature_factors GROUP BY 1, 2, 3;
SELECT count(DISTINCT user_id), bool_and(abs(u.p - m.m::text::float8 - f.f) < 1e-5) AS adds_up FROM people JOIN kinds_user_factors USING (user_id) JOIN kinds_feature_factors w ON w.feature = 'kind: ' || kind,
	(SELECT parameters FROM mf_models WHERE model = 'kinds') x, unnest(prior) WITH ORDINALITY u (p, k) JOIN unnest(w.factors) WITH ORDINALITY f (f, k) USING (k)
	JOIN LATERAL jsonb_array_elements(x.parameters -> 'mean_user') WITH ORDINALITY m (m, k) USING (k);
-- lists of profiles are of their kind
SELECT min(share), max(share), min(reason), max(reason), count(*)
FROM (SELECT u, avg((item_id / 10 = u % 8)::int) AS share, min(reason) AS reason
      FROM generate_series(1001, 1016) u, mf_recommend(u, 5, 'kinds') GROUP BY u) x;
SELECT u, (SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(u, 3, 'kinds')) FROM unnest('{1,1001,2001,3001}'::int[]) u;
-- in the table: no ratings, the point they are drawn to as vector; of whom nothing is known there is none
SELECT user_id, ratings, cardinality(factors), factors = prior AS is_prior, cardinality(prior)
FROM kinds_user_factors WHERE user_id IN (1, 1001, 2001) ORDER BY user_id;
SELECT count(*), count(prior), count(*) FILTER (WHERE ratings = 0 AND factors <> '{}') FROM kinds_user_factors;
SELECT users FROM mf_models WHERE model = 'kinds';
SELECT count(DISTINCT user_id) AS users, count(DISTINCT user_id) FILTER (WHERE user_id > 1000) AS profiles,
	bool_and(item_id / 10 = user_id % 8) FILTER (WHERE user_id > 1000 AND rank <= 5) AS of_kind
FROM mf_recommend_all(5, 'kinds');
SELECT mf_predict(1001, 10, 'kinds') > mf_predict(1001, 20, 'kinds') AS likes_own;
SELECT bool_and(id % 8 = 1001 % 8) FROM mf_similar_users(1001, 10, 'kinds');
SELECT count(*) > 0 AND bool_and(user_id % 8 = 3) AS of_kind FROM mf_recommend_users(35, 3, 'kinds');

-- folding in: who has not changed is as stored, and is drawn to the same point, also where nothing says that they have not
SELECT count(*), string_agg(DISTINCT reason, ' ') FROM generate_series(1, 160) u, mf_recommend(u, 3, 'kinds', fresh => true);
BEGIN;
UPDATE kinds_user_factors SET fingerprint = NULL WHERE ratings > 0;
SELECT count(*), string_agg(DISTINCT reason, ' ') FROM generate_series(1, 160) u, mf_recommend(u, 3, 'kinds', fresh => true);
-- to another one, and they are other ones
UPDATE kinds_user_factors SET prior = NULL WHERE user_id <= 160;
SELECT DISTINCT reason FROM generate_series(1, 160) u, mf_recommend(u, 3, 'kinds', fresh => true);
ROLLBACK;
-- a row that is no longer as it was stored: through a query, which reads the same
BEGIN;
ALTER TABLE kinds_user_factors DROP CONSTRAINT kinds_user_factors_pkey;
UPDATE kinds_user_factors SET fingerprint = NULL WHERE ratings > 0 AND user_id % 2 = 0;
SELECT count(*), string_agg(DISTINCT reason, ' ') FROM generate_series(1, 160) u, mf_recommend(u, 3, 'kinds', fresh => true);
SELECT DISTINCT reason FROM mf_recommend(1001, 3, 'kinds');
ROLLBACK;
-- a profile that rates is fresh, and still of their kind
INSERT INTO clicks VALUES (1001, 10), (1001, 75);
SELECT string_agg(DISTINCT reason, ' '), avg((item_id / 10 = 1)::int) >= 0.6 AS of_kind FROM mf_recommend(1001, 5, 'kinds', fresh => true);
SELECT count(*) FROM mf_explain(1001, 11, 5, 'kinds');
-- and without rows again what they were; so is who has taken all of theirs away
DELETE FROM clicks WHERE user_id IN (1, 1001);
SELECT u, string_agg(DISTINCT reason, ' '), bool_and(item_id / 10 = 1) AS of_kind
FROM unnest('{1,1001}'::int[]) u, mf_recommend(u, 3, 'kinds', fresh => true, exclude_seen => false) GROUP BY u ORDER BY u;
-- the relation of profiles may change, or go
BEGIN;
DROP TABLE people;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1002, 3, 'kinds', fresh => true);
ROLLBACK;

-- who comes into it after the training is asked for by what it says of them then, and so is who says something new
BEGIN;
INSERT INTO people VALUES (1100, 'kind 4', 170), (1101, 'kind 5', NULL), (1102, 'unheard of', 170);
UPDATE people SET kind = 'kind 6' WHERE user_id = 2001;
SELECT u, bool_and(item_id / 10 = 4) AS four, bool_and(item_id / 10 = 5) AS five, bool_and(item_id / 10 = 6) AS six, string_agg(DISTINCT reason, ' ') FROM unnest('{1100,1101,1102,2001}'::int[]) u, mf_recommend(u, 5, 'kinds') GROUP BY u ORDER BY u;
-- as those of their like whom the training knew
SELECT bool_and(abs(a.score - b.score) < 1e-5) AS scores, count(*) FROM mf_recommend(1100, 100, 'kinds') a JOIN mf_recommend(1004, 100, 'kinds') b USING (item_id);
SELECT mf_predict(1100, 45, 'kinds') > mf_predict(1100, 25, 'kinds') AS likes_own, bool_and(id % 8 = 4) AS like_them FROM mf_similar_users(1100, 10, 'kinds');
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1100, 5, 'kinds', fresh => true);
SELECT count(*) FROM mf_similar_users(1102, 10, 'kinds');
-- they are drawn there when they rate
INSERT INTO clicks VALUES (1100, 10);
SELECT string_agg(DISTINCT reason, ' '), avg((item_id / 10 = 4)::int) >= 0.6 AS of_kind FROM mf_recommend(1100, 5, 'kinds', fresh => true);
-- the mean user's where the relation has gone, or is not for who asks
SAVEPOINT here;
ALTER TABLE kinds_feature_factors RENAME TO gone;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1101, 5, 'kinds');
ROLLBACK TO here;
ALTER TABLE people RENAME TO gone;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1101, 5, 'kinds');
ROLLBACK TO here;
CREATE ROLE regress_profile;
GRANT USAGE ON SCHEMA profile TO regress_profile;
GRANT SELECT ON kinds_user_factors, kinds_item_factors, kinds_feature_factors, clicks TO regress_profile;
SET ROLE regress_profile;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1101, 5, 'kinds');
RESET ROLE;
GRANT SELECT ON people TO regress_profile;
SET ROLE regress_profile;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1101, 5, 'kinds');
RESET ROLE;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
SET ROLE regress_profile;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1101, 5, 'kinds');
RESET ROLE;
ROLLBACK;
-- mf_refresh makes them users of the model, and those whose row has gone none; who has ratings stays, and who says nothing that is known does not come
BEGIN;
INSERT INTO people VALUES (1100, 'kind 4', 170), (1101, 'kind 5', NULL), (1102, 'unheard of', NULL);
DELETE FROM people WHERE user_id IN (2, 1002);
SELECT users FROM mf_models WHERE model = 'kinds';
SELECT mf_refresh('kinds');
SELECT users FROM mf_models WHERE model = 'kinds';
SELECT user_id, ratings > 0 AS rated, factors = prior AS is_prior, fingerprint IS NULL AS alone FROM kinds_user_factors WHERE user_id IN (2, 1002, 1100, 1101, 1102) ORDER BY 1;
SELECT user_id, count(*), bool_and(item_id / 10 = user_id % 8 OR user_id = 1101 AND item_id / 10 = 5) AS of_kind FROM mf_recommend_all(5, 'kinds') WHERE user_id IN (1002, 1100, 1101, 1102) GROUP BY 1 ORDER BY 1;
SELECT string_agg(DISTINCT reason, ' '), bool_and(abs(a.score - b.score) < 1e-5) AS as_their_like FROM mf_recommend(1100, 80, 'kinds', fresh => true) a JOIN mf_recommend(1004, 80, 'kinds', fresh => true) b USING (item_id, reason);
SELECT md5(string_agg(f::text, ' ' ORDER BY user_id)) AS stored FROM kinds_user_factors f \gset
SELECT mf_refresh('kinds');
SELECT md5(string_agg(f::text, ' ' ORDER BY user_id)) = :'stored' AS as_it_was FROM kinds_user_factors f;
SAVEPOINT here;
SET LOCAL client_min_messages = notice;
ALTER TABLE people RENAME TO gone;
SELECT mf_refresh('kinds');
ROLLBACK TO here;
-- a table that has lost its rows gets none back
DELETE FROM kinds_user_factors;
SELECT mf_refresh('kinds');
SELECT count(*) FROM kinds_user_factors;
ROLLBACK;
-- numbers that are keys of something else are categories where they are listed, of either relation or of both
BEGIN;
CREATE TABLE coded AS SELECT user_id, (user_id % 8 * 37) % 101 AS code, height FROM people WHERE user_id <= 160 OR user_id = 1001;
CREATE TABLE goods AS SELECT i AS item_id, i / 10 % 4 AS shelf, i % 3 AS code FROM generate_series(0, 85) i;
SAVEPOINT here;
SET LOCAL client_min_messages = notice;
SELECT model, version FROM mf_train('clicks', 'coded', factors => 16, iterations => 2, user_features => 'coded', feature_categories => '{code}');
INSERT INTO coded VALUES (1100, (4 * 37) % 101, 170);
SELECT bool_and(item_id / 10 = 4) AS of_kind, min(reason) FROM mf_recommend(1100, 3, 'coded');
SELECT model, version FROM mf_retrain('coded');
SELECT model, version FROM mf_train('clicks', 'coded', factors => 16, iterations => 2, user_features => 'coded', item_features => 'goods', feature_categories => '{code, shelf}');
SELECT model, version FROM mf_retrain('coded');
SELECT count(*) > 0 AS explained FROM mf_explain_features(1, 81, 5, 'coded');
SELECT model FROM mf_train('clicks', 'coded', factors => 16, user_features => 'coded', item_features => 'goods', feature_categories => '{shell}');
ROLLBACK TO here;
SELECT model FROM mf_train('clicks', 'coded', factors => 16, user_features => 'coded', feature_categories => '{shelf}');
ROLLBACK TO here;
SELECT model FROM mf_train('clicks', 'coded', factors => 16, user_features => 'coded', feature_categories => '{user_id}');
ROLLBACK;
-- words of a text, in the language of the training; both parts, whose vectors are longer
BEGIN;
CREATE TABLE told AS SELECT user_id, 'likes ' || (ARRAY['running', 'reading', 'cooking', 'sailing', 'climbing', 'painting', 'dancing', 'singing'])[1 + user_id % 8] || ' and number ' || user_id AS about FROM people WHERE user_id <= 160;
CREATE TABLE stars AS SELECT user_id, item_id, (3 + (user_id * item_id) % 3)::real AS rating FROM clicks;
SET LOCAL mfrec.text_search_config = 'english';
SELECT model, version, users FROM mf_train('stars', 'told', factors => 16, rating_factors => 8, user_features => 'told');
SET LOCAL mfrec.text_search_config = 'simple';
INSERT INTO told VALUES (5001, 'sailed, and sails');
SELECT string_agg(DISTINCT reason, ' '), avg((item_id / 10 = 3)::int) >= 0.6 AS of_kind, bool_and(predicted_rating BETWEEN 3 AND 5) AS rated FROM mf_recommend(5001, 5, 'told');
ROLLBACK;

-- the next version goes by the same relation, and knows who has come; rolled back it never was
BEGIN;
INSERT INTO people VALUES (1100, 'kind 4', 170);
SELECT model, version, users FROM mf_retrain('kinds');
SELECT bool_and(item_id / 10 = 4), min(reason) FROM mf_recommend(1100, 5, 'kinds');
ROLLBACK;
SELECT min(reason) FROM mf_recommend(1100, 5, 'kinds');
SELECT parameters ->> 'user_features' AS features, parameters ->> 'user_features_schema' AS schema FROM mfrec.model WHERE name = 'kinds';

-- attributes that say nothing are switched off: nobody has a prior, and profiles are nobody
CREATE TABLE noise AS SELECT user_id, 'word ' || hashint4(user_id) % 6 AS word, hashint4(user_id + 7) % 100 AS number FROM people;
SELECT model, version, users FROM mf_train('clicks', 'noise', factors => 16, user_features => 'noise');
SELECT count(*), count(prior) FROM noise_user_factors WHERE factors <> '{}';
SELECT count(*) AS features FROM noise_feature_factors;
SELECT min(reason) FROM mf_recommend(1002, 3, 'noise');
-- and the model is the one that there is without, to the bit
SELECT model, version, users FROM mf_train('clicks', 'plain', factors => 16);
SELECT count(*) FROM plain_user_factors p JOIN noise_user_factors n USING (user_id) WHERE p.factors = n.factors;

-- both parts, dimensions of ratings alone, rows held out, and attributes of items beside them
CREATE TABLE ratings AS SELECT user_id, item_id, (3 + (user_id * item_id) % 3)::real AS rating FROM clicks;
CREATE TABLE items AS SELECT i AS item_id, 'shelf ' || i / 10 AS shelf FROM generate_series(0, 85) i;
-- user 1003 has an item and nothing more, which their list is without
INSERT INTO ratings VALUES (1003, 31, NULL);
SELECT model, version, users, items FROM mf_train('ratings', 'both', factors => 16, rating_factors => 8, validation => 0.1,
	user_features => 'people', item_features => 'items');
SELECT cardinality(factors), cardinality(prior) FROM both_user_factors WHERE user_id = 1002;
SELECT side, attribute, bool_and(cardinality(factors) = 24) AS factors, bool_or(cardinality(rating_factors) > 0) AS ratings FROM both_feature_factors GROUP BY 1, 2 ORDER BY 1, 2;
SELECT min(reason), avg((item_id / 10 = 2)::int) >= 0.6 AS of_kind, bool_and(predicted_rating BETWEEN 3 AND 5)
FROM mf_recommend(1002, 5, 'both', new_items => false);
SELECT bool_or(item_id = 31) AS has, min(reason), count(*) FROM mf_recommend(1003, 100, 'both', fresh => false);
SELECT model, version, users, items FROM mf_train('ratings', 'both', factors => 16, rating_factors => 8, user_features => 'people');
UPDATE both_user_factors SET fingerprint = NULL WHERE ratings > 0;
SELECT string_agg(DISTINCT reason, ' ') FROM generate_series(2, 160) u, mf_recommend(u, 3, 'both', fresh => true);
-- few iterations: the map is found at the end
SELECT model, version, users FROM mf_train('clicks', 'short', factors => 16, iterations => 2, user_features => 'people');
UPDATE short_user_factors SET fingerprint = NULL WHERE ratings > 0;
SELECT string_agg(DISTINCT reason, ' ') FROM generate_series(2, 160) u, mf_recommend(u, 3, 'short', fresh => true);

-- few users prove nothing
CREATE VIEW few AS SELECT * FROM clicks WHERE user_id < 60;
SELECT model, version, users FROM mf_train('few', 'few', factors => 16, user_features => 'people');
-- many threads and little memory: the same bits
SET mfrec.threads = 1;
SET maintenance_work_mem = '1MB';
SELECT model, version, users FROM mf_train('clicks', 'again', factors => 16, iterations => 2, user_features => 'people');
RESET mfrec.threads;
RESET maintenance_work_mem;
SELECT bool_and(a.factors = b.factors AND a.prior IS NOT DISTINCT FROM b.prior), count(*)
FROM again_user_factors a JOIN short_user_factors b USING (user_id);

-- keys and attributes
CREATE VIEW named AS SELECT user_id AS id, kind FROM people;
SELECT mf_train('clicks', 'x', user_features => 'named');
CREATE VIEW texts AS SELECT user_id::text, kind FROM people;
SELECT mf_train('clicks', 'x', user_features => 'texts');
CREATE VIEW twice AS SELECT user_id, kind FROM people UNION ALL SELECT 5, 'kind 3';
SELECT mf_train('clicks', 'x', user_features => 'twice');
CREATE VIEW nobody AS SELECT user_id, kind FROM people WHERE user_id > 1000;
SELECT mf_train('clicks', 'x', user_features => 'nobody');
CREATE VIEW bare AS SELECT user_id FROM people;
SELECT mf_train('clicks', 'x', user_features => 'bare');
SELECT mf_train('ratings', 'x', interest_weight => 0, user_features => 'people');
SELECT count(*) FROM mf_models WHERE model = 'x';
-- a model whose table of users is older than the column gets it
ALTER TABLE plain_user_factors DROP COLUMN prior;
SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(2, 3, 'plain', fresh => true);
SELECT model, version, users FROM mf_train('clicks', 'plain', factors => 16, user_features => 'people');
SELECT count(prior) FROM plain_user_factors;
-- and one whose column is something else an error
ALTER TABLE plain_user_factors ALTER COLUMN prior TYPE text USING prior::text;
SELECT mf_train('clicks', 'plain', factors => 16, user_features => 'people');
DROP TABLE people CASCADE;
SELECT mf_retrain('kinds');

SELECT count(mf_drop(model)) FROM unnest('{kinds,noise,plain,both,short,few,again}'::text[]) model;
DROP SCHEMA profile CASCADE;
