-- mf_report: what is in the page, that nothing gets out of its text, errors, and what it makes of privileges.
CREATE SCHEMA test_report;
SET search_path = test_report, public;
SET client_min_messages = warning;
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN i % 3 = u % 3 THEN 4 + (u + i) % 2 ELSE 1 + (u * i) % 3 END
	FROM generate_series(1, 60) u, generate_series(1, 24) i WHERE (u * 31 + i * 17) % 100 < 22 + 40 * (u % 3 = i % 3)::int - i;
CREATE VIEW learned AS SELECT * FROM ratings WHERE NOT mf_holdout(user_id, item_id);
CREATE VIEW held_out AS SELECT * FROM ratings WHERE mf_holdout(user_id, item_id);
SELECT version FROM mf_train('learned', factors => 4, iterations => 4, validation => 0.2);
-- titles that mean to be something else, in five scripts, none, and empty ones
CREATE TABLE movies (id bigint PRIMARY KEY, title text);
INSERT INTO movies SELECT i, 'Film ' || i FROM generate_series(1, 24) i;
UPDATE movies SET title = t.title FROM (VALUES (1, '<script>alert(1)</script>'), (2, '"><img src=x onerror=alert(2)>'), (3, '''</title></svg></style>'),
	(4, '&lt;b&gt; & &amp;'), (5, 'Ελληνικά'), (6, 'Кино'), (7, 'فيلم عربي'), (8, '映画'), (9, 'סרט'), (10, NULL), (11, ''), (12, '   '),
	(13, E'\x01\x1b[31m'), (14, U&'\202Egnp.exe'), (15, '%s %1$s %n'), (16, repeat('long ', 100)), (17, '$1 \1 \\'), (18, '<!-- ]]> -->')) t (id, title) WHERE movies.id = t.id;
-- every item in a list or a map
CREATE TABLE page AS SELECT mf_report('learned', titles => 'movies', test => 'held_out', users => ARRAY(SELECT u::text FROM generate_series(1, 20) u)) AS html;
-- the same without what varies, as a table of what is there
SELECT html LIKE '<!DOCTYPE html>%' AS head, html LIKE '%</html>' AS whole, octet_length(html) = char_length(html) AS ascii,
	html ~ '<script|<img|javascript:|https?:|@import|url\(' AS leaves FROM page;
SELECT s[1] AS section, s[2] AS title FROM page, regexp_matches(html, '<h2 id="([a-z]+)">([^<]*)</h2>', 'g') s;
SELECT s[1] AS linked FROM page, regexp_matches(html, 'href="#([a-z]+)"', 'g') s WHERE html NOT LIKE '%id="' || s[1] || '"%';
SELECT s[1] AS caption FROM page, regexp_matches(html, '<figcaption>([^<]*)</figcaption>', 'g') s;
-- tags that are not closed, or closed twice
SELECT tag, opened, closed FROM page, regexp_split_to_table('html head body title style header nav ul li main section h1 h2 h3 p a div figure figcaption svg text path circle '
	|| 'table caption thead tbody tr th td details summary code bdi strong footer', ' ') tag,
	LATERAL (SELECT (SELECT count(*) FROM regexp_matches(html, '<' || tag || '[ >]', 'g')) - (SELECT count(*) FROM regexp_matches(html, '<' || tag || '( [^>]*)?/>', 'g')) AS opened,
		(SELECT count(*) FROM regexp_matches(html, '</' || tag || '>', 'g')) AS closed) n
WHERE opened <> closed;
-- no attribute but those of the page
SELECT DISTINCT a[1] COLLATE "C" AS attribute FROM page, regexp_matches(regexp_replace(html, '<style>.*</style>', ''), '<[a-z0-9]+ [^>]*>', 'g') t,
	regexp_matches(t[1], ' ([a-zA-Z-]+)="[^"]*"', 'g') a ORDER BY 1;
-- each title as it is to be read, or the id
SELECT id, strpos(html, '<bdi>' || mfrec.html(coalesce(nullif(left(btrim(title), 120), ''), id::text)) || '</bdi>') > 0 AS shown FROM page, movies WHERE id <= 18 ORDER BY id;
SELECT id, mfrec.html(title) FROM movies WHERE id IN (1, 2, 3, 4, 7, 8, 10, 11, 13, 14) ORDER BY id;
-- figures are those of their functions
SELECT count(*) AS metrics, count(*) FILTER (WHERE html LIKE '%<th scope="row">' || metric || '</th><td class="n">' || mfrec.figure(value) || '</td><td class="n">' || mfrec.figure(baseline) || '</td>%') AS shown
FROM page, mf_evaluate('held_out', model => 'learned') WHERE baseline IS NOT NULL AND metric NOT LIKE 'rows%';
SELECT count(*) AS points FROM page, regexp_matches(html, '<title>iteration [1-4]: [0-9.,]+</title>', 'g');
-- the map has each item, and the table of groups what mf_cluster_labels says
SELECT count(*) AS points, count(DISTINCT t[1]) AS names FROM page, regexp_matches(html, '<path class="dot g[0-4]" d="M[0-9.,]+m[^"]*z"><title>&#8296;([^<]*)&#8297;, group ([1-4])</title>', 'g') t;
SELECT cluster, html ~ ('&nbsp;' || cluster || '</th><td class="n">' || size || '</td><td[^>]*>' || (SELECT string_agg('<bdi>[^<]*</bdi>', ', ') FROM unnest(nearest)) || '</td>') AS shown
FROM page, mf_cluster_labels('learned', 4) ORDER BY cluster;
-- groups of fewer items are those of the ones with the most ratings
SELECT cardinality(members) AS items, array_agg(DISTINCT n.ratings ORDER BY n.ratings) = array_agg(DISTINCT i.ratings ORDER BY i.ratings) AS popular
FROM (SELECT array_agg(m) AS members FROM mfrec.item_groups('learned', 3, 10) g, unnest(members) m) g, LATERAL (SELECT ratings FROM learned_item_factors WHERE item_id::text = ANY (members)) n,
	LATERAL (SELECT ratings FROM learned_item_factors ORDER BY ratings DESC LIMIT 10) i GROUP BY members;
SELECT l.rank, strpos(split_part(html, '<h3>User <bdi>7</bdi></h3>', 2), '<bdi>' || mfrec.html(coalesce(nullif(btrim(m.title), ''), m.id::text)) || '</bdi></th><td class="n">' || mfrec.figure(l.score) || '</td><td class="n">'
	|| mfrec.figure(l.predicted_rating) || '</td><td>' || l.reason || '</td>') > 0 AS shown
FROM page, mf_recommend(7, 4, 'learned') l JOIN movies m ON m.id = l.item_id ORDER BY rank;
SELECT html LIKE '%What user 7 has rated: ' || least(10, count(*)) || ' of ' || count(*) || '<%' AS rated FROM page, learned WHERE user_id = 7 GROUP BY html;

-- three users where none is named, of few, average and many ratings
SELECT mfrec.example_users('[[0, 5, "none"], [1, 3, "a"], [2, 3, "b"], [5, 3, "c"], [9, 1, "d"]]'), mfrec.example_users('[[3, 2, "one"]]'), mfrec.example_users('[[0, 2, "none"]]'), mfrec.example_users('[]');
SELECT s[1] AS "user", n AS ratings FROM regexp_matches(mf_report('learned'), '<h3>User <bdi>(\d+)</bdi>', 'g') s, LATERAL (SELECT count(*) AS n FROM learned WHERE user_id = s[1]::int) c;
-- ids where there are no titles
SELECT mf_report() ~ '<th scope="row"><bdi>\d+</bdi></th>' AS ids, mf_report() LIKE '%Nothing was measured%' AS unmeasured;
SELECT count(*) FROM regexp_matches(mf_report('learned', users => '{}'), '<h3>', 'g');
-- users are taken once, however they are written
SELECT count(*) FROM regexp_matches(mf_report('learned', users => '{07, 7, " 7"}'), '<h3>User <bdi>7</bdi></h3>', 'g');
-- a user of whom nothing is known
SELECT mf_report('learned', users => '{1000}') ~ 'User <bdi>1000</bdi></h3><div class="pair"><p class="note">The source has no rows of this user now.</p>.*<td>popular</td>' AS unknown;

-- charts by themselves
SELECT mfrec.figure(x) FROM unnest('{NULL, 0, -0.5, 0.345678, 0.3, 7, 999.6, 1234.5, 12345678, 3e20, -1e-9, NaN, Infinity, -Infinity}'::float8[]) x;
SELECT mfrec.ticks(low, high, 4) FROM (VALUES (0.1, 0.53), (0, 10), (-3, 3), (1, 1), (2, 1), (0, 1e-7)) r (low, high);
SELECT mfrec.tick_label(x, ticks) FROM (VALUES (0.5, '{0.5, 0.75}'::float8[]), (2, '{1, 2}'), (1000, '{1000, 1001}'), (2.5e7, NULL), (3, NULL)) t (x, ticks);
SELECT mfrec.chart_line('<t>', '{1, 2, 3, 4}', '{2, NaN, 4, NULL}', '"x"');
SELECT mfrec.chart_line('one', '{1}', '{5}', 'x') LIKE '%points="176.0,95.0"%' AS middle;
SELECT mfrec.chart_bars('<t>', '{a<b, c}', '{1, 2}', NULL, '{1.5, NULL}');
SELECT mfrec.chart_bars('zero', '{a}', '{0}') LIKE '%width="0.5"%' AS seen;
SELECT mfrec.chart_points('<t>', '{0, 10, 5}', '{0, 10, NaN}', '{<a>, b, c}', '{1, 1, 1}', 1);
SELECT mfrec.chart_points('one', '{1}', '{1}', '{a}') IS NOT NULL AS one;
SELECT mfrec.chart_line('', '{}', '{}', ''), mfrec.chart_line('', NULL, NULL, ''), mfrec.chart_bars('', '{}', '{}'), mfrec.chart_bars('', '{a}', '{NaN}'), mfrec.chart_points('', '{}', '{}', '{}'),
	mfrec.table_of('', '{a}', NULL), mfrec.report_spread('item', '[]');
SELECT mfrec.report_spread('item', '[[1, 9, "a"], [91, 1, "b"]]') LIKE '%Half of the items have at most 1, one has 91. The tenth with most has 91\% of all ratings.%' AS spread;
SELECT mfrec.table_row('a', '1,234.5', '3%', '0.1 s', 'x1', '&ndash;');

-- errors
\set SHOW_CONTEXT never
SELECT mf_report('nothing');
SELECT mf_report('learned', titles => 'movies', title_id_column => 'film');
SELECT mf_report('learned', titles => 'movies', title_column => 'name');
SELECT mf_report('learned', titles => 'movies', title_column => NULL);
SELECT mf_report('learned', titles => 'movies', title_id_column => 'title');
SELECT mf_report('learned', titles => 'movies_pkey');
CREATE TABLE no_movies (LIKE movies);
SELECT mf_report('learned', titles => 'no_movies');
INSERT INTO no_movies VALUES (1, ''), (2, NULL), (1000, 'another');
SELECT mf_report('learned', titles => 'no_movies');
CREATE TABLE movies_of_others (id uuid, title text);
SELECT mf_report('learned', titles => 'movies_of_others');
SELECT mf_report('learned', users => '{1, NULL}');
SELECT mf_report('learned', users => '{x}');
SELECT mf_report('learned', users => array_fill('1'::text, ARRAY[21]));
SELECT mf_report('learned', test => 'movies');
SELECT mf_report('learned', titles => 'movies', titles => 'movies');

-- several rows of an item, smaller integers, a view with a column that needs quotes
CREATE VIEW "Other ""films""" AS SELECT id::smallint AS "an id", 'B ' || id AS "The ""title""" FROM movies WHERE id > 12
	UNION ALL SELECT id::smallint, 'A ' || id FROM movies WHERE id > 12;
SELECT html LIKE '%<bdi>A 13</bdi>%' AS first, html LIKE '%<bdi>B 13</bdi>%' AS second
FROM mf_report('learned', titles => '"Other ""films"""', title_column => 'The "title"', title_id_column => 'an id', users => ARRAY(SELECT u::text FROM generate_series(1, 20) u)) html;

-- models of other kinds: implicit with ids of other types, one item, imported, ratings alone
CREATE TABLE likes AS SELECT 'user ' || user_id AS user_id, md5(item_id::text)::uuid AS item_id FROM ratings;
SELECT version FROM mf_train('likes', factors => 2, iterations => 2);
SELECT version FROM mf_retrain('likes');
SET mfrec.keep_versions = 4;
SELECT version FROM mf_retrain('likes');
CREATE TABLE "film titles" AS SELECT md5(i::text)::uuid AS id, 'Film ' || i AS title FROM generate_series(1, 24) i;
SELECT html ~ '<h3>User <bdi>user \d+</bdi>' AS users, html ~ '<bdi>Film \d+</bdi>' AS titles, html LIKE '%what they took, not how they liked it%' OR html LIKE '%not how they liked it%' AS implicit,
	html LIKE '%Ratings by version%' AS versions, html LIKE '%No rows were held out%' AS unvalidated
FROM mf_report('likes', titles => '"film titles"') html;
CREATE TABLE alone AS SELECT u AS user_id, 1 AS item_id FROM generate_series(1, 3) u;
SELECT version FROM mf_train('alone');
SELECT html ~ '</html>$' AS page, html LIKE '%Half of the items have at most 3, one has 3.%' AS spread FROM mf_report('alone') html;
CREATE TABLE vectors AS SELECT i AS id, ARRAY[i, 1]::real[] AS factors FROM generate_series(1, 5) i;
SELECT version FROM mf_import('brought', 'vectors', 'vectors');
SELECT html LIKE '%<p class="lead">%UTC elsewhere and imported:%' AS said, html LIKE '%<figcaption>Loss%' AS loss, html ~ 'User <bdi>\d' AS lists FROM mf_report('brought') html;
-- vectors without a direction, and all in one
UPDATE vectors SET factors = '{0, 0}';
SELECT version FROM mf_import('brought', 'vectors', 'vectors');
SELECT html LIKE '%There is no map%' AS no_map, html ~ '</html>$' AS page FROM mf_report('brought') html;
UPDATE vectors SET factors = '{1, 1}';
SELECT version FROM mf_import('brought', 'vectors', 'vectors');
SELECT html LIKE '%class="map"%' AS map, html ~ '</html>$' AS page FROM mf_report('brought') html;
SELECT version FROM mf_train('ratings', 'stars', interest_weight => 0, factors => 2, iterations => 3, validation => 0.2);
SELECT html LIKE '%RMSE of rows held out, lower is better%' AS validation, html LIKE '%: ratings alone.%' AS said FROM mf_report('stars') html;

-- what may not be read
CREATE ROLE regress_report;
GRANT USAGE ON SCHEMA test_report TO regress_report;
CREATE FUNCTION parts(html text) RETURNS TABLE (loss bool, spread bool, map bool, lists bool, rated bool, notes bigint) LANGUAGE sql AS $$
	SELECT html LIKE '%<figcaption>Loss%', html LIKE '%Ratings of an item%', html LIKE '%class="map"%', html LIKE '%<h3>%', html LIKE '%has rated:%',
		(SELECT count(*) FROM regexp_matches(html, 'cannot be read', 'g'))
$$;
SET ROLE regress_report;
SELECT * FROM parts(mf_report('learned'));
SELECT * FROM parts(mf_report('learned', test => 'held_out'));
SELECT mf_report('learned', titles => 'movies');
RESET ROLE;
GRANT SELECT ON learned_item_factors TO regress_report;
SET ROLE regress_report;
SELECT * FROM parts(mf_report('learned'));
RESET ROLE;
GRANT SELECT ON learned_user_factors, held_out TO regress_report;
SET ROLE regress_report;
SELECT * FROM parts(mf_report('learned'));
SELECT mf_report('learned', titles => 'movies');
RESET ROLE;
GRANT SELECT ON learned TO regress_report;
SET ROLE regress_report;
SELECT * FROM parts(mf_report('learned', test => 'held_out'));
RESET ROLE;
-- what has gone
SELECT mf_drop('stars');
ALTER TABLE likes RENAME TO liked;
SELECT * FROM parts(mf_report('likes'));
-- the source has other columns by now
ALTER TABLE liked RENAME TO likes;
ALTER TABLE likes RENAME user_id TO customer;
SELECT * FROM parts(mf_report('likes'));
-- the same in a read-only transaction, and nothing left behind
BEGIN READ ONLY;
SELECT mf_report('learned', titles => 'movies', users => '{7}') = mf_report('learned', titles => 'movies', users => '{7}') AS same;
COMMIT;

SELECT mf_drop(model) FROM mf_models WHERE serving;
REVOKE ALL ON SCHEMA test_report FROM regress_report;
DROP SCHEMA test_report CASCADE;
DROP OWNED BY regress_report;
DROP ROLE regress_report;
