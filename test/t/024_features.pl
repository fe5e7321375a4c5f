# Attributes of items: the cells of the matrix, as a debugging training shows them, against queries that compute them; the
# same in memory and spilled, by any number of threads, whatever the order of rows.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('features');
my $columns = join ', ', 'factors => 1', 'iterations => 1';

# What a training with these attributes says, in a session with these settings.
sub messages
{
	my ($relation, $settings, $arguments) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"$settings; SET client_min_messages = debug2; SELECT FROM mf_train('ratings', 'm', $columns, item_features => '$relation'" . ($arguments // '') . ')');
	is($status, 0, "trains on $relation") or diag($err);
	return $err;
}

# Its cells, as sorted lines "item feature value", values with three digits.
sub cells
{
	my ($messages) = @_;
	my @cells = sort $messages =~ /DEBUG:  mfrec: item (.*)/g;
	s/ = -0\.000$/ = 0.000/ for @cells;
	return \@cells;
}

# The lines of a query that computes them: item, feature, value.
sub expected
{
	my ($query) = @_;
	my $lines = $node->safe_psql('postgres', "SELECT item || ' has ' || feature || ' = ' || to_char(round(value::numeric, 3), 'FM990.000') FROM ($query) q WHERE value <> 0");
	return [ sort split /\n/, $lines ];
}

# How many cells there are, where, and a hash of all.
sub summary
{
	my ($messages) = @_;
	return $messages =~ /mfrec: (\d+) cells of (\d+) items and (\d+) features, (spilled|in memory): (\w+ \w+)/;
}

# 15 items with ratings, 14 of them with attributes, and 5 without.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 20) u, generate_series(1, 15) i;
CREATE TABLE items AS SELECT i AS item_id,
	(SELECT string_agg(w, ' ' ORDER BY k) FROM (SELECT 'w' || (i * k) % 7 AS w, k FROM generate_series(1, 3 + i % 4) k) x) || ' unique' || i AS title,
	CASE WHEN i <> 4 THEN ARRAY['a' || i % 2, 'b' || i % 3, 'c' || i % 11, 'a' || i % 2] END AS genres,
	CASE WHEN i % 5 > 0 THEN 'k' || i % 3 END AS kind,
	CASE WHEN i <> 6 THEN CASE WHEN i = 13 THEN 1000 ELSE i % 5 END END AS year,
	timestamptz '2026-01-01 00:00Z' + i * interval '1 millisecond' AS at,
	CASE WHEN i <> 7 THEN ARRAY[i, 3, -1, 0]::real[] END AS v,
	i % 2 = 0 AS even, jsonb_build_object('a', i % 2, 'b', ARRAY['x' || i % 4, 'x' || i % 3]) AS doc
	FROM generate_series(1, 20) i WHERE i <> 9;
CREATE VIEW known AS SELECT * FROM items WHERE item_id <= 15;
SQL

# Blocks have length 1; N = 15 items with ratings.
my $tokens = q{WITH counts AS (SELECT token, count(*) AS df FROM t WHERE item <= 15 GROUP BY token HAVING count(*) BETWEEN 3 AND 14),
	cells AS (SELECT item, token, (1 + ln(times)) * ln(15.0 / df) AS x FROM t JOIN counts USING (token))
	SELECT item, '%s: ' || token AS feature, x / sqrt(sum(x * x) OVER (PARTITION BY item)) AS value FROM cells};
my %query = (
	title => sprintf("SELECT * FROM (WITH t AS (SELECT item_id AS item, lexeme AS token, cardinality(positions) AS times FROM items, unnest(to_tsvector('simple', title))) "
		  . substr($tokens, 5) =~ s/^counts/, counts/r . ') w', 'title'),
	genres => sprintf("SELECT * FROM (WITH t AS (SELECT DISTINCT item_id AS item, g AS token, 1 AS times FROM items, unnest(genres) g) "
		  . substr($tokens, 5) =~ s/^counts/, counts/r . ') w', 'genres'),
	kind => "SELECT item_id AS item, 'kind: ' || kind AS feature, 1 AS value FROM items WHERE kind IS NOT NULL",
	even => "SELECT item_id AS item, 'even: ' || even::text AS feature, 1 AS value FROM items",
	year => "SELECT item_id AS item, 'year' AS feature, greatest(-3, least(3, (year - mean) / deviation)) AS value
		FROM items, (SELECT avg(year) AS mean, stddev_pop(year) AS deviation FROM known) s WHERE year IS NOT NULL",
	at => "SELECT item_id AS item, 'at' AS feature, (extract(epoch FROM at) - mean) / deviation AS value
		FROM items, (SELECT avg(extract(epoch FROM at)) AS mean, stddev_pop(extract(epoch FROM at)) AS deviation FROM known) s",
	v => "SELECT item_id AS item, 'v[' || k || ']' AS feature, x / sqrt(sum(x * x) OVER (PARTITION BY item_id)) AS value
		FROM items, unnest(v::double precision[]) WITH ORDINALITY e (x, k)",
	doc => sprintf("SELECT item, replace(feature, ': .', '.') AS feature, value FROM (WITH t AS (SELECT item_id AS item, '.a: ' || (doc->>'a') AS token, 1 AS times FROM items
			UNION SELECT item_id, '.b: ' || x, 1 FROM items, jsonb_array_elements_text(doc->'b') x) " . substr($tokens, 5) =~ s/^counts/, counts/r . ') w', 'doc'));

$node->safe_psql('postgres', 'CREATE VIEW ' . $_ . "_only AS SELECT item_id, $_ FROM items") for sort keys %query;
my $simple = "SET mfrec.text_search_config = 'simple'";
for my $column (sort keys %query)
{
	my $cells = cells(messages($column . '_only', $simple));
	cmp_ok(scalar(@$cells), '>', 10, "$column has cells");
	is_deeply($cells, expected($query{$column}), "cells of $column");
}
my $all = messages('items', $simple);
is_deeply(cells($all), expected(join ' UNION ALL ', map { "SELECT * FROM ($query{$_}) $_" } sort keys %query), 'cells of all columns together');

# Cold items change nothing for known ones, and are numbered by their ids.
my ($of_known) = (cells(messages('known', $simple)));
is_deeply($of_known, [ grep { /^(\d+)/ && $1 <= 15 } @{ cells($all) } ], 'cold items change nothing for the others');
my @all = summary($all);
is($all[1], 20, 'an item that has no row, and four that have no ratings');

# The order of rows.
$node->safe_psql('postgres', "CREATE TABLE twisted AS SELECT * FROM items ORDER BY md5(item_id::text); CREATE TABLE backward AS SELECT * FROM items ORDER BY item_id DESC");
is_deeply([ summary(messages($_, $simple)) ], \@all, "the same whatever the order of rows: $_") for qw(twisted backward);

# A feature that is listed is a category.
my $listed = messages('kind_only', $simple, ", feature_categories => '{kind}'");
is_deeply(cells($listed), expected($query{kind}), 'a listed column is a category');
like(messages('year_only', $simple, ", feature_categories => '{year}'"), qr/item 2 has year: 2 = 1\.000/, 'also a number');

# In memory and spilled, by one thread and by several.
$node->safe_psql('postgres', <<'SQL');
DROP TABLE ratings;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 20) u, generate_series(1, 3000) i WHERE (u * 7 + i) % 5 = 0;
CREATE TABLE large AS SELECT item_id,
	(SELECT string_agg('w' || (item_id * k) % 977, ' ') FROM generate_series(1, 60) k) AS title,
	(SELECT array_agg('g' || (item_id + k * k) % 321) FROM generate_series(1, 10) k) AS genres,
	item_id % 1234 AS n1, sqrt(item_id) AS n2, (item_id * 7919) % 3571 AS n3, ln(item_id) AS n4, item_id % 17 AS n5, item_id % 29 AS n6,
	(SELECT array_agg(sin(item_id * k)) FROM generate_series(1, 48) k) AS v
	FROM generate_series(1, 20000) item_id ORDER BY md5(item_id::text);
SQL
my @memory = summary(messages('large', "$simple; SET maintenance_work_mem = '1GB'; SET mfrec.threads = 1"));
my @spilled = summary(messages('large', "$simple; SET maintenance_work_mem = '1MB'; SET mfrec.threads = 3"));
is($memory[3], 'in memory', 'with much memory, in memory');
is($spilled[3], 'spilled', 'with little, spilled');
cmp_ok($memory[0], '>', 1_000_000, 'a million cells');
$memory[3] = $spilled[3];
is_deeply(\@spilled, \@memory, 'the same to the bit');
$node->safe_psql('postgres', 'CREATE TABLE large_in_order AS SELECT * FROM large ORDER BY item_id');
is((summary(messages('large_in_order', "$simple; SET maintenance_work_mem = '1GB'")))[4], $memory[4], 'also in another order of rows');

# What is stored: of all kinds of models, with spilled ratings and attributes or both in memory.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE many AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating FROM generate_series(1, 1500) u, generate_series(1, 3000) i
	WHERE hashint8(u * 10000::bigint + i) % 1000 < CASE WHEN u % 3 = i % 3 THEN -800 ELSE -975 END;
CREATE VIEW several AS SELECT *, 'k' || item_id % 3 AS kind FROM large WHERE item_id <= 3500;
SQL
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM many'), '>', 150_000, 'so many ratings are spilled with 1 MB');
for my $kind ('', ", feedback => 'implicit'", ', interest_weight => 0', ', validation => 0.1')
{
	my @stored = map { $node->safe_psql('postgres', "SET client_min_messages = warning; $_; BEGIN; SELECT users, items, loss FROM mf_train('many', 's', factors => 12, iterations => 5, item_features => 'several'$kind);
		SELECT count(*) > 0, md5(string_agg(f::text, ',' ORDER BY feature)) FROM s_feature_factors f; " . fingerprint_sql('s') . '; ROLLBACK') }
		"SET maintenance_work_mem = '1GB'; SET mfrec.threads = 1", "SET maintenance_work_mem = '1GB'; SET mfrec.threads = 2", "SET maintenance_work_mem = '1MB'; SET mfrec.threads = 2";
	like($stored[0], qr/^1500\|3500\|.*\nt\|/, "attributes count$kind");
	is($stored[$_], $stored[0], "all three tables are the same to the bit$kind") for 1, 2;
}

# Documents that are nested deeper than the stack reaches.
my $deep = output_or_error($node, q{CREATE TABLE deep AS SELECT i AS item_id, (repeat('[', 5000) || i % 3 || repeat(']', 5000))::jsonb AS doc FROM generate_series(1, 100) i;
	SET max_stack_depth = '100kB'; SELECT FROM mf_train('ratings', 'm', factors => 1, iterations => 1, item_features => 'deep')});
like($deep, qr/^54001: /, 'a document that is nested too deeply is an error');
done_testing();
