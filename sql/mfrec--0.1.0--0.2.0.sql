\echo Use "ALTER EXTENSION mfrec UPDATE TO '0.2.0'" to load this file. \quit

-- ---------------------------------------------------------------------------------------------
-- Arguments that take more types than they did: lengths are bigint, arrays anycompatible
--
-- Views may use these functions, so none is dropped.  Each is created once more in another schema, and
-- what it says of its arguments is taken over, as PostgreSQL's own modules did for 9.6.  The library
-- reads an argument by the type that the call says, so views go on as they are.
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mfrec.take_arguments(old regprocedure, new regprocedure) RETURNS void LANGUAGE sql VOLATILE AS $$
	UPDATE pg_catalog.pg_proc p
	SET pronargs = n.pronargs, pronargdefaults = n.pronargdefaults, proargtypes = n.proargtypes,
		proallargtypes = n.proallargtypes, proargmodes = n.proargmodes, proargnames = n.proargnames,
		proargdefaults = n.proargdefaults
	FROM pg_catalog.pg_proc n
	WHERE p.oid OPERATOR(pg_catalog.=) old AND n.oid OPERATOR(pg_catalog.=) new;
$$;

CREATE FUNCTION mfrec.mf_recommend(
	user_id "any", k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL, boosts double precision[] DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (item_id bigint, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 5000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend';
SELECT mfrec.take_arguments('mf_recommend("any", integer, text, "any", "any", boolean, boolean, integer, integer, regclass, text, text, "any")', 'mfrec.mf_recommend("any", bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend("any", bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text);

CREATE FUNCTION mfrec.mf_recommend(
	user_id text, k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL, boosts double precision[] DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (item_id bigint, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 5000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend';
SELECT mfrec.take_arguments('mf_recommend(text, integer, text, "any", "any", boolean, boolean, integer, integer, regclass, text, text, "any")', 'mfrec.mf_recommend(text, bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend(text, bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text);
COMMENT ON FUNCTION mf_recommend(text, bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text) IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_recommend(
	user_id "any", k bigint, item_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL, boosts double precision[] DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (item_id anyelement, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 5000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_typed';
SELECT mfrec.take_arguments('mf_recommend("any", integer, anyelement, text, "any", "any", boolean, boolean, integer, integer, regclass, text, text, "any")', 'mfrec.mf_recommend("any", bigint, anyelement, text, "any", "any", boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend("any", bigint, anyelement, text, "any", "any", boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text);

CREATE FUNCTION mfrec.mf_recommend(
	user_id text, k bigint, item_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL, boosts double precision[] DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (item_id anyelement, score real, rank integer, predicted_rating real, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 5000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_typed';
SELECT mfrec.take_arguments('mf_recommend(text, integer, anyelement, text, "any", "any", boolean, boolean, integer, integer, regclass, text, text, "any")', 'mfrec.mf_recommend(text, bigint, anyelement, text, "any", "any", boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend(text, bigint, anyelement, text, "any", "any", boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text);
COMMENT ON FUNCTION mf_recommend(text, bigint, anyelement, text, "any", "any", boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text) IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_recommend_for(
	items anycompatiblearray, ratings double precision[] DEFAULT NULL, k bigint DEFAULT 10, model text DEFAULT NULL,
	new_items boolean DEFAULT true,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL,
	diversity double precision DEFAULT NULL, boosts double precision[] DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (item_id anycompatible, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 3000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_for';
SELECT mfrec.take_arguments('mf_recommend_for(anyarray, real[], integer, text)', 'mfrec.mf_recommend_for(anycompatiblearray, double precision[], bigint, text, boolean, "any", "any", bigint, regclass, text, text, "any", double precision, double precision[], regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend_for(anycompatiblearray, double precision[], bigint, text, boolean, "any", "any", bigint, regclass, text, text, "any", double precision, double precision[], regclass, text, text);
COMMENT ON FUNCTION mf_recommend_for(anycompatiblearray, double precision[], bigint, text, boolean, "any", "any", bigint, regclass, text, text, "any", double precision, double precision[], regclass, text, text) IS
'recommends items to a user of whom only these items are known, such as a basket or a session; ratings, if given, run parallel to items; new_items: false leaves out items of item_features that nobody has rated; candidates, exclude, per_group and where groups are found, diversity, boosts: as of mf_recommend; nothing is stored';

CREATE FUNCTION mfrec.mf_similar_items(
	item_id anyelement, k bigint DEFAULT 10, model text DEFAULT NULL, new_items boolean DEFAULT true, by text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (id anyelement, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_similar_items';
SELECT mfrec.take_arguments('mf_similar_items(anyelement, integer, text)', 'mfrec.mf_similar_items(anyelement, bigint, text, boolean, text, "any", "any", bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_similar_items(anyelement, bigint, text, boolean, text, "any", "any", bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_similar_items(anyelement, bigint, text, boolean, text, "any", "any", bigint, regclass, text, text, "any") IS
'finds the items whose vectors are nearest to an item''s, by cosine; never the item itself; new_items: false leaves out items of item_features that nobody has rated; by: content compares what attributes alone make of items, factors, the default, what takers say, too; candidates, exclude, per_group and where groups are found: as of mf_recommend';

CREATE FUNCTION mfrec.mf_similar_items(
	item_id text, k bigint DEFAULT 10, model text DEFAULT NULL, new_items boolean DEFAULT true, by text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (id text, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_similar_items';
SELECT mfrec.take_arguments('mf_similar_items(text, integer, text)', 'mfrec.mf_similar_items(text, bigint, text, boolean, text, anycompatible, anycompatible, bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_similar_items(text, bigint, text, boolean, text, anycompatible, anycompatible, bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_similar_items(text, bigint, text, boolean, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_similar_users(
	user_id anyelement, k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (id anyelement, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_similar_users';
SELECT mfrec.take_arguments('mf_similar_users(anyelement, integer, text)', 'mfrec.mf_similar_users(anyelement, bigint, text, "any", "any", bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_similar_users(anyelement, bigint, text, "any", "any", bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_similar_users(anyelement, bigint, text, "any", "any", bigint, regclass, text, text, "any") IS
'finds the users whose vectors are nearest to a user''s, by cosine; never that user
candidates: only these users; exclude: not these; per_group: at most so many of each group, as of mf_recommend';

CREATE FUNCTION mfrec.mf_similar_users(
	user_id text, k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (id text, similarity real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_similar_users';
SELECT mfrec.take_arguments('mf_similar_users(text, integer, text)', 'mfrec.mf_similar_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_similar_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_similar_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_explain(user_id "any", item_id anyelement, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id anyelement, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain';
SELECT mfrec.take_arguments('mf_explain("any", anyelement, integer, text)', 'mfrec.mf_explain("any", anyelement, bigint, text)');
DROP FUNCTION mfrec.mf_explain("any", anyelement, bigint, text);
COMMENT ON FUNCTION mf_explain("any", anyelement, bigint, text) IS
'explains an item''s score for a user: which of the user''s own items carry it, largest contribution first; all contributions add up to the score less the item''s own part: taste * b_i, of ratings alone mean + deviation * spread_u * b_i';

CREATE FUNCTION mfrec.mf_explain(user_id "any", item_id text, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id text, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain';
SELECT mfrec.take_arguments('mf_explain("any", text, integer, text)', 'mfrec.mf_explain("any", text, bigint, text)');
DROP FUNCTION mfrec.mf_explain("any", text, bigint, text);
COMMENT ON FUNCTION mf_explain("any", text, bigint, text) IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_explain(user_id text, item_id text, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id text, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain';
SELECT mfrec.take_arguments('mf_explain(text, text, integer, text)', 'mfrec.mf_explain(text, text, bigint, text)');
DROP FUNCTION mfrec.mf_explain(text, text, bigint, text);
COMMENT ON FUNCTION mf_explain(text, text, bigint, text) IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_recommend_users(
	item_id "any", k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id bigint, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users';
SELECT mfrec.take_arguments('mf_recommend_users("any", integer, text)', 'mfrec.mf_recommend_users("any", bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_recommend_users("any", bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_recommend_users("any", bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'finds the users to tell about an item: the k best by score, without those who have it. Users come as bigint; for others name their type right after k: mf_recommend_users(item, 10, user_type => NULL::uuid)
candidates: only these users; exclude: not these; per_group: at most so many of each group, as of mf_recommend';

CREATE FUNCTION mfrec.mf_recommend_users(
	item_id text, k bigint DEFAULT 10, model text DEFAULT NULL,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id bigint, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users';
SELECT mfrec.take_arguments('mf_recommend_users(text, integer, text)', 'mfrec.mf_recommend_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_recommend_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_recommend_users(text, bigint, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_recommend_users(
	item_id "any", k bigint, user_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id anyelement, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users_typed';
SELECT mfrec.take_arguments('mf_recommend_users("any", integer, anyelement, text)', 'mfrec.mf_recommend_users("any", bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_recommend_users("any", bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_recommend_users("any", bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any") IS
'finds the users to tell about an item: the k best by score, without those who have it. user_type is a null of the type in which users come: user_type => NULL::uuid
candidates: only these users; exclude: not these; per_group: at most so many of each group, as of mf_recommend';

CREATE FUNCTION mfrec.mf_recommend_users(
	item_id text, k bigint, user_type anyelement, model text DEFAULT NULL,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id anyelement, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users_typed';
SELECT mfrec.take_arguments('mf_recommend_users(text, integer, anyelement, text)', 'mfrec.mf_recommend_users(text, bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_recommend_users(text, bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_recommend_users(text, bigint, anyelement, text, "any", "any", bigint, regclass, text, text, "any") IS
'as above, for ids given as text';

CREATE FUNCTION mfrec.mf_popular(
	k bigint DEFAULT 10, model text DEFAULT NULL, candidates anycompatible DEFAULT NULL,
	half_life interval DEFAULT NULL, by text DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (item_id bigint, ratings bigint, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 200 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_popular';
SELECT mfrec.take_arguments('mf_popular(integer, text)', 'mfrec.mf_popular(bigint, text, anycompatible, interval, text, anycompatible, bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_popular(bigint, text, anycompatible, interval, text, anycompatible, bigint, regclass, text, text, "any");
COMMENT ON FUNCTION mf_popular(bigint, text, anycompatible, interval, text, anycompatible, bigint, regclass, text, text, "any") IS
'lists the items with the most ratings in the training: what users get of whom nothing is known. Items come as bigint; for others name their type right after k: mf_popular(10, item_type => NULL::uuid)
candidates: only these items, such as those of a category; null: all; exclude: not these; per_group: at most so many of each group, as of mf_recommend
by: ratings, or trend: what has been popular of late, as far as a time_column tells when rows came to be; a row counts half at the age of half_life, a third at twice that
half_life: by trend, of the model, or another one, for which all rows of the source are read';

CREATE FUNCTION mfrec.mf_popular(
	k bigint, item_type anyelement, model text DEFAULT NULL, candidates "any" DEFAULT NULL,
	half_life interval DEFAULT NULL, by text DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (item_id anyelement, ratings bigint, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 200 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_popular_typed';
SELECT mfrec.take_arguments('mf_popular(integer, anyelement, text)', 'mfrec.mf_popular(bigint, anyelement, text, "any", interval, text, "any", bigint, regclass, text, text, "any")');
DROP FUNCTION mfrec.mf_popular(bigint, anyelement, text, "any", interval, text, "any", bigint, regclass, text, text, "any");

CREATE FUNCTION mfrec.mf_recommend_all(
	k bigint DEFAULT 10, model text DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL,
	fresh boolean DEFAULT NULL, new_items boolean DEFAULT true,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL,
	diversity double precision DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (user_id bigint, item_id bigint, score real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100000 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_all';
SELECT mfrec.take_arguments('mf_recommend_all(integer, text, boolean, integer)', 'mfrec.mf_recommend_all(bigint, text, boolean, bigint, boolean, boolean, anycompatible, anycompatible, bigint, regclass, text, text, "any", double precision, regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend_all(bigint, text, boolean, bigint, boolean, boolean, anycompatible, anycompatible, bigint, regclass, text, text, "any", double precision, regclass, text, text);
COMMENT ON FUNCTION mf_recommend_all(bigint, text, boolean, bigint, boolean, boolean, anycompatible, anycompatible, bigint, regclass, text, text, "any", double precision, regclass, text, text) IS
'recommends items to all users of a model at once, for CREATE TABLE ... AS: the k best of each by the vectors that are stored, ranks in order, in threads. Ids come as bigint; for others name both types right after k: mf_recommend_all(10, user_type => NULL::uuid, item_type => NULL::bigint)
exclude_seen: leave out what a user had at the training, and has in the source now, which is read once; version: an older kept one; fresh: whether to read the source, by default where it is there; false reads the model alone; new_items: false leaves out items of item_features that nobody has rated
candidates, exclude, per_group and where groups are found: as of mf_recommend, for every list; candidates that the model does not know are passed over
diversity, boost_table: as of mf_recommend';

CREATE FUNCTION mfrec.mf_recommend_all(
	k bigint, user_type anyelement, item_type anycompatible,
	model text DEFAULT NULL, exclude_seen boolean DEFAULT true, version bigint DEFAULT NULL, fresh boolean DEFAULT NULL,
	new_items boolean DEFAULT true,
	candidates "any" DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL,
	diversity double precision DEFAULT NULL,
	boost_table regclass DEFAULT NULL, boost_column text DEFAULT NULL, boost_id_column text DEFAULT 'id')
RETURNS TABLE (user_id anyelement, item_id anycompatible, score real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100000 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_all_typed';
SELECT mfrec.take_arguments('mf_recommend_all(integer, anyelement, anycompatible, text, boolean, integer)', 'mfrec.mf_recommend_all(bigint, anyelement, anycompatible, text, boolean, bigint, boolean, boolean, "any", "any", bigint, regclass, text, text, "any", double precision, regclass, text, text)');
DROP FUNCTION mfrec.mf_recommend_all(bigint, anyelement, anycompatible, text, boolean, bigint, boolean, boolean, "any", "any", bigint, regclass, text, text, "any", double precision, regclass, text, text);

CREATE FUNCTION mfrec.mf_evaluate(
	test regclass, k bigint DEFAULT 10, model text DEFAULT NULL, version bigint DEFAULT NULL,
	relevant_from double precision DEFAULT NULL, per_user boolean DEFAULT false, train regclass DEFAULT NULL,
	user_column text DEFAULT NULL, item_column text DEFAULT NULL, rating_column text DEFAULT NULL,
	relevant_event text DEFAULT NULL,
	diversity double precision DEFAULT NULL)
RETURNS TABLE (metric text, value double precision, baseline double precision, user_id text)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'mf_evaluate';
SELECT mfrec.take_arguments('mf_evaluate(regclass, integer, text, integer, double precision, boolean, regclass, text, text, text)', 'mfrec.mf_evaluate(regclass, bigint, text, bigint, double precision, boolean, regclass, text, text, text, text, double precision)');
DROP FUNCTION mfrec.mf_evaluate(regclass, bigint, text, bigint, double precision, boolean, regclass, text, text, text, text, double precision);
COMMENT ON FUNCTION mf_evaluate(regclass, bigint, text, bigint, double precision, boolean, regclass, text, text, text, text, double precision) IS
'measures a model on rows that it was not trained on, such as WHERE mf_holdout(user_id, item_id); one row a metric or count, and beside it what a baseline reaches: the most popular items for lists, mean + user bias + item bias for ratings

Lists rank the full catalogue less what the user has in the training rows; metrics are means over the users with a relevant test row:
  precision     hits / k
  recall        hits / min(k, relevant); full_recall: hits / relevant
  ndcg          sum over hits of 1 / log2(rank + 1), divided by that of a list whose first min(k, relevant) items are hits
  map           mean over users of (sum over hits of hits so far / rank) / min(k, relevant)
  mrr           1 / rank of the first hit, 0 without one; hit_rate: 1 when there is a hit
  auc           share of pairs of a relevant and another item that the scores order rightly, over all items
  novelty       mean over the list of -log2(share of the model''s users who have rated the item)
  popularity    mean over the list of the share of the model''s users who have rated the item
  intra_list_similarity  mean cosine of the pairs of items of the list, by the vectors that lists go by
  coverage      share of the items that are in at least one list
  gini          how unequally often items are in lists: 0 where all are alike, 1 where one item alone is; the lower the better
rmse and mae compare predicted ratings; null baseline: none. Then counts: users measured, unknown to the model, without relevant rows; rows measured, relevant, left out because user or item is unknown, because the training rows have them, because they are null.
With relevant test rows of items that the model does not know, figures of lists follow as all_... for which these are missed.
With test rows of cold items, which a model with item_features knows without ratings, the same follow as cold_... for lists of cold items alone (baseline: a random order; the mean rating), as content_... for those that go by the cosine with the attributes of what the user has, without a model, and as warm_... for those of rated items alone, and cold_share, the share of cold items in the lists of all. WHERE mf_holdout(item_id, item_id) holds out whole items for that.
relevant_from: only rows rated at least so much are relevant. relevant_event: only rows of that kind of event count, such as purchases. diversity: lists as mf_recommend makes them with it. train: the rows that the model was trained on, where its source has changed since. Columns are called as in the training unless named. per_user: one row a user and metric instead of the means.';

CREATE FUNCTION mfrec.mf_rollback(model text DEFAULT NULL, version bigint DEFAULT NULL) RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_rollback';
SELECT mfrec.take_arguments('mf_rollback(text, integer)', 'mfrec.mf_rollback(text, bigint)');
DROP FUNCTION mfrec.mf_rollback(text, bigint);

CREATE FUNCTION mfrec.mf_import(
	model text,
	users regclass,
	items regclass,
	feedback text DEFAULT 'implicit',
	source regclass DEFAULT NULL,
	regularization double precision DEFAULT NULL,
	alpha double precision DEFAULT NULL,
	regularization_exponent double precision DEFAULT 0,
	mean double precision DEFAULT NULL,
	id_column text DEFAULT 'id',
	factors_column text DEFAULT 'factors',
	bias_column text DEFAULT NULL,
	ratings_column text DEFAULT NULL,
	user_column text DEFAULT 'user_id',
	item_column text DEFAULT 'item_id',
	rating_column text DEFAULT 'rating',
	schema text DEFAULT NULL,
	value_is_confidence boolean DEFAULT false,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_import';
SELECT mfrec.take_arguments('mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text)', 'mfrec.mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text, boolean)');
DROP FUNCTION mfrec.mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text, boolean);
COMMENT ON FUNCTION mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text, boolean) IS
'makes a model''s next version of factors that were trained elsewhere: two tables or views with an id and a vector, real[] or double precision[], in each row
feedback: what the product of two vectors says, explicit a rating (mean + both biases + p . q), implicit how much a user would take an item
source: the ratings, so that recommendations leave out what a user has. With the objective by which the factors were trained, new users and ratings count at once; it is, of a user with n ratings, to minimise
    explicit   sum over observed (r - mean - b_u - b_i - p . q)^2 + regularization * (n^regularization_exponent |p|^2 + b_u^2)
    implicit   sum over ALL items of c * (x - p . q)^2 + regularization * n^regularization_exponent |p|^2, where x = 1 and c = 1 + alpha * value where observed, else x = 0 and c = 1; value_is_confidence: c = alpha * value where observed
regularization_exponent is 0 for the library implicit, whose values are confidences, and 1 for Spark. bias_column, ratings_column: optional columns of both tables, the latter a number of ratings';

CREATE FUNCTION mfrec.mf_train(
	source regclass,
	model text DEFAULT NULL,
	feedback text DEFAULT NULL,
	factors bigint DEFAULT NULL,
	iterations bigint DEFAULT NULL,
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
	rating_factors bigint DEFAULT NULL,
	item_features regclass DEFAULT NULL,
	feature_categories text[] DEFAULT NULL,
	feature_strength double precision DEFAULT NULL,
	user_features regclass DEFAULT NULL,
	time_column text DEFAULT NULL,
	half_life interval DEFAULT NULL,
	validation_by text DEFAULT NULL,
	event_column text DEFAULT NULL,
	event_weights jsonb DEFAULT NULL,
	serve boolean DEFAULT true,
	guard double precision DEFAULT NULL,
	distribute boolean DEFAULT NULL,
	trend_weight double precision DEFAULT NULL,
	user_exponent double precision DEFAULT NULL,
	item_exponent double precision DEFAULT NULL,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_train';
SELECT mfrec.take_arguments('mf_train(regclass, text, text, integer, integer, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text)', 'mfrec.mf_train(regclass, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, regclass, text[], double precision, regclass, text, interval, text, text, jsonb, boolean, double precision, boolean, double precision, double precision, double precision)');
DROP FUNCTION mfrec.mf_train(regclass, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, regclass, text[], double precision, regclass, text, interval, text, text, jsonb, boolean, double precision, boolean, double precision, double precision, double precision);

CREATE FUNCTION mfrec.mf_retrain(
	model text DEFAULT NULL, serve boolean DEFAULT true, guard double precision DEFAULT NULL, distribute boolean DEFAULT NULL,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_retrain';
SELECT mfrec.take_arguments('mf_retrain(text)', 'mfrec.mf_retrain(text, boolean, double precision, boolean)');
DROP FUNCTION mfrec.mf_retrain(text, boolean, double precision, boolean);
COMMENT ON FUNCTION mf_retrain(text, boolean, double precision, boolean) IS
'trains the next version of a model from the same source with the same arguments, starting from its current factors
serve: false stores the version without letting it serve, which mf_serve does
guard: this share of the pairs of user and item, chosen by a hash of their ids, is kept from learning, and the version does not serve, with a warning, where the source has lost most of its rows, or where on these pairs it is worse than the most popular items or clearly worse than the version that serves; 0.05 is a good choice
distribute: true trains a table that Citus distributes by user on the nodes that have its rows, false brings them here; null does the former where they are many';

CREATE FUNCTION mfrec.mf_estimate(
	source regclass,
	model text DEFAULT NULL,
	feedback text DEFAULT NULL,
	factors bigint DEFAULT NULL,
	iterations bigint DEFAULT NULL,
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
	rating_factors bigint DEFAULT NULL,
	item_features regclass DEFAULT NULL,
	feature_categories text[] DEFAULT NULL,
	feature_strength double precision DEFAULT NULL,
	time_column text DEFAULT NULL,
	half_life interval DEFAULT NULL,
	validation_by text DEFAULT NULL,
	event_column text DEFAULT NULL,
	event_weights jsonb DEFAULT NULL,
	trend_weight double precision DEFAULT NULL,
	user_exponent double precision DEFAULT NULL,
	item_exponent double precision DEFAULT NULL,
	OUT ratings bigint, OUT users bigint, OUT items bigint, OUT factors integer, OUT iterations integer,
	OUT memory_bytes bigint, OUT temporary_bytes bigint, OUT table_bytes bigint, OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_estimate';
SELECT mfrec.take_arguments('mf_estimate(regclass, text, text, integer, integer, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text)', 'mfrec.mf_estimate(regclass, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, regclass, text[], double precision, text, interval, text, text, jsonb, double precision, double precision, double precision)');
DROP FUNCTION mfrec.mf_estimate(regclass, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, regclass, text[], double precision, text, interval, text, text, jsonb, double precision, double precision, double precision);

DROP FUNCTION mfrec.take_arguments(regprocedure, regprocedure);

-- ---------------------------------------------------------------------------------------------
-- Twins that take text, to which an untyped parameter beside a typed argument resolves
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mf_predict(user_id "any", item_id text, model text DEFAULT NULL) RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 400
AS 'MODULE_PATHNAME', 'mf_predict';
COMMENT ON FUNCTION mf_predict("any", text, text) IS
'as above, for ids given as text';

CREATE FUNCTION mf_predict(user_id text, item_id "any", model text DEFAULT NULL) RETURNS real
LANGUAGE C STABLE PARALLEL SAFE COST 400
AS 'MODULE_PATHNAME', 'mf_predict';
COMMENT ON FUNCTION mf_predict(text, "any", text) IS
'as above, for ids given as text';

CREATE FUNCTION mf_explain(user_id text, item_id anyelement, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id anyelement, contribution real)
LANGUAGE C STABLE PARALLEL SAFE COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain';
COMMENT ON FUNCTION mf_explain(text, anyelement, bigint, text) IS
'as above, for ids given as text';

CREATE FUNCTION mf_holdout(user_id "any", item_id text, fraction double precision DEFAULT 0.2, seed bigint DEFAULT 1)
RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_holdout';
COMMENT ON FUNCTION mf_holdout("any", text, double precision, bigint) IS
'as above, for ids given as text';

CREATE FUNCTION mf_holdout(user_id text, item_id "any", fraction double precision DEFAULT 0.2, seed bigint DEFAULT 1)
RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_holdout';
COMMENT ON FUNCTION mf_holdout(text, "any", double precision, bigint) IS
'as above, for ids given as text';

COMMENT ON FUNCTION mf_predict(text, text, text) IS
'as above, for ids given as text';
COMMENT ON FUNCTION mf_holdout(text, text, double precision, bigint) IS
'as above, for ids given as text';
COMMENT ON FUNCTION mf_forget(text, text) IS
'as above, for ids given as text';

-- ---------------------------------------------------------------------------------------------
-- Settings (src/guc.c)
--
-- Whoever may set them in a session may keep them: without this ALTER ROLE, ALTER DATABASE and CREATE
-- FUNCTION ... SET are for superusers alone, in a session that has not loaded the library yet.  The grant
-- is of the whole server: it outlives the extension, and pg_dumpall has it among the globals.  So it is given
-- once, as what an administrator has made of it since is theirs.
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mfrec.grant_settings() RETURNS void LANGUAGE sql VOLATILE AS $$
	GRANT SET ON PARAMETER mfrec.model, mfrec.cold_start, mfrec.max_memory, mfrec.training_seconds, mfrec.keep_versions, mfrec.threads,
		mfrec."verbose" TO PUBLIC;
$$;
SELECT mfrec.grant_settings()
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_parameter_acl WHERE parname OPERATOR(pg_catalog.~) '^mfrec\.');
DROP FUNCTION mfrec.grant_settings();

DROP FUNCTION mf_tune(regclass, text, integer, double precision, boolean, text, text, integer, integer, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text);
CREATE FUNCTION mf_tune(
	source regclass,
	metric text DEFAULT NULL,
	trials bigint DEFAULT 20,
	seconds double precision DEFAULT NULL,
	train boolean DEFAULT false,
	model text DEFAULT NULL,
	feedback text DEFAULT NULL,
	factors bigint DEFAULT NULL,
	iterations bigint DEFAULT NULL,
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
	relevant_from double precision DEFAULT NULL,
	rating_factors bigint DEFAULT NULL,
	item_features regclass DEFAULT NULL,
	feature_categories text[] DEFAULT NULL,
	feature_strength double precision DEFAULT NULL,
	time_column text DEFAULT NULL,
	half_life interval DEFAULT NULL,
	validation_by text DEFAULT NULL,
	event_column text DEFAULT NULL,
	event_weights jsonb DEFAULT NULL,
	relevant_event text DEFAULT NULL,
	trend_weight double precision DEFAULT NULL,
	user_exponent double precision DEFAULT NULL,
	item_exponent double precision DEFAULT NULL)
RETURNS TABLE (trial integer, winner boolean, metric text, value double precision, iterations integer,
	factors integer, regularization double precision, alpha double precision,
	interest_weight double precision, taste double precision, seconds double precision, confirmed double precision,
	feature_strength double precision, half_life interval, event_weights jsonb, importance jsonb,
	trend_weight double precision)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'mf_tune';
COMMENT ON FUNCTION mf_tune(regclass, text, bigint, double precision, boolean, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, double precision, bigint, regclass, text[], double precision, text, interval, text, text, jsonb, text, double precision, double precision, double precision) IS
'searches parameters of mf_train on rows held out (a fifth, or the argument validation): a row per trial, the first one being the defaults, later ones where those before them lead; another one wins only if it is confirmed to be better on rows that the search has not seen (confirmed: both metrics there). importance, of the winner: what shares single parameters have of the differences between trials. relevant_from: for lists only rows rated at least so much are relevant; relevant_event: only rows of that kind of event. train => true trains on everything with the winner. With item_features, how strongly they are held back is searched, too; with time_column, how rows fade (never, or with a half-life of 730, 180, 60 or 14 days) and how much lists go by what items'' rows are of late, on the newest rows unless validation_by => ''random''; with event_column, unless event_weights says it, what kinds of events weigh';

-- Which attributes carry a score
CREATE FUNCTION mf_explain_features(user_id "any", item_id "any", k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (feature text, contribution double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain_features';
COMMENT ON FUNCTION mf_explain_features("any", "any", bigint, text) IS
'tells which attributes of an item carry its score for a user, in a model trained with item_features: words, categories and numbers with what they add to it, the largest first, or take from it; all of them add up to the score of an item without ratings';

CREATE FUNCTION mf_explain_features(user_id "any", item_id text, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (feature text, contribution double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain_features';
COMMENT ON FUNCTION mf_explain_features("any", text, bigint, text) IS
'as above, for ids given as text';

CREATE FUNCTION mf_explain_features(user_id text, item_id "any", k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (feature text, contribution double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain_features';
COMMENT ON FUNCTION mf_explain_features(text, "any", bigint, text) IS
'as above, for ids given as text';

CREATE FUNCTION mf_explain_features(user_id text, item_id text, k bigint DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (feature text, contribution double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 20000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_explain_features';
COMMENT ON FUNCTION mf_explain_features(text, text, bigint, text) IS
'as above, for ids given as text';

-- A literal in the fourth place is the model, as before there were candidates: mf_recommend_users(42, 10, NULL::text, 'ratings')
CREATE FUNCTION mf_recommend_users(
	item_id "any", k bigint, user_type text, model text,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id text, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users_text';
COMMENT ON FUNCTION mf_recommend_users("any", bigint, text, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'as above, for users given as text';

CREATE FUNCTION mf_recommend_users(
	item_id text, k bigint, user_type text, model text,
	candidates anycompatible DEFAULT NULL, exclude anycompatible DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (user_id text, score real, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 4000000 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_recommend_users_text';
COMMENT ON FUNCTION mf_recommend_users(text, bigint, text, text, anycompatible, anycompatible, bigint, regclass, text, text, "any") IS
'as above, for ids given as text';

-- A literal in the third place is the model, as before there were candidates: mf_popular(10, NULL::text, 'ratings')
CREATE FUNCTION mf_popular(
	k bigint, item_type text, model text, candidates text DEFAULT NULL,
	half_life interval DEFAULT NULL, by text DEFAULT NULL, exclude "any" DEFAULT NULL,
	per_group bigint DEFAULT NULL, group_table regclass DEFAULT NULL, group_column text DEFAULT NULL,
	group_id_column text DEFAULT 'id', groups "any" DEFAULT NULL)
RETURNS TABLE (item_id text, ratings bigint, rank integer)
LANGUAGE C STABLE PARALLEL SAFE COST 200 ROWS 10 SUPPORT @extschema@.mf_serve_support
AS 'MODULE_PATHNAME', 'mf_popular_text';
COMMENT ON FUNCTION mf_popular(bigint, text, text, text, interval, text, "any", bigint, regclass, text, text, "any") IS
'as above, for items given as text';

-- Variants of an experiment
CREATE FUNCTION mf_variant(user_id "any", variants jsonb, experiment text DEFAULT '') RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_variant';
COMMENT ON FUNCTION mf_variant("any", jsonb, text) IS
'names the variant of an experiment that a user gets, such as the model of their lists: mf_recommend(42, model => mf_variant(42, ''{"ratings": 90, "challenger": 10}''))
variants: the weight of each by its name; they need not add up to 100, and who weighs 0 gets nobody. experiment: its name; users fall into another one independently
The same user always gets the same variant, on every machine and release, whatever type ids are kept in. A weight that grows brings users to its variant and moves nobody between others. Null for a null user.';

CREATE FUNCTION mf_variant(user_id text, variants jsonb, experiment text DEFAULT '') RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_variant';
COMMENT ON FUNCTION mf_variant(text, jsonb, text) IS
'as above, for ids given as text';

-- A model's owner, for when its tables have gone, and its third table
ALTER TABLE mfrec.model ADD COLUMN owner text;
ALTER TABLE mfrec.model ADD COLUMN feature_table text;
ALTER TABLE mfrec.model ADD COLUMN family text COLLATE "C";
ALTER TABLE mfrec.model ADD COLUMN tenant text;
ALTER TABLE mfrec.model_version ADD COLUMN updated_at timestamptz;
ALTER TABLE mfrec.model_version ADD COLUMN withheld text;
ALTER TABLE mfrec.model_version ADD COLUMN arguments jsonb;
ALTER TABLE mfrec.model_version ADD COLUMN phase_seconds jsonb;
UPDATE mfrec.model m SET owner = pg_catalog.pg_get_userbyid(c.relowner)
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE n.nspname OPERATOR(pg_catalog.=) m.schema::pg_catalog.name
		AND c.relname OPERATOR(pg_catalog.=) m.user_table::pg_catalog.name;
COMMENT ON TABLE mfrec.model IS 'one row a model; written by mf_train, mf_train_each, mf_import, mf_serve, mf_rollback, mf_set_default, mf_relink and mf_drop only';
COMMENT ON COLUMN mfrec.model.owner IS 'role that owned the table of user factors after the last training, import or mf_relink; means something only where that table has gone';
COMMENT ON COLUMN mfrec.model.feature_table IS 'name of the table of what attributes of items add to their factors; null until a training has gone by some';
COMMENT ON COLUMN mfrec.model.schema IS 'schema of the model tables';
CREATE OR REPLACE VIEW mf_models AS
	SELECT m.name AS model, v.version, v.version OPERATOR(pg_catalog.=) m.version AS serving, m.is_default,
		m.source_schema, m.source, m.schema, m.user_table, m.item_table,
		v.feedback, v.factors, v.users, v.items, v.ratings, v.iterations, v.loss, v.rmse,
		v.seconds, v.trained_at, m.fresh, v.parameters,
		(SELECT pg_catalog.pg_total_relation_size(c.oid)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE n.nspname OPERATOR(pg_catalog.=) m.schema::pg_catalog.name
				AND c.relname OPERATOR(pg_catalog.=) m.user_table::pg_catalog.name)
			OPERATOR(pg_catalog.+)
		(SELECT pg_catalog.pg_total_relation_size(c.oid)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE n.nspname OPERATOR(pg_catalog.=) m.schema::pg_catalog.name
				AND c.relname OPERATOR(pg_catalog.=) m.item_table::pg_catalog.name)
			OPERATOR(pg_catalog.+)
		coalesce((SELECT pg_catalog.pg_total_relation_size(c.oid)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE n.nspname OPERATOR(pg_catalog.=) m.schema::pg_catalog.name
				AND c.relname OPERATOR(pg_catalog.=) m.feature_table::pg_catalog.name), 0)
			AS table_bytes,
		@extschema@.mf_image_bytes(v.image) AS image_bytes,
		coalesce((SELECT pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE n.nspname OPERATOR(pg_catalog.=) m.schema::pg_catalog.name
				AND c.relname OPERATOR(pg_catalog.=) m.user_table::pg_catalog.name), m.owner) AS owner,
		m.feature_table, v.updated_at, v.withheld, v.phase_seconds, m.family, m.tenant
	FROM mfrec.model m JOIN mfrec.model_version v ON v.model OPERATOR(pg_catalog.=) m.name;
COMMENT ON COLUMN mf_models.owner IS 'role that owns the model: the owner of its table of user factors, or where that has gone who owned it';
COMMENT ON COLUMN mf_models.feature_table IS 'table of what attributes of items add to their factors; null until a training has gone by some';
COMMENT ON COLUMN mf_models.table_bytes IS 'size of the model tables with all versions and indexes; the same in every row of a model';
COMMENT ON COLUMN mf_models.schema IS 'schema of the model tables';

CREATE FUNCTION mf_update(
	model text DEFAULT NULL, all_rows boolean DEFAULT false, late interval DEFAULT '5 minutes',
	OUT model text, OUT version integer, OUT rows bigint,
	OUT users_added bigint, OUT users_changed bigint, OUT users_removed bigint,
	OUT items_added bigint, OUT items_changed bigint, OUT items_removed bigint,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_update';
COMMENT ON FUNCTION mf_update(text, boolean, interval) IS
'takes into the version that serves what has come to its source, and to the relation of item_features, since it was trained or last updated, without training: new users and items, and those whose rows are others now, are folded in and stored, those without rows go; returns what it did
all_rows: read all rows of the source, so that whatever has changed is found; else, where it has a time_column and indexes on that, users and items, only rows that are not older than the newest known by more than late, and those of the users and items that have changed by them
late: so late at most rows come after others whose time is younger
rows: ratings that were read; users_added, items_added: that the version did not have; users_changed, items_changed: that have other rows, or are rated for the first time; users_removed, items_removed: that have no rows any more
An item gets what the half-sweep of a training would give it, with users as they are stored; then a user what folding in gives. Constants of the objective, the mean user and the map of attributes stay those of the training. Repeated without news it changes nothing.';

CREATE FUNCTION mf_serve(model text DEFAULT NULL, version bigint DEFAULT NULL) RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_serve';
COMMENT ON FUNCTION mf_serve(text, bigint) IS
'lets a kept version of a model serve, such as one that was trained with serve => false; without version the newest one; returns the version that serves now';

CREATE FUNCTION mf_relink(model text, source regclass DEFAULT NULL, users regclass DEFAULT NULL, items regclass DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mf_relink';
COMMENT ON FUNCTION mf_relink(text, regclass, regclass, regclass) IS
'says what a model''s source, or its tables of users and items, are called now, after they were renamed or moved to another schema; nothing is trained';
-- ---------------------------------------------------------------------------------------------
-- All nodes of a Citus cluster serve
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mf_citus() RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_citus';
COMMENT ON FUNCTION mf_citus() IS
'has all nodes of a Citus cluster serve: makes the bookkeeping reference tables and gives the tables of the caller''s models, and of all that come later, to Citus; returns how many tables it gave. Called on the coordinator, first by the owner of the extension, then by other roles that own models';

-- ---------------------------------------------------------------------------------------------
-- What comments said wrongly
-- ---------------------------------------------------------------------------------------------

COMMENT ON COLUMN mfrec.model_version.trained_at IS 'when its training had stored it, by the clock; it is there for others from the commit on';
COMMENT ON COLUMN mf_models.trained_at IS 'when its training had stored it, by the clock; it is there for others from the commit on';
COMMENT ON FUNCTION mf_holdout("any", "any", double precision, bigint) IS
'tells whether a row belongs to the test side of a split that holds out this fraction of the rows: train WHERE NOT mf_holdout(user_id, item_id), test WHERE mf_holdout(user_id, item_id)
The same ids are always on the same side, on every machine and release, whatever type they are kept in (42 as smallint, integer, bigint or text); those of a citext column are taken in lower case. A larger fraction holds out the same rows and more; another seed is another split. Null where an id is null.';
-- Weights are divided by their mean.
COMMENT ON FUNCTION mf_train(regclass, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, regclass, text[], double precision, regclass, text, interval, text, text, jsonb, boolean, double precision, boolean, double precision, double precision, double precision) IS
'trains a model on a table or view of ratings (or the model''s next version), stores it in two tables and returns a row about it

Minimises, over a vector p and a bias b for each user, vectors q, s and a bias b for each item, and a mean user m,
    the rating part     sum over observed (u, i) of w * (z / spread_u - b_u - b_i - p_u . q_i)^2
                        + regularization * ( sum of t_u |p_u|^2 + sum of t_i |q_i|^2 + 2 * sum of b^2 )
  + interest_weight * the interest part, which is
                        sum over ALL (u, i) of c * (x - p_u . s_i)^2
                        + regularization * ( sum of r_u |p_u - m|^2 + sum of r_i |s_i|^2 )
where n are numbers of ratings, U users, I items, N ratings, and
  z = (rating - mean) / deviation; w = the weight column / its mean over all observed cells, 1 without one
  spread_u = ((S + 10 * V) / (n + 9) / V)^0.35, between 1/4 and 4, S the squares of the user''s z around their own mean, V = sum of S / sum of (n - 1) over all users: how widely the user''s ratings spread beside those of all
  x = 1 where observed, else 0
  c = 1 + alpha * f(value) where observed, else 1; value = count or strength of implicit feedback times the weight column
  f(value) = log(1 + value) / its mean over all observed cells, so 1 where all values are equal; w for explicit feedback
  alpha = 0.6 / sqrt(N / (U * I)), between 1 and 50, unless it is given
  t = 6 + 0.04 * n
  r_u = L * (n_u / (N/U))^user_exponent, r_i = L * (n_i / (N/I))^item_exponent, 1/2 and 3/4 unless they are given, L = 0.56 * (1 + alpha) * (N/U * N/I)^(1/4)
Explicit feedback has both parts (interest_weight => 0: the first alone), implicit feedback the second alone.
Vectors have factors numbers, which both parts share; p and q of both parts have rating_factors more, in which s and m are 0 and r, of |p_u - m|^2, is none.
regularization scales all its terms; 1 is the preset''s own. The constants used: mf_models.parameters.
The predicted rating is mean + deviation * spread_u * (b_u + b_i + gain * p_u . q_i) within the ratings'' range, the gain being 1 + regularization / 4 with rating_factors and 1 without: regularization has shrunk the product.
Lists are sorted by score = p_u . (s_i + taste * q_i) + taste * b_i; a model of ratings alone by the predicted rating.
With time_column the score is multiplied by ((t / T + 40) / (n + 40))^trend_weight, with what is left of the item''s n ratings, t = sum of 1 / (1 + age / trend_half_life), and T its mean over all ratings: what is taken of late comes up. trend_weight is 0.7 unless it is given; 0: it is not. Predicted ratings and likeness do not change.
item_features: a table or view with a row an item, found by item_column or its primary key, and attributes in the other columns; feature_categories: those of them, and of user_features, that are categories whatever their type, such as foreign keys; feature_strength: what is multiplied by it is how strongly columns are held back, as training finds: above 1 they say less, below 1 more
user_features: the same of users, found by user_column or its primary key: they are drawn to m + U h_u, where h_u are their features and U is learned, and have lists without ratings; not with interest_weight => 0
event_column, event_weights: what kinds of events count, as in {"view": 1, "cart": 3, "purchase": 5}: the value of implicit feedback is multiplied by it, and other kinds are skipped; without event_weights all count the same
validation_by: time, the newest rows, or random; the first where there is a time_column
serve: false stores the version without letting it serve, which mf_serve does
guard: this share of the pairs of user and item, chosen by a hash of their ids, is kept from learning, and the version does not serve, with a warning, where the source has lost most of its rows, or where on these pairs it is worse than the most popular items or clearly worse than the version that serves; 0.05 is a good choice
distribute: true trains a table that Citus distributes by user on the nodes that have its rows, false brings them here; null does the former where they are many
time_column, half_life: rows fade. fade = 2^(-age / half_life), at least 2^-64, where age is the time before the newest row of the source (rows that come later: 0). log(1 + value) is multiplied by it before it is divided by its mean, and so is the weight column; in c, f(value) is also multiplied by the mean fade of all rows, mean_fade, so that old rows lose and new ones do not gain; and of the 1 in c only min(1, mean_fade * f(value)) is against 1, the rest against 0. Rows of one user and item fade each for itself: of ratings the mean is weighted by what is left of them, of values the sum fades by the mean of fade weighted by value';
-- Maps and clusters.
CREATE FUNCTION mf_map(
	model text DEFAULT NULL, dimensions bigint DEFAULT 2, of text DEFAULT 'items')
RETURNS TABLE (id bigint, coordinates real[], share double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_map';
COMMENT ON FUNCTION mf_map(text, bigint, text) IS
'a map of a model''s items, or of => ''users'': id and coordinates, so that what is alike by mf_similar_items, or mf_similar_users, lies together. They are principal components of the vectors'' directions, exactly; share: of the variance that these coordinates show, the same in each row. Ids come as bigint; for others name their type first: id_type => NULL::text';

CREATE FUNCTION mf_map(
	id_type anyelement, model text DEFAULT NULL, dimensions bigint DEFAULT 2, of text DEFAULT 'items')
RETURNS TABLE (id anyelement, coordinates real[], share double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_map_typed';
COMMENT ON FUNCTION mf_map(anyelement, text, bigint, text) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

CREATE FUNCTION mf_components(
	model text DEFAULT NULL, dimensions bigint DEFAULT NULL, of text DEFAULT 'items', k bigint DEFAULT 5)
RETURNS TABLE (component integer, variance double precision, share double precision, lowest bigint[], highest bigint[])
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 64
AS 'MODULE_PATHNAME', 'mf_components';
COMMENT ON FUNCTION mf_components(text, bigint, text, bigint) IS
'the axes of mf_map, all or the first so many dimensions: variance along each, its share of all, and the k items, or users, at both ends, those farthest out first, of those with no fewer ratings than the mean';

CREATE FUNCTION mf_components(
	id_type anyelement, model text DEFAULT NULL, dimensions bigint DEFAULT NULL, of text DEFAULT 'items', k bigint DEFAULT 5)
RETURNS TABLE (component integer, variance double precision, share double precision, lowest anyarray, highest anyarray)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 64
AS 'MODULE_PATHNAME', 'mf_components_typed';
COMMENT ON FUNCTION mf_components(anyelement, text, bigint, text, bigint) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

CREATE FUNCTION mf_clusters(
	model text DEFAULT NULL, clusters bigint DEFAULT 20, of text DEFAULT 'items', seed bigint DEFAULT 1)
RETURNS TABLE (id bigint, cluster integer, distance real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_clusters';
COMMENT ON FUNCTION mf_clusters(text, bigint, text, bigint) IS
'puts a model''s items, or of => ''users'', into clusters of those that are alike, by k-means of their vectors'' directions: cluster, from 1 by descending size, distance from its center, and rank by that. The same seed gives the same clusters';

CREATE FUNCTION mf_clusters(
	id_type anyelement, model text DEFAULT NULL, clusters bigint DEFAULT 20, of text DEFAULT 'items', seed bigint DEFAULT 1)
RETURNS TABLE (id anyelement, cluster integer, distance real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_clusters_typed';
COMMENT ON FUNCTION mf_clusters(anyelement, text, bigint, text, bigint) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

CREATE FUNCTION mf_cluster_labels(
	model text DEFAULT NULL, clusters bigint DEFAULT 20, of text DEFAULT 'items', seed bigint DEFAULT 1, k bigint DEFAULT 5)
RETURNS TABLE (cluster integer, size bigint, nearest bigint[], features text[])
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'mf_cluster_labels';
COMMENT ON FUNCTION mf_cluster_labels(text, bigint, text, bigint, bigint) IS
'what the clusters are that mf_clusters finds with the same arguments: size, the k members nearest to the center, of those with no fewer ratings than the mean of the cluster, and up to k features that members have more often than others, that which says most first; null in a model without item_features, or user_features';

CREATE FUNCTION mf_cluster_labels(
	id_type anyelement, model text DEFAULT NULL, clusters bigint DEFAULT 20, of text DEFAULT 'items', seed bigint DEFAULT 1, k bigint DEFAULT 5)
RETURNS TABLE (cluster integer, size bigint, nearest anyarray, features text[])
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'mf_cluster_labels_typed';
COMMENT ON FUNCTION mf_cluster_labels(anyelement, text, bigint, text, bigint, bigint) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

CREATE FUNCTION mf_pca(
	relation regclass, vector_column text, dimensions bigint DEFAULT 2, id_column text DEFAULT 'id')
RETURNS TABLE (id bigint, coordinates real[], share double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_pca';
COMMENT ON FUNCTION mf_pca(regclass, text, bigint, text) IS
'principal component analysis of a column of vectors, real[], double precision[] or what has a cast to real[] like pgvector''s vector: the id of each row, its coordinates along the first so many components, exactly, and the share of the variance that they show. Vectors are taken as they are. Ids come as bigint; for others name their type first: id_type => NULL::text';

CREATE FUNCTION mf_pca(
	id_type anyelement, relation regclass, vector_column text, dimensions bigint DEFAULT 2, id_column text DEFAULT 'id')
RETURNS TABLE (id anyelement, coordinates real[], share double precision)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_pca_typed';
COMMENT ON FUNCTION mf_pca(anyelement, regclass, text, bigint, text) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

CREATE FUNCTION mf_kmeans(
	relation regclass, vector_column text, clusters bigint DEFAULT 20, seed bigint DEFAULT 1, id_column text DEFAULT 'id')
RETURNS TABLE (id bigint, cluster integer, distance real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_kmeans';
COMMENT ON FUNCTION mf_kmeans(regclass, text, bigint, bigint, text) IS
'k-means of a column of vectors as mf_pca takes them, by Euclidean distance: the id of each row, its cluster, from 1 by descending size, the distance from its center, and rank by that. The same seed gives the same clusters';

CREATE FUNCTION mf_kmeans(
	id_type anyelement, relation regclass, vector_column text, clusters bigint DEFAULT 20, seed bigint DEFAULT 1, id_column text DEFAULT 'id')
RETURNS TABLE (id anyelement, cluster integer, distance real, rank integer)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000
AS 'MODULE_PATHNAME', 'mf_kmeans_typed';
COMMENT ON FUNCTION mf_kmeans(anyelement, regclass, text, bigint, bigint, text) IS
'as above, ids in the type of which id_type is a null: id_type => NULL::text';

COMMENT ON VIEW mf_progress IS
	'trainings, and calls of mf_clusters and the like, that run right now in this database: phase (read, sort, sweep, store, switch; of mf_clusters and mf_kmeans read, cluster), completed iterations of how many at most, loss, seconds since the start, seconds that the remaining iterations will take, memory';
COMMENT ON COLUMN mf_progress.phase IS 'read, sort, sweep, store or switch; cluster: steps of k-means';
COMMENT ON COLUMN mf_progress.rows_read IS 'rows of the source read so far, by all nodes that train; there by this one';

-- One word for a thing: metric, current.
COMMENT ON COLUMN mfrec.training_log.validation IS 'the metric on the rows held out: rmse of a rating model (lower is better), ndcg@10 of a model with an interest part (higher is better)';
COMMENT ON COLUMN mf_training_log.validation IS 'the metric on the rows held out: rmse of a rating model (lower is better), ndcg@10 of a model with an interest part (higher is better)';
COMMENT ON VIEW mf_training_log IS 'loss and validation metric after each iteration of every kept version';
COMMENT ON FUNCTION mf_recommend("any", bigint, text, anycompatible, anycompatible, boolean, boolean, bigint, bigint, regclass, text, text, "any", boolean, double precision, double precision[], regclass, text, text) IS
'recommends items to a user: the k best by score, ordered by rank. Items come as bigint; for others name their type right after k: mf_recommend(user, 10, item_type => NULL::uuid)
candidates: only these items, also such that have come to item_features since the training; exclude: not these; new_items: false leaves out items of item_features that nobody has rated; fresh: look at the user''s current rows (default: where an index makes that cheap); exclude_seen: leave out what is in those rows; version: an older kept one
per_group: at most so many of each group: per_group => 2, group_table => ''products'', group_column => ''seller_id'' (rows are found by the column group_id_column, id unless named), or an array groups that runs parallel to candidates; items without a group are not limited
diversity: 0 to 1, lists of items that are less alike, at the price of scores: maximal marginal relevance by the items'' vectors; 0.3 is a good choice
boosts: added to the scores of candidates before the best are chosen, null for 0; or boost_table => ''products'', boost_column => ''boost'' of items that have one (rows are found by the column boost_id_column, id unless named)
reason: model (as trained), fresh (from rows newer than the training), popular (nothing is known of the user), trending (likewise, with mfrec.cold_start), profile (what the user is like is known from user_features, and nothing else)';
COMMENT ON FUNCTION mf_rollback(text, bigint) IS
'lets another kept version of a model serve; without version the newest one before the current one; returns the version that serves now';
COMMENT ON FUNCTION mf_refresh(text) IS
'lets serving read a model''s tables anew after they were edited by hand, and brings its items without ratings up to date with the relation of item_features; returns the number of items; no transaction sees a mixture';
COMMENT ON COLUMN mfrec.model_version.items IS 'items in the training, and those that mf_update or mf_refresh has added or removed since';
COMMENT ON COLUMN mf_models.items IS 'items in the training, and those that mf_update or mf_refresh has added or removed since';
COMMENT ON COLUMN mfrec.model_version.users IS 'users in the training, and as mf_update has found them since';
COMMENT ON COLUMN mfrec.model_version.ratings IS 'observations in the training, and as mf_update has found them since: distinct pairs of user and item';
COMMENT ON COLUMN mfrec.model_version.updated_at IS 'when mf_update last took something into it, by the clock; null: never';
COMMENT ON COLUMN mfrec.model_version.withheld IS 'why the version was stored without serving; null: it has served';
COMMENT ON COLUMN mfrec.model_version.arguments IS 'of a version that was withheld, what the row in mfrec.model is to say of source and arguments once it serves; else null';
COMMENT ON COLUMN mfrec.model_version.phase_seconds IS 'how long each phase of the training took that is over by then: read, sort, sweep, store; null of a version that 0.1.0 trained';
COMMENT ON COLUMN mf_models.users IS 'users in the training, and as mf_update has found them since';
COMMENT ON COLUMN mf_models.ratings IS 'observations in the training, and as mf_update has found them since: distinct pairs of user and item';
COMMENT ON COLUMN mf_models.updated_at IS 'when mf_update last took something into it, by the clock; null: never';
COMMENT ON COLUMN mf_models.withheld IS 'why the version was stored without serving; null: it has served';
COMMENT ON COLUMN mf_models.phase_seconds IS 'how long each phase of the training took that is over by then: read, sort, sweep, store; null of a version that 0.1.0 trained';

-- Models of tenants
CREATE INDEX model_family ON mfrec.model (family) WHERE family IS NOT NULL;
COMMENT ON INDEX mfrec.model_family IS 'the models of a family''s tenants';
COMMENT ON COLUMN mfrec.model.family IS 'the models that mf_train_each has trained together and that share tables; in the row of that name, which is no model, too';
COMMENT ON COLUMN mfrec.model.tenant IS 'the tenant, as text; null where there is none, and in the row of the family itself, whose version is the highest number of its models'' versions';
COMMENT ON COLUMN mf_models.family IS 'the models that mf_train_each has trained together, which share tables; null: it was trained alone';
COMMENT ON COLUMN mf_models.tenant IS 'whose model it is of a family; null: it was trained alone';

CREATE VIEW mf_tenants AS
	SELECT m.family, m.tenant, m.name AS model, v.version, v.users, v.items, v.ratings, v.iterations, v.loss, v.rmse,
		v.trained_at, v.updated_at
	FROM mfrec.model m JOIN mfrec.model_version v
		ON v.model OPERATOR(pg_catalog.=) m.name AND v.version OPERATOR(pg_catalog.=) m.version
	WHERE m.tenant IS NOT NULL;
COMMENT ON VIEW mf_tenants IS 'tenants'' models, as mf_train_each has trained them: one row a tenant, about the version that serves';
COMMENT ON COLUMN mf_tenants.family IS 'what was trained together: the argument model of mf_train_each';
COMMENT ON COLUMN mf_tenants.tenant IS 'the tenant, as text';
COMMENT ON COLUMN mf_tenants.model IS 'name of the tenant''s model, which other functions take: mf_tenant(family, tenant)';
COMMENT ON COLUMN mf_tenants.version IS 'number of the version that serves; the versions of all tenants are counted together';
COMMENT ON COLUMN mf_tenants.users IS 'users in the training, and as mf_update has found them since';
COMMENT ON COLUMN mf_tenants.items IS 'items in the training, and those that mf_update has added or removed since';
COMMENT ON COLUMN mf_tenants.ratings IS 'observations in the training, and as mf_update has found them since: distinct pairs of user and item';
COMMENT ON COLUMN mf_tenants.iterations IS 'iterations that the stored factors have gone through';
COMMENT ON COLUMN mf_tenants.loss IS 'the objective after the last half-sweep';
COMMENT ON COLUMN mf_tenants.rmse IS 'root mean squared error of the predicted rating on the rows trained on; null without a rating part';
COMMENT ON COLUMN mf_tenants.trained_at IS 'when its training had stored it, by the clock; it is there for others from the commit on';
COMMENT ON COLUMN mf_tenants.updated_at IS 'when mf_update last took something into it, by the clock; null: never';
GRANT SELECT ON mf_tenants TO PUBLIC;

CREATE FUNCTION mf_train_each(
	source regclass,
	by text,
	model text DEFAULT NULL,
	feedback text DEFAULT NULL,
	factors bigint DEFAULT NULL,
	iterations bigint DEFAULT NULL,
	regularization double precision DEFAULT NULL,
	alpha double precision DEFAULT NULL,
	interest_weight double precision DEFAULT NULL,
	taste double precision DEFAULT NULL,
	tolerance double precision DEFAULT NULL,
	seed bigint DEFAULT 1,
	user_column text DEFAULT 'user_id',
	item_column text DEFAULT 'item_id',
	rating_column text DEFAULT 'rating',
	weight_column text DEFAULT NULL,
	schema text DEFAULT NULL,
	rating_factors bigint DEFAULT NULL,
	time_column text DEFAULT NULL,
	half_life interval DEFAULT NULL,
	event_column text DEFAULT NULL,
	event_weights jsonb DEFAULT NULL,
	trend_weight double precision DEFAULT NULL,
	user_exponent double precision DEFAULT NULL,
	item_exponent double precision DEFAULT NULL)
RETURNS TABLE (tenant text, model text, version integer, users bigint, items bigint, ratings bigint,
	iterations integer, loss double precision, rmse double precision, failed text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000
AS 'MODULE_PATHNAME', 'mf_train_each';
COMMENT ON FUNCTION mf_train_each(regclass, text, text, text, bigint, bigint, double precision, double precision, double precision, double precision, double precision, bigint, text, text, text, text, text, bigint, text, interval, text, jsonb, double precision, double precision, double precision) IS
'trains a model for each tenant, which are the values of the column `by`, on its rows alone, in one pass over the source: as mf_train would, to the bit, and many at a time; all share two tables. A row a tenant; failed: why it got no version and keeps the one that it has. Functions take a tenant''s model by name: mf_tenant(model, tenant). Arguments: as of mf_train';

CREATE FUNCTION mf_retrain_each(
	model text,
	OUT tenant text, OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision, OUT failed text)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000
AS 'MODULE_PATHNAME', 'mf_retrain_each';
COMMENT ON FUNCTION mf_retrain_each(text) IS
'trains the next versions of all models that mf_train_each has trained, with the same source and arguments, starting from the factors that there are; tenants that have come since get their first one';

CREATE FUNCTION mf_tenant(model text, tenant "any") RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'mf_tenant';
COMMENT ON FUNCTION mf_tenant(text, "any") IS
'names a tenant''s model, for the argument model of other functions: mf_recommend(user, 10, mf_tenant(''ratings'', 17)); model: the argument of mf_train_each';

CREATE FUNCTION mf_tenant(model text, tenant text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'mf_tenant';
COMMENT ON FUNCTION mf_tenant(text, text) IS
'as above, for tenants given as text';

-- ---------------------------------------------------------------------------------------------
-- Distributed tables of Citus (src/sql: fn_pack; src/read: packed_read)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mfrec.pack_row(VARIADIC "any") RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mfrec_pack_row';
COMMENT ON FUNCTION mfrec.pack_row("any") IS
'takes a row on its way to another node, in queries by which mfrec reads distributed tables of Citus; returns a number for mfrec.packed_rows with the first row of a megabyte, else null';

CREATE FUNCTION mfrec.packed_rows(bigint) RETURNS bytea
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mfrec_packed_rows';
COMMENT ON FUNCTION mfrec.packed_rows(bigint) IS
'the rows that mfrec.pack_row has taken under a number in the same query, once';

CREATE FUNCTION mfrec.node_take(
	job bigint, flags integer, half_life double precision, name text, time_name text, VARIADIC columns "any")
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mfrec_node_take';
COMMENT ON FUNCTION mfrec.node_take(bigint, integer, double precision, text, text, "any") IS
'takes a row of a source into a training on this node, in queries by which mf_train trains where rows lie; returns 1';

CREATE FUNCTION mfrec.node_receive(job bigint, chunk bytea) RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mfrec_node_receive';
COMMENT ON FUNCTION mfrec.node_receive(bigint, bytea) IS 'takes what mfrec.driver_send sends to a training on this node; returns 1';

CREATE FUNCTION mfrec.node_run(job bigint, node integer, step text, argument bytea) RETURNS SETOF bytea
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mfrec_node_run';
COMMENT ON FUNCTION mfrec.node_run(bigint, integer, text, bytea) IS 'runs a step of a training on this node';

CREATE FUNCTION mfrec.node_rows(job bigint) RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'mfrec_node_rows';
COMMENT ON FUNCTION mfrec.node_rows(bigint) IS 'the rows that this node has read so far of a training on several nodes, by its number';

CREATE FUNCTION mfrec.driver_send(job bigint) RETURNS SETOF bytea
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mfrec_driver_send';
COMMENT ON FUNCTION mfrec.driver_send(bigint) IS 'what the training that this session drives sends to its nodes';
