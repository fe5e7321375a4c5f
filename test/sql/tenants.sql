-- A model for each tenant of a source, in one call and two tables.
CREATE SCHEMA test_tenants;
SET search_path = test_tenants, public;
SET client_min_messages = warning;
CREATE TABLE sales (shop_id int, user_id int, item_id int, rating real);
INSERT INTO sales SELECT s, u, i, 1 + (u * 3 + i * 7 + s) % 5 FROM generate_series(1, 4) s, generate_series(1, 12) u, generate_series(1, 9) i
	WHERE (u * 7 + i * 3 + s * u) % 4 <> 0;
INSERT INTO sales SELECT shop_id, user_id, item_id, rating + 1 FROM sales WHERE user_id = 3;
INSERT INTO sales VALUES (5, 1, 1, 3), (6, 1, 1, 3), (6, 2, 1, 'NaN'), (6, 3, 1, 4), (NULL, 1, 1, 5), (1, 50, 3, NULL), (1, 2, 4, NULL);
CREATE INDEX ON sales (shop_id, user_id);
SELECT tenant, model, version, users, items, ratings, iterations, loss > 0 AS loss, rmse > 0 AS rmse, failed
	FROM mf_train_each('sales', 'shop_id', factors => 4, iterations => 3) ORDER BY tenant;
SELECT family, tenant, model, version, users FROM mf_tenants ORDER BY model;
SELECT model, family, tenant, source, user_table, serving, fresh, parameters ->> 'factors' FROM mf_models ORDER BY model;

-- as those of a training of the tenant's rows alone, to the bit
CREATE FUNCTION differences(shop int) RETURNS TABLE (in_users bigint, in_items bigint, in_parameters bigint, in_lists bigint, in_calls bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE VIEW shop AS SELECT user_id, item_id, rating FROM sales WHERE shop_id = %s', shop);
	PERFORM mf_train('shop', factors => 4, iterations => 3);
	RETURN QUERY EXECUTE format($q$
		WITH one AS (SELECT version FROM mf_models WHERE model = 'shop' AND serving), tenant AS (SELECT * FROM mf_tenants WHERE family = 'sales' AND tenant = '%1$s')
		SELECT (SELECT count(*) FROM (SELECT user_id, f.ratings, bias, factors, seen, fingerprint FROM sales_user_factors f JOIN tenant USING (version)
			EXCEPT SELECT user_id, ratings, bias, factors, seen, fingerprint FROM shop_user_factors JOIN one USING (version)) x),
		(SELECT count(*) FROM (SELECT item_id, f.ratings, bias, factors, rating_factors, number, fingerprint FROM sales_item_factors f JOIN tenant USING (version)
			EXCEPT SELECT item_id, ratings, bias, factors, rating_factors, number, fingerprint FROM shop_item_factors JOIN one USING (version)) x),
		(SELECT count(*) FROM (SELECT parameters, loss, rmse, iterations FROM mf_models WHERE tenant = '%1$s' AND serving
			EXCEPT SELECT parameters, loss, rmse, iterations FROM mf_models WHERE model = 'shop' AND serving) x),
		(SELECT count(*) FROM (SELECT u, l.* FROM generate_series(1, 60) u, mf_recommend(u, 9, mf_tenant('sales', %1$s), fresh => false) l
			EXCEPT SELECT u, l.* FROM generate_series(1, 60) u, mf_recommend(u, 9, 'shop', fresh => false) l) x)
		+ (SELECT count(*) FROM (SELECT u, l.* FROM generate_series(1, 60) u, mf_recommend(u, 9, mf_tenant('sales', %1$s)) l
			EXCEPT SELECT u, l.* FROM generate_series(1, 60) u, mf_recommend(u, 9, 'shop', fresh => true) l) x),
		(SELECT count(*) FROM (SELECT 'p', u, i, mf_predict(u, i, 'sales/%1$s') FROM generate_series(1, 13) u, generate_series(1, 9) i
			UNION ALL SELECT 's', i, id, similarity FROM generate_series(1, 9) i, mf_similar_items(i, 3, 'sales/%1$s')
			UNION ALL SELECT 'u', u, id, similarity FROM generate_series(1, 9) u, mf_similar_users(u, 3, 'sales/%1$s')
			UNION ALL SELECT 'l', rank, item_id, ratings FROM mf_popular(9, 'sales/%1$s')
			UNION ALL SELECT 'r', i, user_id, score FROM generate_series(1, 9) i, mf_recommend_users(i, 3, 'sales/%1$s')
			UNION ALL SELECT 'e', 1, item_id, contribution FROM mf_explain(1, 2, 5, 'sales/%1$s')
			UNION ALL SELECT 'b', rank, item_id, score FROM mf_recommend_for(ARRAY[1, 2], k => 3, model => 'sales/%1$s')
			UNION ALL SELECT 'a', user_id, item_id, score FROM mf_recommend_all(NULL::int, NULL::int, 3, 'sales/%1$s')
			EXCEPT (SELECT 'p', u, i, mf_predict(u, i, 'shop') FROM generate_series(1, 13) u, generate_series(1, 9) i
			UNION ALL SELECT 's', i, id, similarity FROM generate_series(1, 9) i, mf_similar_items(i, 3, 'shop')
			UNION ALL SELECT 'u', u, id, similarity FROM generate_series(1, 9) u, mf_similar_users(u, 3, 'shop')
			UNION ALL SELECT 'l', rank, item_id, ratings FROM mf_popular(9, 'shop')
			UNION ALL SELECT 'r', i, user_id, score FROM generate_series(1, 9) i, mf_recommend_users(i, 3, 'shop')
			UNION ALL SELECT 'e', 1, item_id, contribution FROM mf_explain(1, 2, 5, 'shop')
			UNION ALL SELECT 'b', rank, item_id, score FROM mf_recommend_for(ARRAY[1, 2], k => 3, model => 'shop')
			UNION ALL SELECT 'a', user_id, item_id, score FROM mf_recommend_all(NULL::int, NULL::int, 3, 'shop'))) x)
		$q$, shop);
END $$;
SELECT s, d.* FROM generate_series(1, 4) s, LATERAL differences(s) d;
CREATE TABLE held_out AS SELECT shop AS shop_id, u AS user_id, i AS item_id, 3::real AS rating FROM generate_series(2, 3) shop, generate_series(1, 12) u, generate_series(1, 9) i
	WHERE (u * 7 + i * 3 + shop * u) % 4 = 0;
CREATE VIEW held_out_3 AS SELECT user_id, item_id, rating FROM held_out WHERE shop_id = 3;
SELECT in_users FROM differences(3);
SELECT (SELECT array_agg(value ORDER BY metric) FROM mf_evaluate('held_out', model => 'sales/3'))
	= (SELECT array_agg(value ORDER BY metric) FROM mf_evaluate('held_out_3', model => 'shop', train => 'shop')) AS same;
SELECT count(*) FROM sales_user_factors WHERE version = 2 AND tenant = '2';

-- whatever the number of threads, and the memory for what waits
CREATE TABLE before AS SELECT tenant, user_id, factors, seen FROM sales_user_factors;
SET mfrec.threads = 3;
SET maintenance_work_mem = '1MB';
SELECT count(version) FROM mf_train_each('sales', 'shop_id', factors => 4, iterations => 3);
RESET mfrec.threads;
RESET maintenance_work_mem;
SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT tenant, user_id, factors, seen FROM sales_user_factors WHERE version > 4) x;

-- a row counts for its tenant alone, at once
INSERT INTO sales VALUES (3, 70, 1, 5), (3, 70, 2, 5);
SELECT s, min(reason) FROM generate_series(2, 3) s, mf_recommend(70, 3, mf_tenant('sales', s)) GROUP BY s ORDER BY s;
SELECT model, rows > 0 AS rows, users_added, users_changed, items_changed FROM mf_tenants t, LATERAL mf_update(t.model, true) u (model_name, v, rows, users_added, users_changed, users_removed, items_added, items_changed) ORDER BY 1;
SELECT version, tenant, count(*) FROM sales_user_factors WHERE user_id = 70 GROUP BY 1, 2;

-- versions: of all tenants, of one; those that could not be trained keep theirs
UPDATE sales SET rating = 2 WHERE shop_id = 4;
SELECT tenant, version, failed FROM mf_retrain_each('sales') ORDER BY tenant;
SELECT version FROM mf_retrain('sales/2');
SELECT model, version, serving FROM mf_models WHERE family = 'sales' ORDER BY 1, 2;
SELECT mf_rollback('sales/2'), mf_serve('sales/1', 5);
SELECT model, version FROM mf_tenants ORDER BY 1;
SELECT version FROM mf_retrain('sales/1');
SELECT version, tenant, count(*) FROM sales_item_factors GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM sales_item_factors i WHERE NOT EXISTS (SELECT FROM mf_models m WHERE m.version = i.version AND m.tenant = i.tenant);
SELECT count(*) FROM (SELECT u, l.* FROM generate_series(1, 12) u, mf_recommend(u, 3, 'sales/1', exclude_seen => false) l) x;
SET mfrec.keep_versions = 1;
SELECT count(version) FROM mf_train_each('sales', 'shop_id', factors => 4, iterations => 3);
SELECT model, version, serving FROM mf_models WHERE family = 'sales' ORDER BY 1, 2;
SELECT tenant, count(DISTINCT version) FROM sales_user_factors GROUP BY 1 ORDER BY 1;
RESET mfrec.keep_versions;

-- a user of one tenant is forgotten, and a tenant goes
SELECT mf_forget(3, 'sales/2');
SELECT tenant, count(*) FROM sales_user_factors WHERE user_id = 3 GROUP BY 1 ORDER BY 1;
SELECT mf_drop('sales/3');
SELECT tenant, count(*) FROM sales_user_factors GROUP BY 1 ORDER BY 1;
SELECT * FROM mf_recommend(1, 3, 'sales/3');

-- what is no model, and no tenant
SELECT * FROM mf_recommend(1, 3, 'sales');
SELECT * FROM mf_popular(3, 'sales');
SELECT mf_retrain('sales');
SELECT mf_update('sales');
SELECT mf_rollback('sales');
SELECT mf_set_default('sales');
SELECT mf_forget(1, 'sales');
SELECT mf_train('sales');
SELECT mf_train('sales', 'sales/1');
SELECT mf_retrain_each('shop');
SELECT mf_relink('sales/1', 'sales');
SELECT * FROM mf_train_each('sales', 'shop_id', 'shop');
SELECT mf_train_each('sales', NULL);
SELECT mf_train_each(NULL, 'shop_id');
SELECT mf_train_each('sales', 'seller');
SELECT mf_train_each('sales', 'rating');
SELECT mf_train_each('sales', 'shop_id', factors => 0);
SELECT mf_train_each('sales', 'shop_id', half_life => '1 day');
SELECT mf_retrain_each(NULL);
SELECT mf_retrain_each('nobody');
SELECT mf_tenant('sales', '17'::char(5)), mf_tenant('sales', '17'::name);
PREPARE named_1 AS SELECT mf_tenant('sales', $1);
EXECUTE named_1('17');
PREPARE named_2(int) AS SELECT mf_tenant('sales', $1);
EXECUTE named_2(17);
SELECT mf_tenant('sales', 17), mf_tenant('sales', 17::bigint), mf_tenant('a', 'b'), mf_tenant('a', NULL), mf_tenant(NULL, 1);
CREATE VIEW other AS SELECT * FROM sales;
CREATE SCHEMA test_tenants_2;
CREATE VIEW test_tenants_2.sales AS SELECT * FROM sales;
SELECT mf_train_each('test_tenants_2.sales', 'shop_id');
SELECT count(version) FROM mf_train_each('test_tenants_2.sales', 'shop_id', 'sales', factors => 4, iterations => 1);
CREATE TABLE empty (LIKE sales);
SELECT mf_train_each('empty', 'shop_id');
INSERT INTO empty VALUES (1, 1, 1, 3);
SELECT mf_train_each('empty', 'shop_id');
SELECT to_regclass('empty_user_factors');
INSERT INTO empty SELECT * FROM sales WHERE shop_id = 1;
SELECT version FROM mf_train('empty', 'fam/1', factors => 4, iterations => 1);
SELECT mf_train_each('empty', 'shop_id', 'fam');
-- a name that is taken is one tenant's fault, and the others are trained
INSERT INTO empty SELECT * FROM sales WHERE shop_id = 2;
SELECT tenant, version, failed FROM mf_train_each('empty', 'shop_id', 'fam', factors => 4, iterations => 1);
SELECT tenant, version, failed FROM mf_retrain_each('fam');
SELECT family, tenant FROM mf_models WHERE model LIKE 'fam/%' ORDER BY model;
SELECT mf_drop('fam/1');
SELECT tenant, version, failed FROM mf_retrain_each('fam');
SELECT mf_drop('fam');
DELETE FROM empty WHERE shop_id = 2;

-- its tables and its source under other names
ALTER TABLE sales_user_factors RENAME TO people;
SELECT mf_retrain_each('sales');
SELECT * FROM mf_recommend(1, 3, 'sales/1');
SELECT mf_relink('sales', users => 'people');
SELECT count(*) FROM mf_recommend(1, 3, 'sales/1', exclude_seen => false);
SELECT mf_relink('sales', 'other');
SELECT DISTINCT source, user_table, fresh FROM mf_models WHERE family = 'sales';
SELECT count(version) FROM mf_retrain_each('sales');

-- row security of the shared tables by tenant
CREATE ROLE regress_shop_1;
GRANT USAGE ON SCHEMA test_tenants TO regress_shop_1;
GRANT SELECT ON people, sales_item_factors TO regress_shop_1;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE sales_item_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON people USING (current_user = 'regress_shop_' || tenant);
CREATE POLICY own ON sales_item_factors USING (current_user = 'regress_shop_' || tenant);
CREATE TABLE owners_lists AS SELECT l.* FROM mf_recommend(1, 5, 'sales/1', fresh => false, exclude_seen => false) l;
GRANT SELECT ON owners_lists TO regress_shop_1;
SELECT count(*) FROM owners_lists;
SELECT count(*) FROM mf_recommend(1, 5, 'sales/2', fresh => false, exclude_seen => false);
SET ROLE regress_shop_1;
SELECT count(*) FROM (SELECT * FROM owners_lists EXCEPT SELECT * FROM mf_recommend(1, 5, 'sales/1', fresh => false, exclude_seen => false)) x;
SELECT count(*) FROM mf_recommend(1, 5, 'sales/2', fresh => false, exclude_seen => false);
SELECT mf_retrain_each('sales');
SELECT mf_drop('sales/1');
RESET ROLE;
SELECT count(version) FROM mf_retrain_each('sales');
DROP OWNED BY regress_shop_1;
DROP ROLE regress_shop_1;

-- tenants of other types, and such as mean to be SQL; ids of other types
CREATE TABLE named AS SELECT (ARRAY['it''s', 'a/b', '"; DROP TABLE sales; --', 'ü \', ''])[shop_id] AS shop, 'user ' || user_id AS user_id,
	md5(item_id::text)::uuid AS item_id, shop_id AS value FROM sales WHERE shop_id <= 5;
INSERT INTO named SELECT '', 'user ' || u, md5(i::text)::uuid, 1 FROM generate_series(1, 5) u, generate_series(1, 5) i WHERE u <> i;
SELECT tenant, model, version IS NOT NULL AS trained, users, failed FROM mf_train_each('named', 'shop', rating_column => 'value', feedback => 'implicit', factors => 4) ORDER BY tenant COLLATE "C";
SELECT t.tenant, count(item_id) FROM mf_tenants t, LATERAL mf_recommend('user 1', 3, item_type => NULL::uuid, model => mf_tenant(t.family, t.tenant), fresh => true, exclude_seen => false) WHERE family = 'named' GROUP BY t.tenant ORDER BY t.tenant COLLATE "C";
SELECT model, users_changed FROM mf_update(mf_tenant('named', 'it''s'), true);
CREATE TABLE keyed AS SELECT md5(shop_id::text)::uuid AS shop, user_id, item_id, rating FROM sales WHERE shop_id < 3;
SELECT count(*), count(version) FROM mf_train_each('keyed', 'shop', factors => 4, iterations => 1);
SELECT count(*) FROM mf_recommend(1, 3, mf_tenant('keyed', md5('1')::uuid), exclude_seen => false);
ALTER TABLE keyed ALTER user_id TYPE bigint;
INSERT INTO keyed VALUES (md5('1')::uuid, 5000000000, 1, 5), (md5('1')::uuid, 5000000000, 2, 1);
SELECT count(version) FROM mf_retrain_each('keyed');
SELECT count(*) FROM mf_recommend(5000000000, 3, mf_tenant('keyed', md5('1')::uuid));
SELECT count(*) FROM mf_recommend(1, 3, mf_tenant('keyed', md5('2')::uuid));

-- a tenant '9/2' of sales would have the name of a tenant '2' of this
SELECT mf_train_each('sales', 'shop_id', model => 'sales/9', factors => 2);

-- all of it goes
SELECT mf_drop('sales'), mf_drop('named'), mf_drop('keyed'), mf_drop('shop');
SELECT count(*) FROM mfrec.model WHERE family IS NOT NULL;
SELECT relname FROM pg_class WHERE relnamespace = 'test_tenants'::regnamespace AND relname LIKE '%factors';
SET client_min_messages = error;
DROP SCHEMA test_tenants, test_tenants_2 CASCADE;
