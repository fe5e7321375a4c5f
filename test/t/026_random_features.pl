# Attributes at random: relations of columns of all types, of values that are usual, odd or wrong, and of any ids.  A training
# says in a documented way what is wrong, or stores numbers; the same to the bit in memory and spilled, by any number of
# threads and however rows lie; a cold item's explanation adds up to its score, but for what all cold items have.
#
# MFREC_FEATURE_ROUNDS says how many relations: 25 unless set, 300 with MFREC_TEST_ALL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{MFREC_FEATURE_ROUNDS} || ($ENV{MFREC_TEST_ALL} ? 300 : 25);
my $seed = $ENV{MFREC_FEATURE_SEED} // int(rand(2**31));
srand($seed);
note("seed $seed");

my $node = new_node('random_features');
my %id = (int => 'i', bigint => 'i::bigint * 3000000000', text => q{'item ' || i}, uuid => 'md5(i::text)::uuid');
$node->safe_psql('postgres', <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'ok', '');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS numeric CHECK (value > 0);
CREATE DOMAIN name_of AS text;
CREATE FUNCTION pair_as_vector(pair) RETURNS real[] IMMUTABLE LANGUAGE sql AS $$ SELECT ARRAY[$1.a, length($1.b)]::real[] $$;
CREATE CAST (pair AS real[]) WITH FUNCTION pair_as_vector(pair);
CREATE FUNCTION word() RETURNS text LANGUAGE sql AS
	$$ SELECT CASE (random() * 12)::int WHEN 0 THEN '' WHEN 1 THEN 'Größe ☃' WHEN 2 THEN repeat('long ü', 60) || (random() * 3)::int WHEN 3 THEN E': "\\.[\n' ELSE 'w' || (random() * 9)::int END $$;
CREATE FUNCTION document(depth int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE WHEN depth = 0 OR random() < 0.3 THEN (ARRAY['null', 'true', (random() * 5)::int || '.50', '1e300', to_jsonb(word())::text])[1 + (random() * 4)::int]::jsonb
		WHEN random() < 0.5 THEN (SELECT jsonb_agg(document(depth - 1)) FROM generate_series(1, (random() * 3)::int))
		ELSE (SELECT jsonb_object_agg((ARRAY['', 'a', 'b.c', 'd: e', '"'])[k], document(depth - 1)) FROM generate_series(1, (random() * 4)::int) k) END $$;
SQL
$node->safe_psql('postgres', <<"SQL") for sort keys %id;
CREATE TABLE ratings_$_ AS SELECT u AS user_id, $id{$_} AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 60) u, generate_series(1, 80) i WHERE (u * 7 + i * i) % 3 = 0;
SQL

# Types of columns: values of which something can be learned; what may also stand among them, and is an error or odd.
my @types = (
	[ 'int', [ 'i % 7', '(random() * 100)::int', '7' ], ['-2147483648'] ],
	[ 'bigint', [ 'i', '9007199254740993 + i % 3' ], ['9223372036854775807'] ],
	[ 'real', ['random()::real'], [ q{'NaN'::real}, q{'-Infinity'::real}, '1e-45::real', '3e38::real' ] ],
	[ 'double precision', [ 'random()', 'exp(20 * random())', '1e-30 * random()', '1e-300 * random()' ], [ '1e39', '-1e300', '3e38' ] ],
	[ 'numeric', ['random()::numeric * 1e20'], [ q{'NaN'::numeric}, '1e400::numeric' ] ],
	[ 'positive', ['abs(i) % 5 + 0.1'], [] ],
	[ 'date', [q{date '2020-01-01' + i % 9}], [q{date 'infinity'}] ],
	[ 'timestamptz', [q{timestamptz '2020-01-01Z' + i * interval '1 microsecond'}], [q{timestamptz '-infinity'}] ],
	[ 'time', [q{time '01:00' + i * interval '1 minute'}], [] ],
	[ 'interval', [q{i % 11 * interval '1 month'}], [] ],
	[ 'boolean', [ 'i % 3 = 0', 'random() < 0.5' ], [] ],
	[ 'mood', [q{(ARRAY['sad', 'ok', '']::mood[])[1 + i % 3]}], [] ],
	[ 'text', [ q{'k' || i % 5}, 'word()', q{(SELECT string_agg(word(), ' ') FROM generate_series(1, i % 20))}, q{'unique ' || i} ], [ q{repeat('x', 3000000)}, q{repeat('w ', 250000)} ] ],
	[ 'name_of', ['word()'], [] ],
	[ 'name', [q{'n' || i % 4}], [] ],
	[ 'char(5)', [q{'c' || i % 4}], [] ],
	[ '"char"', [q{chr(97 + i % 4)::"char"}], [q{''::"char"}] ],
	[ 'text[]', [ '(SELECT array_agg(word()) FROM generate_series(1, i % 5))', q{ARRAY[['a' || i % 3, 'b'], [NULL, 'c' || i % 4]]} ], [q{'{}'::text[]}] ],
	[ 'mood[]', [q{ARRAY['sad', CASE WHEN i % 3 = 0 THEN 'ok' END]::mood[]}], [] ],
	[ 'jsonb', [ 'document(4)', q{jsonb_build_object('a', i % 3, 'b', ARRAY[word()])} ], [ q{'"scalar"'::jsonb}, q{'[]'::jsonb} ] ],
	[ 'json', ['document(2)::json'], [q{'{"a": 1, "a": 2}'::json}] ],
	[ 'tsvector', [ q{to_tsvector('simple', word() || ' ' || word())}, q{strip(to_tsvector('simple', 'a b ' || i % 4))} ], [q{''::tsvector}] ],
	[ 'real[]', [ 'ARRAY[sin(i), cos(i), 0]::real[]', '(SELECT array_agg(random()) FROM generate_series(1, 33))::real[]' ], [ 'ARRAY[1]::real[]', 'ARRAY[NULL, 1, 2]::real[]', 'ARRAY[[1, 2, 3]]::real[]' ] ],
	[ 'double precision[]', [ 'ARRAY[1e-60 * i, 0, 1e-50]', 'ARRAY[1e30 * random(), random(), i % 2]' ], [ 'ARRAY[1e39, 0, 0]', q{ARRAY['NaN', 0, 0]::float8[]}, q{'{}'::float8[]} ] ],
	[ 'pair', [q{ROW(i % 5, 'x')::pair}], ['ROW(NULL, NULL)::pair'] ],
	[ 'uuid', ['md5((i % 4)::text)::uuid'], [], 1 ],
	[ 'bytea', [q{('b' || i % 4)::bytea}], [], 1 ],
	[ 'int[]', ['ARRAY[i % 3, i % 5]'], [ 'ARRAY[NULL]::int[]', 'ARRAY[[1, 2], [3, 4]]' ], 1 ],
	[ 'int4range', ['int4range(i % 3, 7)'], [], 1 ],
	[ 'point', ['point(i % 3, 1)'], [], 1 ]);

sub any_of { return $_[ rand(@_) ] }

# A column's definition, and its value for item i; whether it can only be a category.
sub column
{
	my ($name) = @_;
	my ($type, $usual, $odd, $category) = @{ any_of(@types) };
	my $value = any_of(@$usual);
	my $nulls = any_of(0, 0, 0.1, 0.9, 1);
	my $rare = @$odd && rand() < 0.08 ? sprintf('WHEN i %% 50 = %d THEN %s', int(rand(50)), any_of(@$odd)) : '';
	return { name => $name, type => $type, value => "CASE WHEN random() < $nulls THEN NULL $rare ELSE $value END", category => $category || rand() < 0.15 };
}

my @names = ('a', 'A', 'a.b', 'a: w1', '"a"', 'v[1]', 'v', 'ü', 'select', "it's");
my @settings = map { my $memory = $_; map { "SET maintenance_work_mem = '$memory'; SET mfrec.threads = $_" } 1, 2 } '1MB', '1GB';

# What a training of these attributes stores, as one line, in a session with these settings.
sub stored
{
	my ($settings, $train) = @_;
	return output_or_error($node, "SET client_min_messages = error; BEGIN; $settings; SELECT loss FROM $train; SELECT md5(string_agg(f::text, ',' ORDER BY feature)) FROM m_feature_factors f; "
		. fingerprint_sql('m') . '; ROLLBACK');
}

# How far the explanations of cold items are from their scores, and what is no number.
sub wrong_model
{
	my ($key, $alone) = @_;
	# what no attribute contributes: the user's part of a predicted rating, or what all cold items have that attributes say something of
	my $offset = $alone ? q{(parameters->>'mean')::float8 + (parameters->>'deviation')::float8 * coalesce(u.spread, 1) * u.bias}
	  : q{(SELECT sum(p * shift::float8) FROM unnest(u.factors, ARRAY(SELECT jsonb_array_elements_text(parameters->'cold_shift'))) x (p, shift))
			* (SELECT bool_or(f <> 0)::int FROM unnest(i.factors) x (f))};
	return output_or_error($node, <<"SQL");
WITH scored AS MATERIALIZED (SELECT u.user_id, r.item_id, score - ($offset) AS score FROM m_user_factors u JOIN mf_models v ON model = 'm' AND serving,
		LATERAL mf_recommend(u.user_id, 100, item_type => NULL::$key, model => 'm', candidates => ARRAY(SELECT item_id FROM m_item_factors WHERE ratings = 0 AND factors <> '{}' LIMIT 12), fresh => false) r JOIN m_item_factors i USING (item_id)
		WHERE u.user_id IN (1, 30) AND i.version = v.version),
	explained AS MATERIALIZED (SELECT user_id, item_id, score, (SELECT coalesce(sum(contribution), 0) FROM mf_explain_features(user_id, item_id, 10000, 'm')) AS sum FROM scored)
SELECT concat_ws(', ',
	(SELECT 'not a number' WHERE EXISTS (SELECT FROM m_item_factors WHERE concat(factors, rating_factors, bias) ~ 'NaN|Inf') OR EXISTS (SELECT FROM m_user_factors WHERE concat(factors, bias) ~ 'NaN|Inf')
		OR EXISTS (SELECT FROM m_feature_factors WHERE concat(factors, rating_factors, bias, weight, mean, deviation) ~ 'NaN|Inf')),
	(SELECT 'item ' || item_id || ' has ' || score || ' and not ' || sum FROM explained WHERE (abs(score - sum) > 1e-3 * (1 + abs(score))) IS NOT FALSE LIMIT 1),
	(SELECT 'rows that are no item''s' WHERE (SELECT count(*) FROM m_item_factors WHERE version = 1) <> (SELECT count(*) FROM (SELECT item_id FROM features UNION SELECT item_id FROM ratings_of) x WHERE item_id IS NOT NULL)))
SQL
}

my %said;
for my $round (1 .. $rounds)
{
	my $key = any_of(sort keys %id);
	my @columns = map { column($names[$_]) } 0 .. rand(any_of(1, 2, 4, scalar(@names)));
	my $shift = any_of(-75, 0, 0, 5);
	my $quoted = sub { return '"' . $_[0] =~ s/"/""/gr . '"' };
	my $definition = join ', ', "item_id $key", map { $quoted->($_->{name}) . " $_->{type}" } @columns;
	my $values = join ', ', $id{$key} =~ s/\bi\b/(i)/gr, map { $_->{value} } @columns;
	$node->safe_psql('postgres', <<"SQL");
DROP TABLE IF EXISTS features, twisted; DROP VIEW IF EXISTS ratings_of;
CREATE VIEW ratings_of AS SELECT * FROM ratings_$key;
CREATE TABLE features ($definition);
SELECT setseed(@{[ rand() ]});
INSERT INTO features SELECT $values FROM (SELECT i + $shift AS i FROM generate_series(1, 130) i) g;
CREATE TABLE twisted AS SELECT * FROM features ORDER BY md5(item_id::text);
SQL
	my $kind = any_of('', '', ', interest_weight => 0', ", feedback => 'implicit'", ', validation => 0.2, iterations => 6');
	my $categories = join ',', map { '"' . $_->{name} =~ s/(["\\])/\\$1/gr . '"' } grep { $_->{category} } @columns;
	my $arguments = "factors => " . any_of(1, 3, 16, 17) . ", feature_categories => '{" . $categories =~ s/'/''/gr . "}'$kind";
	my $train = "mf_train('ratings_of', 'm', $arguments, item_features => 'features')";
	my $expected = stored($settings[0], $train);
	my $what = "round $round: $key, " . join(', ', map { $_->{type} } @columns) . $kind;
	my ($state) = $expected =~ /^(\w{5}): /;
	$said{ $state // 'trained' }++;
	if ($state)
	{
		like($expected, qr/^(02000|22023|2202E|22004|22003|54000|42804): /, "$what: says what is wrong") or diag("$definition\n$values\n$arguments");
		unlike($expected, qr/factors grew/, "$what: which are not numbers on the way");
		next;
	}
	is(stored($settings[$_], $train), $expected, "$what: the same with $settings[$_]") or diag("$definition\n$values\n$arguments") for 1 .. $#settings;
	is(stored($settings[1], $train =~ s/'features'/'twisted'/r), $expected, "$what: in another order of rows");
	output_or_error($node, "SELECT version FROM $train");
	is(wrong_model($key, $kind =~ /interest_weight/), '', "$what: adds up") or diag("$definition\n$values\n$arguments");
	is(output_or_error($node, "SELECT version FROM mf_retrain('m')"), '2', "$what: trains on");
	$node->safe_psql('postgres', "SELECT mf_drop('m')");
}
note(join ', ', map { "$_ $said{$_}" } sort keys %said);
cmp_ok($said{trained} // 0, '>', $rounds / 4, 'many train');
is(temporary_files($node), '', 'no file is left');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|TRAP/, 'no process crashed');
$node->stop;

done_testing();
