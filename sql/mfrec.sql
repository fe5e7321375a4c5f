\echo Use "CREATE EXTENSION mfrec" to load this file. \quit

-- ---------------------------------------------------------------------------------------------
-- Bookkeeping
-- ---------------------------------------------------------------------------------------------

CREATE SCHEMA mfrec;
GRANT USAGE ON SCHEMA mfrec TO PUBLIC;
COMMENT ON SCHEMA mfrec IS 'bookkeeping of the extension mfrec: models, versions, training log';

CREATE TABLE mfrec.model (
	name text COLLATE "C" NOT NULL CONSTRAINT model_pkey PRIMARY KEY,
	is_default boolean NOT NULL,
	version integer NOT NULL,
	schema text NOT NULL,
	user_table text NOT NULL,
	item_table text NOT NULL,
	source_schema text NOT NULL,
	source text NOT NULL,
	fresh boolean NOT NULL,
	parameters jsonb NOT NULL
);
CREATE UNIQUE INDEX model_default ON mfrec.model (is_default) WHERE is_default;
COMMENT ON TABLE mfrec.model IS 'one row a model; written by mf_train, mf_rollback, mf_set_default and mf_drop only';
COMMENT ON COLUMN mfrec.model.is_default IS 'the model that functions use when their model argument and the setting mfrec.model name none';
COMMENT ON COLUMN mfrec.model.version IS 'the version that serves';
COMMENT ON COLUMN mfrec.model.schema IS 'schema of the two model tables';
COMMENT ON COLUMN mfrec.model.source_schema IS 'schema of the relation that the model is trained on; names, not oids, so that a dump can be restored without it';
COMMENT ON COLUMN mfrec.model.fresh IS 'default of the argument fresh of mf_recommend: true where a user''s rows are cheap to look up in the source';
COMMENT ON COLUMN mfrec.model.parameters IS 'arguments of the last mf_train, which mf_retrain uses again';

CREATE TABLE mfrec.model_version (
	model text COLLATE "C" NOT NULL,
	version integer NOT NULL,
	image uuid NOT NULL,
	feedback text NOT NULL,
	factors integer NOT NULL,
	users bigint NOT NULL,
	items bigint NOT NULL,
	ratings bigint NOT NULL,
	iterations integer NOT NULL,
	loss double precision,
	rmse double precision,
	seconds double precision NOT NULL,
	trained_at timestamptz NOT NULL,
	parameters jsonb NOT NULL,
	CONSTRAINT model_version_pkey PRIMARY KEY (model, version)
);
COMMENT ON TABLE mfrec.model_version IS 'one row a kept version of a model';
COMMENT ON COLUMN mfrec.model_version.image IS 'random identity of the version: what is cached under it is never mistaken for another';
COMMENT ON COLUMN mfrec.model_version.loss IS 'the objective after the last half-sweep';
COMMENT ON COLUMN mfrec.model_version.rmse IS 'root mean squared error of the predicted rating: on the rows held out where there is validation, else on those trained on';
COMMENT ON COLUMN mfrec.model_version.parameters IS 'all that training settled on; what serving needs to fold in a user is here, too';

CREATE TABLE mfrec.training_log (
	model text COLLATE "C" NOT NULL,
	version integer NOT NULL,
	iteration integer NOT NULL,
	loss double precision,
	validation double precision,
	seconds double precision NOT NULL,
	CONSTRAINT training_log_pkey PRIMARY KEY (model, version, iteration)
);
COMMENT ON TABLE mfrec.training_log IS 'one row an iteration of every kept version';
COMMENT ON COLUMN mfrec.training_log.validation IS 'the measure on the rows held out: rmse of a rating model (lower is better), ndcg@10 of a model with an interest part (higher is better)';
COMMENT ON COLUMN mfrec.training_log.seconds IS 'since training began';

SELECT pg_catalog.pg_extension_config_dump('mfrec.model', '');
SELECT pg_catalog.pg_extension_config_dump('mfrec.model_version', '');
SELECT pg_catalog.pg_extension_config_dump('mfrec.training_log', '');
GRANT SELECT ON mfrec.model, mfrec.model_version, mfrec.training_log TO PUBLIC;

CREATE VIEW mf_models AS
	SELECT m.name AS model, v.version, v.version OPERATOR(pg_catalog.=) m.version AS serving, m.is_default,
		m.source_schema, m.source, m.schema, m.user_table, m.item_table,
		v.feedback, v.factors, v.users, v.items, v.ratings, v.iterations, v.loss, v.rmse,
		v.seconds, v.trained_at, m.fresh, v.parameters,
		pg_catalog.pg_total_relation_size(pg_catalog.to_regclass(pg_catalog.format('%I.%I', m.schema, m.user_table)))
			OPERATOR(pg_catalog.+)
		pg_catalog.pg_total_relation_size(pg_catalog.to_regclass(pg_catalog.format('%I.%I', m.schema, m.item_table)))
			AS table_bytes
	FROM mfrec.model m JOIN mfrec.model_version v ON v.model OPERATOR(pg_catalog.=) m.name;
COMMENT ON VIEW mf_models IS 'models and their kept versions, with parameters, counts, times and sizes (table_bytes: of both model tables, all versions)';
GRANT SELECT ON mf_models TO PUBLIC;

CREATE VIEW mf_training_log AS
	SELECT model, version, iteration, loss, validation, seconds FROM mfrec.training_log;
COMMENT ON VIEW mf_training_log IS 'loss and validation measure after each iteration of every kept version';
GRANT SELECT ON mf_training_log TO PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- Training (fn_train.c)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mf_train(
	source regclass,
	model text DEFAULT NULL,
	feedback text DEFAULT NULL,
	factors integer DEFAULT NULL,
	iterations integer DEFAULT NULL,
	regularization double precision DEFAULT NULL,
	alpha double precision DEFAULT NULL,
	interest_weight double precision DEFAULT NULL,
	taste double precision DEFAULT NULL,
	tolerance double precision DEFAULT NULL,
	validation double precision DEFAULT NULL,
	seed bigint DEFAULT 1,
	user_column text DEFAULT 'user_id',
	item_column text DEFAULT 'item_id',
	rating_column text DEFAULT 'rating',
	weight_column text DEFAULT NULL,
	schema text DEFAULT NULL,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_train';
CREATE FUNCTION mf_retrain(
	model text DEFAULT NULL,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_retrain';

-- ---------------------------------------------------------------------------------------------
-- Serving (fn_serve.c)
--
-- Ids are "any", with a twin that takes text, to which a quoted literal and an untyped parameter
-- resolve.  Items come back as bigint; item_type => NULL::uuid, right after k, names another type.
-- STABLE because they read tables and settings.
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mf_recommend(
	user_id "any", k integer DEFAULT 10, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version integer DEFAULT NULL)
RETURNS TABLE (item_id bigint, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend';

CREATE FUNCTION mf_recommend(
	user_id text, k integer DEFAULT 10, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version integer DEFAULT NULL)
RETURNS TABLE (item_id bigint, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend';

CREATE FUNCTION mf_recommend(
	user_id "any", k integer, item_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version integer DEFAULT NULL)
RETURNS TABLE (item_id anyelement, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_typed';

CREATE FUNCTION mf_recommend(
	user_id text, k integer, item_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version integer DEFAULT NULL)
RETURNS TABLE (item_id anyelement, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_typed';

CREATE FUNCTION mf_recommend_for(items anyarray, ratings real[] DEFAULT NULL, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id anyelement, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_for';

CREATE FUNCTION mf_predict(user_id "any", item_id "any", model text DEFAULT NULL) RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'mf_predict';

CREATE FUNCTION mf_predict(user_id text, item_id text, model text DEFAULT NULL) RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'mf_predict';

CREATE FUNCTION mf_similar_items(item_id anyelement, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (id anyelement, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_similar_items';

CREATE FUNCTION mf_similar_items(item_id text, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (id text, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_similar_items';

CREATE FUNCTION mf_similar_users(user_id anyelement, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (id anyelement, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_similar_users';

CREATE FUNCTION mf_similar_users(user_id text, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (id text, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_similar_users';

CREATE FUNCTION mf_explain(user_id "any", item_id anyelement, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id anyelement, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_explain';

CREATE FUNCTION mf_explain(user_id text, item_id text, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id text, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_explain';

CREATE FUNCTION mf_recommend_users(item_id "any", k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (user_id bigint, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_users';

CREATE FUNCTION mf_recommend_users(item_id text, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (user_id bigint, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_users';

CREATE FUNCTION mf_recommend_users(item_id "any", k integer, user_type anyelement, model text DEFAULT NULL)
RETURNS TABLE (user_id anyelement, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_users_typed';

CREATE FUNCTION mf_recommend_users(item_id text, k integer, user_type anyelement, model text DEFAULT NULL)
RETURNS TABLE (user_id anyelement, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'mf_recommend_users_typed';

CREATE FUNCTION mf_popular(k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id bigint, ratings bigint, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_popular';

CREATE FUNCTION mf_popular(k integer, item_type anyelement, model text DEFAULT NULL)
RETURNS TABLE (item_id anyelement, ratings bigint, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
AS 'MODULE_PATHNAME', 'mf_popular_typed';

-- ---------------------------------------------------------------------------------------------
-- Models (fn_model.c)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mf_rollback(model text DEFAULT NULL, version integer DEFAULT NULL) RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_rollback';

CREATE FUNCTION mf_drop(model text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_drop';

CREATE FUNCTION mf_set_default(model text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_set_default';

CREATE FUNCTION mf_forget(user_id "any", model text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_forget';

CREATE FUNCTION mf_forget(user_id text, model text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_forget';
