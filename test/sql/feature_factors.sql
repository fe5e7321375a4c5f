-- The third model table: what attributes of items add to their factors.
CREATE SCHEMA test_feature_factors;
SET search_path = test_feature_factors, public;
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET mfrec.text_search_config = 'pg_catalog.simple';

-- Users like one of three genres, or what is long.  Items above 120 are cold.  The last columns are noise.
CREATE TABLE movies AS SELECT i AS item_id, ARRAY[(ARRAY['Horror', 'Comedy', 'Drama'])[1 + i % 3], (ARRAY['old', 'new'])[1 + i / 3 % 2]] AS genres,
	(ARRAY['fear', 'fun', 'tears'])[1 + i % 3] || ' and ' || (ARRAY['fear', 'joy', 'tears', 'more tears'])[1 + i % 4] || ' of ' || i AS title,
	60 + 60 * (i / 7 % 2) + i % 5 AS minutes, ARRAY[cos(i % 3 * 2), sin(i % 3 * 2), 0.3 * cos(i)]::real[] AS v,
	chr(97 + i % 3) AS letter, 'x' || (i * 7919) % 23 AS noise FROM generate_series(1, 130) i;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 300) u, generate_series(1, 120) i
	WHERE ('x' || substr(md5(u || ' ' || i), 1, 4))::bit(16)::int % 100 < (CASE WHEN u % 3 = i % 3 THEN 30 ELSE 3 END) * (CASE WHEN u / 3 % 2 = i / 7 % 2 THEN 1.5 ELSE 0.5 END);
CREATE VIEW short AS SELECT item_id, genres, minutes, noise FROM movies;
CREATE VIEW words AS SELECT item_id, title, noise FROM movies;
CREATE VIEW embedded AS SELECT item_id, v FROM movies;
SELECT version, items FROM mf_train('ratings', 'm', factors => 4, item_features => 'short');
SELECT version, items FROM mf_train('ratings', 'm', factors => 4, item_features => 'words');

-- what the table is
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull AS not_null, col_description(attrelid, attnum) AS holds
	FROM pg_attribute WHERE attrelid = 'm_feature_factors'::regclass AND attnum > 0 ORDER BY attnum;
SELECT obj_description('m_feature_factors'::regclass, 'pg_class'), pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE conrelid = 'm_feature_factors'::regclass AND contype = 'p';
SELECT model, feature_table, table_bytes = pg_total_relation_size('m_feature_factors') + pg_total_relation_size('m_user_factors') + pg_total_relation_size('m_item_factors') AS adds_up
	FROM mf_models WHERE serving;
SELECT tableowner = current_user AS mine FROM pg_tables WHERE tablename = 'm_feature_factors';

-- and what the other two are
SELECT attrelid::regclass, attname, col_description(attrelid, attnum) AS holds FROM pg_attribute WHERE attrelid IN ('m_user_factors'::regclass, 'm_item_factors'::regclass) AND attnum > 0 ORDER BY 1, attnum;

-- its rows
SELECT version, side, feature, items, attribute, taken_as, round(weight::numeric, 3) AS weight, round(mean::numeric, 3) AS mean, round(deviation::numeric, 3) AS deviation,
	cardinality(factors) AS factors, cardinality(rating_factors) AS rating_factors FROM m_feature_factors;
SELECT version, key, value::float8 > 0 AS used FROM mf_models, jsonb_each_text(parameters->'feature_strengths') ORDER BY version, key;
SELECT jsonb_array_length(parameters->'cold_shift') AS shift, parameters->>'text_search_config' AS configuration FROM mf_models;

-- words pull where they should: to whom they are for
CREATE FUNCTION dot(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT sum(x * y::float8) FROM unnest(a, b) t (x, y)';
CREATE VIEW pulls AS SELECT user_id % 3 AS likes, feature, avg(dot(u.factors, f.factors)) AS pull FROM m_user_factors u JOIN m_feature_factors f USING (version) GROUP BY 1, 2;
SELECT DISTINCT ON (likes) likes, feature FROM pulls WHERE feature LIKE 'genres%' ORDER BY likes, pull DESC;
SELECT DISTINCT ON (likes) likes, feature FROM pulls WHERE feature LIKE 'title%' ORDER BY likes, pull DESC;
SELECT user_id / 3 % 2 AS likes_long, sign(avg(dot(u.factors, f.factors))) AS pull FROM m_user_factors u JOIN m_feature_factors f USING (version) WHERE feature = 'minutes' GROUP BY 1 ORDER BY 1;

-- rows alone encode a row of the relation, and make a cold item's vectors
CREATE VIEW tokens AS
	SELECT item_id, 'genres' AS attribute, 'genres: ' || g AS feature, 1::float8 AS x FROM movies, unnest(genres) g
	UNION ALL SELECT item_id, 'letter', 'letter: ' || letter, 1 FROM movies
	UNION ALL SELECT item_id, 'noise', 'noise: ' || noise, 1 FROM movies
	UNION ALL SELECT item_id, 'title', 'title: ' || lexeme, 1 + ln(cardinality(positions)) FROM movies, unnest(to_tsvector('simple', title))
	UNION ALL SELECT item_id, 'v', 'v[' || k || ']', x FROM movies, unnest(v) WITH ORDINALITY e (x, k);
CREATE VIEW cells AS
	SELECT version, item_id, feature, x * weight / sqrt(sum((x * weight) ^ 2) OVER (PARTITION BY version, item_id, attribute)) AS value
	FROM tokens JOIN m_feature_factors USING (attribute, feature)
	UNION ALL SELECT version, item_id, feature, greatest(-3, least(3, (minutes - mean) / deviation)) FROM movies, m_feature_factors WHERE feature = 'minutes';
CREATE VIEW made AS SELECT version, item_id, k, sum(value * f) AS f, sum(value * r) AS r FROM cells
	JOIN m_feature_factors USING (version, feature), unnest(factors, rating_factors) WITH ORDINALITY u (f, r, k) GROUP BY 1, 2, 3;
CREATE VIEW differences AS SELECT m.version, count(*), max(abs(u.f - m.f - shift)) < 1e-4 AS factors, max(abs(u.r - m.r)) < 1e-4 AS rating_factors FROM m_item_factors i,
	unnest(factors, rating_factors) WITH ORDINALITY u (f, r, k) JOIN made m USING (k)
	JOIN (SELECT version AS v, o, x::float8 AS shift FROM mf_models, jsonb_array_elements_text(parameters->'cold_shift') WITH ORDINALITY e (x, o) WHERE model = 'm') g ON v = m.version AND o = k
	WHERE ratings = 0 AND m.version = i.version AND m.item_id = i.item_id GROUP BY m.version ORDER BY m.version;
SELECT * FROM differences;
SELECT version, count(*), max(abs(i.bias - b)) < 1e-5 AS biases FROM m_item_factors i
	JOIN (SELECT version, item_id, sum(value * bias) AS b FROM cells JOIN m_feature_factors USING (version, feature) GROUP BY 1, 2) c USING (version, item_id) WHERE ratings = 0 GROUP BY 1 ORDER BY 1;

-- which attributes carry a score: all of them together are that of an item without ratings, less what all such items have
SELECT feature, sign(contribution) AS sign FROM mf_explain_features(1, 121, model => 'm') ORDER BY feature;
CREATE VIEW explained AS SELECT u AS user_id, i AS item_id, count(*), sum(contribution) FROM generate_series(1, 300, 17) u, generate_series(118, 130) i, mf_explain_features(u, i, 1000, 'm') GROUP BY 1, 2;
CREATE VIEW scored AS SELECT u AS user_id, item_id, score FROM generate_series(1, 300, 17) u, mf_recommend(u, 100, 'm', candidates => ARRAY(SELECT generate_series(121, 130)), fresh => false);
CREATE VIEW shifts AS SELECT user_id, dot(u.factors, ARRAY(SELECT x::real FROM jsonb_array_elements_text(parameters->'cold_shift') e (x))) AS shift FROM m_user_factors u JOIN mf_models USING (version) WHERE serving;
SELECT count(*), max(abs(sum + shift - score)) < 1e-4 AS adds_up, count(DISTINCT round(score::numeric, 4)) > 50 AS scores FROM explained JOIN scored USING (user_id, item_id) JOIN shifts USING (user_id);
SELECT count(*), max(abs(e.sum - c.sum)) < 1e-5 AS known_items FROM explained e JOIN (
	SELECT user_id, item_id, sum(value * (dot(u.factors, f.factors) + taste * (dot(u.factors, f.rating_factors) + f.bias))) FROM m_user_factors u JOIN cells USING (version)
	JOIN m_feature_factors f USING (version, feature) JOIN (SELECT version, (parameters->>'taste')::float8 AS taste FROM mf_models WHERE serving) m USING (version) GROUP BY 1, 2) c USING (user_id, item_id) WHERE item_id <= 120;
-- and new items resemble each other by their attributes, whatever all of them have
SELECT count(*), max(abs(similarity - cosine)) < 1e-4 AS by_attributes FROM mf_similar_items(121, 200, 'm')
	JOIN (SELECT b.item_id, sum(a.f * b.f) / sqrt(sum(a.f ^ 2) * sum(b.f ^ 2)) AS cosine FROM made a JOIN made b USING (version, k) JOIN mf_models USING (version)
		WHERE serving AND a.item_id = 121 AND b.item_id > 121 GROUP BY 1) c ON item_id = id;
-- the largest first, the k largest, ids as text, unknown users and items, nulls
SELECT count(*), bool_and(abs(contribution) <= before) IS NOT FALSE AS sorted FROM (SELECT contribution, lag(abs(contribution)) OVER () AS before FROM mf_explain_features(5, 123, 100, 'm')) x;
SELECT count(*) FROM mf_explain_features(5, 123, 2, 'm');
SELECT count(*) > 1 AS text FROM mf_explain_features('5', '123');
SELECT count(*) > 1 AS any_text FROM mf_explain_features(5, '123');
SELECT count(*) > 1 AS text_any FROM mf_explain_features('5', 123);
SELECT count(*) > 1 AS mean_user FROM mf_explain_features(5000, 123);
SELECT count(*) FROM mf_explain_features(5, 5000);
SELECT count(*) FROM mf_explain_features(5, NULL::int);
SELECT count(*) FROM mf_explain_features(NULL::int, 5);
SELECT * FROM mf_explain_features(5, 123, -1);
-- the row as it is now
UPDATE movies SET title = 'tears tears joy' WHERE item_id = 123;
SELECT feature FROM mf_explain_features(5, 123) ORDER BY feature;
SELECT round((t.contribution / j.contribution)::numeric, 4) = round(((1 + ln(2)) * tears.weight / joy.weight * dot(u.factors, tears.factors) / dot(u.factors, joy.factors))::numeric, 4) AS twice
	FROM mf_explain_features(5, 123) t, mf_explain_features(5, 123) j, m_feature_factors tears, m_feature_factors joy, m_user_factors u
	WHERE t.feature = 'title: tears' AND j.feature = 'title: joy' AND tears.feature = t.feature AND joy.feature = j.feature AND tears.version = 2 AND joy.version = 2 AND u.version = 2 AND user_id = 5;
-- by the configuration of the training
SET mfrec.text_search_config = 'english';
UPDATE movies SET title = 'joys and tears' WHERE item_id = 123;
SELECT feature FROM mf_explain_features(5, 123);
SET mfrec.text_search_config = 'pg_catalog.simple';
UPDATE movies SET title = 'joy' WHERE item_id = 123;
SELECT count(*) AS once, abs(max(contribution) - max(dot(u.factors, f.factors))) < 1e-5 AS as_one
	FROM mf_explain_features(5, 123), m_feature_factors f JOIN m_user_factors u USING (version) JOIN mf_models m USING (version) WHERE f.feature = 'title: joy' AND version = 2 AND user_id = 5;
UPDATE movies SET title = NULL WHERE item_id = 123;
SELECT count(*) FROM mf_explain_features(5, 123);
DELETE FROM movies WHERE item_id = 123;
SELECT count(*) FROM mf_explain_features(5, 123);
INSERT INTO movies SELECT 123, genres, 'fear and more tears of 123', minutes, v, letter, noise FROM movies WHERE item_id = 120;
-- categories of lists and of texts, numbers
SELECT version FROM mf_train('ratings', 'm', factors => 4, item_features => 'short');
SELECT count(*), max(abs(sum + shift - score)) < 1e-4 AS adds_up FROM explained JOIN scored USING (user_id, item_id) JOIN shifts USING (user_id);
SELECT feature FROM mf_explain_features(1, 121) ORDER BY feature;
CREATE VIEW lettered AS SELECT item_id, letter, minutes FROM movies;
SELECT version FROM mf_train('ratings', 'm', factors => 4, feedback => 'implicit', item_features => 'lettered');
SELECT DISTINCT attribute, taken_as FROM m_feature_factors WHERE version = 4 ORDER BY 1;
SELECT count(*), max(abs(sum + shift - score)) < 1e-4 AS adds_up FROM explained JOIN scored USING (user_id, item_id) JOIN shifts USING (user_id);
SELECT mf_rollback('m', 3);
SELECT count(*) > 0 AS rows FROM mf_explain_features(1, 121);
SELECT mf_rollback('m', 4);
-- models without attributes, and what has gone
SELECT version FROM mf_train('ratings', 'plain', factors => 2);
SELECT * FROM mf_explain_features(1, 1, model => 'plain');
SELECT mf_drop('plain');
BEGIN;
ALTER TABLE m_feature_factors RENAME TO gone;
SELECT * FROM mf_explain_features(1, 1);
ROLLBACK;
BEGIN;
ALTER VIEW lettered RENAME TO gone;
SELECT * FROM mf_explain_features(1, 1);
ROLLBACK;
DROP VIEW explained, scored;

-- versions: of one part each, and without attributes
SELECT version FROM mf_train('ratings', 'm', factors => 4, feedback => 'implicit', item_features => 'embedded');
SELECT version, factors, rating_factors FROM differences WHERE version = 5;
CREATE VIEW kept AS SELECT version, count(*) AS features, bool_or(rating_factors IS NOT NULL) AS rating_factors, bool_or(bias <> 0) AS biases FROM m_feature_factors GROUP BY version ORDER BY version;
SELECT * FROM kept;
SELECT version FROM mf_train('ratings', 'm', factors => 4, interest_weight => 0, item_features => 'short');
SELECT version, features, rating_factors FROM kept;
CREATE TABLE graded AS SELECT user_id, item_id, CASE WHEN user_id % 3 = item_id % 3 THEN 5 ELSE 1 END AS rating FROM ratings;
SELECT version FROM mf_train('graded', 'g', factors => 4, interest_weight => 0, item_features => 'short');
SELECT count(*), max(abs(mf_predict(u, i, 'g') - (SELECT (parameters->>'mean')::float8 + (parameters->>'deviation')::float8 * spread * bias FROM mf_models, g_user_factors WHERE model = 'g' AND user_id = u)
	- (SELECT sum(contribution) FROM mf_explain_features(u, i, 100, 'g')))) < 1e-4 AS adds_up FROM generate_series(1, 300, 7) u, generate_series(121, 130) i WHERE mf_predict(u, i, 'g') BETWEEN 1.01 AND 4.99;
SELECT count(*) FILTER (WHERE feature LIKE 'genres%') AS genres, count(rating_factors), bool_and(bias <> 0) AS biases FROM g_feature_factors;
SELECT mf_drop('g');
SELECT version FROM mf_train('ratings', 'm', factors => 4, feedback => 'implicit');
SELECT version, features, rating_factors FROM kept;
SELECT parameters ? 'feature_strengths' AS strengths, parameters ? 'cold_shift' AS shift, feature_table FROM mf_models WHERE serving;
SELECT version FROM mf_retrain('m');
SELECT count(*) FROM m_feature_factors;
SELECT version FROM mf_train('ratings', 'm', factors => 4, feedback => 'implicit', item_features => 'short', feature_categories => '{noise}');
SELECT version, features FROM kept;
SELECT mf_rollback('m');
SELECT version, features FROM kept;
SELECT version FROM mf_retrain('m');
DROP VIEW pulls, shifts, differences, made, cells, tokens, kept;
SELECT mf_drop('m');
SELECT count(*) FROM pg_class WHERE relname LIKE '%factors' AND relnamespace = 'test_feature_factors'::regnamespace;

-- attributes that say nothing have a table without rows
CREATE VIEW vain AS SELECT item_id, noise FROM movies;
SELECT version FROM mf_train('ratings', 'm', factors => 4, item_features => 'vain');
SELECT count(*) FROM m_feature_factors;
SELECT parameters->'feature_strengths' AS strengths, parameters->'cold_shift'->0 AS shift FROM mf_models;
SELECT version FROM mf_retrain('m');
SELECT mf_drop('m');

-- a retraining starts from the rows, by their names
CREATE VIEW few AS SELECT item_id, genres, title, noise FROM movies;
SELECT version FROM mf_train('ratings', 'm', factors => 4, feedback => 'implicit', iterations => 3, item_features => 'few');
CREATE TABLE results (what text, feature text, factors real[]);
CREATE FUNCTION retrain(what text, change text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE rows results[];
BEGIN
	BEGIN
		EXECUTE change;
		PERFORM mf_retrain('m');
		EXECUTE 'SELECT array_agg(ROW($1, feature, factors)::results) FROM m_feature_factors WHERE version = 2' INTO rows USING what;
		RAISE 'back';
	EXCEPTION WHEN raise_exception THEN
		INSERT INTO results SELECT * FROM unnest(rows);
	END;
	RETURN what;
END $$;
SELECT retrain('kept', 'SELECT');
SELECT retrain('again', 'SELECT');
SELECT retrain('without', 'DELETE FROM m_feature_factors');
SELECT retrain('others', 'UPDATE m_feature_factors SET feature = feature || ''!''');
SELECT retrain('another side', 'UPDATE m_feature_factors SET side = ''user''');
SELECT retrain('other lengths', 'UPDATE m_feature_factors SET factors = ''{1,2}''');
SELECT retrain('gone', 'DROP TABLE m_feature_factors');
SELECT retrain('zero', 'UPDATE m_feature_factors SET factors = ''{0,0,0,0}''');
SELECT what, count(*) > 3 AS rows, bool_and(r.factors = k.factors) AS as_kept, bool_and(r.factors = w.factors) AS as_without FROM results r
	JOIN (SELECT feature, factors FROM results WHERE what = 'kept') k USING (feature) JOIN (SELECT feature, factors FROM results WHERE what = 'without') w USING (feature)
	GROUP BY 1 ORDER BY 1;
-- attributes and words that come and go
CREATE OR REPLACE VIEW few AS SELECT item_id, genres, replace(title, 'tears', 'sighs') AS title, noise, letter FROM movies;
SELECT version FROM mf_retrain('m');
SELECT count(*) > 2 AS rows, count(*) FILTER (WHERE feature ~ 'tears') AS gone FROM m_feature_factors WHERE version = 2;
SELECT mf_drop('m');

-- the same by any number of threads
SET mfrec.threads = 1;
SELECT version FROM mf_train('ratings', 'one', factors => 4, item_features => 'short');
SET mfrec.threads = 3;
SELECT version FROM mf_train('ratings', 'three', factors => 4, item_features => 'short');
RESET mfrec.threads;
SELECT count(*) FROM (TABLE one_feature_factors EXCEPT TABLE three_feature_factors) d;
SELECT mf_drop(model) FROM mf_models;

-- names that columns may have: no two features are called the same
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 300) u, generate_series(1, 120) i
	WHERE ('x' || substr(md5(u || ' ' || i), 1, 4))::bit(16)::int % 100 < (CASE WHEN u % 3 = i % 3 THEN 30 ELSE 6 END) * (CASE WHEN u / 3 % 2 = i / 7 % 2 THEN 1.9 ELSE 0.1 END);
CREATE TABLE odd AS SELECT item_id, (ARRAY['b: c', 'c', 'd'])[1 + item_id % 3] AS a, (ARRAY['c', 'd'])[1 + item_id / 7 % 2] AS "a: b" FROM movies;
SELECT version FROM mf_train('taken', 'odd', factors => 4, item_features => 'odd');
SELECT attribute, feature FROM odd_feature_factors;
DROP TABLE odd;
CREATE TABLE odd AS SELECT item_id, jsonb_build_object('y', jsonb_build_object('z', item_id % 3), 'w', jsonb_build_array('v', item_id % 3)) AS x, jsonb_build_object('z', item_id / 7 % 2) AS "x.y" FROM movies;
SELECT version FROM mf_train('taken', 'odd', factors => 4, item_features => 'odd');
SELECT attribute, feature FROM odd_feature_factors WHERE version = 2;
SELECT mf_drop('odd');

-- relations that have its name, and models whose names are too long for it
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '') || coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION train(more text DEFAULT '', model text DEFAULT 'm') RETURNS text LANGUAGE sql AS
	$$ SELECT test_feature_factors.fails(format('SELECT mf_train(''ratings'', %L, factors => 2, iterations => 1, item_features => ''few''%s)', model, more)) $$;
CREATE TABLE m_feature_factors (mine int);
SELECT train();
SELECT version FROM mf_train('ratings', 'm', factors => 2, iterations => 1);
SELECT train();
SELECT fails('SELECT mf_drop(''m'')');
SELECT count(*) FROM m_feature_factors;
DROP TABLE m_feature_factors;
SELECT train(model => repeat('n', 48));
SELECT train(model => repeat('n', 47));
SELECT mf_drop(repeat('n', 47));
SELECT version FROM mf_train('ratings', repeat('n', 48), factors => 2, iterations => 1);
SELECT train(model => repeat('n', 48));
SELECT mf_drop(repeat('n', 48));

-- what bulk loading would pass over is refused
SELECT train();
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION changed(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	BEGIN
		EXECUTE 'ALTER TABLE test_feature_factors.m_feature_factors ' || change;
		result := test_feature_factors.fails('SELECT mf_retrain(''m'')');
		RAISE 'back';
	EXCEPTION WHEN raise_exception THEN
	END;
	RETURN change || E'\n  ' || result;
END $$;
SELECT changed(c) FROM unnest(ARRAY['ADD CHECK (items > 100) NOT VALID', 'RENAME items TO things', 'DROP COLUMN bias', 'ALTER weight SET NOT NULL',
	'ALTER mean TYPE real', 'ADD more int NOT NULL DEFAULT 1', 'ADD more int', 'DROP items, ADD items int GENERATED ALWAYS AS (1) STORED']) c;
CREATE TRIGGER t BEFORE INSERT ON m_feature_factors FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT train();
SELECT fails('SELECT mf_retrain(''m'')');
-- but not where there is nothing to load
SELECT version > 1 AS trained FROM mf_train('ratings', 'm', factors => 2, iterations => 1);
DROP TRIGGER t ON m_feature_factors;

-- a table that has gone, tables that have gone
SELECT train();
DROP TABLE m_feature_factors;
SELECT count(*) FROM mf_recommend(1, 3, 'm', fresh => false);
SELECT train();
SELECT count(DISTINCT version) FROM m_feature_factors;
DROP TABLE m_user_factors, m_item_factors;
SELECT train(', schema => ''public''');
SELECT train();
SELECT count(DISTINCT version) FROM m_feature_factors;
DROP TABLE m_user_factors, m_item_factors, m_feature_factors;
CREATE SCHEMA test_feature_elsewhere;
CREATE TABLE test_feature_elsewhere.m_feature_factors (mine int);
SELECT train(', schema => ''test_feature_elsewhere''');
SELECT fails('SELECT mf_train(''ratings'', ''m'', factors => 2, iterations => 1, schema => ''test_feature_elsewhere'')');
DROP TABLE test_feature_elsewhere.m_feature_factors;
SELECT train(', schema => ''test_feature_elsewhere''');
SELECT count(DISTINCT version) FROM test_feature_elsewhere.m_feature_factors;

-- moved with the others, or left behind
ALTER TABLE test_feature_elsewhere.m_user_factors SET SCHEMA test_feature_factors;
ALTER TABLE test_feature_elsewhere.m_item_factors SET SCHEMA test_feature_factors;
SELECT fails('SELECT mf_relink(''m'', users => ''m_user_factors'')');
ALTER TABLE test_feature_elsewhere.m_feature_factors SET SCHEMA test_feature_factors;
SELECT fails('SELECT mf_relink(''m'', users => ''m_user_factors'')');
SELECT schema, feature_table, version FROM mf_models WHERE serving;
ALTER TABLE m_feature_factors RENAME TO set_aside;
CREATE TABLE m_feature_factors (mine int);
SELECT fails('SELECT mf_relink(''m'', users => ''m_user_factors'')');
DROP TABLE m_feature_factors;
ALTER TABLE set_aside RENAME TO m_feature_factors;
SELECT fails('SELECT mf_retrain(''m'')');

-- imports go without
CREATE TABLE users AS SELECT DISTINCT ON (user_id) user_id AS id, factors FROM m_user_factors;
CREATE TABLE items AS SELECT DISTINCT ON (item_id) item_id AS id, factors FROM m_item_factors;
SELECT version FROM mf_import('m2', 'users', 'items');
SELECT feature_table FROM mf_models WHERE model = 'm2';

-- others read it where it is granted; who does not own it cannot train
CREATE ROLE regress_feature_factors;
GRANT USAGE ON SCHEMA test_feature_factors TO regress_feature_factors;
SET ROLE regress_feature_factors;
SELECT fails('SELECT count(*) FROM m_feature_factors');
SELECT fails('SELECT mf_retrain(''m'')');
SELECT fails('SELECT mf_drop(''m'')');
RESET ROLE;
-- an explanation needs all three tables, and the attributes
GRANT SELECT ON m_user_factors, m_item_factors TO regress_feature_factors;
SET ROLE regress_feature_factors;
SELECT fails('SELECT mf_explain_features(1, 121, model => ''m'')');
RESET ROLE;
GRANT SELECT ON few TO regress_feature_factors;
SET ROLE regress_feature_factors;
SELECT fails('SELECT mf_explain_features(1, 121, model => ''m'')');
RESET ROLE;
GRANT SELECT ON m_feature_factors TO regress_feature_factors;
SET ROLE regress_feature_factors;
SELECT fails('SELECT count(*) FROM m_feature_factors');
SELECT fails('SELECT mf_explain_features(1, 121, model => ''m'')');
RESET ROLE;
GRANT CREATE ON SCHEMA test_feature_factors TO regress_feature_factors;
GRANT SELECT ON ratings, few, movies TO regress_feature_factors;
ALTER TABLE m_user_factors OWNER TO regress_feature_factors;
ALTER TABLE m_item_factors OWNER TO regress_feature_factors;
SET ROLE regress_feature_factors;
SELECT fails('SELECT mf_retrain(''m'')');
SELECT fails('SELECT mf_drop(''m'')');
RESET ROLE;
-- nor can a superuser for them, who acts as the owner
SELECT fails('SELECT mf_retrain(''m'')');
ALTER TABLE m_feature_factors OWNER TO regress_feature_factors;
SELECT fails('SELECT mf_retrain(''m'')');
SELECT tableowner FROM pg_tables WHERE tablename = 'm_feature_factors';
ALTER TABLE m_feature_factors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT fails('SELECT mf_retrain(''m'')');
SET ROLE regress_feature_factors;
SELECT mf_drop('m');
-- a new table is the model's owner's, also when a superuser trains
SELECT train();
DROP TABLE m_feature_factors;
RESET ROLE;
SELECT fails('SELECT mf_retrain(''m'')');
SELECT tableowner FROM pg_tables WHERE tablename = 'm_feature_factors';
SELECT mf_drop('m');

SELECT count(*) FROM pg_class WHERE relname LIKE 'm_%factors' AND relnamespace = 'test_feature_factors'::regnamespace;
SELECT mf_drop(model) FROM mf_models WHERE serving;
DROP OWNED BY regress_feature_factors;
DROP ROLE regress_feature_factors;
DROP SCHEMA test_feature_factors, test_feature_elsewhere CASCADE;
