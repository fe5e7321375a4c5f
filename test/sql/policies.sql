-- Row security on what is read for a training: it is said, with the tables that have it.
CREATE SCHEMA test_policies;
CREATE ROLE regress_mfrec_owner;
CREATE ROLE regress_mfrec_reader;
GRANT ALL ON SCHEMA test_policies TO regress_mfrec_owner, regress_mfrec_reader;
SET search_path = test_policies, public;
SET ROLE regress_mfrec_owner;
CREATE TABLE seen (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO seen SELECT u, i, 1 + (u * i) % 5 FROM generate_series(1, 10) u, generate_series(1, 10) i WHERE (u + i) % 3 <> 0;
GRANT SELECT ON seen TO regress_mfrec_reader;
ALTER TABLE seen ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON seen USING (user_id <= 5);
CREATE VIEW through AS SELECT * FROM seen;
CREATE VIEW invoked WITH (security_invoker) AS SELECT * FROM seen JOIN (VALUES (1)) v (one) ON true;
GRANT SELECT ON through, invoked TO regress_mfrec_reader;
-- the owner sees all
SELECT users, ratings FROM mf_train('seen', factors => 2);
-- others do not, also through a view that asks as them, and not through one that asks as its owner
SET ROLE regress_mfrec_reader;
SELECT users, ratings FROM mf_train('seen', 'theirs', factors => 2);
SELECT users, ratings FROM mf_train('invoked', factors => 2);
SELECT users, ratings FROM mf_train('through', factors => 2);
SELECT users, ratings FROM mf_estimate('seen', factors => 2);
SELECT count(*) FROM mf_tune('seen', trials => 2, seconds => 60, factors => 2, iterations => 2);
SET row_security = off;
SELECT mf_retrain('theirs');
RESET row_security;
-- a superuser who retrains does so as the owner
RESET ROLE;
SELECT users, ratings FROM mf_retrain('theirs');
SELECT users, ratings FROM mf_train('seen', 'all_of_it', factors => 2);
-- and so does the owner where policies are forced
SET ROLE regress_mfrec_owner;
ALTER TABLE seen FORCE ROW LEVEL SECURITY;
SELECT users, ratings FROM mf_retrain('seen');
SELECT users, ratings FROM mf_train('through', 'forced', factors => 2);
RESET ROLE;
SET client_min_messages = warning;
SELECT count(mf_drop(model)) FROM mf_models WHERE serving AND schema = 'test_policies';
DROP SCHEMA test_policies CASCADE;
DROP ROLE regress_mfrec_owner, regress_mfrec_reader;
