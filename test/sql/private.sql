-- Dimensions of ratings alone: vectors are longer by them, and an item's s is 0 there
CREATE SCHEMA test_private;
SET search_path = test_private, public;
CREATE TABLE private AS SELECT u AS user_id, i AS item_id, 1 + (u * i) % 5 AS rating FROM generate_series(1, 30) u, generate_series(1, 20) i WHERE (u + i) % 3 > 0;
CREATE INDEX ON private (user_id);
SELECT version FROM mf_train('private', factors => 6, rating_factors => 5);
SELECT factors, parameters->>'factors' AS shared, parameters->>'rating_factors' AS private FROM mf_models WHERE model = 'private';
SELECT bool_and(array_length(factors, 1) = 11 AND factors[7:11] = ARRAY[0, 0, 0, 0, 0]::real[] AND rating_factors[7] <> 0 AND array_length(rating_factors, 1) = 11)
FROM private_item_factors;
-- users are folded in
INSERT INTO private VALUES (99, 1, 5), (99, 2, 1);
SELECT DISTINCT reason FROM mf_recommend(99, 3, 'private');
-- a retrain keeps them, and they are a default where there are both parts
SELECT version FROM mf_retrain('private');
SELECT factors, parameters->>'rating_factors' AS private FROM mf_models WHERE model = 'private' AND serving;
SELECT version FROM mf_train('private');
SELECT factors, parameters->>'rating_factors' AS private FROM mf_models WHERE model = 'private' AND serving;
SELECT version FROM mf_train('private', interest_weight => 0);
SELECT factors, parameters->>'rating_factors' AS private FROM mf_models WHERE model = 'private' AND serving;
-- what is not given has the room that is left: a vector has 1000 numbers at most
SELECT version FROM mf_train('private', 'long', rating_factors => 950, iterations => 1);
SELECT factors, parameters->>'factors' AS shared FROM mf_models WHERE model = 'long' AND serving;
SELECT version FROM mf_train('private', 'long', factors => 999, iterations => 1);
SELECT factors, parameters->>'rating_factors' AS private FROM mf_models WHERE model = 'long' AND serving;
SELECT DISTINCT factors FROM mf_tune('private', trials => 3, rating_factors => 999);
SELECT factors FROM mf_estimate('private', rating_factors => 999);
-- one factor has no half; what differs in length is no warm start, and rolling back changes it under a retrain
SELECT version FROM mf_train('private', 'long', factors => 1);
SELECT factors, parameters->>'rating_factors' AS private, round((parameters->>'interest_weight')::numeric, 2) AS weight FROM mf_models WHERE model = 'long' AND serving;
SELECT mf_rollback('long');
SELECT version, iterations > 0 AS trained FROM mf_retrain('long');
SELECT count(*) FROM mf_recommend(1, 3, 'long');
SELECT mf_drop('long');
-- versions of before say nothing of such dimensions: they go on without, and with the weights of before
SELECT version FROM mf_train('private', 'before', factors => 4, rating_factors => 0);
UPDATE mfrec.model SET parameters = parameters - 'rating_factors' WHERE name = 'before';
SELECT version FROM mf_retrain('before');
SELECT factors, parameters ? 'rating_factors' AS private, round((parameters->>'interest_weight')::numeric, 2) AS weight, round((parameters->>'taste')::numeric, 2) AS taste
FROM mf_models WHERE model = 'before' AND serving;
SELECT mf_drop('before');
-- errors
SELECT mf_train('private', rating_factors => -1);
SELECT mf_train('private', factors => 600, rating_factors => 600);
SELECT mf_train('private', interest_weight => 0, rating_factors => 3);
SELECT mf_train('private', 'other', feedback => 'implicit', rating_factors => 3);
SELECT mf_drop('private');
SET client_min_messages = warning;
DROP SCHEMA test_private CASCADE;
