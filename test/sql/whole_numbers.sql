-- Items' vectors as whole numbers of 16 bits: what trainings and updates store, and images of these and of vectors that are none.
CREATE SCHEMA test_whole_numbers;
SET search_path = test_whole_numbers, public;
SET client_min_messages = warning;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (1 + (u * 7 + i * 13 + u * i) % 5)::real AS rating
FROM generate_series(1, 80) u, generate_series(1, 60) i WHERE (u * 31 + i * 17 + u * i) % 3 = 0;
CREATE TABLE things AS SELECT i AS item_id, chr(65 + i % 7) AS kind FROM generate_series(1, 70) i;
CREATE TABLE models (model text, arguments text);
INSERT INTO models VALUES ('both', 'rating_factors => 0'), ('private', 'rating_factors => 5'), ('much', 'rating_factors => 0, taste => 1000'), ('stars', 'interest_weight => 0'), ('choice', 'rating_column => NULL'),
	('cold', 'rating_factors => 5, item_features => ''things''');
SELECT format('SELECT model, ratings > 0 AS trained FROM mf_train(''ratings'', %L, factors => 8, iterations => 4, %s)', model, arguments) FROM models ORDER BY model \gexec

-- a vector is whole numbers up to 32767 times a power of two
CREATE FUNCTION is_whole(v real[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT v IS NULL OR EXISTS (SELECT FROM generate_series(-80, 20) e WHERE NOT EXISTS (
		SELECT FROM unnest(v) x WHERE x / 2::float8 ^ e <> trunc(x / 2::float8 ^ e) OR abs(x / 2::float8 ^ e) > 32767)) $$;
CREATE FUNCTION stored(name text) RETURNS TABLE (items bigint, whole bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE is_whole(factors) AND is_whole(rating_factors)) FROM %I
		WHERE version = (SELECT version FROM mf_models WHERE model = %L AND serving)', name || '_item_factors', name);
END $$;
SELECT model, s.* FROM models, stored(model) s ORDER BY model;

-- lists are to the bit what the tables say: users for whom they are not
CREATE FUNCTION strangers(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format($q$
		WITH m AS (SELECT version, (parameters->>'taste')::real AS taste FROM mf_models WHERE model = $1 AND serving),
		v AS (SELECT i.item_id, i.bias * CASE WHEN i.rating_factors IS NULL OR ($1 = 'cold' AND i.ratings = 0) THEN 0::real ELSE m.taste END AS own,
			CASE WHEN i.rating_factors IS NULL OR ($1 = 'cold' AND i.ratings = 0) THEN i.factors
			ELSE ARRAY(SELECT s + m.taste * q FROM unnest(i.factors, i.rating_factors) WITH ORDINALITY x (s, q, n) ORDER BY n) END AS vector FROM %I i JOIN m USING (version)),
		s AS (SELECT u.user_id, v.item_id, ((SELECT sum(p::float8 * x ORDER BY n) FROM unnest(u.factors, v.vector) WITH ORDINALITY c (p, x, n)) + v.own) AS score
			FROM %I u JOIN m USING (version), v),
		best AS (SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY score DESC, item_id) AS rank FROM s),
		lists AS (SELECT u AS user_id, l.item_id, l.score, l.rank FROM generate_series(1, 80) u, mf_recommend(u, 20, $1, exclude_seen => false, fresh => false) l)
		SELECT count(DISTINCT user_id) FROM (SELECT user_id, item_id::bigint, score::real, rank::bigint FROM best WHERE rank <= 20 EXCEPT SELECT user_id, item_id, score, rank FROM lists) x
		$q$, name || '_item_factors', name || '_user_factors') USING name INTO n;
	RETURN n;
END $$;
SELECT model, strangers(model) FROM models WHERE model <> 'stars' ORDER BY model;

-- an item whose vector is no whole numbers has the image have floats, and lists are what the tables say; without it all is as it was
CREATE TABLE sizes AS SELECT model, image_bytes AS whole FROM mf_models WHERE serving AND model IN (SELECT model FROM models);
ALTER TABLE sizes ADD floats bigint;
CREATE TABLE kept (model text, factors real[]);
SELECT format('INSERT INTO kept SELECT %L, factors FROM %I WHERE item_id = 7', model, model || '_item_factors') FROM models WHERE model IN ('both', 'private', 'much', 'choice') \gexec
SELECT format('UPDATE %I SET factors[3] = factors[3] * 1.0001 WHERE item_id = 7', model || '_item_factors') FROM kept \gexec
SELECT model, mf_refresh(model), s.* FROM kept, stored(model) s ORDER BY model;
UPDATE sizes s SET floats = image_bytes FROM mf_models m WHERE m.model = s.model AND m.serving;
SELECT model, floats > whole AS larger, strangers(model) FROM sizes JOIN kept USING (model) ORDER BY model;
SELECT format('UPDATE %I i SET factors = k.factors FROM kept k WHERE i.item_id = 7 AND k.model = %L', model || '_item_factors', model) FROM kept \gexec
SELECT model, mf_refresh(model) FROM kept ORDER BY model;
SELECT s.model, image_bytes = whole AS as_before, strangers(model) FROM sizes s JOIN kept USING (model) JOIN mf_models USING (model) WHERE serving ORDER BY model;

-- with a taste by which a number would be no normal float they are floats, too, and so are imported vectors
SELECT model, ratings > 0 AS trained FROM mf_train('ratings', 'tasteless', factors => 8, rating_factors => 0, iterations => 4, taste => 1e-38);
CREATE TABLE people AS SELECT user_id AS id, factors FROM choice_user_factors;
CREATE TABLE vectors AS SELECT item_id AS id, ARRAY(SELECT x * 1.0001::real FROM unnest(factors) WITH ORDINALITY f (x, n) ORDER BY n) AS factors FROM choice_item_factors;
SELECT ratings IS NOT NULL AS imported FROM mf_import('floats', 'people', 'vectors');
SELECT m.model, s.*, image_bytes > z.whole AS larger FROM (VALUES ('tasteless', 'both'), ('floats', 'choice')) x (model, twin) JOIN mf_models m USING (model)
	JOIN sizes z ON z.model = twin, stored(m.model) s WHERE m.serving ORDER BY m.model;

-- updates store whole numbers, also of items that are new, or lose their rows and go on as cold ones
INSERT INTO ratings SELECT u, i, 1 + (u + i) % 5 FROM generate_series(1, 30, 3) u, generate_series(58, 66) i WHERE i > 60;
DELETE FROM ratings WHERE item_id IN (5, 6);
SELECT m.model, u.items_added > 0 AS added, u.items_changed > 0 AS changed FROM (SELECT model FROM models ORDER BY model) m, mf_update(m.model) u ORDER BY 1;
SELECT model, s.*, CASE WHEN model <> 'stars' THEN strangers(model) END AS strangers FROM models, stored(model) s ORDER BY model;

SELECT count(mf_drop(name)) AS dropped FROM mfrec.model WHERE name IN (SELECT model FROM models) OR name IN ('tasteless', 'floats');
DROP SCHEMA test_whole_numbers CASCADE;
