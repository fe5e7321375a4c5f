-- Settings: their defaults, ranges and effects.
SELECT mf_holdout(1, 1, 0.5) IS NOT NULL AS loaded;
SELECT name, setting, vartype, min_val, max_val, enumvals, context FROM pg_settings
WHERE name LIKE 'mfrec.%' ORDER BY name COLLATE "C";
SELECT count(*) AS without_description FROM pg_settings WHERE name LIKE 'mfrec.%' AND coalesce(short_desc, '') = '';
SET mfrec.threads = -1;
SET mfrec.keep_versions = 0;
SET mfrec.cold_start = 'warm';
SET mfrec."verbose" = 'loud';
SET mfrec.nonsense = 1;
-- a role without any privilege may change them, for a transaction, a session, a role
CREATE ROLE regress_mfrec_settings;
SET ROLE regress_mfrec_settings;
BEGIN;
SET LOCAL mfrec.threads = 1;
SET LOCAL mfrec.keep_versions = 1;
SET LOCAL mfrec.cold_start = 'empty';
SET LOCAL mfrec.model = 'mine';
SET LOCAL mfrec."verbose" = on;
SELECT name, setting FROM pg_settings WHERE name LIKE 'mfrec.%' ORDER BY name COLLATE "C";
COMMIT;
ALTER ROLE regress_mfrec_settings SET mfrec.model = 'mine';
RESET ROLE;
DROP ROLE regress_mfrec_settings;
SELECT name FROM pg_settings WHERE name LIKE 'mfrec.%' AND setting <> reset_val;
