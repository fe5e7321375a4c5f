-- ---------------------------------------------------------------------------------------------
-- The report (src/sql: fn_report)
--
-- mf_report reads what there is, as its caller, and hands it to a function for each section of the page; of those each
-- writes HTML of what it is given, or finds in the bookkeeping, which everybody may read.  Whatever comes from tables goes
-- through mfrec.html().  Bodies that read the bookkeeping are BEGIN ATOMIC, for where that is Citus's it does not take a query
-- that is a RETURN.
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION mfrec.model_name(model text) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_model_name';
COMMENT ON FUNCTION mfrec.model_name(text) IS 'the name of the model that an argument means; an error where there is none';

CREATE FUNCTION mfrec.item_groups(model text, clusters bigint, most bigint)
RETURNS TABLE (cluster integer, members text[], nearest text[], features text[])
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000000 ROWS 12
AS 'MODULE_PATHNAME', 'mf_item_groups';
COMMENT ON FUNCTION mfrec.item_groups(text, bigint, bigint) IS
'so many items with the most ratings in clusters, as mf_clusters and mf_cluster_labels have those of all items: members by their distance from the center, nearest to it those that are rated by no fewer than most, and the features that set a cluster apart';

CREATE FUNCTION mfrec.readable_relation(schema text, name text) RETURNS regclass
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
	SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relname = name::name AND (n.nspname = schema::name OR schema = 'pg_temp' AND n.oid = pg_my_temp_schema())
		AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'));
COMMENT ON FUNCTION mfrec.readable_relation(text, text) IS 'a relation that is there and that the caller may read, else null';

CREATE FUNCTION mfrec.report_style() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN $css$
:root { color-scheme: light dark; --page: #ffffff; --ink: #1f2328; --faint: #59636e; --rule: #d4dae0; --wash: #f4f6f8; --main: #0a5ca8;
	--g0: #0a5ca8; --g1: #a84300; --g2: #17734a; --g3: #7a3fa8; --g4: #5f5a2e; }
@media (prefers-color-scheme: dark) { :root { --page: #15181b; --ink: #e4e7ea; --faint: #a0a9b2; --rule: #343b42; --wash: #1d2125; --main: #71b4f2;
	--g0: #71b4f2; --g1: #f2a25f; --g2: #62c795; --g3: #c7a0ee; --g4: #c9c184; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 3rem; max-width: 62rem; background: var(--page); color: var(--ink);
	font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0 0 .35rem; font-size: 1.75rem; line-height: 1.25; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: 1.25rem; line-height: 1.3; font-weight: 650; }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 0 0 .9rem; max-width: 44rem; }
.lead, .note, figcaption, caption, footer { color: var(--faint); }
.lead { overflow-wrap: anywhere; }
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; overflow-wrap: anywhere; }
a { color: var(--main); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.25rem 0 0; padding: 0; list-style: none; }
.facts { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem 1.5rem; margin: 0 0 1.25rem; }
.facts li { color: var(--faint); font-size: .875rem; }
.facts strong { display: block; color: var(--ink); font-weight: 400; font-size: 1.3rem; line-height: 1.35; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem 2.5rem; align-items: start; }
figure { margin: 0 0 1rem; min-width: 0; }
figcaption, caption { padding: 0 0 .4rem; text-align: left; font-size: .9rem; }
svg { display: block; width: 100%; max-width: 30rem; height: auto; }
svg.map { max-width: none; min-width: 40rem; }
svg.key { display: inline-block; width: .85rem; vertical-align: -.1rem; }
svg text { font-size: 12px; fill: var(--ink); font-family: inherit; }
svg .axis { fill: var(--faint); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .line { fill: none; stroke: var(--main); stroke-width: 2; stroke-linejoin: round; }
svg .dot { fill: var(--main); }
svg .bar { fill: var(--main); }
svg .mark { stroke: var(--ink); stroke-width: 2.5; }
svg.map .dot { stroke: var(--page); stroke-width: .75; }
svg .g0 { fill: var(--g0); } svg .g1 { fill: var(--g1); } svg .g2 { fill: var(--g2); } svg .g3 { fill: var(--g3); } svg .g4 { fill: var(--g4); }
svg .label, svg .group { paint-order: stroke; stroke: var(--page); stroke-width: 3.5px; stroke-linejoin: round; }
svg .label { font-size: 11px; }
svg .group { font-size: 15px; font-weight: 700; }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; }
table { border-collapse: collapse; min-width: 100%; font-size: .9rem; line-height: 1.4; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); font-weight: 400; }
td.long { min-width: 12rem; }
thead th { color: var(--faint); white-space: nowrap; }
tbody th { overflow-wrap: anywhere; min-width: 4rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
details { margin: 0 0 1.25rem; }
summary { cursor: pointer; color: var(--main); padding: .25rem 0; }
:focus-visible { outline: 2px solid var(--main); outline-offset: 3px; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: .875rem; }
@media print { details > * { display: block; } .scroll { overflow: visible; } }
$css$;
COMMENT ON FUNCTION mfrec.report_style() IS 'how a report looks: CSS, for light and dark';

CREATE FUNCTION mfrec.report_section(id text, title text, contents text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format(E'<section aria-labelledby="%1$s">\n<h2 id="%1$s">%2$s</h2>\n%3$s\n</section>\n', id, mfrec.html(title), contents);
COMMENT ON FUNCTION mfrec.report_section(text, text, text) IS 'a section of a report, of contents that are HTML';

CREATE FUNCTION mfrec.report_note(note text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('<p class="note">%s</p>', mfrec.html(note));
COMMENT ON FUNCTION mfrec.report_note(text) IS 'a remark in a report, such as why something is not in it';

CREATE FUNCTION mfrec.report_details(summary text, contents text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN contents IS NOT NULL THEN format('<details><summary>%s</summary>%s</details>', mfrec.html(summary), contents) END;
COMMENT ON FUNCTION mfrec.report_details(text, text) IS 'contents that are HTML, folded up; null where there are none';

CREATE FUNCTION mfrec.title_of(titles jsonb, id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(titles->>id, id);
COMMENT ON FUNCTION mfrec.title_of(jsonb, text) IS 'what an item is called: its title, else its id';

CREATE FUNCTION mfrec.title_html(titles jsonb, id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('<bdi>%s</bdi>', mfrec.html(mfrec.title_of(titles, id)));
COMMENT ON FUNCTION mfrec.title_html(jsonb, text) IS 'the same as HTML, whatever it is and in which direction it is read';

CREATE FUNCTION mfrec.item_titles(ids text[], item_type regtype, titles regclass, title_column text, title_id_column text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	integers CONSTANT regtype[] := '{smallint,integer,bigint}';
	relation pg_class;
	id_type regtype;
	missing text;
	found jsonb;
BEGIN
	IF titles IS NULL THEN
		RETURN '{}';
	END IF;
	SELECT * INTO relation FROM pg_class c WHERE c.oid = titles;
	IF (relation.relkind IN ('r', 'p', 'v', 'm', 'f')) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('cannot take titles from "%s"', coalesce(relation.relname, titles::text)),
			HINT = 'Name a table or view with a row for each item with the argument titles.';
	END IF;
	IF title_column IS NULL OR title_id_column IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'title_column and title_id_column must not be null with titles';
	END IF;
	SELECT name INTO missing FROM unnest(ARRAY[title_id_column, title_column]) WITH ORDINALITY c (name, n)
	WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = titles AND attname::text = c.name AND attnum > 0 AND NOT attisdropped) ORDER BY n LIMIT 1;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('column "%s" of relation "%s" does not exist', missing, relation.relname),
			HINT = CASE missing WHEN title_id_column THEN 'Name the column of the items'' ids with the argument title_id_column.'
				ELSE 'Name the column of the items'' titles with the argument title_column.' END;
	END IF;
	SELECT atttypid INTO id_type FROM pg_attribute WHERE attrelid = titles AND attname::text = title_id_column;
	IF id_type <> item_type AND NOT (id_type = ANY (integers) AND item_type = ANY (integers)) THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('title_id_column "%s" is of type %s, but the model''s items are of type %s', title_id_column, id_type, item_type),
			HINT = 'Cast the column in a view.';
	END IF;
	EXECUTE format('SELECT jsonb_object_agg(id, title) FROM (SELECT %1$I::text AS id, min(left(btrim(%2$I::text), 120) COLLATE "C") AS title'
			' FROM %3$s WHERE %1$I = ANY ($1::%4$s[]) GROUP BY 1) t WHERE title <> ''''',
		title_id_column, title_column, titles, CASE WHEN id_type = ANY (integers) THEN 'bigint' ELSE id_type::text END)
	INTO found USING ids;
	IF found IS NULL AND cardinality(ids) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = '02000', MESSAGE = format('relation "%s" has no title of any item of the report', relation.relname),
			DETAIL = format('None of %s items is in its column "%s" with text in "%s".', cardinality(ids), title_id_column, title_column),
			HINT = 'Name the relation and its columns with titles, title_column and title_id_column.';
	END IF;
	RETURN coalesce(found, '{}');
END $$;
COMMENT ON FUNCTION mfrec.item_titles(text[], regtype, regclass, text, text) IS
'the titles of some items, by their ids, from a relation with a row for each; items without a row, or with an empty title, are left out';

CREATE FUNCTION mfrec.rating_counts(of text, relation regclass, version integer) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	counts jsonb;
BEGIN
	EXECUTE format('SELECT jsonb_agg(jsonb_build_array(ratings, n, id) ORDER BY ratings)'
			' FROM (SELECT ratings, count(*) AS n, min(%I::text COLLATE "C") AS id FROM %s WHERE version = $1 GROUP BY ratings) c',
		of || '_id', relation)
	INTO counts USING version;
	RETURN coalesce(counts, '[]');
END $$;
COMMENT ON FUNCTION mfrec.rating_counts(text, regclass, integer) IS
'how many users or items of a version have each number of ratings, and the first of them: an array of [ratings, how many, id]';

CREATE FUNCTION mfrec.example_users(counts jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH reached AS (
		SELECT (c->>0)::bigint AS ratings, c->>2 AS id, sum((c->>1)::bigint) OVER (ORDER BY (c->>0)::bigint) AS n,
			sum((c->>1)::bigint) OVER () AS total
		FROM jsonb_array_elements(counts) c WHERE (c->>0)::bigint > 0
	)
	SELECT array_agg(id ORDER BY ratings) FROM (
		SELECT DISTINCT r.ratings, r.id FROM unnest(ARRAY[0.25, 0.5, 0.9]) part,
			LATERAL (SELECT ratings, id FROM reached WHERE n >= part * total ORDER BY ratings LIMIT 1) r) chosen);
COMMENT ON FUNCTION mfrec.example_users(jsonb) IS
'three users of mfrec.rating_counts(): with as few ratings as a quarter of all has at most, as half has, and as nine tenths have';

CREATE FUNCTION mfrec.distinct_users(relation regclass, users text[]) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	distinct_users text[];
BEGIN
	EXECUTE format('SELECT array_agg(id ORDER BY n) FROM (SELECT u::%s::text AS id, min(n) AS n FROM unnest($1) WITH ORDINALITY t (u, n) GROUP BY 1) u',
		(SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = relation AND attname = 'user_id'))
	INTO distinct_users USING users;
	RETURN coalesce(distinct_users, '{}');
END $$;
COMMENT ON FUNCTION mfrec.distinct_users(regclass, text[]) IS
'ids of users, each once and as the type of the column user_id of a relation writes it';

CREATE FUNCTION mfrec.rated_items(source regclass, columns jsonb, users text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	user_column text := columns->>'user_column';
	item_column text := columns->>'item_column';
	rating_column text := CASE WHEN columns ? 'rating_column' THEN columns->>'rating_column' ELSE 'rating' END;
	user_type regtype;
	rows jsonb;
BEGIN
	IF EXISTS (SELECT FROM unnest(ARRAY[user_column, item_column]) c (name)
		WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname::text = c.name AND attnum > 0 AND NOT attisdropped)) THEN
		RETURN NULL;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname::text = rating_column AND attnum > 0 AND NOT attisdropped) THEN
		rating_column := NULL;
	END IF;
	SELECT atttypid INTO user_type FROM pg_attribute WHERE attrelid = source AND attname::text = user_column;
	EXECUTE format('SELECT jsonb_agg(jsonb_build_array(u, i, r, place, total) ORDER BY u, place)'
			' FROM (SELECT %1$I::text AS u, %2$I::text AS i, %3$s::text AS r, count(*) OVER (PARTITION BY %1$I) AS total,'
			' row_number() OVER (PARTITION BY %1$I ORDER BY %3$s DESC NULLS LAST, %2$I::text COLLATE "C") AS place'
			' FROM %4$s WHERE %1$I = ANY ($1::%5$s[]) AND %2$I IS NOT NULL) r WHERE place <= 10',
		user_column, item_column, CASE WHEN rating_column IS NULL THEN 'NULL::real' ELSE quote_ident(rating_column) END, source,
		CASE WHEN user_type = ANY ('{smallint,integer,bigint}'::regtype[]) THEN 'bigint' ELSE user_type::text END)
	INTO rows USING users;
	RETURN coalesce(rows, '[]');
END $$;
COMMENT ON FUNCTION mfrec.rated_items(regclass, jsonb, text[]) IS
'what users have in a source now, the ten with the highest rating of each: an array of [user, item, rating, place, number of rows]; null where the source lacks the columns';

CREATE FUNCTION mfrec.report_fact(name text, value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('<li>%s <strong>%s</strong></li>', mfrec.html(name), value);
COMMENT ON FUNCTION mfrec.report_fact(text, text) IS 'a name and a value, which is HTML, of a list of facts';

CREATE FUNCTION mfrec.report_training(name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH v AS (
		SELECT v.*, m.parameters AS given
		FROM mfrec.model_version v JOIN mfrec.model m ON m.name = v.model AND m.version = v.version
		WHERE m.name = report_training.name
	), log AS (
		SELECT array_agg(l.iteration::float8 ORDER BY l.iteration) AS iterations,
			array_agg(l.loss ORDER BY l.iteration) AS losses, array_agg(l.validation ORDER BY l.iteration) AS validations
		FROM mfrec.training_log l JOIN v USING (model, version)
	), phase AS (
		SELECT array_agg(name ORDER BY n) AS names, array_agg(seconds ORDER BY n) AS seconds,
			array_agg(format('%s s, %s%%', mfrec.figure(seconds), round((100 * seconds / greatest(total, 1e-9))::numeric)) ORDER BY n) AS notes
		FROM (SELECT p.key AS name, p.value::float8 AS seconds, sum(p.value::float8) OVER () AS total,
				array_position(ARRAY['read', 'sort', 'sweep', 'store'], p.key) AS n
			FROM v, jsonb_each_text(v.phase_seconds) p) s
	), word (n, key, words) AS (
		VALUES (1, 'factors', 'Factors'), (2, 'rating_factors', 'Factors for ratings alone'),
			(3, 'iterations', 'Iterations, at most'), (4, 'regularization', 'Regularization'),
			(5, 'alpha', 'Alpha: what a row says beyond an empty cell'),
			(6, 'interest_weight', 'Weight of choice beside ratings'), (7, 'taste', 'Taste: what ratings say in lists'),
			(8, 'half_life', 'Half-life of rows'), (9, 'validation', 'Share of rows held out'),
			(10, 'item_features', 'Attributes of items'), (11, 'user_features', 'Attributes of users'), (12, 'seed', 'Seed')
	), setting AS (
		SELECT w.n, w.words, coalesce(v.given->>w.key, v.parameters->>w.key) AS value, v.given->>w.key IS NOT NULL AS chosen
		FROM v, word w
	), settings AS (
		SELECT string_agg(mfrec.table_row(mfrec.html(words),
			CASE WHEN value ~ '^-?[0-9.]+(e[-+]?[0-9]+)?$' THEN mfrec.figure(value::float8) ELSE mfrec.html(value) END,
			CASE WHEN chosen THEN 'chosen' ELSE 'by default' END), '' ORDER BY n) AS lines
		FROM setting WHERE value IS NOT NULL
	)
	SELECT format('<div class="pair">%s%s%s</div>%s%s',
		mfrec.chart_line('Loss', log.iterations, log.losses, 'iteration'),
		mfrec.chart_line(CASE WHEN (v.parameters->>'has_interest')::float8 > 0
				THEN 'Validation: NDCG@10 of rows held out, higher is better'
				ELSE 'Validation: RMSE of rows held out, lower is better' END, log.iterations, log.validations, 'iteration'),
		mfrec.chart_bars('Time by phase', phase.names, phase.seconds, phase.notes),
		mfrec.report_details('Settings', mfrec.table_of('Settings of the training', ARRAY['Setting', '#Value', 'Set'], settings.lines)),
		CASE WHEN log.validations IS NULL
			THEN mfrec.report_note('These factors were trained elsewhere and imported, so nothing is known of iterations.')
			WHEN array_remove(log.validations, NULL) = '{}'
			THEN mfrec.report_note('No rows were held out for validation: mf_train has the argument validation for it.') END)
	FROM v, log, phase, settings;
END;
COMMENT ON FUNCTION mfrec.report_training(text) IS 'the section of a report about how the version that serves was trained';

CREATE FUNCTION mfrec.report_spread(of text, counts jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH count AS (
		SELECT (c->>0)::bigint AS ratings, (c->>1)::bigint AS n FROM jsonb_array_elements(counts) c
	), bin AS (
		-- 0, 1, 2 to 3, 4 to 7, ...
		SELECT least(ratings, power(2, floor(log(2, greatest(ratings, 1)::numeric))))::bigint AS first, sum(n) AS n
		FROM count GROUP BY 1
	), summed AS (
		SELECT ratings, n, sum(n) OVER (ORDER BY ratings DESC) - n AS above, sum(n) OVER () AS total,
			sum(n) OVER (ORDER BY ratings) AS reached
		FROM count
	), said AS (
		SELECT max(ratings) AS most, min(ratings) FILTER (WHERE 2 * reached >= total) AS median,
			sum(ratings * greatest(0, least(n, ceil(total / 10) - above))) / nullif(sum(ratings * n), 0) AS share
		FROM summed
	)
	SELECT format('<div>%s%s</div>',
		mfrec.chart_bars(format('Ratings of %s %s, and how many %2$ss have so many', CASE of WHEN 'item' THEN 'an' ELSE 'a' END, of),
			array_agg(CASE WHEN first < 2 THEN first::text ELSE first || '-' || 2 * first - 1 END ORDER BY first),
			array_agg(n::float8 ORDER BY first), array_agg(mfrec.figure(n::float8) ORDER BY first)),
		mfrec.report_note(format('Half of the %ss have at most %s, one has %s. The tenth with most has %s%% of all ratings.',
			of, mfrec.figure(min(median)), mfrec.figure(min(most)), coalesce(round(100 * min(share)), 0))))
	FROM bin, said HAVING count(*) > 0);
COMMENT ON FUNCTION mfrec.report_spread(text, jsonb) IS 'how unequally ratings are spread over users or items, of mfrec.rating_counts()';

CREATE FUNCTION mfrec.report_map(points jsonb, shares double precision[], member jsonb, titles jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH point AS (
		SELECT p->>0 AS id, (p->>1)::float8 AS x, (p->>2)::float8 AS y, (member->>(p->>0))::integer AS grp, n
		FROM jsonb_array_elements(points) WITH ORDINALITY e (p, n)
	)
	SELECT concat(
		mfrec.chart_points(format('The %s items with the most ratings: what lies together is taken by the same people', count(*)),
			array_agg(x ORDER BY n), array_agg(y ORDER BY n), array_agg(mfrec.title_of(titles, id) ORDER BY n),
			array_agg(grp ORDER BY n), 24),
		mfrec.report_note(format('Two of the dimensions in which items differ: across %s%%, up %s%% of all variance.'
			' Numbers are those of the groups below, which have a colour and a shape each.',
			coalesce(round((100 * shares[1])::numeric), 0), coalesce(round((100 * shares[2])::numeric), 0))),
		mfrec.report_details('The items of the map, by group',
			mfrec.table_of('Items of the map', ARRAY['Item', '#Group', '#Across', '#Up'],
				string_agg(mfrec.table_row(mfrec.title_html(titles, id), coalesce(grp::text, ''), mfrec.figure(x), mfrec.figure(y)),
					'' ORDER BY grp, n))))
	FROM point HAVING count(*) > 0);
COMMENT ON FUNCTION mfrec.report_map(jsonb, double precision[], jsonb, jsonb) IS
'the section of a report with a map of items: an array of [id, x, y], the share of variance that each axis has, and the group of each item by its id';

CREATE FUNCTION mfrec.report_groups(groups jsonb, titles jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH item_group AS (
		SELECT (g->>0)::integer AS number, (g->>1)::bigint AS items, jsonb_typeof(g->3) = 'array' AS has_features,
			(SELECT string_agg(mfrec.title_html(titles, id), ', ' ORDER BY n)
				FROM jsonb_array_elements_text(g->2) WITH ORDINALITY i (id, n)) AS middle,
			(SELECT string_agg(mfrec.html(feature), ', ' ORDER BY n)
				FROM jsonb_array_elements_text(CASE jsonb_typeof(g->3) WHEN 'array' THEN g->3 END) WITH ORDINALITY f (feature, n)) AS features
		FROM jsonb_array_elements(groups) g
	)
	SELECT mfrec.table_of(format('Groups of the %s items with the most ratings', mfrec.figure(sum(items))),
		ARRAY['Group', '#Items', 'In its middle'] || CASE WHEN bool_or(has_features) THEN ARRAY['What sets it apart'] END,
		string_agg(mfrec.table_row(VARIADIC ARRAY[
				format('<svg class="key" viewBox="0 0 12 12" aria-hidden="true"><path class="g%s" d="M6,6%s"/></svg>&nbsp;%s',
					number % 5, mfrec.mark_path(number), number),
				mfrec.figure(items), middle] || CASE WHEN has_features THEN ARRAY[coalesce(features, '')] END), '' ORDER BY number))
	FROM item_group);
COMMENT ON FUNCTION mfrec.report_groups(jsonb, jsonb) IS 'the section of a report about groups of items: an array of [group, items, [ids of those in the middle], [features]]';

CREATE FUNCTION mfrec.report_quality(figures jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH word (metric, words, drawn) AS (
		VALUES ('precision', 'share of a list that is right', true), ('recall', 'hits, of those that a list could have', true),
			('full_recall', 'hits, of all relevant items', false), ('ndcg', 'hits near the top count more; 1 is a perfect list', true),
			('map', 'mean average precision', true), ('mrr', '1 / place of the first hit', true),
			('hit_rate', 'share of users with a hit', true), ('auc', 'share of pairs in the right order; 0.5 is chance', true),
			('novelty', 'how little known what is listed is, in bits', false),
			('popularity', 'share of users who have rated what is listed', false),
			('intra_list_similarity', 'how alike the items of a list are', false),
			('coverage', 'share of the items that are in a list', true), ('gini', 'how unequally often items are listed', false),
			('rmse', 'error of a predicted rating; lower is better', false),
			('mae', 'mean absolute error of a predicted rating; lower is better', false)
	), figure AS (
		SELECT f->>0 AS metric, (f->>1)::float8 AS value, (f->>2)::float8 AS baseline, n, w.words,
			w.drawn AND f->>1 IS NOT NULL AS drawn, w.words IS NOT NULL OR f->>2 IS NOT NULL AS compared
		FROM jsonb_array_elements(figures) WITH ORDINALITY e (f, n) LEFT JOIN word w ON w.metric = f->>0
	)
	SELECT concat(
		mfrec.chart_bars('Model (bar) and baseline (line across it)', array_agg(metric ORDER BY n) FILTER (WHERE drawn),
			array_agg(value ORDER BY n) FILTER (WHERE drawn), NULL, array_agg(baseline ORDER BY n) FILTER (WHERE drawn)),
		mfrec.table_of('Figures, beside those of the most popular items, and of the mean with biases of user and item',
			ARRAY['Figure', '#Model', '#Baseline', 'What it is'],
			string_agg(mfrec.table_row(mfrec.html(metric), mfrec.figure(value), mfrec.figure(baseline), mfrec.html(words)),
				'' ORDER BY n) FILTER (WHERE compared)),
		mfrec.report_details('Counts', mfrec.table_of('What was measured', ARRAY['Count', '#Number'],
			string_agg(mfrec.table_row(mfrec.html(replace(metric, '_', ' ')), mfrec.figure(value)), '' ORDER BY n) FILTER (WHERE NOT compared))))
	FROM figure);
COMMENT ON FUNCTION mfrec.report_quality(jsonb) IS 'the section of a report about what mf_evaluate says: an array of [metric, value, baseline]';

CREATE FUNCTION mfrec.report_user(id text, rated jsonb, list jsonb, titles jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH own AS (
		SELECT count(*) AS shown, max((r->>4)::bigint) AS total,
			string_agg(mfrec.table_row(mfrec.title_html(titles, r->>1), coalesce(nullif(mfrec.html(r->>2), ''), '&ndash;')),
				'' ORDER BY (r->>3)::integer) AS lines
		FROM jsonb_array_elements(rated) r WHERE r->>0 = id
	), got AS (
		SELECT string_agg(mfrec.table_row(mfrec.title_html(titles, l->>1), mfrec.figure((l->>3)::float8),
				mfrec.figure((l->>4)::float8), mfrec.html(l->>5)), '' ORDER BY (l->>2)::integer) AS lines
		FROM jsonb_array_elements(list) l WHERE l->>0 = id
	)
	SELECT format('<h3>User <bdi>%s</bdi></h3><div class="pair">%s%s</div>', mfrec.html(id),
		coalesce(mfrec.table_of(format('What user %s has rated: %s of %s', id, own.shown, own.total), ARRAY['Item', '#Rating'], own.lines),
			mfrec.report_note(CASE WHEN rated IS NULL THEN 'What they have rated is in the source, which cannot be read.'
				ELSE 'The source has no rows of this user now.' END)),
		coalesce(mfrec.table_of(format('What user %s gets', id), ARRAY['Item', '#Score', '#Predicted', 'Reason'], got.lines),
			mfrec.report_note('Their list is empty.')))
	FROM own, got);
COMMENT ON FUNCTION mfrec.report_user(text, jsonb, jsonb, jsonb) IS
'what a user has rated, of mfrec.rated_items(), beside what they get: an array of [user, item, rank, score, predicted rating, reason]';

CREATE FUNCTION mfrec.utc(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI');
COMMENT ON FUNCTION mfrec.utc(timestamptz) IS 'a time for people, in UTC whatever the setting';

CREATE FUNCTION mfrec.report_versions(name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH v AS (
		SELECT v.*, concat(CASE WHEN v.version = m.version THEN 'serves' WHEN v.withheld IS NULL THEN 'kept' ELSE 'withheld: ' END,
			mfrec.html(v.withheld), ', updated ' || mfrec.utc(v.updated_at)) AS state
		FROM mfrec.model m JOIN mfrec.model_version v ON v.model = m.name WHERE m.name = report_versions.name
	)
	SELECT concat(
		mfrec.table_of('Versions that are kept',
			ARRAY['Version', 'Trained', '#Users', '#Items', '#Ratings', '#Iterations', '#Loss', '#RMSE', '#Seconds', 'State'],
			string_agg(mfrec.table_row(version::text, mfrec.utc(trained_at), mfrec.figure(users), mfrec.figure(items),
				mfrec.figure(ratings), mfrec.figure(iterations), mfrec.figure(loss), mfrec.figure(rmse), mfrec.figure(seconds), state),
				'' ORDER BY version DESC)),
		mfrec.report_note('Times are UTC.'),
		CASE WHEN count(*) > 2 THEN format('<div class="pair">%s%s</div>',
			mfrec.chart_line('Ratings by version', array_agg(version::float8 ORDER BY version), array_agg(ratings::float8 ORDER BY version), 'version'),
			mfrec.chart_line('RMSE by version', array_agg(version::float8 ORDER BY version), array_agg(rmse ORDER BY version), 'version')) END)
	FROM v;
END;
COMMENT ON FUNCTION mfrec.report_versions(text) IS 'the section of a report about the versions of a model that are kept';

CREATE FUNCTION mfrec.report_head(name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('<h1>Model <bdi>%s</bdi></h1><p class="lead">Version %s, trained %s UTC %s: %s</p><ul class="facts">%s</ul>',
		mfrec.html(m.name), v.version, mfrec.utc(v.trained_at),
		CASE WHEN m.source IS NULL THEN 'elsewhere and imported'
			ELSE format('on <code>%s</code>', mfrec.html(format('%I.%I', m.source_schema, m.source))) END,
		CASE WHEN v.feedback = 'implicit' THEN 'what people took, not how they liked it.'
			WHEN (v.parameters->>'has_interest')::float8 > 0 THEN 'what people rated, and what they chose to rate.'
			ELSE 'ratings alone.' END,
		(SELECT string_agg(mfrec.report_fact(f.name, f.value), '' ORDER BY f.n) FROM (VALUES
			(1, 'Users', mfrec.figure(v.users)), (2, 'Items', mfrec.figure(v.items)), (3, 'Ratings', mfrec.figure(v.ratings)),
			(4, 'Cells filled', mfrec.figure(100.0 * v.ratings / nullif(v.users::float8 * v.items, 0)) || '%'),
			(5, 'Factors', mfrec.figure(v.factors)), (6, 'Iterations', mfrec.figure(v.iterations)),
			(7, 'RMSE', mfrec.figure(v.rmse)), (8, 'Seconds', mfrec.figure(v.seconds))) f (n, name, value)))
	FROM mfrec.model m JOIN mfrec.model_version v ON v.model = m.name AND v.version = m.version
	WHERE m.name = report_head.name;
END;
COMMENT ON FUNCTION mfrec.report_head(text) IS 'the head of a report: the model, what it was trained on, and when';

CREATE FUNCTION mfrec.report_page(name text, head text, sections text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
	SELECT format(E'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>%1$s &ndash; mfrec</title>\n'
		'<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
		'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; img-src data:">\n'
		'<link rel="icon" href="data:,">\n<style>%2$s</style>\n</head>\n<body>\n'
		'<header>%3$s<nav aria-label="Sections"><ul>%4$s</ul></nav></header>\n<main>\n%5$s</main>\n'
		'<footer>Written by mfrec on %6$s UTC.</footer>\n</body>\n</html>',
		mfrec.html(name), mfrec.report_style(), head,
		string_agg(format('<li><a href="#%s">%s</a></li>', section[1], section[2]), '' ORDER BY n), sections, mfrec.utc(now()))
	FROM regexp_matches(sections, '<h2 id="([a-z]+)">([^<]*)</h2>', 'g') WITH ORDINALITY s (section, n));
COMMENT ON FUNCTION mfrec.report_page(text, text, text) IS 'a page of HTML that needs nothing else, of a head and sections that mfrec.report_section() has made';

CREATE FUNCTION @extschema@.mf_report(
	model text DEFAULT NULL, titles regclass DEFAULT NULL, title_column text DEFAULT 'title',
	title_id_column text DEFAULT 'id', test regclass DEFAULT NULL, users text[] DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	reported CONSTANT text := mfrec.model_name(model);
	stored mfrec.model;
	source regclass;
	user_table regclass;
	item_table regclass;
	readable boolean;
	user_counts jsonb;
	item_counts jsonb;
	popular text[] := '{}';
	points jsonb;
	shares double precision[];
	axes integer;
	member jsonb;
	groups jsonb;
	rated jsonb;
	lists jsonb;
	called jsonb;
	contents text;
	sections text;
BEGIN
	IF EXISTS (SELECT FROM unnest(users) u (id) WHERE u.id IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'users must not have nulls';
	ELSIF cardinality(users) > 20 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('a report has the lists of at most 20 users, not of %s', cardinality(users)),
			HINT = 'mf_recommend_all makes the lists of all.';
	END IF;
	SELECT * INTO stored FROM mfrec.model m WHERE m.name = reported;
	source := mfrec.readable_relation(stored.source_schema, stored.source);
	user_table := mfrec.readable_relation(stored.schema, stored.user_table);
	item_table := mfrec.readable_relation(stored.schema, stored.item_table);
	readable := user_table IS NOT NULL AND item_table IS NOT NULL;

	-- what is read
	user_counts := mfrec.rating_counts('user', user_table, stored.version);
	item_counts := mfrec.rating_counts('item', item_table, stored.version);
	IF readable THEN
		users := mfrec.distinct_users(user_table, coalesce(users, mfrec.example_users(user_counts), '{}'));
		popular := ARRAY(SELECT p.item_id FROM @extschema@.mf_popular(400, NULL::text, reported) p ORDER BY p.rank);
		BEGIN
			-- a group for each six items, twelve at most, of the most popular ones: what few have rated says little of a group
			WITH found AS MATERIALIZED (
				SELECT * FROM mfrec.item_groups(reported, greatest(1, least(cardinality(popular) / 6, 12)), 2000))
			SELECT (SELECT jsonb_agg(jsonb_build_array(f.cluster, cardinality(f.members), f.nearest, f.features)) FROM found f),
				(SELECT jsonb_object_agg(m, f.cluster) FROM found f, unnest(f.members) m WHERE m = ANY (popular))
			INTO groups, member;
			axes := (SELECT least(v.factors, 2) FROM mfrec.model_version v WHERE v.model = reported AND v.version = stored.version);
			points := (
				SELECT jsonb_agg(jsonb_build_array(m.id, m.coordinates[1], coalesce(m.coordinates[2], 0)) ORDER BY p.rank)
				FROM @extschema@.mf_map(id_type => NULL::text, model => reported, dimensions => axes) m
					JOIN unnest(popular) WITH ORDINALITY p (id, rank) USING (id));
			shares := ARRAY(SELECT c.share FROM @extschema@.mf_components(id_type => NULL::text, model => reported, dimensions => axes) c
				ORDER BY c.component);
		EXCEPTION WHEN undefined_file OR SQLSTATE '02000' THEN
			points := NULL;		-- there are no vectors; or no LAPACK, which a machine that only serves need not have
		END;
		rated := mfrec.rated_items(source, stored.parameters, users);
		lists := (
			SELECT jsonb_agg(jsonb_build_array(u, l.item_id, l.rank, l.score, l.predicted_rating, l.reason)) FROM unnest(users) u,
				@extschema@.mf_recommend(u, 10, item_type => NULL::text, model => reported, fresh => stored.fresh AND rated IS NOT NULL) l);
	END IF;
	called := mfrec.item_titles(
		ARRAY(SELECT unnest(popular) UNION SELECT jsonb_array_elements_text(g->2) FROM jsonb_array_elements(groups) g
			UNION SELECT r->>1 FROM jsonb_array_elements(rated) r UNION SELECT l->>1 FROM jsonb_array_elements(lists) l),
		(SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = item_table AND a.attname = 'item_id'),
		titles, title_column, title_id_column);

	-- what is said of it
	sections := concat(
		mfrec.report_section('training', 'How it was trained', mfrec.report_training(reported)),
		mfrec.report_section('ratings', 'What it was trained on', concat(
			'<div class="pair">', mfrec.report_spread('user', user_counts), mfrec.report_spread('item', item_counts), '</div>',
			CASE WHEN NOT readable THEN mfrec.report_note(format(
				'The model''s tables, %I.%I and %I.%I, cannot be read with your privileges, or have gone.',
				stored.schema, stored.user_table, stored.schema, stored.item_table)) END)),
		CASE WHEN readable THEN mfrec.report_section('map', 'Which items lie together', concat(
			coalesce(mfrec.report_map(points, shares, member, called),
				mfrec.report_note('There is no map: this machine has no LAPACK library, or there are no vectors.')),
			mfrec.report_groups(groups, called))) END);
	IF test IS NULL THEN
		contents := mfrec.report_note('Nothing was measured. Hold rows out of the training, as mf_holdout does, and name them with'
			' test: mf_report(''...'', test => ''held_out'').');
	ELSIF NOT readable OR stored.source IS NOT NULL AND source IS NULL THEN
		contents := mfrec.report_note(format('Nothing was measured: the source, %s.%s, or the model''s tables cannot be read with your'
			' privileges, or have gone.', quote_ident(stored.source_schema), quote_ident(stored.source)));
	ELSE
		contents := concat((SELECT mfrec.report_quality(jsonb_agg(jsonb_build_array(e.metric, e.value, e.baseline)))
			FROM @extschema@.mf_evaluate(test, model => reported) e), mfrec.report_note(format('Lists of 10, on the rows of %s.', test)));
	END IF;
	sections := concat(sections, mfrec.report_section('quality', 'How good it is', contents));
	contents := (SELECT string_agg(mfrec.report_user(u, rated, lists, called), '' ORDER BY n)
		FROM unnest(users) WITH ORDINALITY t (u, n) WHERE lists IS NOT NULL);
	RETURN mfrec.report_page(reported, mfrec.report_head(reported), concat(sections,
		mfrec.report_section('lists', 'What users get', coalesce(contents, mfrec.report_note('There are no lists to show.'))),
		mfrec.report_section('versions', 'Versions', mfrec.report_versions(reported))));
END $$;
COMMENT ON FUNCTION @extschema@.mf_report(text, regclass, text, text, regclass, text[]) IS
'describes a model as a page of HTML that needs nothing else, for psql -Atc "SELECT mf_report(''ratings'')" > report.html: what was trained on what, loss and validation by iteration, time by phase, how ratings are spread, a map of the most popular items, groups of items, lists of some users beside what they have rated, versions
titles: a table or view with a row for each item, whose title_column says what it is called; rows are found by title_id_column. test: rows that were held out, for what mf_evaluate says of them. users: ids of those whose lists are shown; by default three, of few, of average and of many ratings
Everything is read with the privileges of the caller; of what may not be read, the page says so';
