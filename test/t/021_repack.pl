# Calls that wait for whoever rewrites a table outside of a transaction block.  VACUUM FULL and REPACK keep who
# sees which row, so what waits for them answers as ever; REPACK (CONCURRENTLY), which 19 has, does not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('repack', allows_streaming => 1);
my $has_repack = $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('ratings', factors => 4);
CREATE TABLE one AS SELECT 'ratings' AS model;
SQL

# Waits until so many sessions wait for a lock of a table.
sub await_waiting
{
	my ($table, $count) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) = $count FROM pg_locks WHERE relation = '$table'::regclass AND NOT granted")
		or die "$count sessions do not wait for $table";
	return;
}

# What a query answers that has waited for a command on a table: its output, or SQLSTATE and message.
sub answer_after
{
	my ($command, $table, $query) = @_;
	my $holder = open_session($node);
	ask($holder, "BEGIN; SELECT count(*) FROM $table");
	my $rewriter = start_sql($node, "$command $table");
	await_waiting($table, 1);
	my $caller = start_sql($node, $query, '-v', 'VERBOSITY=verbose');
	await_waiting($table, 2);
	ask($holder, 'COMMIT');
	close_session($holder);
	my ($status, $out, $err) = finish_sql($rewriter);
	die "$command: $err" if $status != 0;
	($status, $out, $err) = finish_sql($caller);
	chomp $out;
	return $status == 0 ? $out : $err =~ /ERROR:\s+(\w{5}): / ? $1 : $err;
}

my @calls = (
	[ 'ratings', "SELECT string_agg(item_id::text, ',' ORDER BY rank) || ' ' || min(reason) FROM mf_recommend(1, 3, 'ratings')" ],
	[ 'ratings', "SELECT count(*) FROM one, mf_recommend_all(3, model)" ],
	[ 'ratings', "SELECT count(*) FROM mf_recommend_users(1, 3, 'ratings')" ],
	[ 'ratings_user_factors', "SELECT round(mf_predict(1, 1, 'ratings'))" ],
	[ 'ratings_user_factors', "SELECT string_agg(item_id::text, ',' ORDER BY rank) || ' ' || min(reason) FROM mf_recommend(1, 3, 'ratings', fresh => false)" ],
	[ 'ratings_user_factors', "SELECT count(*) FROM one, mf_similar_users(1, 3, model)" ],
	[ 'mfrec.model', "SELECT count(*) FROM one, mf_popular(3, model)" ]);
for my $call (@calls)
{
	my ($table, $query) = @$call;
	my $right = $node->safe_psql('postgres', $query);
	is(answer_after('VACUUM FULL', $table, $query), $right, "VACUUM FULL of $table: $query");
  SKIP:
	{
		skip 'there is no REPACK', 2 unless $has_repack;
		is(answer_after('REPACK', $table, $query), $right, "REPACK of $table: $query");
		is(answer_after('REPACK (CONCURRENTLY)', $table, $query), '40001', "REPACK (CONCURRENTLY) of $table: $query");
	}
	is($node->safe_psql('postgres', $query), $right, "and afterwards: $query");
}

# trainings take a newer snapshot
my $first = $node->safe_psql('postgres', "SELECT loss FROM mf_training_log WHERE model = 'ratings' AND version = 1 AND iteration = 1");
my $command = $has_repack ? 'REPACK (CONCURRENTLY)' : 'VACUUM FULL';
for my $table ('ratings', 'ratings_item_factors', 'ratings_user_factors', 'mfrec.model')
{
	is(answer_after($command, $table, "SELECT items || ' ' || ratings FROM mf_retrain('ratings')"), '20 320', "$command of $table beside a retrain");
	is($node->safe_psql('postgres', "SELECT loss < $first FROM mf_training_log WHERE model = 'ratings' AND iteration = 1 ORDER BY version DESC LIMIT 1"),
		't', 'which starts warm');
}

$node->stop;
done_testing();
