-- ---------------------------------------------------------------------------------------------
-- Charts, as SVG within a page of HTML: what mf_report draws with
--
-- They take what is to be seen as it is, and escape it.  Colours are the page's: classes, of which mfrec.report_style()
-- says how they look in light and dark.  Each is an image to a screen reader, with its numbers in words or in a table
-- behind it.
--
-- From here on names are those of pg_catalog, whatever is in the schema of the extension: bodies of SQL are read now.
-- ---------------------------------------------------------------------------------------------

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION mfrec.html(value text) RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mf_html';
COMMENT ON FUNCTION mfrec.html(text) IS
'a value as text of a page of HTML, in ASCII: what means something there, and all that is not ASCII, as references; empty for null';

CREATE FUNCTION mfrec.figure(value double precision) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
	WHEN value IS NULL THEN '&ndash;'
	WHEN value IN ('NaN', 'Infinity', '-Infinity') THEN value::text
	WHEN value = 0 THEN '0'
	WHEN abs(value) >= 1e15 OR abs(value) < 1e-6 THEN trim(to_char(value, '9.99EEEE'))
	WHEN abs(value) >= 999.5 THEN to_char(round(value::numeric), 'FM999,999,999,999,999,990')
	WHEN value = floor(value) THEN value::numeric::text
	ELSE round(value::numeric, greatest(0, 2 - floor(log(abs(value::numeric)))::integer))::text END;
COMMENT ON FUNCTION mfrec.figure(double precision) IS 'a number for people, with three digits that count, or all of a whole one';

CREATE FUNCTION mfrec.ticks(low double precision, high double precision, wanted integer) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT coalesce(array_agg(k * step ORDER BY k), ARRAY[low])
	-- a planner that knows the arguments computes this whatever WHERE says
	FROM (SELECT power(10, floor(log(nullif(greatest(high - low, 0), 0) / wanted))) AS tens WHERE high > low) t,
		LATERAL (SELECT tens * CASE WHEN high - low <= tens * wanted THEN 1 WHEN high - low <= 2 * tens * wanted THEN 2
			WHEN high - low <= 5 * tens * wanted THEN 5 ELSE 10 END AS step) s,
		generate_series(ceil(low / step)::bigint, floor(high / step)::bigint) k);
COMMENT ON FUNCTION mfrec.ticks(double precision, double precision, integer) IS
'round numbers, 1, 2 or 5 times a power of ten apart, between two others: about so many';

CREATE FUNCTION mfrec.tick_label(tick double precision, ticks double precision[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN abs(tick) >= 1e7 AND abs(tick) < 1e15 THEN to_char(round(tick::numeric / 1000000, 2), 'FM999,999,990.00') || 'M'
	WHEN abs(tick) < 1000 AND ticks[2] - ticks[1] BETWEEN 1e-9 AND 1
	THEN round(tick::numeric, ceil(-log((ticks[2] - ticks[1])::numeric))::integer)::text ELSE mfrec.figure(tick) END;
COMMENT ON FUNCTION mfrec.tick_label(double precision, double precision[]) IS 'one of mfrec.ticks(), with as many decimals as the others have, millions as such';

CREATE FUNCTION mfrec.chart_line(title text, x double precision[], y double precision[], x_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH point AS (
		SELECT p.x, p.y, p.n FROM unnest(x, y) WITH ORDINALITY p (x, y, n) WHERE p.x IS NOT NULL AND p.y - p.y = 0
	), margin AS (
		SELECT coalesce(nullif((max(y) - min(y)) / 20, 0), nullif(abs(max(y)) / 20, 0), 1) AS size FROM point
	), scale AS (
		SELECT min(p.x) AS left, max(p.x) AS right, min(p.y) - m.size AS low, max(p.y) + m.size AS high
		FROM point p, margin m GROUP BY m.size
	), place AS (
		SELECT p.*, round(coalesce(62 + 228 * (p.x - s.left) / nullif(s.right - s.left, 0), 176)::numeric, 1) AS h,
			round((176 - 162 * (p.y - s.low) / (s.high - s.low))::numeric, 1) AS v
		FROM point p, scale s
	), ends AS (
		SELECT (array_agg(y ORDER BY n))[1] AS first, (array_agg(y ORDER BY n DESC))[1] AS last,
			(array_agg(v ORDER BY n DESC))[1] AS last_v, count(*) AS points
		FROM place
	), grid AS (
		SELECT string_agg(format('<path class="grid" d="M62,%sH290"/><text class="axis" text-anchor="end" x="55" y="%s">%s</text>',
			round(v::numeric, 1), round(v::numeric + 4, 1), mfrec.tick_label(tick, ticks)), '' ORDER BY tick) AS lines
		FROM scale s, mfrec.ticks(s.low, s.high, 4) ticks, unnest(ticks) tick,
			LATERAL (SELECT 176 - 162 * (tick - s.low) / (s.high - s.low) AS v) l
	), axis AS (
		SELECT string_agg(format('<text class="axis" text-anchor="middle" x="%s" y="194">%s</text>',
			round(coalesce(62 + 228 * (tick - s.left) / nullif(s.right - s.left, 0), 176)::numeric, 1), mfrec.figure(tick)),
			'' ORDER BY tick) AS numbers
		FROM scale s, unnest(mfrec.ticks(s.left, s.right, 6)) tick WHERE tick = floor(tick)
	), line AS (
		SELECT string_agg(h || ',' || v, ' ' ORDER BY n) AS points,
			string_agg(format('<circle class="dot" cx="%s" cy="%s" r="2.5"><title>%s %s: %s</title></circle>',
				h, v, mfrec.html(x_name), mfrec.figure(p.x), mfrec.figure(p.y)), '' ORDER BY n) AS dots
		FROM place p
	)
	SELECT format('<figure><figcaption>%1$s</figcaption>'
			'<svg viewBox="0 0 360 214" role="img" aria-label="%1$s: from %2$s to %3$s in %4$s points">%5$s%6$s'
			'<text class="axis" text-anchor="middle" x="176" y="211">%7$s</text><polyline class="line" points="%8$s"/>%9$s'
			'<text class="value" x="297" y="%10$s">%11$s</text></svg></figure>',
		mfrec.html(title), mfrec.figure(e.first), mfrec.figure(e.last), e.points, grid.lines, axis.numbers, mfrec.html(x_name),
		line.points, line.dots, e.last_v + 4, mfrec.tick_label(e.last, NULL))
	FROM ends e, grid, axis, line WHERE e.points > 0);
COMMENT ON FUNCTION mfrec.chart_line(text, double precision[], double precision[], text) IS
'a chart of a line through points, from left to right as they come; null where there is none';

CREATE FUNCTION mfrec.chart_bars(
	title text, names text[], amounts double precision[], notes text[] DEFAULT NULL, marks double precision[] DEFAULT NULL)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH bar AS (
		SELECT b.*, mfrec.html(coalesce(b.note, mfrec.figure(b.amount))) AS words, 26 * (row_number() OVER (ORDER BY b.n) - 1) AS v
		FROM unnest(names, amounts, notes, marks) WITH ORDINALITY b (name, amount, note, mark, n)
		WHERE b.n <= cardinality(names) AND b.amount >= 0 AND b.amount < 'Infinity'
	), scale AS (
		SELECT coalesce(nullif(max(greatest(amount, mark)), 0), 1) / 130 AS unit FROM bar
	), drawn AS (
		SELECT b.*, round(greatest(amount / unit, 0.5)::numeric, 1) AS width, round((120 + mark / unit)::numeric, 1) AS mark_h,
			round((127 + greatest(amount, mark) / unit)::numeric, 1) AS words_h
		FROM bar b, scale
	)
	SELECT format('<figure><figcaption>%1$s</figcaption><svg viewBox="0 0 360 %2$s" role="img" aria-label="%1$s: %3$s">%4$s</svg></figure>',
		mfrec.html(title), max(v) + 26, string_agg(mfrec.html(name) || ' ' || words, ', ' ORDER BY n),
		string_agg(concat(
			format('<text class="name" text-anchor="end" x="112" y="%s">%s</text>', v + 17, mfrec.html(name)),
			format('<rect class="bar" x="120" y="%s" width="%s" height="14"/>', v + 6, width),
			CASE WHEN mark IS NOT NULL THEN format('<path class="mark" d="M%s,%sv20"/>', mark_h, v + 3) END,
			format('<text class="value" x="%s" y="%s">%s</text>', words_h, v + 17, words)), '' ORDER BY n))
	FROM drawn HAVING count(*) > 0);
COMMENT ON FUNCTION mfrec.chart_bars(text, text[], double precision[], text[], double precision[]) IS
'a chart of bars, one below the other, with a name before and a note behind each: its number unless there is another; marks: a line across each bar, such as a baseline; null where there is no bar';

CREATE FUNCTION mfrec.mark_path(number integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE number % 4 WHEN 1 THEN 'm-3.5,-3.5h7v7h-7z' WHEN 2 THEN 'm0,-4.5l4.5,8h-9z' WHEN 3 THEN 'm0,-5l5,5l-5,5l-5,-5z'
	ELSE 'm-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z' END;
COMMENT ON FUNCTION mfrec.mark_path(integer) IS 'the shape of a group in a chart, from its middle: with five colours twenty groups look different';

CREATE FUNCTION mfrec.chart_points(
	title text, x double precision[], y double precision[], names text[], groups integer[] DEFAULT NULL, labels integer DEFAULT 0)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	WITH point AS (
		SELECT p.* FROM unnest(x, y, names, groups) WITH ORDINALITY p (x, y, name, grp, n) WHERE p.x - p.x = 0 AND p.y - p.y = 0
	), extent AS (
		SELECT min(p.x) AS left, min(p.y) AS low, max(p.y) AS top, coalesce(nullif(max(p.x) - min(p.x), 0), 1) AS width FROM point p
	), scale AS (
		-- as long a way across as up, unless that makes a strip or a tower
		SELECT *, greatest(240, least(560, 680 * (top - low) / width)) AS height FROM extent
	), place AS (
		SELECT p.*, round((20 + 680 * (p.x - s.left) / s.width)::numeric, 1) AS h,
			round((20 + s.height - s.height * (p.y - s.low) / coalesce(nullif(s.top - s.low, 0), 1))::numeric, 1) AS v
		FROM point p, scale s
	), dots AS (
		SELECT count(*) AS points, string_agg(format('<path class="dot g%s" d="M%s,%s%s"><title>&#8296;%s&#8297;%s</title></path>',
			coalesce(grp % 5, 0), h, v, mfrec.mark_path(grp), mfrec.html(name), ', group ' || grp), '' ORDER BY n DESC) AS marks
		FROM place
	), middle AS (
		SELECT grp, round(avg(h), 1) AS h, round(avg(v), 1) AS v FROM place WHERE grp IS NOT NULL GROUP BY grp
	), number AS (
		-- unless that of a group before is in the way
		SELECT * FROM middle m
		WHERE NOT EXISTS (SELECT FROM middle o WHERE o.grp < m.grp AND abs(o.v - m.v) < 14 AND abs(o.h - m.h) < 18)
	), fit AS (
		-- signs of East Asia are twice as wide as letters
		SELECT *, CASE WHEN octet_length(name) > 2 * length(name) THEN 12 ELSE 25 END AS most FROM place
	), short AS (
		SELECT n, h, v, left(name, most) || CASE WHEN length(name) > most THEN '...' ELSE '' END AS name, h < 540 AS behind,
			160.0 * least(1, length(name)::numeric / most) + 7 AS room
		FROM fit
	), field AS (
		-- the first of each field of a grid may have its name
		SELECT DISTINCT ON (floor(h / 180), floor(v / 48)) *, CASE WHEN behind THEN h ELSE h - room END AS low,
			CASE WHEN behind THEN h + room ELSE h END AS high
		FROM short ORDER BY floor(h / 180), floor(v / 48), n
	), label AS (
		-- unless that of one before, or a number, is in the way
		SELECT * FROM field f
		WHERE NOT EXISTS (SELECT FROM field o WHERE o.n < f.n AND abs(o.v - f.v) < 15 AND o.low < f.high AND f.low < o.high)
			AND NOT EXISTS (SELECT FROM number o WHERE abs(o.v - f.v) < 15 AND o.h - 12 < f.high AND f.low < o.h + 12)
		ORDER BY n LIMIT labels
	), words AS (
		SELECT string_agg(format('<text class="label" text-anchor="%s" x="%s" y="%s">&#8296;%s&#8297;</text>',
			CASE WHEN behind THEN 'start' ELSE 'end' END, CASE WHEN behind THEN h + 7 ELSE h - 7 END, v + 4, mfrec.html(name)),
			'' ORDER BY n) AS labels
		FROM label
	), numbers AS (
		SELECT string_agg(format('<text class="group" text-anchor="middle" x="%s" y="%s">%s</text>', h, v + 5, grp),
			'' ORDER BY grp) AS groups
		FROM number
	)
	SELECT format('<figure class="wide"><figcaption>%1$s</figcaption><div class="scroll" tabindex="0" role="region" aria-label="%1$s">'
			'<svg class="map" viewBox="0 0 720 %2$s" role="img" aria-label="%1$s: %3$s points">%4$s%5$s%6$s</svg></div></figure>',
		mfrec.html(title), round(height::numeric + 40), dots.points, dots.marks, words.labels, numbers.groups)
	FROM scale, dots, words, numbers WHERE dots.points > 0);
COMMENT ON FUNCTION mfrec.chart_points(text, double precision[], double precision[], text[], integer[], integer) IS
'a map of points, whose names show up under the mouse: those that come first lie on top, and so many of them at most are written beside; groups differ in colour and shape, and have their numbers in their middles; null where there is none';

CREATE FUNCTION mfrec.table_row(VARIADIC cells text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT '<tr>' || string_agg(CASE WHEN n = 1 THEN format('<th scope="row">%s</th>', cell)
		WHEN cell ~ '^-?[0-9][0-9.,e+-]*( ?(%|s))?$' OR cell = '&ndash;' THEN format('<td class="n">%s</td>', cell)
		WHEN length(cell) > 60 THEN format('<td class="long">%s</td>', cell)
		ELSE format('<td>%s</td>', cell) END, '' ORDER BY n) || '</tr>'
	FROM unnest(cells) WITH ORDINALITY c (cell, n));
COMMENT ON FUNCTION mfrec.table_row(text[]) IS 'a row of a table, of cells that are HTML, the first of which names it; numbers stand at the right';

CREATE FUNCTION mfrec.table_of(caption text, columns text[], lines text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT format('<div class="scroll" tabindex="0" role="region" aria-label="%1$s"><table><caption>%1$s</caption>'
			'<thead><tr>%2$s</tr></thead><tbody>%3$s</tbody></table></div>',
		mfrec.html(caption), string_agg(format('<th scope="col"%s>%s</th>',
			CASE WHEN name LIKE '#%' THEN ' class="n"' ELSE '' END, mfrec.html(ltrim(name, '#'))), '' ORDER BY n), lines)
	FROM unnest(columns) WITH ORDINALITY c (name, n) HAVING lines <> '');
COMMENT ON FUNCTION mfrec.table_of(text, text[], text) IS 'a table of rows that mfrec.table_row() has made, under names of columns, of which those of numbers begin with #; null where there is none';
