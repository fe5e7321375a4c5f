-- Lists go by what items' rows are of late: scores are multiplied by recency, and nothing else changes.
CREATE SCHEMA test_recency;
SET search_path = test_recency, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; hint text; BEGIN EXECUTE command; RETURN 'nothing'; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT; RETURN said || ' / ' || hint; END $$;

-- 30 items of two tastes; items 1 and 3 have the same takers, and the rows of 1 are new, those of 3 old
CREATE TABLE plays AS SELECT u AS user_id, i AS item_id, 1 + (u * i) % 5 AS rating, timestamptz '2024-06-01 12:00 UTC' - ((u * 7 + i * 3) % 200) * interval '1 day' AS at
	FROM generate_series(1, 120) u, generate_series(4, 30) i WHERE (u + i) % 2 = 0 AND (u * 5 + i * i) % 7 < 3;
INSERT INTO plays SELECT u, i, 3 + u % 3, CASE i WHEN 1 THEN timestamptz '2024-06-01 UTC' - u % 7 * interval '1 day' ELSE timestamptz '2023-08-01 UTC' END
	FROM generate_series(1, 119, 4) u, unnest('{1,3}'::int[]) i;
CREATE TABLE about AS SELECT i AS item_id, ARRAY['t' || i % 2] AS tags FROM generate_series(1, 32) i;

CREATE FUNCTION trained(model text, more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN
	EXECUTE format('SELECT items FROM mf_train(''plays'', %L, factors => 6, time_column => ''at''%s)', model, more) INTO n; RETURN n; END $$;
-- 8 bits of a number
CREATE FUNCTION short(x float8) RETURNS float8 LANGUAGE sql AS 'SELECT round(x / power(2, floor(log(2, x::numeric)) - 7)) * power(2, floor(log(2, x::numeric)) - 7)';
CREATE FUNCTION dot(a real[], b real[]) RETURNS float8 LANGUAGE sql AS 'SELECT sum(x::float8 * y) FROM unnest(a, b) t(x, y)';
-- scores of all items for all users by the tables and the formula of the reference
CREATE FUNCTION formula(name text) RETURNS TABLE (user_id int, item_id int, recency float8, score float8) LANGUAGE plpgsql AS $$ BEGIN
	RETURN QUERY EXECUTE format($sql$
	SELECT u.user_id, i.item_id, r.recency, r.recency * (dot(u.factors, i.factors) + CASE WHEN i.rating_factors IS NULL OR i.ratings = 0 THEN 0 ELSE taste * (dot(u.factors, i.rating_factors) + i.bias) END)
	FROM (SELECT version, (parameters ->> 'taste')::float8 AS taste, coalesce((parameters ->> 'trend_mean')::float8, 1) AS m, coalesce((parameters ->> 'trend_weight')::float8, 0) AS weight FROM mf_models WHERE model = %1$L AND serving) p
	JOIN %2$I u USING (version) JOIN %3$I i USING (version),
		LATERAL (SELECT CASE WHEN i.ratings = 0 THEN 1 ELSE short(power((coalesce(i.trend, 0) / m + 40) / (i.ratings + 40), weight)) END) r(recency)$sql$, name, name || '_user_factors', name || '_item_factors'); END $$;
CREATE FUNCTION agrees(name text) RETURNS TABLE (lists bigint, scores boolean, orders boolean, recency boolean) LANGUAGE sql AS $$
	SELECT count(*), bool_and(abs(l.score - f.score) < 1e-5), bool_and(l.score <= l.above + 1e-6), min(f.recency) < 0.95 AND max(f.recency) > 1.05
	FROM (SELECT u AS user_id, l.*, coalesce(lag(l.score) OVER (PARTITION BY u ORDER BY l.rank), 9) AS above FROM generate_series(1, 120, 7) u, mf_recommend(u, 100, name, exclude_seen => false, fresh => false) l) l
	JOIN formula(name) f USING (user_id, item_id) $$;

-- a hot item rises, an old one sinks
SELECT trained('plain', ', feedback => ''implicit'', rating_column => NULL, trend_weight => 0') AS items, trained('late', ', feedback => ''implicit'', rating_column => NULL') AS the_same;
SELECT model, (parameters ->> 'trend_weight')::float8 AS trend_weight, (parameters ->> 'trend_half_life')::float8 / 86400 AS days,
	abs((parameters ->> 'trend_mean')::float8 - (SELECT avg(1 / (1 + extract(epoch FROM (SELECT max(at) FROM plays) - at) / 86400 / 2)) FROM plays)) < 1e-6 AS mean FROM mf_models ORDER BY model;
CREATE TABLE places AS SELECT model, item_id, avg(rank) AS place FROM unnest('{plain,late}'::text[]) model, generate_series(1, 120) u, mf_recommend(u, 100, model, exclude_seen => false) GROUP BY 1, 2;
SELECT abs(p1.place - p3.place) <= 1 AS alike, l1.place < p1.place AS risen, l3.place > p3.place AS sunk FROM places p1, places p3, places l1, places l3
WHERE (p1.model, p1.item_id, p3.model, p3.item_id, l1.model, l1.item_id, l3.model, l3.item_id) = ('plain', 1, 'plain', 3, 'late', 1, 'late', 3);
-- scores are those of the formula, whoever asks
SELECT * FROM agrees('plain');
SELECT * FROM agrees('late');
SELECT count(*), bool_and(abs(a.score - f.score) < 1e-5) AS scores FROM mf_recommend_all(30, 'late', exclude_seen => false) a JOIN formula('late') f USING (user_id, item_id);
SELECT count(*), bool_and(abs(a.score - f.score) < 1e-5) AS scores, array_agg(a.user_id ORDER BY a.rank) = array_agg(a.user_id ORDER BY f.score DESC, a.user_id) AS in_order FROM mf_recommend_users(3, 20, 'late') a JOIN formula('late') f ON f.item_id = 3 AND f.user_id = a.user_id;
SELECT bool_and(abs(e.explained - l.score) < 1e-3) AS explained FROM mf_recommend(5, 5, 'late', exclude_seen => false, fresh => true) l, LATERAL (SELECT sum(contribution) AS explained FROM mf_explain(5, l.item_id, 100, 'late')) e;
SELECT bool_and(rank = 1) AS the_newest FROM mf_recommend_for(ARRAY[5, 7, 9], k => 100, model => 'late', candidates => ARRAY[1, 3]) WHERE item_id = 1;
-- what was learned is the same, and so are what is predicted and what is alike
SELECT count(*), bool_and(p.factors = l.factors AND p.trend = l.trend) AS vectors FROM plain_item_factors p JOIN late_item_factors l USING (item_id);
SELECT bool_and(mf_predict(u, i, 'plain') = mf_predict(u, i, 'late')) AS predicted FROM generate_series(1, 9) u, generate_series(1, 30) i;
SELECT bool_and(p.similarity = l.similarity) AND count(*) = 28 * 3 AS similar FROM unnest('{1,3,8}'::int[]) i, mf_similar_items(i, 100, 'plain') p, mf_similar_items(i, 100, 'late') l WHERE p.id = l.id;

-- both parts; ratings alone, whose lists go by the predicted rating
SELECT trained('both', ', rating_factors => 3') AS items, trained('both plain', ', rating_factors => 3, trend_weight => 0') AS the_same, trained('stars', ', interest_weight => 0, trend_weight => 1') AS stars;
SELECT * FROM agrees('both');
SELECT bool_and(mf_predict(u, i, 'both') = mf_predict(u, i, 'both plain')) AS predicted FROM generate_series(1, 9) u, generate_series(1, 30) i;
SELECT bool_and(p.similarity = l.similarity) AND count(*) = 28 * 3 AS similar FROM unnest('{1,3,8}'::int[]) i, mf_similar_items(i, 100, 'both plain') p, mf_similar_items(i, 100, 'both') l WHERE p.id = l.id;
SELECT (parameters ->> 'trend_weight')::float8 AS trend_weight FROM mf_models WHERE model = 'stars';
SELECT bool_and(abs(score - mf_predict(7, item_id, 'stars')) < 1e-4 OR mf_predict(7, item_id, 'stars') IN (1, 5)) AS predicted FROM mf_recommend(7, 100, 'stars');
-- vectors edited by hand are no whole numbers: lists and likeness go by floats
BEGIN;
UPDATE late_item_factors SET factors[1] = factors[1] * 1.00001 WHERE item_id = 4;
UPDATE both_item_factors SET factors[1] = factors[1] * 1.00001 WHERE item_id = 4;
SELECT mf_refresh('late') IS NOT NULL, mf_refresh('both') IS NOT NULL;
SELECT * FROM agrees('late');
SELECT * FROM agrees('both');
SELECT model, bool_and(abs(s.similarity - dot(a.factors, b.factors) / sqrt(dot(a.factors, a.factors) * dot(b.factors, b.factors))) < 1e-5) AS cosines
FROM unnest('{late,both}'::text[]) model, mf_similar_items(1, 100, model) s, LATERAL (SELECT l.item_id, l.factors FROM late_item_factors l WHERE model = 'late' UNION ALL SELECT b.item_id, b.factors FROM both_item_factors b WHERE model = 'both') a,
	LATERAL (SELECT l.item_id, l.factors FROM late_item_factors l WHERE model = 'late' UNION ALL SELECT b.item_id, b.factors FROM both_item_factors b WHERE model = 'both') b WHERE a.item_id = 1 AND b.item_id = s.id GROUP BY 1;
ROLLBACK;

-- new items are not held back: 1; a list of theirs among others
SELECT trained('described', ', feedback => ''implicit'', rating_column => NULL, item_features => ''about''') AS items;
SELECT * FROM agrees('described');
SELECT item_id, count(*), bool_and(recency = 1) AS one FROM formula('described') WHERE item_id > 30 GROUP BY 1 ORDER BY 1;
SELECT count(*), bool_and(abs(a.contribution / b.contribution - f.recency) < 1e-3) AS explained
FROM mf_explain_features(5, 3, 10, 'described') a JOIN mf_explain_features(5, 31, 10, 'described') b USING (feature), formula('described') f WHERE f.user_id = 5 AND f.item_id = 3;

-- an update moves trends, and lists with them, in a renewed image as in one that is built
INSERT INTO plays SELECT u, 3, 4, timestamptz '2024-06-01 18:00 UTC' FROM generate_series(2, 119, 3) u WHERE NOT EXISTS (SELECT FROM plays WHERE user_id = u AND item_id = 3);
INSERT INTO plays SELECT u, 31, 4, timestamptz '2024-06-01 20:00 UTC' FROM generate_series(1, 119, 5) u;
SELECT items_added, items_changed > 0 AS changed FROM mf_update('late');
SELECT * FROM agrees('late');
SELECT f.recency > g.recency AS more_recent FROM (SELECT DISTINCT recency FROM formula('late') WHERE item_id = 3) f, (SELECT DISTINCT recency FROM formula('both') WHERE item_id = 3) g;
SELECT items_added FROM mf_update('both');
SELECT * FROM agrees('both');
-- items with many rows are only counted, and rise all the same
CREATE TABLE hits AS SELECT u AS user_id, i AS item_id, timestamptz '2024-01-01 UTC' + (u + i * 100) * interval '1 hour' AS at FROM generate_series(1, 1300) u, generate_series(1, 20) i WHERE i <= 2 OR (u * 7 + i * 3 + u * i) % 10 < 3;
SELECT items FROM mf_train('hits', factors => 4, time_column => 'at');
CREATE TABLE hit_items AS SELECT * FROM hits_item_factors;
CREATE TABLE hit_scores AS SELECT * FROM mf_recommend(7, 20, 'hits', exclude_seen => false);
INSERT INTO hits SELECT 1400 + n, 1, '2024-04-01 UTC' FROM generate_series(1, 9) n;
SELECT items_changed FROM mf_update('hits');
SELECT f.factors = h.factors AS kept, f.trend > h.trend AS trends FROM hits_item_factors f JOIN hit_items h USING (item_id) WHERE item_id = 1;
SELECT l.score > h.score AS risen, abs(l.score - f.score) < 1e-5 AS exact FROM mf_recommend(7, 20, 'hits', exclude_seen => false) l JOIN hit_scores h USING (item_id) JOIN formula('hits') f ON f.user_id = 7 AND f.item_id = l.item_id WHERE l.item_id = 1;

-- retrainings keep the argument; tenants and searches have it, too
SELECT version FROM mf_retrain('plain');
SELECT (parameters ->> 'trend_weight')::float8 AS trend_weight FROM mf_models WHERE model = 'plain' AND serving;
SELECT trained('late', ', feedback => ''implicit'', rating_column => NULL, trend_weight => 0.7') AS items;
CREATE VIEW shops AS SELECT 'a' AS shop, * FROM plays;
SELECT tenant, items FROM mf_train_each('shops', 'shop', factors => 6, feedback => 'implicit', rating_column => NULL, time_column => 'at', trend_weight => 0.7);
SELECT count(*), bool_and(abs(l.score - f.score) < 1e-5) AS as_one FROM mf_recommend(7, 30, mf_tenant('shops', 'a'), exclude_seen => false, fresh => false) l JOIN mf_recommend(7, 30, 'late', exclude_seen => false, fresh => false) f USING (item_id);
SELECT version FROM mf_retrain('late');
SELECT (parameters ->> 'trend_weight')::float8 AS trend_weight FROM mf_models WHERE model = 'late' AND serving;
SELECT * FROM agrees('late');
SELECT trial, round(trend_weight::numeric, 3) AS trend_weight, importance ? 'trend_weight' AS searched FROM mf_tune('plays', trials => 12, factors => 4, time_column => 'at', half_life => '1 year') WHERE trial = 1 OR winner ORDER BY trial LIMIT 1;
SELECT count(DISTINCT trend_weight) > 3 AS tried FROM mf_tune('plays', trials => 12, factors => 4, time_column => 'at', half_life => '1 year');
SELECT DISTINCT trend_weight FROM mf_tune('plays', trials => 4, factors => 4, time_column => 'at', trend_weight => 0.9, half_life => '1 year');
SELECT trend_weight FROM mf_tune('plays', trials => 1, factors => 4);
-- a half-life of rows is that of trends where it is shorter
SELECT trained('fades', ', half_life => ''1 year''') AS items, trained('fades soon', ', half_life => ''1 day''') AS soon;
SELECT model, (parameters ->> 'trend_half_life')::float8 / 86400 AS days FROM mf_models WHERE model LIKE 'fades%' ORDER BY 1;
-- validation measures the lists that are served, a guard what was learned
SELECT trained('checked', ', validation => 0.2, iterations => 4, validation_by => ''random''') AS items, trained('checked plain', ', validation => 0.2, iterations => 4, validation_by => ''random'', trend_weight => 0') AS plain;
SELECT count(*), bool_or(c.validation <> p.validation) AS differ FROM mf_training_log c JOIN mf_training_log p USING (iteration) WHERE c.model = 'checked' AND p.model = 'checked plain';
SELECT items FROM mf_train('plays', 'guarded', factors => 6, feedback => 'implicit', rating_column => NULL, time_column => 'at', guard => 0.2);
SELECT items FROM mf_train('plays', 'guarded plain', factors => 6, feedback => 'implicit', rating_column => NULL, time_column => 'at', guard => 0.2, trend_weight => 0);
SELECT count(*), count(DISTINCT parameters ->> 'guard_value') AS alike FROM mf_models WHERE model LIKE 'guarded%';

-- what cannot be
SELECT fails('SELECT trained(''late'', '', trend_weight => ' || w || ''')') FROM unnest('{-1,3,''''NaN''''}'::text[]) w;
SELECT fails('SELECT mf_train(''plays'', ''untimed'', trend_weight => 0.4)');
SELECT trained('late', ', trend_weight => NULL') AS items;
SELECT items FROM mf_train('plays', 'untimed', factors => 4, trend_weight => 0);
SELECT parameters ? 'trend_weight' AS stored FROM mf_models WHERE model = 'untimed';

SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models) m WHERE model NOT LIKE 'shops%';
SELECT mf_drop('shops') IS NOT NULL AS dropped;
DROP SCHEMA test_recency CASCADE;
