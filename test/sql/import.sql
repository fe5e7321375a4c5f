-- Factors trained elsewhere: a round trip, fold-in against the formulas, versions, and every mistake.
CREATE SCHEMA test_import;
SET search_path = test_import, public;
SET client_min_messages = warning;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN command || ': no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN command || E'\n  ' || state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;

-- Round trip: what a model learned, imported as another model, gives the same lists.
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 12) u, generate_series(1, 14) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('bought', factors => 5);
CREATE TABLE users AS SELECT user_id AS id, ratings, factors FROM bought_user_factors;
CREATE TABLE items AS SELECT item_id AS id, ratings, factors FROM bought_item_factors;
SET client_min_messages = notice;
SELECT model, version, users, items, ratings, iterations, loss, rmse, seconds >= 0 AS timed
FROM mf_import('copy', 'users', 'items', ratings_column => 'ratings');
SET client_min_messages = warning;
CREATE FUNCTION differences(one text, two text) RETURNS TABLE (what text, line text) LANGUAGE sql AS $$
	WITH lists AS (
		SELECT m, 'list' AS what, (u, r.item_id, r.score, r.rank, r.reason)::text AS line
			FROM unnest(ARRAY[one, two]) m, generate_series(1, 13) u, mf_recommend(u, 20, m, fresh => false, exclude_seen => false) r WHERE reason = 'model'
		UNION ALL SELECT m, 'popular', r::text FROM unnest(ARRAY[one, two]) m, mf_popular(20, m) r
		UNION ALL SELECT m, 'items', (i, r)::text FROM unnest(ARRAY[one, two]) m, generate_series(1, 14) i, mf_similar_items(i, 5, m) r
		UNION ALL SELECT m, 'users', (u, r)::text FROM unnest(ARRAY[one, two]) m, generate_series(1, 12) u, mf_similar_users(u, 5, m) r
		UNION ALL SELECT m, 'predict', (u, i, mf_predict(u, i, m))::text
			FROM unnest(ARRAY[one, two]) m, generate_series(1, 12) u, generate_series(1, 15) i)
	(SELECT what, line FROM lists WHERE m = one EXCEPT SELECT what, line FROM lists WHERE m = two)
	UNION ALL (SELECT what, line FROM lists WHERE m = two EXCEPT SELECT what, line FROM lists WHERE m = one)
$$;
SELECT * FROM differences('bought', 'copy');
SELECT count(*) FROM mf_recommend(3, 20, 'copy');
SELECT user_table, item_table, source, feedback, factors, ratings, fresh FROM mf_models WHERE model = 'copy';
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'copy_item_factors'::regclass AND attnum > 0 ORDER BY attnum;
-- whom to tell: with no source nobody is left out
SELECT count(*) FROM mf_recommend_users(1, 20, 'copy');
-- a second import of the same is the next version; arrays of double precision, from a view
CREATE VIEW wide_items AS SELECT id, factors::double precision[], ratings::bigint FROM items;
SELECT version FROM mf_import('copy', 'users', 'wide_items', ratings_column => 'ratings');
SELECT * FROM differences('bought', 'copy');
-- without counts nothing is popular, but somebody unknown gets something
SELECT version, ratings FROM mf_import('copy', 'users', 'items');
SELECT item_id, ratings, rank FROM mf_popular(2, 'copy');
SELECT DISTINCT reason FROM mf_recommend(999, 2, 'copy');
-- kept versions, going back, undoing
SELECT version, serving FROM mf_models WHERE model = 'copy' ORDER BY version;
SELECT mf_rollback('copy');
SELECT * FROM differences('bought', 'copy');
BEGIN;
SELECT version FROM mf_import('copy', 'items', 'users');
SELECT users, items FROM mf_models WHERE model = 'copy' AND serving;
SELECT version FROM mf_import('undone', 'users', 'items');
ROLLBACK;
SELECT to_regclass('undone_user_factors') IS NULL AS undone;
SELECT * FROM differences('bought', 'copy');
-- memory comes first
SET mfrec.max_memory = '1MB';
CREATE VIEW many AS SELECT id, array_fill(1::real, ARRAY[100]) AS factors FROM generate_series(1, 5000) id;
SELECT fails('SELECT mf_import(''many'', ''many'', ''many'')');
RESET mfrec.max_memory;

-- Round trip of ratings: factors in units of the ratings, with biases and a mean.
CREATE TABLE rated (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO rated SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 4 + u % 2 ELSE 1 + i % 2 END
	FROM generate_series(1, 12) u, generate_series(1, 14) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('rated', factors => 4, interest_weight => 0);
SELECT (parameters->>'mean')::float8 AS mean, (parameters->>'deviation')::float8 AS deviation FROM mf_models WHERE model = 'rated' \gset
UPDATE rated_user_factors SET spread = NULL;	-- which other programs do not know
CREATE TABLE rated_users AS SELECT user_id AS "the user", bias * :deviation AS bias, ratings,
	ARRAY(SELECT x * :deviation FROM unnest(factors) x) AS "The Vector" FROM rated_user_factors;
CREATE TABLE rated_items AS SELECT item_id AS "the user", (bias * :deviation)::numeric AS bias, ratings, factors AS "The Vector" FROM rated_item_factors;
SELECT version, users, items, ratings FROM mf_import('rated copy', 'rated_users', 'rated_items', 'explicit', 'rated',
	mean => :mean, id_column => 'the user', factors_column => 'The Vector', bias_column => 'bias', ratings_column => 'ratings');
SELECT count(*), max(abs(a.score - b.score)) < 1e-4 AS same_scores, max(abs(a.predicted_rating - b.predicted_rating)) < 1e-4 AS same_ratings
FROM generate_series(1, 12) u, mf_recommend(u, 14, 'rated', fresh => false, exclude_seen => false) a,
	mf_recommend(u, 14, 'rated copy', fresh => false, exclude_seen => false) b
WHERE a.item_id = b.item_id;
SELECT bool_and(mf_predict(u, i, 'rated copy') BETWEEN 1 AND 5) AS in_range FROM generate_series(1, 13) u, generate_series(1, 14) i;
SELECT count(*), max(abs(a.score - b.score)) < 1e-4 AS same_scores
FROM generate_series(1, 14) i, mf_recommend_users(i, 12, 'rated') a, mf_recommend_users(i, 12, 'rated copy') b WHERE a.user_id = b.user_id;
-- what the user has is left out; the vectors stay
SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM rated t WHERE t.user_id = 1 AND t.item_id = r.item_id)) AS seen,
	min(reason), max(reason)
FROM mf_recommend(1, 20, 'rated copy') r;
SELECT count(*) FROM mf_recommend_users(1, 20, 'rated copy');
INSERT INTO rated VALUES (1, 2, 1), (2, 4, 5);
CREATE TABLE rated_new AS SELECT * FROM rated WHERE (user_id, item_id) IN ((1, 2), (2, 4));
CREATE VIEW rated_old AS TABLE rated EXCEPT TABLE rated_new;
SELECT metric, value FROM mf_evaluate('rated_new', model => 'rated copy', train => 'rated_old') WHERE metric IN ('users', 'rows', 'rows_trained');

-- Fold-in, against the formulas: vectors of one factor, and users that solve them.
CREATE TABLE taken (user_id int, item_id text, times int);
INSERT INTO taken VALUES (1, 'a', 3), (1, 'b', 1), (2, 'b', 2), (2, 'c', 2), (2, 'c', 3), (7, 'a', 1), (7, 'unknown', 9);
CREATE INDEX ON taken (user_id);
CREATE TABLE s (id text, factors real[], bias real);
INSERT INTO s VALUES ('a', '{0.5}', 0.25), ('b', '{-0.75}', -0.5), ('c', '{1}', 0);
CREATE TABLE p (id int, factors real[], bias real);
INSERT INTO p VALUES (1, '{9}', 0), (2, '{9}', 0), (3, '{0.125}', 0);
-- implicit: p = sum of (1 + alpha v) s / (sum over all of s^2 + sum of alpha v s^2 + regularization * n^exponent)
CREATE FUNCTION solved(u int, alpha float8, regularization float8, e float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum((1 + alpha * v) * factors[1]) / ((SELECT sum(factors[1]^2) FROM s) + sum(alpha * v * factors[1]^2) + regularization * count(*)^e)
	FROM (SELECT item_id, sum(times) AS v FROM taken WHERE user_id = u GROUP BY item_id) t JOIN s ON s.id = t.item_id
$$;
CREATE FUNCTION largest_error(model text, alpha float8, regularization float8, e float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT max(abs(r.score - solved(u, alpha, regularization, e) * s.factors[1]))
	FROM unnest(ARRAY[1, 2, 7]) u, mf_recommend(u, 3, item_type => NULL::text, model => model, exclude_seen => false) r JOIN s ON s.id = r.item_id
$$;
SELECT version FROM mf_import('taken', 'p', 's', source => 'taken', rating_column => 'times', alpha => 2, regularization => 0.3);
SELECT largest_error('taken', 2, 0.3, 0) < 1e-6 AS implicit;
SELECT version FROM mf_import('taken', 'p', 's', source => 'taken', rating_column => 'times', alpha => 2, regularization => 0.3, regularization_exponent => 1);
SELECT largest_error('taken', 2, 0.3, 1) < 1e-6 AS spark, largest_error('taken', 2, 0.3, 0) > 1e-3 AS unlike;
SELECT u, r.item_id, r.reason FROM unnest(ARRAY[1, 2, 3, 7]) u, mf_recommend(u, 3, item_type => NULL::text, model => 'taken') r ORDER BY u, r.rank;
-- contributions add up, and a basket is folded in
SELECT abs(sum(contribution) - solved(2, 2, 0.3, 1)) < 1e-6 AS adds_up FROM mf_explain(2, 'c', 10, 'taken');
SELECT item_id, abs(score - factors[1] * (5 * -0.75) / ((SELECT sum(factors[1]^2) FROM s) + 4 * 0.5625 + 0.3)) < 1e-6 AS solved
FROM mf_recommend_for(ARRAY['b'], ARRAY[2]::real[], 3, 'taken') r JOIN s ON s.id = r.item_id ORDER BY rank;
SELECT * FROM mf_popular(3, item_type => NULL::text, model => 'taken');
-- a user whose vector solves the rows is as stored
UPDATE p SET factors = ARRAY[solved(id, 2, 0.3, 1)] WHERE id < 3;
SELECT version FROM mf_import('taken', 'p', 's', source => 'taken', rating_column => 'times', alpha => 2, regularization => 0.3, regularization_exponent => 1);
SELECT u, r.item_id, r.reason FROM unnest(ARRAY[1, 2]) u, mf_recommend(u, 3, item_type => NULL::text, model => 'taken') r ORDER BY u, r.rank;
-- explicit, without biases: p = sum of q (r - mean) / (sum of q^2 + regularization * n^exponent)
CREATE TABLE stars (user_id int, item_id text, rating int, PRIMARY KEY (user_id, item_id));
INSERT INTO stars VALUES (1, 'a', 5), (1, 'b', 1), (2, 'b', 2), (2, 'c', 4), (7, 'a', 3), (7, 'unknown', 5);
CREATE FUNCTION solved_rating(u int, mean float8, regularization float8, e float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum(factors[1] * (rating - mean)) / (sum(factors[1]^2) + regularization * count(*)^e)
	FROM stars JOIN s ON s.id = item_id WHERE user_id = u
$$;
SELECT version, ratings FROM mf_import('stars', 'p', 's', 'explicit', 'stars', regularization => 0.2, regularization_exponent => 1);
SELECT max(abs(r.score - solved_rating(u, 0, 0.2, 1) * factors[1])) < 1e-5 AS spark
FROM unnest(ARRAY[1, 2, 7]) u, mf_recommend(u, 3, item_type => NULL::text, model => 'stars', exclude_seen => false) r JOIN s ON s.id = r.item_id;
SELECT abs(sum(contribution) - 0.5 * solved_rating(2, 0, 0.2, 1)) < 1e-5 AS adds_up FROM mf_explain(2, 'a', 10, 'stars');
SELECT predicted_rating BETWEEN 1 AND 5 AS in_range FROM mf_recommend(1, 1, item_type => NULL::text, model => 'stars');
UPDATE p SET factors = ARRAY[solved_rating(id, 3, 0.2, 0)] WHERE id < 3;
SELECT version FROM mf_import('stars', 'p', 's', 'explicit', 'stars', regularization => 0.2, mean => 3);
SELECT max(abs(r.score - 3 - solved_rating(u, 3, 0.2, 0) * factors[1])) < 1e-5 AS with_mean
FROM unnest(ARRAY[1, 2, 7]) u, mf_recommend(u, 3, item_type => NULL::text, model => 'stars', exclude_seen => false) r JOIN s ON s.id = r.item_id;
SELECT u, min(reason), max(reason) FROM unnest(ARRAY[1, 2, 7]) u, mf_recommend(u, 3, item_type => NULL::text, model => 'stars') r GROUP BY u ORDER BY u;
-- with biases, of a user and item each: the equations of vector and bias hold
SELECT version FROM mf_import('stars', 'p', 's', 'explicit', 'stars', regularization => 0.2, mean => 3, bias_column => 'bias');
CREATE FUNCTION residual(u int) RETURNS TABLE (vector float8, bias float8) LANGUAGE sql AS $$
	WITH list AS (SELECT r.item_id, r.score, s.factors[1] AS q, s.bias AS b FROM mf_recommend(u, 3, item_type => NULL::text, model => 'stars', exclude_seen => false) r JOIN s ON s.id = r.item_id),
		of_user AS (SELECT regr_slope(score - b, q) AS p, regr_intercept(score - b, q) - 3 AS b FROM list)
	SELECT sum(q * (rating - score)) - 0.2 * max(w.p), sum(rating - score) - 0.2 * max(w.b)
	FROM stars JOIN list USING (item_id), of_user w WHERE user_id = u
$$;
SELECT u, abs(vector) < 1e-5 AS vector, abs(bias) < 1e-5 AS bias FROM unnest(ARRAY[1, 2]) u, residual(u) ORDER BY u;

-- New rows: a retrain goes on from the vectors with our own objective, if there is a source.
CREATE TABLE bought_too AS TABLE bought;
CREATE INDEX ON bought_too (user_id);
SELECT version FROM mf_import('shop', 'users', 'items', source => 'bought_too', alpha => 0, regularization => 0.01);
SELECT version, users, items, ratings FROM mf_retrain('shop');
SELECT version, feedback, factors, iterations > 0 AS trained FROM mf_models WHERE model = 'shop' ORDER BY version;
SELECT DISTINCT reason FROM mf_recommend(1, 2, 'shop');
SELECT mf_rollback('shop');
SELECT DISTINCT reason FROM mf_recommend(1, 2, 'shop');
SELECT version FROM mf_import('rated copy', 'rated_users', 'rated_items', 'explicit', 'rated', id_column => 'the user', factors_column => 'The Vector');
SELECT version, rmse < 1 AS learned FROM mf_retrain('rated copy');
SELECT parameters->>'has_interest' AS has_interest, factors FROM mf_models WHERE model = 'rated copy' AND serving;
-- integers of other widths, and nulls for what has a default
CREATE TABLE bought_long AS SELECT user_id::bigint, item_id::smallint FROM bought;
CREATE INDEX ON bought_long (user_id);
SELECT version, ratings FROM mf_import('shop', 'users', 'items', NULL, 'bought_long', alpha => 0, regularization => 0.01,
	regularization_exponent => NULL, bias_column => NULL, ratings_column => NULL, rating_column => NULL, schema => NULL);
SELECT count(*), min(reason) FROM mf_recommend(1, 20, 'shop');
-- a trained model may get imported vectors, and the other way round
SELECT version FROM mf_import('bought', 'users', 'items');
SELECT version FROM mf_train('bought', model => 'bought', factors => 5);
-- a temporary source
CREATE TEMP TABLE fleeting AS TABLE bought;
SET client_min_messages = notice;
SELECT version FROM mf_import('fleeting model', 'users', 'items', source => 'fleeting', alpha => 0, regularization => 0.01);
SELECT version FROM mf_import('fleeting model', 'users', 'items', source => 'bought_too');
SELECT version FROM mf_import('fleeting model', 'users', 'items', 'explicit', source => 'rated');
-- vectors by the numbers of a training instead of ids
CREATE VIEW numbered AS SELECT id + 1000 AS id, factors FROM users;
SELECT version FROM mf_import('fleeting model', 'numbered', 'items', source => 'bought_too', alpha => 0, regularization => 0.01);
SET client_min_messages = warning;

\pset format unaligned
\pset tuples_only on
-- what a model cannot do without a source, or without an objective
SELECT fails('SELECT * FROM mf_retrain(''copy'')');
SELECT fails('SELECT * FROM mf_recommend(1, 2, ''copy'', fresh => true)');
SELECT fails('SELECT * FROM mf_evaluate(''bought'', model => ''copy'')');
SELECT fails('SELECT * FROM mf_explain(1, 1, 2, ''copy'')');
SELECT fails('SELECT * FROM mf_recommend_for(ARRAY[1], k => 2, model => ''copy'')');
CREATE TABLE copy AS TABLE bought;
SELECT fails('SELECT mf_train(''copy'')');
-- the relations
SELECT fails('SELECT mf_import(NULL, ''users'', ''items'')');
SELECT fails('SELECT mf_import(''m'', NULL, ''items'')');
SELECT fails('SELECT mf_import(''m'', ''users'', NULL)');
SELECT fails('SELECT mf_import(''m'', ''nowhere'', ''items'')');
SELECT fails('SELECT mf_import(''m'', 1, ''items'')');
CREATE SEQUENCE counter;
SELECT fails('SELECT mf_import(''m'', ''users'', ''counter'')');
SELECT fails('SELECT mf_import(repeat(''m'', 51), ''users'', ''items'')');
SELECT fails('SELECT mf_import('''', ''users'', ''items'')');
SELECT fails('SELECT mf_import(''rated'', ''users'', ''items'', schema => ''public'')');
-- their columns
CREATE TABLE bad (id int, factors real[], bias text, ratings real, words text[], numbers numeric[], place point);
SELECT fails('SELECT mf_import(''m'', ''bad'', ''items'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''bad'')');
SELECT fails('SELECT mf_import(''m'', ''bought'', ''items'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', id_column => ''user'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', id_column => NULL)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', factors_column => ''ratings'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', factors_column => NULL)');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'', factors_column => ''words'')');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'', factors_column => ''numbers'')');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'', id_column => ''place'')');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'', ratings_column => ''ratings'')');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'', ''explicit'', bias_column => ''bias'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', ''explicit'', bias_column => ''bias'')');
-- their rows
CREATE VIEW whole_items AS SELECT id, ARRAY[0, 1]::real[] AS factors, 0::real AS bias, ratings FROM items;
CREATE FUNCTION fails_with(rows text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'CREATE TEMP VIEW wrong AS SELECT * FROM (VALUES ' || rows || ') v (id, factors, bias, ratings)';
	RETURN rows || replace(fails('SELECT mf_import(''m'', ''wrong'', ''whole_items'', ''explicit'', bias_column => ''bias'', ratings_column => ''ratings'')'),
		'SELECT mf_import(''m'', ''wrong'', ''whole_items'', ''explicit'', bias_column => ''bias'', ratings_column => ''ratings'')', '');
EXCEPTION WHEN OTHERS THEN
	RETURN rows || ' ' || SQLERRM;
END $$;
CREATE FUNCTION tried(rows text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text := fails_with(rows);
BEGIN
	DROP VIEW IF EXISTS wrong;
	RETURN result;
END $$;
SELECT tried('(1, ''{1,2}''::real[], 0, 1), (NULL, ''{1,2}'', 0, 1)');
SELECT tried('(1, ''{1,2}''::real[], 0, 1), (2, NULL, 0, 1)');
SELECT tried('(1, ''{1,2}''::real[], 0, 1), (2, ''{1,NULL}'', 0, 1)');
SELECT tried('(1, ''{1,2}''::real[], 0, 1), (2, ''{1,2,3}'', 0, 1)');
SELECT tried('(1, ''{}''::real[], 0, 1)');
SELECT tried('(1, ''{{1,2},{3,4}}''::real[], 0, 1)');
SELECT tried('(1, array_fill(0::real, ARRAY[1001]), 0, 1)');
SELECT tried('(''left''::text, ''{1,NaN}''::real[], 0, 1)');
SELECT tried('(1, ''{1,-Infinity}''::float8[], 0, 1)');
SELECT tried('(1, ''{1,1e300}''::float8[], 0, 1)');
SELECT tried('(1, ''{1,2}''::real[], 0, 1), (2, ''{1,2}'', 0, 1), (1, ''{1,3}'', 0, 1)');
SELECT tried('(1, ''{1,2}''::real[], NULL::real, 1)');
SELECT tried('(1, ''{1,2}''::real[], ''NaN''::real, 1)');
SELECT tried('(1, ''{1,2}''::real[], 0, NULL::int)');
SELECT tried('(1, ''{1,2}''::real[], 0, -1)');
SELECT tried('(1, ''{1,2}''::real[], 0, 3000000000)');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''bad'')');
INSERT INTO bad VALUES (1, '{1,2,3}');
SELECT fails('SELECT mf_import(''m'', ''users'', ''bad'')');
SELECT fails('SELECT mf_import(''m'', ''bad'', ''items'')');
-- the other arguments
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', ''stars'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', bias_column => ''bias'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', mean => 3)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', ''explicit'', alpha => 3)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', alpha => 3)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', regularization => 3)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', alpha => -1, regularization => 1)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', alpha => 1, regularization => -1)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', alpha => 1, regularization => 1, regularization_exponent => 2)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', ''explicit'', mean => ''NaN'')');
-- the source
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', source => ''nowhere'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', source => ''counter'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', source => ''bought'', user_column => ''buyer'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', source => ''bought'', item_column => NULL)');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', ''explicit'', source => ''bought'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'', source => ''taken'')');
-- another type of ids than the model has, and another's model
CREATE VIEW text_users AS SELECT id::text, factors FROM users;
SELECT fails('SELECT mf_import(''copy'', ''text_users'', ''items'')');
CREATE ROLE regress_importer;
GRANT USAGE ON SCHEMA test_import TO regress_importer;
GRANT SELECT ON users TO regress_importer;
SET ROLE regress_importer;
SELECT fails('SELECT mf_import(''copy'', ''users'', ''items'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'')');
RESET ROLE;
GRANT CREATE ON SCHEMA test_import TO regress_importer;
SET ROLE regress_importer;
SELECT fails('SELECT mf_import(''m'', ''users'', ''items'')');
SELECT fails('SELECT mf_import(''m'', ''users'', ''users'', source => ''bought'')');
SELECT version FROM mf_import('m', 'users', 'users');
RESET ROLE;
SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'm\_%factors';
BEGIN READ ONLY;
SELECT mf_import('m', 'users', 'items');
ROLLBACK;
-- nothing of all that is left
SELECT string_agg(DISTINCT model, ', ' ORDER BY model) FROM mf_models;
SELECT count(mf_drop(name)) FROM mfrec.model;
DROP OWNED BY regress_importer;
DROP ROLE regress_importer;
DROP SCHEMA test_import CASCADE;
