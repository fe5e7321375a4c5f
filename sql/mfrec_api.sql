-- mfrec_api.sql - lists by name and JSON, for PostgREST, Supabase and whatever else calls functions like that.
--
-- CREATE EXTENSION does not run this.  Run it where you want it, as a role that may create a schema, and once more
-- after an update of mfrec or after moving it to another schema: what you have granted stays.
--
--     psql -f "$(pg_config --sharedir)/extension/mfrec_api.sql" my_database
--
-- A call is a function's name and an object of named arguments, {"user_id": 42, "k": 3}; PostgREST takes it as
-- POST /rpc/recommend, or GET /rpc/recommend?user_id=42&k=3.  So here each function has one signature, all arguments
-- have names and types that JSON can say, and so have the columns of what comes back.  Ids go in as numbers or
-- strings and come back as strings: they may be of any type, and JavaScript's numbers end at 2^53.
--
-- Who may call what
--
-- Functions run with the rights of who calls them (SECURITY INVOKER), and nobody may call one who has not been told:
--
--     GRANT USAGE ON SCHEMA mfrec_api TO web;
--     GRANT EXECUTE ON FUNCTION mfrec_api.recommend_me, mfrec_api.similar_items TO web;
--
-- They read the model as the caller, and for fresh lists the rows of its source.  This gives nothing away over HTTP
-- while the schema of these tables is not among those that are exposed (PostgREST's db-schemas):
--
--     GRANT SELECT ON ratings_user_factors, ratings_item_factors, ratings TO web;
--
-- and USAGE on the schema that they are in.  Who may not read ratings passes "fresh": false.  Row security on ratings
-- holds here, too: a user of whom the caller sees no row gets what is popular.  It does not hide what the model knows,
-- which "fresh": false goes by.
--
-- So recommend, predict, explain and recommend_users answer about any user whoever asks: grant them to servers, not
-- to browsers.  recommend_me takes the user from the token.  And keep the schema of mfrec itself out of db-schemas, or
-- everybody may try mf_train: CREATE EXTENSION mfrec SCHEMA extensions.
BEGIN;
DO $$
BEGIN
	-- the functions below keep this path, whatever the caller's is
	PERFORM pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname) || ', pg_temp', true)
	FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
	WHERE e.extname = 'mfrec';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'mfrec is not installed in this database' USING HINT = 'Run CREATE EXTENSION mfrec first.';
	END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS mfrec_api;
COMMENT ON SCHEMA mfrec_api IS
'Recommendations by mfrec, for calls by name with JSON';

CREATE OR REPLACE FUNCTION mfrec_api.recommend(
	user_id text, k integer DEFAULT 10, model text DEFAULT NULL,
	candidates text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL)
RETURNS TABLE (item_id text, score real, rank integer, predicted_rating real, reason text)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT r.item_id, r.score, r.rank, r.predicted_rating, r.reason
	FROM mf_recommend(user_id, k, item_type => NULL::text, model => model, candidates => candidates,
		exclude => exclude, fresh => fresh, exclude_seen => exclude_seen, new_items => new_items, diversity => diversity) r
	ORDER BY r.rank
$$;
COMMENT ON FUNCTION mfrec_api.recommend(text, integer, text, text[], text[], boolean, boolean, boolean, double precision) IS
'The k best items for a user, whoever asks

As mf_recommend: candidates, only these items; exclude, not these; fresh, whether to look at the user''s current rows; exclude_seen: false lists what the user has, too; new_items: false leaves out what nobody has rated; diversity: 0 to 1, items that are less alike.';

CREATE OR REPLACE FUNCTION mfrec_api.recommend_me(
	k integer DEFAULT 10, model text DEFAULT NULL, candidates text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
	fresh boolean DEFAULT NULL, exclude_seen boolean DEFAULT true, new_items boolean DEFAULT true,
	diversity double precision DEFAULT NULL)
RETURNS TABLE (item_id text, score real, rank integer, predicted_rating real, reason text)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT r.item_id, r.score, r.rank, r.predicted_rating, r.reason
	FROM mf_recommend(nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub', k, item_type => NULL::text,
		model => model, candidates => candidates, exclude => exclude, fresh => fresh, exclude_seen => exclude_seen,
		new_items => new_items, diversity => diversity) r
	ORDER BY r.rank
$$;
COMMENT ON FUNCTION mfrec_api.recommend_me(integer, text, text[], text[], boolean, boolean, boolean, double precision) IS
'The k best items for the user of the token, whose id is its claim sub; no rows without one

Arguments as of recommend.';

CREATE OR REPLACE FUNCTION mfrec_api.recommend_for(
	items text[], ratings double precision[] DEFAULT NULL, k integer DEFAULT 10, model text DEFAULT NULL,
	new_items boolean DEFAULT true, candidates text[] DEFAULT NULL, exclude text[] DEFAULT NULL)
RETURNS TABLE (item_id text, score real, rank integer)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT r.item_id, r.score, r.rank
	FROM mf_recommend_for(items, ratings, k, model, new_items => new_items, candidates => candidates, exclude => exclude) r
	ORDER BY r.rank
$$;
COMMENT ON FUNCTION mfrec_api.recommend_for(text[], double precision[], integer, text, boolean, text[], text[]) IS
'The k best items for a basket or an anonymous session: items, and the rating of each if there are ratings. Nothing is stored

candidates and exclude as of recommend.';

CREATE OR REPLACE FUNCTION mfrec_api.recommend_users(
	item_id text, k integer DEFAULT 10, model text DEFAULT NULL,
	candidates text[] DEFAULT NULL, exclude text[] DEFAULT NULL)
RETURNS TABLE (user_id text, score real, rank integer)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT r.user_id, r.score, r.rank
	FROM mf_recommend_users(item_id, k, user_type => NULL::text, model => model, candidates => candidates,
		exclude => exclude) r
	ORDER BY r.rank
$$;
COMMENT ON FUNCTION mfrec_api.recommend_users(text, integer, text, text[], text[]) IS
'The k users to tell about an item, whoever asks; candidates: only these users; exclude: not these';

CREATE OR REPLACE FUNCTION mfrec_api.similar_items(
	item_id text, k integer DEFAULT 10, model text DEFAULT NULL, new_items boolean DEFAULT true, by text DEFAULT NULL,
	candidates text[] DEFAULT NULL, exclude text[] DEFAULT NULL)
RETURNS TABLE (item_id text, similarity real, rank integer)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT s.id, s.similarity, s.rank
	FROM mf_similar_items(item_id, k, model, new_items => new_items, by => by, candidates => candidates,
		exclude => exclude) s
	ORDER BY s.rank
$$;
COMMENT ON FUNCTION mfrec_api.similar_items(text, integer, text, boolean, text, text[], text[]) IS
'The k items that are most like an item, by who takes them or, by: content, by what they are; candidates and exclude as of recommend';

CREATE OR REPLACE FUNCTION mfrec_api.predict(user_id text, item_id text, model text DEFAULT NULL)
RETURNS real
LANGUAGE sql STABLE SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT mf_predict(user_id, item_id, model)
$$;
COMMENT ON FUNCTION mfrec_api.predict(text, text, text) IS
'How a user would rate an item, whoever asks; null for an unknown item';

CREATE OR REPLACE FUNCTION mfrec_api.explain(
	user_id text, item_id text, k integer DEFAULT 10, model text DEFAULT NULL)
RETURNS TABLE (item_id text, contribution real)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT e.item_id, e.contribution
	FROM mf_explain(user_id, item_id, k, model) e
	ORDER BY e.contribution DESC
$$;
COMMENT ON FUNCTION mfrec_api.explain(text, text, integer, text) IS
'Which of a user''s own items speak for an item, and how much, whoever asks';

CREATE OR REPLACE FUNCTION mfrec_api.popular(
	k integer DEFAULT 10, model text DEFAULT NULL, candidates text[] DEFAULT NULL, by text DEFAULT NULL,
	exclude text[] DEFAULT NULL)
RETURNS TABLE (item_id text, ratings bigint, rank integer)
LANGUAGE sql STABLE ROWS 10 SECURITY INVOKER SET search_path FROM CURRENT AS $$
	SELECT p.item_id, p.ratings, p.rank
	FROM mf_popular(k, item_type => NULL::text, model => model, candidates => candidates, by => by, exclude => exclude) p
	ORDER BY p.rank
$$;
COMMENT ON FUNCTION mfrec_api.popular(integer, text, text[], text, text[]) IS
'The k items with the most ratings; by: trend, of late. candidates: only these items; exclude: not these';

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA mfrec_api FROM PUBLIC;
COMMIT;
