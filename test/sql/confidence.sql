-- Factors of implicit feedback from elsewhere: lists against the formulas, worked out here in double precision.
CREATE SCHEMA test_confidence;
SET search_path = test_confidence, public;
SET client_min_messages = warning;
CREATE TABLE plays (user_id int, item_id int, count int, PRIMARY KEY (user_id, item_id));
INSERT INTO plays SELECT u, i, (ARRAY[1, 1, 2, 5])[1 + (hashint4(u * 100 + i) & 3)]
	FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (hashint4(u + 7919 * i) & 1023) < 100 + 8 * u;
ANALYZE plays;
CREATE TABLE items AS SELECT i AS id, ARRAY(SELECT (hashint4(i * 10 + k) & 1023) / 512.0 - 0.7 FROM generate_series(1, 3) k)::real[] AS factors
	FROM generate_series(1, 40) i;

-- p that minimises sum over all items of c (x - p . q)^2 + regularization |p|^2, given (q, c) of the observed ones
CREATE FUNCTION solved(observed items[], confidence float8[], regularization float8) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE a float8[]; b float8[] := '{0,0,0}'; f float8;
BEGIN
	SELECT array_agg(ARRAY[x, y, z]) INTO a FROM (
		SELECT sum(factors[k]::float8 * factors[1]) + CASE k WHEN 1 THEN regularization ELSE 0 END AS x,
			sum(factors[k]::float8 * factors[2]) + CASE k WHEN 2 THEN regularization ELSE 0 END AS y,
			sum(factors[k]::float8 * factors[3]) + CASE k WHEN 3 THEN regularization ELSE 0 END AS z
		FROM items, generate_series(1, 3) k GROUP BY k ORDER BY k) rows;
	FOR n IN 1 .. cardinality(observed) LOOP
		FOR j IN 1 .. 3 LOOP
			FOR k IN 1 .. 3 LOOP
				a[j][k] := a[j][k] + (confidence[n] - 1) * observed[n].factors[j]::float8 * observed[n].factors[k];
			END LOOP;
			b[j] := b[j] + confidence[n] * observed[n].factors[j];
		END LOOP;
	END LOOP;
	FOR j IN 1 .. 3 LOOP
		FOR i IN 1 .. 3 LOOP
			CONTINUE WHEN i = j;
			f := a[i][j] / a[j][j];
			FOR k IN 1 .. 3 LOOP
				a[i][k] := a[i][k] - f * a[j][k];
			END LOOP;
			b[i] := b[i] - f * b[j];
		END LOOP;
	END LOOP;
	RETURN ARRAY[b[1] / a[1][1], b[2] / a[2][2], b[3] / a[3][3]];
END $$;
CREATE FUNCTION product(a float8[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT sum(x * y) FROM unnest(a, b) t (x, y) $$;
-- what a model has to say when an observed row weighs c: lists of ten without what a user has, best first
CREATE FUNCTION expect(formula text, rows text DEFAULT 'plays') RETURNS TABLE (user_id int, p float8[], items int[], scores float8[]) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		WITH solved AS (SELECT user_id, solved(array_agg(i ORDER BY id), array_agg((%s)::float8 ORDER BY id), 0.3) AS p FROM %I r JOIN items i ON i.id = r.item_id GROUP BY user_id)
		SELECT user_id, p, array_agg(l.id ORDER BY rank), array_agg(score ORDER BY rank) FROM solved s, LATERAL (
			SELECT id, product(p, factors) AS score, row_number() OVER (ORDER BY product(p, factors) DESC) AS rank FROM items
			WHERE id NOT IN (SELECT item_id FROM plays r WHERE r.user_id = s.user_id)) l WHERE rank <= 10 GROUP BY 1, 2', formula, rows);
END $$;
CREATE TABLE expected (user_id int, p float8[], items int[], scores float8[]);
-- lists that differ, owned items in them, and the largest error of a score; lists of all users at once, explanations and baskets likewise
CREATE FUNCTION differences(model text) RETURNS TABLE (users bigint, lists bigint, owned bigint, scores boolean, reasons text) LANGUAGE sql AS $$
	-- users whose rows all weigh 0 score 0 everywhere, and their lists go by lot
	SELECT count(*), count(*) FILTER (WHERE l.items IS DISTINCT FROM e.items AND EXISTS (SELECT FROM unnest(e.scores) s WHERE abs(s) > 1e-9)), sum(l.owned)::bigint,
		max((SELECT max(abs(x - y)) FROM unnest(l.scores, e.scores) t (x, y))) < 1e-5, string_agg(DISTINCT l.reason, ', ')
	FROM expected e, LATERAL (
		SELECT array_agg(item_id::int ORDER BY rank) AS items, array_agg(score::float8 ORDER BY rank) AS scores, min(reason) AS reason,
			count(*) FILTER (WHERE EXISTS (SELECT FROM plays p WHERE p.user_id = e.user_id AND p.item_id = r.item_id)) AS owned
		FROM mf_recommend(e.user_id, 10, model) r) l
$$;
CREATE FUNCTION others(model text, value text) RETURNS TABLE (explained boolean, baskets boolean, owned_by_all bigint, told bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT
		(SELECT max(abs(x.sum - e.scores[3])) < 1e-5 FROM expected e, LATERAL (SELECT sum(contribution) FROM mf_explain(user_id, e.items[3], 100, %1$L)) x),
		(SELECT bool_and(b.items = e.items) FROM expected e, LATERAL (SELECT array_agg(r.item_id ORDER BY rank) AS items FROM mf_recommend_for(
			ARRAY(SELECT item_id FROM plays WHERE user_id = e.user_id ORDER BY item_id), ARRAY(SELECT (%2$s)::real FROM plays WHERE user_id = e.user_id ORDER BY item_id), 10, %1$L) r) b),
		(SELECT count(*) FROM mf_recommend_all(10, %1$L) JOIN plays USING (user_id, item_id)),
		(SELECT count(*) FROM generate_series(1, 40) i, mf_recommend_users(i, 60, %1$L) u JOIN plays p ON p.user_id = u.user_id WHERE p.item_id = i)', model, value);
END $$;

-- Values that are confidences, as those of implicit: an observed row weighs alpha * count, whether that is more than 1 or less.
INSERT INTO expected SELECT * FROM expect('0.5 * count');
CREATE TABLE users AS SELECT user_id AS id, p::real[] AS factors FROM expected;
SELECT version, ratings FROM mf_import('half', 'users', 'items', source => 'plays', rating_column => 'count', regularization => 0.3, alpha => 0.5, value_is_confidence => true);
SELECT * FROM differences('half');
SELECT * FROM others('half', 'count');
SELECT parameters->'value_is_confidence' AS value_is_confidence, parameters->'alpha' AS alpha, parameters->'format' AS format FROM mf_models WHERE model = 'half';
-- the same factors by another formula are no solution
SELECT version FROM mf_import('half', 'users', 'items', source => 'plays', rating_column => 'count', regularization => 0.3, alpha => 0.5);
SELECT lists > 10 AS unlike, reasons FROM differences('half');
SELECT mf_rollback('half');
SELECT * FROM differences('half');
-- a first and a changed row count at once, also of a new user
TRUNCATE expected;
UPDATE plays SET count = 5 WHERE user_id < 3;
INSERT INTO plays SELECT 99, i, 1 FROM generate_series(1, 40, 13) i;
INSERT INTO expected SELECT * FROM expect('0.5 * count') WHERE user_id < 3 OR user_id = 99;
SELECT * FROM differences('half');
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('1 * count');
UPDATE users SET factors = p FROM expected WHERE user_id = id;
SELECT version FROM mf_import('one', 'users', 'items', source => 'plays', rating_column => 'count', regularization => 0.3, alpha => 1, value_is_confidence => true);
SELECT * FROM differences('one');
SELECT * FROM others('one', 'count');
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('40 * count');
SELECT version FROM mf_import('forty', 'users', 'items', source => 'plays', rating_column => 'count', regularization => 0.3, alpha => 40, value_is_confidence => true);
SELECT * FROM differences('forty');
SELECT * FROM others('forty', 'count');
-- rows without values weigh alpha
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('0.5');
SELECT version FROM mf_import('rows', 'users', 'items', source => 'plays', rating_column => NULL, regularization => 0.3, alpha => 0.5, value_is_confidence => true);
SELECT * FROM differences('rows');
SELECT array_agg(item_id ORDER BY rank) = (SELECT items FROM expected WHERE user_id = 7) AS basket
FROM mf_recommend_for(ARRAY(SELECT item_id FROM plays WHERE user_id = 7), k => 10, model => 'rows');
-- weights far below 1, down to 0: a row that says nothing, but is there
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('1e-4 * (count - 1)');
CREATE VIEW faint AS SELECT user_id, item_id, 1e-4 * (count - 1) AS rating FROM plays;
SELECT version, ratings = (SELECT count(*) FROM plays JOIN users ON id = user_id) AS all_rows
FROM mf_import('faint', 'users', 'items', source => 'faint', regularization => 0.3, alpha => 1, value_is_confidence => true);
SELECT users, lists, owned, scores FROM differences('faint');

-- The other formula: a row weighs 1 + alpha * value, so that a value of 0 is observed, and the item owned.
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('count');
CREATE VIEW above AS SELECT user_id, item_id, count - 1 AS rating FROM plays;
SET client_min_messages = notice;
SELECT version, ratings = (SELECT count(*) FROM plays JOIN users ON id = user_id) AS all_rows
FROM mf_import('above', 'users', 'items', source => 'above', regularization => 0.3, alpha => 1);
SET client_min_messages = warning;
SELECT * FROM differences('above');
SELECT * FROM others('above', 'count - 1');
CREATE VIEW train AS SELECT * FROM above WHERE item_id % 4 > 0;
CREATE VIEW test AS SELECT * FROM above WHERE item_id % 4 = 0;
SELECT metric, value = (SELECT count(*) FROM test JOIN users ON id = user_id) AS all_rows FROM mf_evaluate('test', model => 'above', train => 'train') WHERE metric = 'rows';
-- whose objective is not known, what is owned is left out the same
SELECT version FROM mf_import('above', 'users', 'items', source => 'above');
SELECT count(*) FROM generate_series(1, 60) u, mf_recommend(u, 10, 'above') r JOIN plays p USING (item_id) WHERE p.user_id = u;
-- nulls are said
CREATE VIEW partly AS SELECT user_id, item_id, nullif(count, 5) AS rating FROM plays;
SET client_min_messages = notice;
SELECT version FROM mf_import('partly', 'users', 'items', source => 'partly', regularization => 0.3, alpha => 1);
SET client_min_messages = warning;

-- A retrain learns by our own objective, and a rollback is back to the other.
SELECT version FROM mf_retrain('one');
SELECT DISTINCT reason FROM generate_series(1, 60) u, mf_recommend(u, 10, 'one');
SELECT parameters ? 'value_is_confidence' AS value_is_confidence FROM mf_models WHERE model = 'one' ORDER BY version;
SELECT mf_rollback('one');
TRUNCATE expected;
INSERT INTO expected SELECT * FROM expect('count');
SELECT * FROM differences('one');

-- Mistakes.
SELECT mf_import('m', 'users', 'items', 'explicit', 'plays', rating_column => 'count', regularization => 1, value_is_confidence => true);
SELECT mf_import('m', 'users', 'items', source => 'plays', value_is_confidence => true);
SELECT mf_import('m', 'users', 'items', source => 'plays', regularization => 1, alpha => 0, value_is_confidence => true);
SELECT mf_import('m', 'users', 'items', source => 'plays', regularization => 1, value_is_confidence => true);
SELECT version FROM mf_import('m', 'users', 'items', source => 'plays', rating_column => 'count', regularization => 1, alpha => 1, value_is_confidence => NULL);
SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models) m;
DROP SCHEMA test_confidence CASCADE;
