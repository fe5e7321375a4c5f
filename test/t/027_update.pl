# A day of a shop: its catalogue grows, ratings arrive, mf_update runs every five minutes and mf_retrain at night, beside a
# standby that serves.  At each step lists are what the tables say, here and there; then updates that end before their time, and how
# tables and files grow.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary', allows_streaming => 1);
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
define_wrong_list($node);

# Users like films of their genre, one of four; nobody has rated the last eight.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE films AS SELECT i AS item_id, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + i % 4] AS genre FROM generate_series(1, 108) i;
ALTER TABLE films ADD PRIMARY KEY (item_id);
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (CASE WHEN i % 4 = u % 4 THEN 5 ELSE 2 END - (u * 7 + i * 3) % 2)::real AS rating
	FROM generate_series(1, 400) u, generate_series(1, 100) i WHERE mf_holdout(u, i, CASE WHEN i % 4 = u % 4 THEN 0.4 ELSE 0.05 END);
CREATE INDEX ON ratings (user_id);
SELECT FROM mf_train('ratings', 'shop', factors => 4, item_features => 'films');
SQL

# What an update says it did: users and items added, changed, removed.
sub update
{
	return $node->safe_psql('postgres', 'SELECT users_added, users_changed, users_removed, items_added, items_changed, items_removed FROM mf_update()');
}

# The lists of some users of each genre, newcomers among them, beside scans of the tables; here and on the standby.
sub wrong_lists
{
	my $query = q{SELECT string_agg(w, '; ') FROM unnest('{1, 2, 3, 4, 399, 400, 501, 502, 1001, 9999}'::int[]) u, wrong_list('shop', u, 12) w WHERE w <> ''};
	$node->wait_for_catchup($standby);
	return $node->safe_psql('postgres', $query) . $standby->safe_psql('postgres', $query);
}

# Images that there are of the node's versions.
sub images
{
	my @files = glob($_[0]->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*');
	return scalar @files;
}

is(update(), '0|0|0|0|0|0', 'a version just trained is up to date');
is(wrong_lists(), '', 'and its lists are right');

# an old snapshot that stays open through the day
my $reader = open_session($node);
ask($reader, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
my $had = ask($reader, 'SELECT md5(string_agg(l::text, chr(10) ORDER BY user_id, rank)) FROM mf_recommend_all(10, fresh => false) l');

for my $round (1 .. 6)
{
	my $film = 200 + $round;
	my $kind = $film % 4;
	my $cold = 300 + $round;
	my $newcomer = 500 + $round;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO films VALUES ($film, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + $kind]), ($cold, 'drama');
INSERT INTO ratings SELECT u, $film, 5 FROM generate_series(1, 400) u WHERE u % 4 = $kind ORDER BY u * 7919 % 401 LIMIT 20;
INSERT INTO ratings SELECT $newcomer, i, 5 FROM generate_series($newcomer % 4 + 1, 40, 4) i;
DELETE FROM ratings WHERE user_id = $round * 11;
SQL
	like(update(), qr/^1\|\d+\|1\|2\|\d+\|0$/, "round $round: a user comes, one goes, a film is rated, another one is not");
	is(update(), '0|0|0|0|0|0', "round $round: once");
	is(wrong_lists(), '', "round $round: lists are what the tables say");
	is($standby->safe_psql('postgres', "SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend($newcomer, 5)"), 'model', "round $round: the newcomer is known on the standby");
	is($standby->safe_psql('postgres', "SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend($round * 11, 5)"), 'popular', "round $round: who has gone is not");
	is($standby->safe_psql('postgres', <<"SQL"), 't|t|t', "round $round: the new film is in lists of its kind, and what is not rated can be found");
WITH l AS (SELECT u, item_id FROM generate_series(1, 400) u, mf_recommend(u, 25, fresh => false) WHERE item_id = $film)
SELECT (SELECT count(*) FILTER (WHERE u % 4 = $kind) > 20 AND avg((u % 4 = $kind)::int) > 0.7 FROM l),
	NOT EXISTS (SELECT FROM l JOIN ratings r ON r.user_id = u AND r.item_id = l.item_id), EXISTS (SELECT FROM mf_recommend(2, 100, candidates => ARRAY[$cold]))
SQL
	is(images($node), 1, "round $round: one image, that of the version that serves");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM mf_recommend_all(100, fresh => false) l WHERE EXISTS (SELECT FROM ratings r WHERE (r.user_id, r.item_id) = (l.user_id, l.item_id))}),
	'0', 'nobody gets what they have');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend_all(200, fresh => false) l WHERE item_id NOT IN (SELECT item_id FROM films)'), '0', 'nor what there is not');
is(ask($reader, 'SELECT md5(string_agg(l::text, chr(10) ORDER BY user_id, rank)) FROM mf_recommend_all(10, fresh => false) l'), $had, 'who has the snapshot of the morning sees its lists');
ask($reader, 'COMMIT');
isnt(ask($reader, 'SELECT md5(string_agg(l::text, chr(10) ORDER BY user_id, rank)) FROM mf_recommend_all(10, fresh => false) l'), $had, 'until it ends');
close_session($reader);

# the night
is($node->safe_psql('postgres', 'SELECT version FROM mf_retrain()'), '2', 'a retrain at night');
is(update(), '0|0|0|0|0|0', 'knows all of it');
is(wrong_lists(), '', 'and serves');

# updates that end before their time leave nothing
my $stored = $node->safe_psql('postgres', fingerprint_sql('shop'));
my $image = $node->safe_psql('postgres', 'SELECT image FROM mfrec.model_version WHERE version = 2');
$node->safe_psql('postgres', q{INSERT INTO ratings SELECT 600 + u, i, 4 FROM generate_series(1, 50) u, generate_series(1, 60, 7) i});
my $logged = -s $node->logfile;
my ($status, undef, $err) = $node->psql('postgres', <<'SQL');
BEGIN;
SELECT FROM mf_update();
SELECT 1 / 0;
SQL
like($err, qr/division by zero/, 'an update is rolled back');
is($node->safe_psql('postgres', fingerprint_sql('shop')), $stored, 'and leaves the tables as they were');
is($node->safe_psql('postgres', 'SELECT image FROM mfrec.model_version WHERE version = 2'), $image, 'the version, too');
is(wrong_lists(), '', 'which serves');
is(images($node), 1, 'by the image that it had');
my $dying = open_session($node);
ask($dying, 'BEGIN');
like(ask($dying, 'SELECT users_added FROM mf_update()'), qr/^50$/, 'an update that is not committed');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', fingerprint_sql('shop')), $stored, 'is not there after a crash');
is(temporary_files($node), '', 'nor are files of it');
is(images($node), 0, 'the server has cleared images');
like(update(), qr/^50\|0\|0\|0\|9\|0$/, 'the next one finds all of it');
is(wrong_lists(), '', 'and serves');

# A week of updates, with autovacuum as it comes, but for its pause: the week is short.  It vacuums a table once more rows are dead
# than 50 and a fifth of those that live, so there is room for these, for the rows of a day, after which the test waits for it, and for
# those of a day that a vacuum meets which has begun before.  Indexes have an entry for each row, dead or not, and pages that are
# split half full.
my %table = (users => 'shop_user_factors', items => 'shop_item_factors');
my $sizes = q{SELECT pg_relation_size(oid), pg_indexes_size(oid), coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0) FROM pg_class WHERE oid = '%s'::regclass};
my %began;
my %most;
my %deleted;
for my $side (sort keys %table)
{
	$node->safe_psql('postgres', "VACUUM FULL $table{$side}");
	$began{$side} = [ split /\|/, $node->safe_psql('postgres', sprintf $sizes, $table{$side}) ];
	$most{$side} = 0;
	$deleted{$side} = $node->safe_psql('postgres', "SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = '$table{$side}'");
}
$node->append_conf('postgresql.conf', "autovacuum = on\nautovacuum_naptime = 1s\nautovacuum_vacuum_cost_delay = 0\n");
$node->reload;
for my $day (1 .. 7)
{
	my %changed = (users => 0, items => 0);
	for my $round (1 .. 4)
	{
		my $first = $day * 40 + $round * 5;
		$node->safe_psql('postgres', "UPDATE ratings SET rating = 5 - (rating - 1) / 2 WHERE user_id BETWEEN $first AND $first + 9");
		my (undef, $users, undef, undef, $items) = split /\|/, update();
		$changed{users} += $users;
		$changed{items} += $items;
	}
	for my $side (sort keys %table)
	{
		$most{$side} = $changed{$side} if $changed{$side} > $most{$side};
		$deleted{$side} += $changed{$side};
		ok($node->poll_query_until('postgres', "SELECT n_tup_del >= $deleted{$side} AND n_dead_tup <= 50 + 0.2 * n_live_tup FROM pg_stat_user_tables WHERE relname = '$table{$side}'"),
			"day $day: autovacuum has been at the table of $side");
	}
}
cmp_ok($node->safe_psql('postgres', q{SELECT min(autovacuum_count) FROM pg_stat_user_tables WHERE relname IN ('shop_user_factors', 'shop_item_factors')}),
	'>', 0, 'not only because there was nothing to do');
for my $side (sort keys %table)
{
	my $rows = $node->safe_psql('postgres', "SELECT count(*) FROM $table{$side}");
	my @ended = split /\|/, $node->safe_psql('postgres', sprintf $sizes, $table{$side});
	my $most = 1 + (50 + 0.2 * $rows + 2 * $most{$side}) / $rows;
	note("$side: $rows rows, $most{$side} of a day, heap, indexes and toast of @{$began{$side}} bytes have @ended bytes");
	cmp_ok($ended[0], '<=', $most * $began{$side}[0] + 2 * 8192, "the table of $side stays within bounds");
	cmp_ok($ended[1], '<=', 2 * $most * $began{$side}[1] + 2 * 8192, "and its indexes");
	cmp_ok($ended[2], '<=', $began{$side}[2] + 8192, "what users have, or attributes say, is beside the vectors, not elsewhere");
}
is(images($node), 1, 'and there is one image');
is(wrong_lists(), '', 'lists are right');
is($node->safe_psql('postgres', 'SELECT updated_at > trained_at FROM mf_models WHERE serving'), 't', 'mf_models says when');

$standby->stop;
$node->stop;
done_testing();
