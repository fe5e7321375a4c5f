-- Items that come to the relation of attributes after a training, and those that go
CREATE SCHEMA test_new;
SET search_path = test_new, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- 72 films that users of their genre rate well and others seldom, 73 to 80 which nobody has rated, two of each genre
CREATE TABLE all_films AS SELECT i AS item_id, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + i % 4] AS genre,
	ARRAY[(ARRAY['gun', 'joke', 'tear', 'knife'])[1 + i % 4], (ARRAY['old', 'new', 'odd'])[1 + i % 3]] AS tags, 80 + 10 * (i % 4) + i % 3 AS minutes,
	(ARRAY['shots and chases', 'fun and laughter', 'tears and love', 'blood and fear'])[1 + i % 4] || ' ' || i AS plot FROM generate_series(1, 80) i;
CREATE TABLE films AS SELECT * FROM all_films;
ALTER TABLE films ADD PRIMARY KEY (item_id);
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, CASE WHEN i % 4 = u % 4 THEN 5 ELSE 2 END - (u * 7 + i * 3) % 2 AS rating
	FROM generate_series(1, 300) u, generate_series(1, 72) i WHERE mf_holdout(u, i, CASE WHEN i % 4 = u % 4 THEN 0.4 ELSE 0.05 END);
CREATE INDEX ON ratings (user_id);
INSERT INTO ratings VALUES (1, 73, NULL);	-- had, and no rating
CREATE VIEW taken AS SELECT user_id, item_id FROM ratings WHERE rating IS NOT NULL;
SELECT items FROM mf_train('ratings', 'both', factors => 4, item_features => 'films');
SELECT items FROM mf_train('ratings', 'stars', factors => 4, item_features => 'films', interest_weight => 0);
SELECT items FROM mf_train('taken', 'clicks', factors => 4, item_features => 'films', feedback => 'implicit');
CREATE TABLE models AS SELECT model FROM (VALUES ('both'), ('stars'), ('clicks')) m (model);
CREATE FUNCTION cold(shift int DEFAULT 0) RETURNS int[] LANGUAGE sql IMMUTABLE AS 'SELECT ARRAY(SELECT i + shift FROM generate_series(73, 80) i)';

-- twins of cold films, inserted after the training: as candidates at once, with the twins' scores, predictions and reasons
SELECT model, count(*) FROM models, mf_recommend(2, 10, model, candidates => cold(100)) GROUP BY model ORDER BY model;
INSERT INTO films SELECT item_id + 100, genre, tags, minutes, plot FROM all_films WHERE item_id > 72;
CREATE VIEW twins AS SELECT model, u AS user_id, fresh, count(*), bool_and(abs(t.score - c.score) < 1e-4) AS score,
	bool_and(abs(t.predicted_rating - c.predicted_rating) < 1e-4) IS NOT FALSE AS predicted, bool_and(t.reason = c.reason) AS reason
	FROM models, generate_series(1, 300, 23) u, (VALUES (true), (false)) f (fresh),
		LATERAL mf_recommend(u, 10, model, candidates => cold(100), fresh => fresh, exclude_seen => false) t
		JOIN LATERAL mf_recommend(u, 10, model, candidates => cold(), fresh => fresh, exclude_seen => false) c ON t.item_id = c.item_id + 100 GROUP BY 1, 2, 3;
SELECT model, count(*), min(count) AS items, bool_and(score) AS score, bool_and(predicted) AS predicted, bool_and(reason) AS reason FROM twins GROUP BY model ORDER BY model;
SELECT model, bool_and(abs(mf_predict(u, i + 100, model) - mf_predict(u, i, model)) < 1e-4) AS predicted, bool_and(mf_predict(u, i + 1000, model) IS NULL) AS unknown
	FROM models, generate_series(1, 301, 23) u, unnest(cold()) i GROUP BY model ORDER BY model;
-- merged with others by score
CREATE FUNCTION ranks(model text, "user" int, k int, VARIADIC candidates int[]) RETURNS TABLE (n bigint, known bigint, sorted bool, ranked bool) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE item_id < 100), bool_and(score <= before) IS NOT FALSE, bool_and(rank = place) FROM (
		SELECT *, lag(score) OVER (ORDER BY rank) AS before, row_number() OVER (ORDER BY rank) AS place FROM mf_recommend("user", k, model, candidates => candidates, exclude_seen => false)) l $$;
SELECT model, bool_and(n = 24 AND known = 16 AND sorted AND ranked) AS merged FROM models, generate_series(1, 300, 23) u, ranks(model, u, 100, VARIADIC ARRAY(SELECT generate_series(65, 80)) || cold(100)) GROUP BY model ORDER BY model;
SELECT model, bool_and(n = 5 AND sorted AND ranked) AS cut, sum(known) BETWEEN 1 AND 5 * 14 - 1 AS both FROM models, generate_series(1, 300, 23) u, ranks(model, u, 5, VARIADIC ARRAY(SELECT generate_series(65, 80)) || cold(100)) GROUP BY model ORDER BY model;
-- the better of the twins first: its known one
SELECT item_id FROM mf_recommend(2, 4, 'both', candidates => ARRAY[178, 78, 174, 74]) ORDER BY item_id;
-- not in others' lists, nor where they are excluded, not wanted or grouped
SELECT count(*) FROM mf_recommend(2, 1000, 'both') WHERE item_id > 100;
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(2, 10, 'both', candidates => cold(100), exclude => ARRAY[173, 174, 5, 900]);
SELECT count(*) FROM mf_recommend(2, 10, 'both', candidates => cold(100), new_items => false);
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(2, 10, 'both', candidates => cold() || cold(100), per_group => 2, groups => ARRAY(SELECT i % 4 FROM generate_series(1, 16) i));
-- twice, null, unknown, in other types
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(2, 10, 'both', candidates => ARRAY[NULL, 178, 178, 900, 174]);
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend('2', 10, 'both', candidates => '{178, 174, 99999999999}');
SELECT string_agg(item_id, ' ' ORDER BY item_id) FROM mf_recommend(2, 10, item_type => NULL::text, model => 'both', candidates => cold(100)::bigint[]);
SELECT count(*) FROM mf_recommend(2, 10, 'both', candidates => '{}'::int[]);
-- what the user has a row of since
INSERT INTO ratings VALUES (2, 174, 5), (2, 177, NULL);
SELECT fresh, string_agg(item_id::text, ' ' ORDER BY item_id) FROM (VALUES (true), (false)) f (fresh), mf_recommend(2, 10, 'both', candidates => cold(100), fresh => fresh) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM mf_recommend(2, 10, 'both', candidates => cold(100), fresh => true, exclude_seen => false);
DELETE FROM ratings WHERE item_id > 100;
-- users of whom nothing is known: after all others
SELECT item_id, score, reason FROM mf_recommend(1000, 4, 'both', candidates => ARRAY[174, 73, 173, 6]) ORDER BY rank;
SET mfrec.cold_start = empty;
SELECT count(*) FROM mf_recommend(1000, 10, 'both', candidates => cold(100));
RESET mfrec.cold_start;
-- words that the training has not met say nothing; a row changed is another vector
INSERT INTO films VALUES (300, 'opera', '{voice}', NULL, 'song'), (301, NULL, NULL, NULL, 'fear and song');
SELECT item_id, score = 0 AS nothing FROM mf_recommend(3, 10, 'both', candidates => ARRAY[300, 301]) ORDER BY item_id;
UPDATE films SET plot = 'fear and song' WHERE item_id = 300;
SELECT item_id, score = 0 AS nothing FROM mf_recommend(3, 10, 'both', candidates => ARRAY[300, 301]) ORDER BY item_id;
DELETE FROM films WHERE item_id >= 300;
-- a thousand are looked up
SET client_min_messages = notice;
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => ARRAY(SELECT generate_series(173, 1172)));
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => ARRAY(SELECT generate_series(173, 1173)));
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => ARRAY(SELECT generate_series(177, 1277)), exclude => ARRAY(SELECT generate_series(200, 400)));
SET client_min_messages = warning;
-- who may not read the relation, or the table of features, gets what the model knows
CREATE ROLE regress_new;
GRANT USAGE ON SCHEMA test_new TO regress_new;
GRANT SELECT ON both_user_factors, both_item_factors TO regress_new;
CREATE FUNCTION seen_by() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(2, 10, 'both', candidates => ARRAY[74, 174, 178], fresh => false) $$;
SET ROLE regress_new;
SELECT seen_by(), mf_predict(2, 174, 'both');
RESET ROLE;
GRANT SELECT ON films TO regress_new;
SET ROLE regress_new;
SELECT seen_by();
RESET ROLE;
GRANT SELECT ON both_feature_factors TO regress_new;
SET ROLE regress_new;
SELECT seen_by(), mf_predict(2, 174, 'both') IS NOT NULL AS predicted;
RESET ROLE;
ALTER TABLE films ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON films USING (item_id <> 178);
SET ROLE regress_new;
SELECT seen_by();
RESET ROLE;
DROP POLICY most ON films;
ALTER TABLE films DISABLE ROW LEVEL SECURITY;
-- a relation that has gone, or is of other items; a row that cannot be read
BEGIN;
ALTER TABLE films RENAME TO gone;
SELECT seen_by();
ROLLBACK;
BEGIN;
ALTER TABLE both_feature_factors RENAME TO gone;
SELECT seen_by();
ROLLBACK;
BEGIN;
ALTER TABLE films ALTER item_id TYPE text;
SELECT seen_by();
ROLLBACK;
BEGIN;
ALTER TABLE films ALTER item_id TYPE bigint;
SELECT seen_by();
ROLLBACK;
-- columns that have come or gone, or become of another type
BEGIN;
ALTER TABLE films ADD place point, DROP tags, ALTER minutes TYPE text;
SELECT seen_by();
SELECT mf_refresh('both');
ROLLBACK;
BEGIN;
ALTER TABLE films ALTER minutes TYPE float8;
UPDATE films SET minutes = 'infinity' WHERE item_id = 174;
SELECT seen_by();
ROLLBACK;
BEGIN;
ALTER TABLE films DROP CONSTRAINT films_pkey;
INSERT INTO films SELECT * FROM films WHERE item_id = 174;
SELECT seen_by();
ROLLBACK;

-- they are like items of their genre, by content and else
SELECT model, by, count(*), bool_and(id % 4 = 0 AND id <= 100) AS of_its_genre, max(rank) FROM models, (VALUES ('factors'), ('content')) b (by), mf_similar_items(180, 17, model, by => by) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM mf_similar_items(5000, model => 'both');
CREATE TABLE similar_before AS SELECT model, by, id, similarity FROM models, (VALUES ('factors'), ('content')) b (by), mf_similar_items(180, 100, model, by => by);

-- mf_refresh: they are items of the model
CREATE TABLE before AS SELECT model, item_id, score, u FROM models, generate_series(1, 300, 23) u, mf_recommend(u, 10, model, candidates => cold(100)) l;
CREATE VIEW state AS SELECT model, items, (parameters->>'item_numbers')::int AS numbers FROM mf_models WHERE serving AND schema = 'test_new' ORDER BY model;
SELECT * FROM state;
SELECT model, mf_refresh(model) FROM models ORDER BY model;
SELECT * FROM state;
SELECT model, count(*), bool_and(abs(l.score - b.score) < 1e-4) AS as_before FROM before b JOIN LATERAL mf_recommend(u, 10, model, candidates => cold(100)) l USING (item_id) GROUP BY model ORDER BY model;
SELECT model, count(*) > 0 AS listed FROM models, generate_series(1, 300, 23) u, mf_recommend(u, 30, model) WHERE item_id > 100 GROUP BY model ORDER BY model;
SELECT model, count(*) FROM models, mf_recommend(2, 1000, model, new_items => false) WHERE item_id > 72 GROUP BY model;
SELECT count(*), count(DISTINCT number), max(number), min(ratings), max(ratings), bool_or(number < 80) AS old_number FROM both_item_factors WHERE item_id > 100;
SELECT model, bool_and(id % 4 = 0) AS of_its_genre FROM models, mf_similar_items(180, 19, model) GROUP BY 1 ORDER BY 1;
SELECT model, by, count(*) > 0 AS compared, max(abs(a.similarity - b.similarity)) < 1e-4 AS as_before
	FROM models CROSS JOIN (VALUES ('factors'), ('content')) c (by) CROSS JOIN LATERAL mf_similar_items(180, 200, model, by => by) a JOIN similar_before b USING (model, by, id) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, bool_and((id % 4 = 0) = (similarity > 0.999)) AS of_its_genre, count(*) FILTER (WHERE id > 100) > 0 AS new FROM models, mf_similar_items(4, 1000, model, by => 'content') GROUP BY 1 ORDER BY 1;
SELECT max(abs(x - y)) < 1e-4 AS factors, max(abs(rx - ry)) < 1e-4 AS rating_factors FROM both_item_factors a JOIN both_item_factors b ON a.item_id = b.item_id + 100, unnest(a.factors, b.factors, a.rating_factors, b.rating_factors) u (x, y, rx, ry);
SELECT count(*) > 0 AS told FROM mf_recommend_users(180, 10, 'both');
SELECT count(*) > 0 AS explained FROM mf_explain_features(2, 180, 10, 'both');
-- again: nothing new
SELECT mf_refresh('both');
SELECT * FROM state WHERE model = 'both';
-- rows that have gone: cold items leave, rated ones stay; what users had is still out of their lists
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(1, 10, 'both', candidates => cold(), fresh => false);
DELETE FROM films WHERE item_id IN (5, 74, 80, 177);
INSERT INTO films SELECT item_id + 200, genre, tags, minutes, plot FROM all_films WHERE item_id > 78;
SELECT mf_refresh('both'), mf_refresh('clicks');
SELECT * FROM state;
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(1, 30, 'both', candidates => cold() || cold(100) || cold(200) || 5, fresh => false, exclude_seen => false);
SELECT string_agg(item_id::text, ' ' ORDER BY item_id) FROM mf_recommend(1, 30, 'both', candidates => cold(), fresh => false);
SELECT count(*), count(DISTINCT number), max(number) FROM both_item_factors;
-- one that comes back is new
INSERT INTO films SELECT * FROM all_films WHERE item_id IN (5, 74, 80);
SELECT mf_refresh('both');
SELECT * FROM state WHERE model = 'both';
SELECT item_id, number FROM both_item_factors WHERE item_id IN (74, 80) ORDER BY 1;
-- in one transaction: all or nothing
BEGIN;
DELETE FROM films WHERE item_id > 72;
SELECT mf_refresh('both');
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => cold() || cold(100));
ROLLBACK;
SELECT count(*) FROM mf_recommend(2, 100, 'both', candidates => cold() || cold(100));
SELECT * FROM state WHERE model = 'both';
-- rows edited by hand are read anew, and one of a relation's item that was deleted comes back as new
DELETE FROM both_item_factors WHERE item_id = 76;
UPDATE both_item_factors SET factors = (SELECT factors FROM both_item_factors WHERE item_id = 79) WHERE item_id = 78;
SELECT mf_refresh('both');
SELECT number FROM both_item_factors WHERE item_id = 76;
SELECT count(DISTINCT factors) FROM both_item_factors WHERE item_id IN (78, 79);
-- a table that has lost its rows gets none back
BEGIN;
DELETE FROM both_item_factors;
SELECT mf_refresh('both');
ROLLBACK;
-- items of which validation has held out all rows, and of which the relation says nothing, are none of its items: they stay
BEGIN;
CREATE TABLE more AS SELECT * FROM ratings UNION ALL SELECT u, 900 + u, 5 FROM generate_series(1, 40) u;
SELECT count(*) > 0 AS new FROM films WHERE item_id > 72;
SELECT version FROM mf_train('more', 'held', factors => 4, item_features => 'films', validation => 0.4);
CREATE TABLE held AS SELECT item_id FROM held_item_factors WHERE ratings = 0 AND item_id BETWEEN 901 AND 940;
SELECT count(*) BETWEEN 5 AND 35 AS some, (SELECT items FROM mf_models WHERE model = 'held') = (SELECT count(*) FROM held_item_factors) AS items FROM held;
DELETE FROM films WHERE item_id > 72;
SELECT mf_refresh('held') = (SELECT count(DISTINCT item_id) FROM more WHERE rating IS NOT NULL) AS all_of_the_ratings;
SELECT count(*) AS gone FROM held WHERE item_id NOT IN (SELECT item_id FROM held_item_factors);
SELECT count(*) AS new FROM held_item_factors WHERE item_id > 72 AND item_id < 900;
SELECT count(*) - count(DISTINCT id) AS twice FROM mf_similar_items(4, 1000, 'held', by => 'content');
ROLLBACK;
-- null keys, keys beyond the type of the items
ALTER TABLE films DROP CONSTRAINT films_pkey, ALTER item_id DROP NOT NULL, ALTER item_id TYPE bigint;
INSERT INTO films VALUES (NULL, 'horror'), (NULL, 'drama'), (99999999999, 'drama');
SELECT mf_refresh('both');
DELETE FROM films WHERE item_id IS NULL OR item_id > 1000;
-- errors leave all as it was
INSERT INTO films VALUES (500, 'drama'), (500, 'horror');
SELECT mf_refresh('both');
DELETE FROM films WHERE item_id = 500;
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER no BEFORE INSERT ON both_item_factors FOR EACH ROW EXECUTE FUNCTION no();
SELECT mf_refresh('both');
INSERT INTO films VALUES (500, 'drama');
SELECT mf_refresh('both');
DROP TRIGGER no ON both_item_factors;
SELECT mf_refresh('both');
DELETE FROM films WHERE item_id = 500;
SELECT mf_refresh('both');
-- the relation or the table of features has gone: a notice
SET client_min_messages = notice;
BEGIN;
ALTER TABLE films RENAME TO gone;
SELECT mf_refresh('both');
ROLLBACK;
BEGIN;
ALTER TABLE both_feature_factors RENAME TO gone;
SELECT mf_refresh('both');
ROLLBACK;
SET client_min_messages = warning;
-- another version serves: its relation may have been another one
SELECT version FROM mf_retrain('clicks');
SELECT items, parameters ? 'item_numbers' AS renewed FROM mf_models WHERE model = 'clicks' AND serving;
INSERT INTO films VALUES (501, 'drama');
SELECT mf_rollback('clicks');
SELECT mf_refresh('clicks');
SELECT count(*) FROM clicks_item_factors WHERE item_id = 501;
SELECT count(*) FROM mf_recommend(2, 10, 'clicks', candidates => ARRAY[501]);
SELECT mf_rollback('clicks', 2);
SELECT mf_refresh('clicks');
SELECT version, count(*), max(number) = (SELECT count(*) - 1 FROM clicks_item_factors WHERE version = 2) AS last FROM clicks_item_factors WHERE item_id = 501 GROUP BY 1;
-- as the owner, with the owner's rights
GRANT CREATE ON SCHEMA test_new TO regress_new;
GRANT SELECT ON ratings, films TO regress_new;
SET ROLE regress_new;
SELECT items = (SELECT count(*) FROM films) AS items FROM mf_train('ratings', 'theirs', factors => 2, item_features => 'films');
RESET ROLE;
INSERT INTO films VALUES (502, 'drama');
REVOKE SELECT ON films FROM regress_new;
SET client_min_messages = notice;
SELECT mf_refresh('theirs') = (SELECT count(*) FROM films) - 1 AS not_added;
SET client_min_messages = warning;
GRANT SELECT ON films TO regress_new;
SELECT mf_refresh('theirs') = (SELECT count(*) FROM films) AS added;
-- after the next training it is an item as others
SELECT items = (SELECT count(*) FROM films) AS items FROM mf_retrain('both');
SELECT parameters ? 'item_numbers' AS renewed FROM mf_models WHERE model = 'both' AND serving;
-- all kinds of attributes: numbers, categories, lists, words, embeddings, documents
CREATE TABLE movies AS SELECT i AS item_id, ARRAY[(ARRAY['Horror', 'Comedy', 'Drama'])[1 + i % 3], (ARRAY['old', 'new'])[1 + i / 3 % 2]] AS genres,
	(ARRAY['fear', 'fun', 'tears'])[1 + i % 3] || ' and ' || (ARRAY['fear', 'joy', 'tears', 'more tears'])[1 + i % 4] || ' of ' || i AS title,
	60 + 60 * (i / 7 % 2) + i % 5 AS minutes, ARRAY[cos(i % 3 * 2), sin(i % 3 * 2), 0.3 * cos(i)]::real[] AS v, chr(97 + i % 3) AS letter,
	jsonb_build_object('for', (ARRAY['all', 'some', 'few'])[1 + i % 3], 'made', ARRAY[i % 2, 2 + i % 3]) AS document FROM generate_series(1, 130) i;
CREATE TABLE visits AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating FROM generate_series(1, 300) u, generate_series(1, 120) i
	WHERE ('x' || substr(md5(u || ' ' || i), 1, 4))::bit(16)::int % 100 < (CASE WHEN u % 3 = i % 3 THEN 30 ELSE 3 END) * (CASE WHEN u / 3 % 2 = i / 7 % 2 THEN 1.5 ELSE 0.5 END);
CREATE VIEW lists AS SELECT item_id, genres, minutes FROM movies;
CREATE VIEW words AS SELECT item_id, title, minutes FROM movies;
CREATE VIEW vectors AS SELECT item_id, v, minutes FROM movies;
CREATE VIEW letters AS SELECT item_id, letter, minutes FROM movies;
CREATE VIEW documents AS SELECT item_id, document, minutes FROM movies;
CREATE TABLE kinds AS SELECT kind FROM unnest('{lists,words,vectors,letters,documents}'::text[]) kind;
SELECT kind, (SELECT items FROM mf_train('visits', kind, factors => 4, item_features => kind::regclass)) FROM kinds ORDER BY 1;
INSERT INTO movies SELECT item_id + 1000, genres, title, minutes, v, letter, document FROM movies WHERE item_id > 120;
CREATE VIEW alike AS SELECT kind, count(*), bool_and(abs(t.score - c.score) < 1e-4) AS score, bool_and(abs(t.predicted_rating - c.predicted_rating) < 1e-4) AS predicted, count(DISTINCT round(c.score::numeric, 4)) > 25 AS scores
	FROM kinds, generate_series(1, 300, 23) u, LATERAL mf_recommend(u, 100, kind, candidates => ARRAY(SELECT generate_series(1121, 1130)), exclude_seen => false) t
		JOIN LATERAL mf_recommend(u, 100, kind, candidates => ARRAY(SELECT generate_series(121, 130)), exclude_seen => false) c ON t.item_id = c.item_id + 1000 GROUP BY 1;
SELECT * FROM alike ORDER BY kind;
SELECT kind, mf_refresh(kind) FROM kinds ORDER BY 1;
SELECT * FROM alike ORDER BY kind;
-- so many that they are stored in parts, which lie on disk
INSERT INTO movies SELECT i * 10000 + item_id, genres, title, minutes, v, letter, document FROM movies, generate_series(1, 1200) i WHERE item_id BETWEEN 121 AND 130;
SELECT mf_refresh('words');
SELECT count(*), count(DISTINCT a.number), max(a.number), max(abs(x - y)) < 1e-4 AS same FROM words_item_factors a JOIN words_item_factors b ON b.item_id = a.item_id % 10000, unnest(a.factors, b.factors) u (x, y)
	WHERE a.item_id > 10000;
DELETE FROM movies WHERE item_id > 130 AND item_id % 10000 <> 125;
SELECT mf_refresh('words');
SELECT count(*) FILTER (WHERE item_id > 10000) AS new, count(*) FILTER (WHERE item_id <= 130) AS old, count(*) FROM words_item_factors;
DELETE FROM movies WHERE item_id > 130;
SELECT mf_refresh('words');
-- ids of other types
CREATE TABLE books AS SELECT 'b' || item_id AS isbn, genre FROM all_films;
CREATE TABLE loans AS SELECT user_id, 'b' || item_id AS isbn FROM taken;
SELECT items FROM mf_train('loans', 'books', item_column => 'isbn', factors => 2, item_features => 'books');
INSERT INTO books VALUES ('new drama', 'drama'), ('new horror', 'horror');
SELECT item_id FROM mf_recommend(2, 5, item_type => NULL::text, model => 'books', candidates => ARRAY['new drama', 'new horror', 'no']) ORDER BY rank;
SELECT mf_refresh('books');
SELECT item_id FROM mf_recommend(2, 5, item_type => NULL::text, model => 'books', candidates => ARRAY['new drama', 'new horror', 'no']) ORDER BY rank;
DELETE FROM books WHERE isbn LIKE 'new%';
SELECT mf_refresh('books');
-- models without attributes
SELECT items FROM mf_train('ratings', 'plain', factors => 2);
SELECT mf_refresh('plain');
SELECT count(*) FROM mf_recommend(2, 5, 'plain', candidates => cold(100));

SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models WHERE schema = 'test_new') m;
DROP OWNED BY regress_new;
DROP ROLE regress_new;
DROP SCHEMA test_new CASCADE;
