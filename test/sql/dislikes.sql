-- Negative values of implicit feedback: observed, and not wanted.
CREATE SCHEMA dislikes;
SET search_path = dislikes, public;
SET client_min_messages = warning;
CREATE FUNCTION unit(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8(a::bigint * 1000003 + b) & 1048575) / 1048576.0 $$;

-- Planted: two kinds of items that most users like, thirty that few do.  Some users do not want one of the popular kinds, and
-- say so of some of its items: a tenth of the rows.
CREATE TABLE items AS SELECT i AS item_id, i / 20 AS kind FROM generate_series(0, 639) i;
CREATE TABLE users AS SELECT u AS user_id, CASE WHEN unit(u, -1) < 0.3 THEN (unit(u, -2) * 1000)::int % 2 END AS unwanted,
	ARRAY[2 + (unit(u, -3) * 1000)::int % 30, 2 + (unit(u, -4) * 1000)::int % 30] AS wanted FROM generate_series(1, 1500) u;
CREATE TABLE votes AS SELECT user_id, item_id, CASE WHEN kind = unwanted THEN -2 ELSE 1 END AS value FROM users, items
	WHERE unit(user_id, item_id) < CASE WHEN kind = unwanted THEN 0.3 WHEN kind < 2 OR kind = ANY (wanted) THEN 0.2 ELSE 0.001 END;
CREATE VIEW learned AS SELECT * FROM votes WHERE NOT mf_holdout(user_id, item_id, 0.2);
CREATE VIEW liked AS SELECT * FROM learned WHERE value > 0;
CREATE VIEW held_out AS SELECT * FROM votes WHERE mf_holdout(user_id, item_id, 0.2);
CREATE VIEW held_out_likes AS SELECT * FROM held_out WHERE value > 0;
SELECT round(avg((value < 0)::int), 2) AS dislikes FROM learned;
SELECT count(*) AS trained FROM mf_train('liked', 'without', feedback => 'implicit', rating_column => 'value');
SET client_min_messages = notice;
SELECT ratings = (SELECT count(*) FROM learned) AS all_rows FROM mf_train('learned', 'with', feedback => 'implicit', rating_column => 'value');
SELECT ratings = (SELECT count(*) FROM learned) AS all_rows FROM mf_retrain('with');
SELECT users FROM mf_estimate('learned', feedback => 'implicit', rating_column => 'value');
SET client_min_messages = warning;
-- the share of unwanted kinds in lists of users who have told
CREATE FUNCTION unwanted(model text) RETURNS float8 LANGUAGE sql AS $$
	SELECT avg((kind = unwanted)::int)::float8 FROM mf_recommend_all(10, model) JOIN items USING (item_id) JOIN users USING (user_id)
	WHERE user_id IN (SELECT user_id FROM learned WHERE value < 0)
$$;
CREATE FUNCTION ndcg(model text) RETURNS float8 LANGUAGE sql AS $$
	SELECT value FROM mf_evaluate('held_out_likes', model => model, train => 'learned') WHERE metric = 'ndcg'
$$;
SELECT unwanted('with') <= 0.2 * unwanted('without') AS fallen, unwanted('without') > 0.04 AS were_there, ndcg('with') > 0.99 * ndcg('without') AS as_good;
-- what a user has said of them does not matter: they have them
SELECT count(*) AS listed FROM learned JOIN mf_recommend_all(10, 'with') USING (user_id, item_id);
SELECT reason, count(*) FROM generate_series(1, 300) u, mf_recommend(u, 1, 'with', fresh => true) GROUP BY 1;
-- a dislike that is held out is not relevant, and is no popularity
SELECT metric, m.value - (SELECT count(*) FROM held_out h JOIN items USING (item_id) WHERE h.value > 0 OR metric <> 'rows_relevant') AS off FROM mf_evaluate('held_out', model => 'with', train => 'learned') m
	WHERE metric IN ('rows', 'rows_relevant') ORDER BY 1;
SELECT count(*) AS items, count(*) FILTER (WHERE ratings <> greatest(likes, 1)) AS off FROM mf_popular(1000, 'with')
	JOIN (SELECT item_id, count(*) FILTER (WHERE value > 0) AS likes FROM learned GROUP BY 1) l USING (item_id);
SELECT count(*) FILTER (WHERE f.ratings <> l.n) AS off FROM with_user_factors f JOIN (SELECT user_id, count(*) AS n FROM learned GROUP BY 1) l USING (user_id)
	WHERE version = 2;

-- explained: dislikes take away from items that are like them, and all of it adds up to the score
CREATE TEMP TABLE explained AS SELECT u.user_id, i.item_id, mf_predict(u.user_id, i.item_id, 'with') AS score, e.item_id AS by, e.contribution, v.value
	FROM (SELECT DISTINCT user_id FROM learned WHERE value < 0 AND user_id < 100) u CROSS JOIN items i
		CROSS JOIN LATERAL mf_explain(u.user_id, i.item_id, 1000, 'with') e JOIN learned v ON v.user_id = u.user_id AND v.item_id = e.item_id
	WHERE i.kind < 2 AND i.item_id % 5 = 0;
SELECT max(off) < 1e-4 AS add_up FROM (SELECT abs(sum(contribution) - min(score)) AS off FROM explained GROUP BY user_id, item_id) s;
SELECT avg((contribution < 0)::int) > 0.9 AS against FROM explained JOIN items i ON i.item_id = by JOIN items o ON o.item_id = explained.item_id WHERE value < 0 AND i.kind = o.kind;

-- a basket of the same is the same, but for who has it: and one of dislikes alone has what most like, without what is like them
SELECT count(*) AS users, count(*) FILTER (WHERE b.items IS DISTINCT FROM l.items) AS off FROM (SELECT user_id, array_agg(item_id ORDER BY item_id) AS i, array_agg(value::float8 ORDER BY item_id) AS v FROM learned WHERE user_id <= 50 GROUP BY 1) u,
	LATERAL (SELECT array_agg(item_id::bigint ORDER BY rank) AS items FROM mf_recommend_for(i, v, 10, 'with')) b,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(user_id, 10, 'with', fresh => true)) l;
SELECT r, count(*) FILTER (WHERE kind = 0) > 5 AS first_kind FROM (VALUES (1), (-3)) t (r), mf_recommend_for(ARRAY[1, 4, 7, 9, 12], array_fill(r::float8, ARRAY[5]), 10, 'with') JOIN items USING (item_id) GROUP BY 1 ORDER BY 1 DESC;
SELECT * FROM mf_recommend_for(ARRAY[1, 2], ARRAY[1, 0], 3, 'with');

-- Values of one user and item add up.
CREATE FUNCTION learnt(source text, arguments text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE sum text;
BEGIN
	PERFORM mf_drop(name) FROM mfrec.model WHERE name = 'w';
	EXECUTE format('SELECT concat_ws('','', loss, ratings) FROM mf_train(%L, ''w'', feedback => ''implicit'', iterations => 3, factors => 8%s)', source, arguments) INTO sum;
	SELECT md5(sum || string_agg(concat_ws(',', user_id, factors), ',' ORDER BY user_id)) INTO sum FROM w_user_factors WHERE factors <> '{}';
	RETURN sum;
END $$;
CREATE VIEW small AS SELECT * FROM votes WHERE user_id <= 300;
SELECT learnt('small', ', rating_column => ''value''') AS small \gset
CREATE VIEW parts AS SELECT user_id, item_id, value * f AS value FROM small, (VALUES (3), (-4), (2)) p (f);
SELECT learnt('parts', ', rating_column => ''value''') = :'small' AS the_same;
-- to nothing, which is no rating, but something that the user has
CREATE VIEW cancelled AS SELECT * FROM small UNION ALL SELECT s.user_id, s.item_id + 1, v FROM small s, (VALUES (2), (-2)) p (v)
	WHERE s.item_id + 1 IN (SELECT item_id FROM small) AND NOT EXISTS (SELECT FROM small o WHERE o.user_id = s.user_id AND o.item_id = s.item_id + 1);
SELECT learnt('cancelled', ', rating_column => ''value''') = :'small' AS the_same;
SELECT fresh, count(*) AS listed FROM (VALUES (false), (true)) f (fresh), generate_series(1, 300) u, mf_recommend(u, 20, 'w', fresh => fresh) r WHERE EXISTS (SELECT FROM cancelled c WHERE c.user_id = u AND c.item_id = r.item_id) GROUP BY 1;
SELECT reason, count(*) FROM generate_series(1, 300) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
-- in memory and spilled, on one thread and three
CREATE TABLE many AS SELECT c.* FROM cancelled c, generate_series(1, 9);
SELECT count(*) > 65536 AS spills FROM many;
SELECT learnt('many', ', rating_column => ''value''') AS many \gset
SET maintenance_work_mem = '1MB';
SET mfrec.threads = 3;
SELECT learnt('many', ', rating_column => ''value''') = :'many' AS the_same;
SELECT count(*) AS listed FROM generate_series(1, 300) u, mf_recommend(u, 20, 'w', fresh => false) r WHERE EXISTS (SELECT FROM cancelled c WHERE c.user_id = u AND c.item_id = r.item_id);
RESET maintenance_work_mem;
RESET mfrec.threads;

-- Factors from elsewhere, by their programs' formulas, by hand: a user has 2 of the item (1, 0) and -3 of (0, 1), and is asked about
-- (1, 1), with a regularization and an alpha of 1.  implicit: (Y'Y + 1 + (2 - 1) y1 y1' + (3 - 1) y2 y2') x = 2 y1, that is [4 1; 1 5] x = [2 0],
-- x = [10 -2] / 19, and x.(1, 1) = 8 / 19.
CREATE TABLE their_items AS SELECT * FROM (VALUES (1, '{1,0}'::real[]), (2, '{0,1}'), (3, '{1,1}')) t (id, factors);
CREATE TABLE their_users AS SELECT 1 AS id, '{0.1,0.2}'::real[] AS factors;
CREATE TABLE plays AS SELECT 1 AS user_id, i AS item_id, v AS value FROM (VALUES (1, 2), (2, -3)) t (i, v);
SET client_min_messages = notice;
SELECT ratings FROM mf_import('implicit', 'their_users', 'their_items', source => 'plays', rating_column => 'value', regularization => 1, alpha => 1, value_is_confidence => true);
SET client_min_messages = warning;
SELECT item_id, round((score * 19)::numeric, 4) AS nineteenths, reason FROM mf_recommend(1, 3, 'implicit');
SELECT item_id, round((score * 19)::numeric, 4) AS nineteenths FROM mf_recommend_for(ARRAY[1, 2], ARRAY[2, -3], 3, 'implicit');
SELECT item_id, ratings FROM mf_popular(3, 'implicit') ORDER BY 1;
-- what the like adds alone is 4 / 11, by [4 1; 1 3] x = [2 0]; the rest is the dislike's, which adds as there is less than no interest in (0, 1)
SELECT item_id, round((contribution * 209)::numeric, 3) AS parts_of_209 FROM mf_explain(1, 3, 3, 'implicit');
-- Spark: (Y'Y + n + 2 y1 y1' + 3 y2 y2') x = 3 y1, where n, the number of values above 0, is 1: [5 1; 1 6] x = [3 0], x = [18 -3] / 29
SELECT ratings FROM mf_import('spark', 'their_users', 'their_items', source => 'plays', rating_column => 'value', regularization => 1, alpha => 1, regularization_exponent => 1);
SELECT item_id, round((score * 29)::numeric, 4) AS twenty_ninths, reason FROM mf_recommend(1, 3, 'spark');
UPDATE plays SET value = 3;
INSERT INTO plays VALUES (1, 1, -1), (1, 2, -6);
SELECT item_id, round((score * 29)::numeric, 4) AS twenty_ninths, reason FROM mf_recommend(1, 3, 'spark');
INSERT INTO plays VALUES (1, 1, -2);
-- what adds up to 0 is an observation there, as a value of 0 is, of the weight 1
SELECT item_id, round((score * 17)::numeric, 4) AS seventeenths, reason FROM mf_recommend(1, 3, 'spark');

-- Kinds of events: what is hidden is a dislike; a weight of columns is none.
CREATE VIEW events AS SELECT user_id, item_id, abs(value) / 2 AS quantity, value, CASE WHEN value < 0 THEN 'hide' WHEN item_id % 3 = 0 THEN 'buy' ELSE 'view' END AS kind FROM small;
CREATE VIEW weighed AS SELECT user_id, item_id, CASE kind WHEN 'hide' THEN -3 WHEN 'buy' THEN 5 ELSE 1 END AS value FROM events;
SELECT learnt('events', ', rating_column => NULL, event_column => ''kind'', event_weights => ''{"view": 1, "buy": 5, "hide": -3}''')
	= learnt('weighed', ', rating_column => ''value''') AS the_same;
SELECT reason, count(*) FROM generate_series(1, 300) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
SELECT trial, value > 0 AS found FROM mf_tune('events', trials => 3, rating_column => NULL, event_column => 'kind', event_weights => '{"view": 1, "buy": 5, "hide": -3}', relevant_event => 'buy', factors => 8, validation => 0.2) WHERE trial IS NOT NULL ORDER BY trial LIMIT 2;
SET client_min_messages = notice;
SELECT users FROM mf_train('events', 'w', factors => 8, rating_column => NULL, event_column => 'kind', event_weights => '{"view": 1, "buy": 5, "hide": -3}');
SELECT users FROM mf_train('small', 'w', feedback => 'implicit', rating_column => 'value', weight_column => 'value');
CREATE VIEW disliked AS SELECT user_id, item_id, -1 AS value FROM small;
SELECT users FROM mf_train('disliked', 'w', feedback => 'implicit', rating_column => 'value');
SELECT users > 0 AS trained FROM mf_train('small', 'w', rating_column => 'value', factors => 8, interest_weight => 0);
SET client_min_messages = warning;

-- Rows that fade: each for itself.
CREATE TABLE dated AS SELECT user_id, item_id, value, timestamptz '2024-01-01 UTC' + (user_id * 31 + item_id * 17) % 700 * interval '1 day' AS at FROM small;
INSERT INTO dated SELECT user_id, item_id, -value, at - (item_id % 40) * interval '10 days' FROM dated WHERE unit(user_id, item_id + 5) < 0.1;
SELECT learnt('dated', ', rating_column => ''value'', time_column => ''at'', half_life => ''90 days''') AS faded \gset
SELECT reason, count(*) FROM generate_series(1, 300) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
SELECT count(*) > 300 AS items, count(*) FILTER (WHERE abs(trend - expected) > 1e-4 * greatest(expected, 1e-3)) AS off FROM w_item_factors JOIN (SELECT item_id, coalesce(sum(left_of_it) FILTER (WHERE value > 0), 0) AS expected
	FROM (SELECT item_id, value, 1 / (1 + extract(epoch FROM (SELECT max(at) FROM dated) - at)::float8 / (2 * 86400)) AS left_of_it FROM dated) d GROUP BY 1) e USING (item_id) WHERE factors <> '{}' AND trend IS NOT NULL;
-- with a half-life beyond all ages it is as without
SELECT learnt('dated', ', rating_column => ''value''') <> :'faded' AS trained;
CREATE TEMP TABLE lists AS SELECT u, array_agg(item_id ORDER BY rank) AS items FROM generate_series(1, 300) u, mf_recommend(u, 10, 'w') r GROUP BY 1;
SELECT learnt('dated', ', rating_column => ''value'', time_column => ''at'', half_life => ''3000000 days'', trend_weight => 0') <> '' AS trained;
-- (but that what adds up to nothing is a row still)
SELECT count(*) FILTER (WHERE cardinality(ARRAY(SELECT unnest(l.items) INTERSECT SELECT unnest(n.items))) < 9) < 15 AS the_same FROM lists l
	JOIN (SELECT u, array_agg(item_id ORDER BY rank) AS items FROM generate_series(1, 300) u, mf_recommend(u, 10, 'w') r GROUP BY 1) n USING (u);

-- Updates find them, by their time or among all rows, and leave what a training would: counts, what users have, vectors that fold in.
CREATE TABLE timed AS SELECT user_id, item_id, value::float8 AS value, timestamptz '2024-01-01 UTC' + (user_id * 31 + item_id * 17) % 700 * interval '1 day' + user_id * interval '1 s' AS at FROM votes;
CREATE TABLE growing AS SELECT * FROM timed WHERE user_id > 10 OR unit(user_id, item_id + 5) > 0.2;
CREATE INDEX ON growing (at);
CREATE INDEX ON growing (user_id);
CREATE INDEX ON growing (item_id);
ANALYZE growing;
SELECT sum(users) AS users FROM (VALUES ('timely'), ('all')) m (model), mf_train('growing', model, feedback => 'implicit', rating_column => 'value', time_column => 'at', factors => 8, iterations => 2);
INSERT INTO growing SELECT user_id, item_id, value, '2025-12-05' FROM timed WHERE NOT (user_id > 10 OR unit(user_id, item_id + 5) > 0.2);
-- what is new of user 3 adds up to nothing, user 4 takes back what they have said, and user 5 likes it less
INSERT INTO growing SELECT 3, i, v, '2025-12-05' FROM generate_series(100, 106) i, (VALUES (1), (-1)) t (v) WHERE NOT EXISTS (SELECT FROM growing WHERE user_id = 3 AND item_id = i);
INSERT INTO growing SELECT user_id, item_id, -2 * value, '2025-12-05' FROM growing WHERE user_id = 4;
INSERT INTO growing SELECT user_id, item_id, -0.5 * value, '2025-12-05' FROM growing WHERE user_id = 5 AND value = 1;
SET enable_seqscan = off;
SET client_min_messages = notice;
SELECT users_changed > 0 AS users, items_changed > 0 AS items FROM mf_update('timely');
RESET enable_seqscan;
SELECT users_changed > 0 AS users, items_changed > 0 AS items FROM mf_update('all', all_rows => true);
SET client_min_messages = warning;
CREATE TEMP TABLE after AS SELECT 'timely' AS model, * FROM (SELECT item_id, ratings, trend FROM timely_item_factors WHERE factors <> '{}') i UNION ALL SELECT 'all', item_id, ratings, trend FROM all_item_factors WHERE factors <> '{}';
SELECT count(*) AS other_items FROM (SELECT item_id, count(*), count(DISTINCT ratings) AS counts, max(trend) - min(trend) AS off FROM after GROUP BY 1) a WHERE counts <> 1 OR count <> 2 OR off > 1e-3;
SELECT max(ratings) > 200 AS many, sum(ratings) FROM after WHERE model = 'all';
SELECT m.model, m.ratings = (SELECT count(*) FROM (SELECT FROM growing GROUP BY user_id, item_id HAVING sum(value) <> 0) p) AS ratings FROM mf_models m WHERE model IN ('timely', 'all') ORDER BY 1;
SELECT model, count(*) AS listed FROM (VALUES ('timely'), ('all')) m (model), generate_series(1, 300) u, mf_recommend(u, 20, model, fresh => false) r WHERE EXISTS (SELECT FROM growing c WHERE c.user_id = u AND c.item_id = r.item_id) GROUP BY 1;
SELECT model, reason, count(*) FROM (VALUES ('timely'), ('all')) m (model), generate_series(1, 10) u, mf_recommend(u, 1, model, fresh => true) GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS trained FROM mf_retrain('all');
-- items that stay count who has ever liked them: user 4 has
SELECT count(*) AS items, count(*) FILTER (WHERE a.ratings <> f.ratings AND item_id NOT IN (SELECT item_id FROM growing WHERE user_id = 4)) AS off FROM after a JOIN all_item_factors f USING (item_id) WHERE version = 2 AND model = 'all';
SELECT users_changed, items_changed FROM mf_update('all', all_rows => true);

-- Attributes of items and of users, and rows held out.
CREATE VIEW described AS SELECT item_id, 'kind ' || kind AS kind FROM items UNION ALL SELECT 1000 + k, 'kind ' || k FROM generate_series(0, 5) k;
SELECT items FROM mf_train('learned', 'of kinds', feedback => 'implicit', rating_column => 'value', item_features => 'described', feature_categories => ARRAY['kind'], factors => 16, validation => 0.1, iterations => 3);
SELECT count(*) FILTER (WHERE item_id = 1000 + unwanted) < 0.5 * count(*) FILTER (WHERE item_id = 1001 - unwanted) AS new_ones_too FROM (SELECT user_id, unwanted FROM users WHERE user_id IN (SELECT user_id FROM learned WHERE value < 0)) u,
	mf_recommend(user_id, 100, 'of kinds', fresh => false);
SELECT count(mf_drop(name)) AS dropped FROM mfrec.model;
DROP SCHEMA dislikes CASCADE;
