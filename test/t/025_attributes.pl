# What attributes of items are worth on real data, by defaults: lists of items that nobody has rated, and lists of known ones,
# beside those of a model without attributes; and that noise costs nothing.  With MFREC_TEST_ALL all sets, and as many factors
# as by default; else some, with fewer.
#   MFREC_DATA   folder with anime/, grocery/, citeulike-t/, movietweetings-100k/; default ../shared/data beside the project
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{MFREC_DATA} || "$FindBin::Bin/../../../shared/data";
plan skip_all => "no data in $data" unless -r "$data/anime/items.tsv" && -r "$data/grocery/items.tsv";

my $node = new_node('attributes');
my $columns = 'user_id int, item_id int';
my %by = (
	hash => [ 'mf_holdout(item_id, item_id, 0.2) OR mf_holdout(user_id, item_id, 0.1)', 'true' ],
	# the last fifth of the rows
	time => [ 'at >= edge', '(SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY at) FROM ratings) e (edge)' ]);
my @lines;    # lines of the table that ends the test
my $factors = $ENV{MFREC_TEST_ALL} ? 'NULL' : 128;

# Loads rows of a set, in files with a header or without, and its items; what else the set needs is the statement $sql.
sub load
{
	my ($columns, $ratings, $items, $sql, $header) = @_;
	my $format = "WITH (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01', HEADER " . ($header // 'true') . ')';
	$node->safe_psql('postgres', join "\n", 'SET client_min_messages = warning; DROP TABLE IF EXISTS ratings, raw, items CASCADE;',
		"CREATE TABLE ratings ($columns);", (map { "\\copy ratings FROM '$data/$_' $format" } @$ratings),
		"CREATE TABLE raw ($items->[1]);", "\\copy raw FROM '$data/$items->[0]' $format", $sql);
	return;
}

# The views known and test: rows by hash, where a fifth of the items is cold, or by time.
sub split_rows
{
	my ($how) = @_;
	my ($test, $from) = ($by{$how}[0], $how eq 'time' ? ", $by{time}[1]" : '');
	$node->safe_psql('postgres', <<"SQL");
SET client_min_messages = warning;
DROP TABLE IF EXISTS known, test;
CREATE TABLE known AS SELECT r.* FROM ratings r$from WHERE NOT ($test);
CREATE TABLE test AS SELECT r.* FROM ratings r$from WHERE $test;
CREATE INDEX ON known (user_id);
ANALYZE known, test;
SQL
	return;
}

# Trains a model on the known rows; seconds.
sub train
{
	my ($model, $arguments) = @_;
	return $node->safe_psql('postgres', "SELECT round(seconds::numeric, 1) FROM mf_train('known', '$model', factors => $factors$arguments)");
}

# Figures of a model over the test rows, for lists of each length k: metric@k => [value, baseline].
sub figures
{
	my ($model, @lengths) = @_;
	my %figure;
	for my $k (@lengths)
	{
		my $rows = $node->safe_psql('postgres', "SELECT metric, value, baseline FROM mf_evaluate('test', $k, '$model')");
		for (split /\n/, $rows)
		{
			my ($metric, @values) = split /\|/;
			$figure{"$metric\@$k"} = \@values;
		}
	}
	return \%figure;
}

# A value, or its baseline, as text.
sub show
{
	my ($figure, $metric, $which) = @_;
	my $value = $figure->{$metric}[ $which // 0 ];
	return defined $value && $value ne '' ? sprintf('%.4f', $value) : '-';
}

# Keeps a line of the table.
sub report
{
	my ($label, $seconds, $plain, $with) = @_;
	my $relevant = $with->{'rows_relevant@20'}[0] || 1;
	push @lines, join ' | ', $label, show($with, 'cold_full_recall@20'), show($with, 'cold_recall@20'), show($with, 'cold_full_recall@20', 1),
		show($plain, 'ndcg@10'), show($with, 'warm_ndcg@10'), show($with, 'ndcg@20'), show($with, 'cold_share@20'), sprintf('%.4f', ($with->{'cold_rows_relevant@20'}[0] || 0) / $relevant),
		show($plain, 'rmse@10'), show($with, 'warm_rmse@10'), show($with, 'cold_rmse@10'), show($with, 'cold_rmse@10', 1), $seconds;
	return;
}

# Attributes cost lists and predictions of known items nothing, and predict new ones better than the mean.
sub check_costs
{
	my ($label, $plain, $with, $least) = @_;
	my ($without, $warm) = ($plain->{'ndcg@10'}[0], $with->{'warm_ndcg@10'}[0]);
	cmp_ok($warm, '>=', $least * $without, sprintf('%s: warm ndcg@10 %.4f, without attributes %.4f', $label, $warm, $without));
	return unless defined $with->{'cold_rmse@10'}[0];
	cmp_ok($with->{'cold_rmse@10'}[0], '<', $with->{'cold_rmse@10'}[1], sprintf('%s: cold rmse %.4f, of the mean %.4f', $label, @{ $with->{'cold_rmse@10'} }));
	return;
}

# Trains with the attributes in relations and without, and holds figures against bars: relation => [label, least cold recall].
# Returns the figures without and with those of the relation items.
sub measure
{
	my ($set, $how, %bar) = @_;
	my %figures;
	split_rows($how);
	my $seconds = train('plain', '');
	my $plain = figures('plain', 10);
	for my $relation (sort keys %bar)
	{
		my ($of, $least) = @{ $bar{$relation} };
		my $label = "$set by $how, $of";
		my $took = train('attributes', ", item_features => '$relation'");
		my $with = $figures{$relation} = figures('attributes', 10, 20);
		report($label, "$seconds $took", $plain, $with);
		cmp_ok($with->{'cold_full_recall@20'}[0], '>=', $least, sprintf('%s: cold recall@20 %.4f', $label, $with->{'cold_full_recall@20'}[0]));
		check_costs($label, $plain, $with, 0.998);
	}
	return ($plain, $figures{items});
}

# Noise alone: words thrown by dice, digests, and ids as text.  Items are all alike then, in any order among themselves.
sub measure_noise
{
	my ($set, $plain) = @_;
	my $label = "$set, noise";
	$node->safe_psql('postgres', <<'SQL');
SET client_min_messages = warning;
DROP TABLE IF EXISTS noise CASCADE;
CREATE TABLE noise AS SELECT item_id, (SELECT string_agg('w' || abs(hashint8extended(item_id, n) % 500), ' ') FROM generate_series(1, 8) n) AS words,
	md5(item_id::text) AS digest, item_id::text AS id FROM items;
SQL
	my $took = train('attributes', ", item_features => 'noise'");
	my $with = figures('attributes', 10, 20);
	my ($value, $chance) = @{ $with->{'cold_auc@10'} };
	report($label, $took, $plain, $with);
	check_costs($label, $plain, $with, 0.995);
	cmp_ok($value, '>=', $chance - 0.02, sprintf('%s: cold auc %.4f, of chance %.4f', $label, $value, $chance));
	($value, $chance) = @{ $with->{'cold_full_recall@20'} };
	cmp_ok($value, '>=', 0.75 * $chance, sprintf('%s: cold recall@20 %.4f, of chance %.4f', $label, $value, $chance));
	return;
}

# Noise beside what says something, after measure_noise: known items lose nothing to a model without attributes, and neither they
# nor new ones much to one without noise.
sub measure_beside
{
	my ($set, $plain, $without) = @_;
	my $label = "$set, noise beside attributes";
	$node->safe_psql('postgres', 'CREATE VIEW beside AS SELECT * FROM items JOIN noise USING (item_id)');
	my $took = train('attributes', ", item_features => 'beside'");
	my $with = figures('attributes', 10, 20);
	report($label, $took, $plain, $with);
	check_costs($label, $plain, $with, 0.998);
	my ($warm, $warm_before) = map { $_->{'warm_ndcg@10'}[0] } $with, $without;
	cmp_ok($warm, '>=', 0.98 * $warm_before, sprintf('%s: warm ndcg@10 %.4f, without noise %.4f', $label, $warm, $warm_before));
	my ($value, $before) = ($with->{'cold_full_recall@20'}[0], $without->{'cold_full_recall@20'}[0]);
	cmp_ok($value, '>=', 0.87 * $before, sprintf('%s: cold recall@20 %.4f, without noise %.4f', $label, $value, $before));
	return;
}

my $all = $ENV{MFREC_TEST_ALL};

# ---- purchases, with times
load("$columns, at bigint", ['grocery/ratings.tsv'], [ 'grocery/items.tsv', 'item_id int, category text, also_bought text, also_viewed text' ],
	q{CREATE TABLE items AS SELECT item_id, category, string_to_array(also_bought, '|') AS also_bought, string_to_array(also_viewed, '|') AS also_viewed FROM raw});
my @figures_of = measure('grocery', 'hash', items => [ 'category, also bought, also viewed', 0.21 ]);
measure_noise('grocery', @figures_of);
measure_beside('grocery', @figures_of) if $all;
measure('grocery', 'time', items => [ 'category, also bought, also viewed', 0.232 ]) if $all;

# ---- dense ratings of 1 to 10
load("$columns, rating real", ['anime/ratings.tsv'], [ 'anime/items.tsv', 'item_id int, title text, genres text, type text, episodes int' ],
	q{CREATE TABLE items AS SELECT item_id, title, string_to_array(genres, '|') AS genres, type, episodes FROM raw});
@figures_of = measure('anime', 'hash', items => [ 'titles, genres, type, episodes', 0.278 ]);
measure_noise('anime', @figures_of) if $all;
measure_beside('anime', @figures_of) if $all;

# ---- tweets of stars
load("$columns, rating real, at bigint", [ map { "movietweetings-100k/$_.tsv" } 'train', 'test' ],
	[ 'movietweetings-100k/movies.tsv', 'item_id int, title text, genres text' ],
	q{CREATE TABLE items AS SELECT item_id, regexp_replace(title, ' \(\d+\)$', '') AS title, substring(title from '\((\d+)\)$')::int AS year,
		string_to_array(genres, '|') AS genres FROM raw}, 'false');
@figures_of = measure('movietweetings', 'hash', items => [ 'titles, years, genres', 0.125 ]);
measure_noise('movietweetings', @figures_of) if $all;
measure_beside('movietweetings', @figures_of) if $all;
measure('movietweetings', 'time', items => [ 'titles, years, genres', 0.346 ]) if $all;

SKIP:
{
	skip 'the larger sets: with MFREC_TEST_ALL', 1 unless $all && -r "$data/citeulike-t/items.tsv";

	# ---- articles in libraries: words as often as they stand there
	load($columns, ['citeulike-t/ratings.tsv'], [ 'citeulike-t/items.tsv', 'item_id int, abstract text, tags text' ],
		q{CREATE TABLE items AS SELECT item_id, abstract, string_to_array(tags, '|') AS tags FROM raw;
		CREATE VIEW tags AS SELECT item_id, tags FROM items; CREATE VIEW words AS SELECT item_id, abstract FROM items});
	@figures_of = measure('citeulike', 'hash', tags => [ 'tags', 0.45 ], words => [ 'words', 0.289 ], items => [ 'both', 0.462 ]);
	measure_noise('citeulike', @figures_of);
	measure_beside('citeulike', @figures_of);
}

note('set | cold recall@20: hits / relevant | hits / least of both | of a random order | ndcg@10 without | with: of rated items'
		. ' | ndcg@20 of all | share of cold items | share in test rows | rmse without | with | cold rmse | of the mean | seconds');
note($_) for @lines;
$node->stop;

done_testing();
