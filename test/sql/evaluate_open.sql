-- Items that came after the training: in no list, and missed by the figures all_...
CREATE SCHEMA evaluate_open;
SET search_path = evaluate_open, public;
SET client_min_messages = warning;
-- two kinds of users and items; each user lacks one item of their kind
CREATE TABLE clicks AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 40) u, generate_series(1, 20) i WHERE (u + i) % 2 = 0 AND i / 2 <> u % 10;
CREATE TABLE test AS SELECT u AS user_id, i AS item_id, 1 AS rating FROM generate_series(1, 40) u, generate_series(1, 20) i WHERE (u + i) % 2 = 0 AND i / 2 = u % 10;
SELECT model FROM mf_train('clicks', factors => 4, feedback => 'implicit');
CREATE VIEW figures AS SELECT metric, round(value::numeric, 4) AS value FROM mf_evaluate('test', 3, 'clicks', relevant_from => NULL);
SELECT metric, value FROM figures WHERE metric IN ('ndcg', 'recall', 'mrr') OR metric LIKE 'all%' ORDER BY metric COLLATE "C";
-- a new item for everybody, and a user who takes nothing else
INSERT INTO test SELECT u, 100, 1 FROM generate_series(1, 40) u;
DELETE FROM test WHERE user_id <= 10 AND item_id <> 100;
SELECT metric, value FROM figures WHERE metric IN ('ndcg', 'recall', 'mrr', 'users', 'rows', 'rows_unknown_item') OR metric LIKE 'all%' ORDER BY metric COLLATE "C";
-- most users of 40 have their one item on top of the list, and miss another one
SELECT round((n / (1 + 1 / log(2.0, 3)) / 40)::numeric, 4) AS all_ndcg, round(n * 0.5 / 40, 4) AS all_recall, round(n / 40.0, 4) AS all_mrr
FROM (SELECT count(*) AS n FROM test WHERE item_id <> 100) x;
SELECT count(*) FROM mf_evaluate('test', 3, 'clicks', per_user => true) WHERE metric LIKE 'all%';
SELECT count(mf_drop(name)) AS dropped FROM mfrec.model WHERE name = 'clicks';
DROP SCHEMA evaluate_open CASCADE;
