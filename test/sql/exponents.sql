-- user_exponent and item_exponent: by which power of their numbers of ratings users and items are held, by the formula of the
-- objective.  Both sides solve it once iterations have settled: items up to the 16 bits to which their vectors are rounded.
SET client_min_messages = warning;
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 60) u, generate_series(1, 30) i
	WHERE mf_holdout(u, i, CASE WHEN i % 2 = u % 2 THEN 0.6 ELSE 0.1 END * (0.2 + 0.8 * u / 60));

CREATE FUNCTION trained(arguments text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE 'SELECT ratings FROM mf_train(''taken'', ''m'', factors => 2, iterations => 3000' || arguments || ')' INTO n;
	RETURN n;
END $$;
SELECT trained('') > 0 AS trained;

-- How far vectors of a side are from solving their part of the objective with a power of their own, relative to what cancels in it.
CREATE FUNCTION distance(side text, exponent float8) RETURNS float8 LANGUAGE sql AS $$
	WITH o AS (SELECT (parameters ->> 'alpha')::float8 AS alpha, (parameters ->> 'interest_regularization')::float8 AS l,
			(parameters ->> CASE side WHEN 'user' THEN 'user_ratings' ELSE 'item_ratings' END)::float8 AS mean_n, parameters -> 'mean_user' AS mean, version
			FROM mf_models WHERE model = 'm' AND serving),
		vector AS (SELECT user_id AS id, factors AS own, ratings AS n, 'user' AS kind FROM m_user_factors JOIN o USING (version)
			UNION ALL SELECT item_id, factors, ratings, 'item' FROM m_item_factors JOIN o USING (version)),
		pair AS (SELECT a.id, a.own, a.n, b.own AS other, (SELECT sum(x * y) FROM unnest(a.own, b.own) d (x, y)) AS s, t.user_id IS NOT NULL AS has
			FROM vector a JOIN vector b ON a.kind = side AND b.kind <> side
				LEFT JOIN taken t ON (t.user_id, t.item_id) = CASE side WHEN 'user' THEN (a.id, b.id) ELSE (b.id, a.id) END),
		sums AS (SELECT id, k, min(n) AS n, min(own[k]) AS own, sum(CASE WHEN has THEN (1 + alpha) * (s - 1) ELSE s END * v) AS g,
				sum(abs(CASE WHEN has THEN (1 + alpha) * (abs(s) + 1) ELSE s END * v)) AS scale
			FROM pair, o, unnest(other) WITH ORDINALITY x (v, k) GROUP BY 1, 2)
	SELECT max(abs(g + l * (n / mean_n) ^ exponent * (own - CASE side WHEN 'user' THEN (mean ->> (k::int - 1))::float8 ELSE 0 END)) / scale) FROM sums, o
$$;
SELECT distance('user', 0.5) < 1e-5 AS users, distance('item', 0.75) < 1e-3 AS items, distance('user', 1) > 1e-2 AS other_users, distance('item', 0.25) > 1e-2 AS other_items;
SELECT trained(', user_exponent => 1, item_exponent => 0.25') > 0 AS trained;
SELECT distance('user', 1) < 1e-5 AS users, distance('item', 0.25) < 1e-3 AS items, distance('user', 0.5) > 1e-2 AS other_users, distance('item', 0.75) > 1e-2 AS other_items;

-- what was given, retrains keep, and tenants have it, too
SELECT version FROM mf_retrain('m');
SELECT parameters -> 'user_exponent' AS users, parameters -> 'item_exponent' AS items FROM mf_models WHERE model = 'm' AND serving;
CREATE VIEW shops AS SELECT user_id % 2 AS shop, * FROM taken;
SELECT tenant, failed FROM mf_train_each('shops', 'shop', 'each', factors => 2, user_exponent => 0, item_exponent => 2) ORDER BY 1;
SELECT DISTINCT parameters -> 'user_exponent' AS users, parameters -> 'item_exponent' AS items FROM mf_models WHERE family = 'each';
SELECT ratings > 0 AS estimated FROM mf_estimate('taken', factors => 2, user_exponent => 0, item_exponent => 2);

SELECT mf_train('taken', 'm', user_exponent => -0.1);
SELECT mf_train('taken', 'm', user_exponent => 'NaN');
SELECT mf_train('taken', 'm', item_exponent => 2.1);
SELECT mf_drop('m'), mf_drop('each');
