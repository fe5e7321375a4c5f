-- Sparse data: more factors than ratings, users with one rating, nothing to explain. Every training ends.
CREATE SCHEMA test_sparse;
SET search_path = test_sparse, public;
SET client_min_messages = warning;

-- What a training of it comes to: numbers everywhere, and a loss that does not rise by more than floats make of its terms.
CREATE FUNCTION trains(source text, arguments text DEFAULT '') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE good boolean;
BEGIN
	EXECUTE format('SELECT loss BETWEEN 0 AND 1e30 AND coalesce(rmse BETWEEN 0 AND 1e10, true) FROM mf_train(%L, ''sparse''%s)', source, arguments)
		INTO good;
	SELECT good AND bool_and(coalesce(loss <= before + 1e-4 * terms, true)) INTO good
		FROM (SELECT loss, lag(loss) OVER (ORDER BY iteration) AS before FROM mf_training_log WHERE model = 'sparse') l,
			(SELECT ratings * (1 + (parameters->>'interest_weight')::float8 * (1 + (parameters->>'alpha')::float8)) AS terms
			FROM mf_models WHERE model = 'sparse') m;
	SELECT good AND (SELECT bool_and(f BETWEEN -1e15 AND 1e15) FROM sparse_user_factors, unnest(factors) f) INTO good;
	SELECT good AND (SELECT bool_and(f BETWEEN -1e15 AND 1e15) FROM sparse_item_factors, unnest(factors) f) INTO good;
	PERFORM mf_drop('sparse');
	RETURN good;
END $$;

-- every user's ratings are equal, so that a bias explains them
CREATE TABLE equal AS SELECT 1 + i % 5 AS user_id, i AS item_id, 1 + i % 5 AS rating FROM generate_series(1, 100) i;
-- a user has one rating; half of the items are others' twins
CREATE TABLE single AS SELECT i AS user_id, i % 7 AS item_id, i % 3 AS rating FROM generate_series(1, 40) i;
-- a long tail: items with one rating, most of them
CREATE TABLE tail AS
	SELECT DISTINCT ON (1, 2) hashint4(g) & 2047 AS user_id,
		((hashint4(g + 1000000) & 65535)::bigint * (hashint4(g + 2000000) & 65535) >> 15)::int AS item_id,
		1 + (hashint4(g + 3000000) & 3) AS rating
	FROM generate_series(1, 20000) g;
SELECT source, arguments, trains(source, arguments)
FROM unnest(ARRAY['equal', 'single']) source, unnest(ARRAY['', ', interest_weight => 0, factors => 128', ', factors => 40',
	', factors => 300, iterations => 3', ', regularization => 0', ', regularization => 0, interest_weight => 0, factors => 10',
	', regularization => 0, interest_weight => 0, factors => 128', ', regularization => 0, feedback => ''implicit''',
	', regularization => 0, alpha => 0', ', regularization => 0, alpha => 0, feedback => ''implicit'', rating_column => NULL, factors => 30',
	', regularization => 1e-30, alpha => 1e9', ', regularization => 1e9, interest_weight => 1e9', ', interest_weight => 1e-9',
	', alpha => 1e9, interest_weight => 1e9, regularization => 0']) WITH ORDINALITY a (arguments, n)
ORDER BY source COLLATE "C", n;
SELECT arguments, trains('tail', arguments)
FROM unnest(ARRAY[', iterations => 4', ', iterations => 4, regularization => 0', ', iterations => 4, seed => 2, interest_weight => 0',
	', iterations => 4, seed => 3, interest_weight => 0, regularization => 0']) arguments;
SELECT ratings, users, factors FROM mf_estimate('tail');
SELECT ratings, users FROM mf_estimate('equal', factors => 128);

-- current rows and baskets are solved alike
SELECT model FROM mf_train('equal', 'free', regularization => 0, interest_weight => 0, factors => 128);
SELECT count(*), bool_and(score BETWEEN -1e15 AND 1e15) AS finite FROM mf_recommend(1, 200, 'free', fresh => true);
SELECT count(*), bool_and(score BETWEEN -1e15 AND 1e15) AS finite FROM mf_recommend_for(ARRAY[1, 2, 3], ARRAY[5, 5, 1]::real[], k => 10, model => 'free');
SELECT count(*) FROM mf_explain(1, 7, model => 'free') WHERE contribution BETWEEN -1e15 AND 1e15;

SELECT mf_drop('free');

-- values at the end of single precision: sums of equal rows stay within it, and a present row beyond it is no value
CREATE TABLE vast AS SELECT u AS user_id, i AS item_id, (1 + (u + i) % 3) * 1e38::real AS rating, 1::real AS weight
	FROM generate_series(1, 12) u, generate_series(1, 9) i, generate_series(1, 1 + (u * i) % 4) WHERE (u + i) % 3 <> 0;
SELECT trains('vast', ', feedback => ''implicit'', factors => 4');
SELECT model FROM mf_train('vast', 'vast', feedback => 'implicit', weight_column => 'weight', factors => 4);
INSERT INTO vast VALUES (1, 2, 1e38, 1e30), (20, 4, 1e38, 1e30), (21, 5, 3e38, 1), (21, 5, 3e38, 1);
SELECT u AS user_id, reason, count(*) > 0 AS listed, bool_and(score BETWEEN -1e6 AND 1e6) AS finite, count(*) FILTER (WHERE (u, item_id) IN (SELECT user_id, item_id FROM vast)) AS seen
FROM unnest(ARRAY[1, 20, 21]) u, mf_recommend(u, 20, 'vast', fresh => true) GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) > 0 AS listed FROM mf_recommend_for(ARRAY[1, 1, 1], ARRAY[3e38, 3e38, 3e38]::real[], model => 'vast');
SELECT mf_drop('vast');
DROP SCHEMA test_sparse CASCADE;
