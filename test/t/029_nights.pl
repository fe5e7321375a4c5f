# A retrain that cannot make things worse: nights with guard, some of them bad ones, and who serves in the morning.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('nights');
$node->init;
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION mfrec;
-- four kinds of taste, items of different popularity, a little of everything
CREATE TABLE history AS
	SELECT u AS user_id, i AS item_id, (1 + (hashint8(u * 31 + i) & 1) + CASE WHEN u % 4 = i % 4 THEN 3 ELSE 0 END)::real AS rating,
		timestamptz '2026-01-01' + (hashint8(i * 7919 + u) & 1023) * interval '1 hour' AS rated_at
	FROM generate_series(1, 1200) u, generate_series(1, 300) i
	WHERE (hashint8(u * 1000 + i) & 1023) < CASE WHEN u % 4 = i % 4 THEN 220 ELSE 15 END * (1 + i % 5) / 3;
CREATE TABLE ratings (LIKE history, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings TABLE history;
SELECT mf_train('ratings', factors => 8, iterations => 6, time_column => 'rated_at', guard => 0.05);
SQL

# A night: what happens to the source before it, and the version that serves in the morning, with what the retrain has said.
sub night
{
	my ($sql) = @_;
	$node->safe_psql('postgres', $sql) if $sql;
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT version FROM mf_retrain('ratings', guard => 0.05)");
	return ($node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'ratings' AND serving"), $err);
}
my $withheld = sub { return $node->safe_psql('postgres', "SELECT coalesce(withheld, 'served') FROM mf_models WHERE model = 'ratings' ORDER BY version DESC LIMIT 1"); };

my ($serving, $said) = night('');
is($serving, '2', 'a healthy night');
is($said, '', 'of which nothing is said');

($serving, $said) = night("INSERT INTO ratings SELECT user_id, item_id + 300, rating, rated_at + interval '40 days' FROM history WHERE item_id <= 20");
is($serving, '3', 'a healthy night with new items');

($serving, $said) = night("CREATE TABLE kept AS TABLE ratings; DELETE FROM ratings WHERE (hashint8(user_id * 7 + item_id) & 15) <> 0");
is($serving, '3', 'most rows are lost: the version before serves on');
like($said, qr/WARNING:  version 4 of model "ratings" is stored, but does not serve\nDETAIL:  It was withheld, as the source has lost most of its rows: it has \d+ ratings now, and had \d+ in version 3\.\nHINT:  Version 3 goes on\. To let the new one serve all the same, run: SELECT mf_serve\('ratings', 4\)/,
	'and the warning says both figures and what to do');
like($withheld->(), qr/^the source has lost most of its rows: it has \d+ ratings now, and had \d+ in version 3$/, 'as mf_models does');

($serving, $said) = night('TRUNCATE ratings; INSERT INTO ratings TABLE kept');
is($serving, '5', 'they are back');

($serving, $said) = night(<<'SQL');
TRUNCATE ratings;
INSERT INTO ratings SELECT DISTINCT ON (user_id, i.item_id) u.user_id, i.item_id, u.rating, u.rated_at
FROM (SELECT *, row_number() OVER (ORDER BY user_id, item_id) AS n FROM kept) u
	JOIN (SELECT item_id, row_number() OVER (ORDER BY hashint8(user_id * 1000 + item_id)) AS n FROM kept) i USING (n)
SQL
is($serving, '5', 'ids of items are mixed up: the version before serves on');
like($withheld->(), qr/^ndcg\@10 on rows that it has not learned from is [\d.]+, not above the [\d.]+ of the most popular items beyond chance$/, 'and mf_models says why');
($serving, $said) = night('');
is($serving, '5', 'also when they still are the next night');

($serving, $said) = night('TRUNCATE ratings; INSERT INTO ratings TABLE kept');
is($serving, '8', 'the first night with good rows is a good one');

# another job is refilling the source: empty for a moment, then half full
$node->safe_psql('postgres', 'TRUNCATE ratings');
($serving, $said) = night('');
is($serving, '8', 'the source is empty for a moment: nothing changes');
like($said, qr/ERROR:  relation "ratings" has no ratings to train on/, 'and the job fails');
($serving, $said) = night('INSERT INTO ratings SELECT * FROM kept WHERE user_id <= 400');
is($serving, '8', 'a third of it is there: the version before serves on');
($serving, $said) = night('INSERT INTO ratings SELECT * FROM kept WHERE user_id > 400');
is($serving, '10', 'it is full again');
is($node->safe_psql('postgres', 'SELECT string_agg(DISTINCT version::text, $$ $$) FROM ratings_user_factors'), '10 8 9', 'kept are the version before, and what came between');

# a job that truncates and refills in one transaction keeps the retrain waiting, and it then sees the new rows
my $job = $node->background_psql('postgres');
$job->query_safe('BEGIN; TRUNCATE ratings; INSERT INTO ratings TABLE kept');
my ($out, $err) = ('', '');
my $retrain = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT version FROM mf_retrain('ratings', guard => 0.05)" ], '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT version FROM mf_retrain%' AND wait_event_type = 'Lock'");
$job->query_safe('COMMIT');
$job->quit;
$retrain->finish;
like("$out$err", qr/^11$|has no ratings|could not/, 'a refill in one transaction is waited for');
isnt($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 5)"), '0', 'and there are lists');

# healthy nights of other kinds
my $before = $node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'ratings' AND serving");
($serving, $said) = night('TRUNCATE ratings; INSERT INTO ratings TABLE kept; UPDATE ratings SET rating = 4');
is($serving, $before, 'all ratings are equal: the version before serves on');
like($said, qr/ERROR:  all ratings of relation "ratings" are 4/, 'as there is nothing to learn from');
($serving, $said) = night('ALTER TABLE ratings DROP CONSTRAINT ratings_pkey; TRUNCATE ratings; INSERT INTO ratings TABLE kept; INSERT INTO ratings SELECT * FROM kept WHERE rated_at::date = (SELECT max(rated_at)::date FROM history)');
is($said, '', 'the rows of a day are there twice');
($serving, $said) = night('INSERT INTO ratings SELECT user_id + 5000, item_id, rating, rated_at FROM history');
is($said, '', 'twice the data');
is($withheld->(), 'served', 'serves');
$node->stop;

done_testing();
