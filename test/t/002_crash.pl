# A training backend that is killed, and a server that crashes: after the restart there is what was
# committed, and nothing else.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('crash');
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->reload;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 503 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 3000) u, generate_series(1, 40) i;
CREATE INDEX ON ratings (user_id);
SELECT mf_train('ratings', 'kept', factors => 8, iterations => 2);
CHECKPOINT;
SQL
my $before = $node->safe_psql('postgres', fingerprint_sql('kept'));
my $list = "SELECT string_agg(item_id::text, ',' ORDER BY rank) FROM mf_recommend(7, 5, 'kept')";
my $expected = $node->safe_psql('postgres', $list);

# kill -9 in mid-training, with ratings in temporary files
my $run = start_sql($node, "SET maintenance_work_mem = '1MB'; SELECT mf_train('ratings', 'm', factors => 64, iterations => 10000, tolerance => 0)");
my $pid = act_in_phase($node, 'sweep', '%s');
isnt($pid, 0, 'a training runs');
like(temporary_files($node), qr{/pgsql_tmp$pid\.\d}, 'and has temporary files');
my $logged = -s $node->logfile;
kill 'KILL', $pid;
my ($status) = finish_sql($run);
isnt($status, 0, 'its session is lost');
ok(is_back($node, $logged), 'the server is back');
is(leftovers($node, 'm'), '', 'kill -9 leaves nothing');
is($node->safe_psql('postgres', fingerprint_sql('kept')), $before, 'the committed model is whole');
is($node->safe_psql('postgres', $list), $expected, 'and serves as before');
is($node->safe_psql('postgres', "SELECT version FROM mf_retrain('kept')"), '2', 'and trains');
$before = $node->safe_psql('postgres', fingerprint_sql('kept'));

# an immediate shutdown while storing, right after a commit
$run = start_sql($node, "BEGIN; SELECT mf_train('ratings', 'm', factors => 8, iterations => 1); SELECT pg_sleep(100)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$node->stop('immediate');
finish_sql($run);
$node->start;
is(leftovers($node, 'm'), '', 'a crash before the commit leaves nothing');
is($node->safe_psql('postgres', fingerprint_sql('kept')), $before, 'a crash after the commit leaves all');
is($node->safe_psql('postgres', "SELECT version FROM mf_train('ratings', 'm', factors => 8, iterations => 1)"), '1', 'the name is free');
$node->stop;

done_testing();
