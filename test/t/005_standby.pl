# A streaming standby serves what has been replayed, and says clearly that it cannot train.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', allows_streaming => 1);
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT mf_train('ratings', factors => 4);
SELECT count(*) FROM mf_recommend(1);
SQL
$primary->backup('base');
my @cached = glob($primary->backup_dir . '/base/base/pgsql_tmp/*');
is(scalar @cached, 0, 'a base backup has no images');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $lists = <<'SQL';
SELECT u, r.* FROM generate_series(1, 20) u, mf_recommend(u, 5) r ORDER BY u, rank;
SELECT * FROM mf_similar_items(1, 5) ORDER BY rank;
SELECT * FROM mf_similar_users(1, 5) ORDER BY rank;
SELECT * FROM mf_explain(1, 2, 5);
SELECT * FROM mf_recommend_for(ARRAY[1, 3], k => 5) ORDER BY rank;
SELECT * FROM mf_recommend_users(2, 5) ORDER BY rank;
SELECT * FROM mf_recommend_all(5) ORDER BY user_id, rank;
SELECT * FROM mf_popular(5) ORDER BY rank;
SELECT mf_predict(1, 2);
SELECT * FROM mf_map() ORDER BY id;
SELECT * FROM mf_clusters(clusters => 3, of => 'users') ORDER BY id;
SELECT model, version FROM mf_models;
SQL
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $lists), $primary->safe_psql('postgres', $lists), 'the standby serves what the primary serves');

# a session on the standby sees a retrain when it has been replayed, and fresh ratings
$primary->safe_psql('postgres', "SELECT mf_retrain('ratings'); INSERT INTO ratings VALUES (101, 2, 5), (101, 4, 5)");
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT version FROM mf_models WHERE serving'), '2', 'a retrain arrives');
is($standby->safe_psql('postgres', $lists), $primary->safe_psql('postgres', $lists), 'and serves');
is($standby->safe_psql('postgres', 'SELECT DISTINCT reason FROM mf_recommend(101, 3)'), 'fresh', 'fresh ratings count');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3, version => 1)'), '3', 'the version before, too');
is($standby->safe_psql('postgres', 'SELECT DISTINCT reason FROM mf_recommend(999, 3)'), 'popular', 'unknown users, too');
my $had = 'WHERE (user_id, item_id) IN (SELECT user_id, item_id FROM ratings)';
is($standby->safe_psql('postgres', "SELECT count(*) FROM (SELECT u AS user_id, item_id FROM generate_series(1, 5) u, mf_recommend(u, 100, fresh => false)) l $had"),
	'0', 'what users have is left out by their rows alone');
is($standby->safe_psql('postgres', "SELECT count(*) FROM mf_recommend_all(100, fresh => false) $had"), '0', 'for everybody, too');

# items that nobody has rated, whose image the standby builds itself
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE films AS SELECT i AS item_id, 'g' || i % 2 AS genre FROM generate_series(1, 90) i;
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3) % 5 AS rating FROM generate_series(1, 200) u, generate_series(1, 80) i
	WHERE (u + i) % 2 = 0 AND mf_holdout(u, i, 0.4);
CREATE INDEX ON taken (user_id);
SELECT mf_train('taken', 'cold', factors => 4, item_features => 'films');
INSERT INTO taken VALUES (1000, 90, 5);
SQL
$primary->wait_for_catchup($standby);
my $cold = <<'SQL';
SELECT u, r.* FROM (VALUES (1), (2), (1000), (1001)) v (u), mf_recommend(u, 100, 'cold') r ORDER BY u, rank;
SELECT u, r.* FROM (VALUES (1), (2), (1000), (1001)) v (u), mf_recommend(u, 100, 'cold', new_items => false) r ORDER BY u, rank;
SELECT * FROM mf_similar_items(90, 100, 'cold') ORDER BY rank;
SELECT mf_predict(1, 90, 'cold');
SQL
like($standby->safe_psql('postgres', $cold), qr/^1000\|.*\|fresh\n/m, 'the standby knows items that nobody has rated');
is($standby->safe_psql('postgres', $cold), $primary->safe_psql('postgres', $cold), 'as the primary does');
$primary->safe_psql('postgres', "SELECT mf_drop('cold')");
$primary->wait_for_catchup($standby);

# what writes is refused, cleanly
for my $call ("mf_train('ratings')", "mf_train('ratings', 'new')", "mf_retrain('ratings')", "mf_update('ratings')", "mf_import('new', 'ratings', 'ratings')",
	"mf_rollback('ratings')", "mf_drop('ratings')", "mf_set_default('ratings')", "mf_forget(1)", "mf_refresh('ratings')", "mf_relink('ratings', 'ratings')",
	"mf_tune('ratings', trials => 1, train => true)")
{
	my ($status, $out, $err) = $standby->psql('postgres', "SELECT $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($function) = $call =~ /^(\w+)/;
	like($err, qr/ERROR:  25006: cannot execute $function\(\) (during recovery|in a read-only transaction)/, "$call is refused by its name");
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'the standby still serves');

# The primary retrains and vacuums, and whoever asks the standby meanwhile gets a whole list of one version, or
# the error that any query can get there; that comes to a session between two queries as its end.
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nhot_standby_feedback = off\n");
$standby->reload;
my $session = open_session($standby);
my $ended = '';
my $vacuum = 'VACUUM ratings_user_factors, ratings_item_factors, mfrec.model, mfrec.model_version, mfrec.training_log';
my ($whole, $other, $answers, %versions) = (0, 0, 0);
for my $round (1 .. 20)
{
	my $training = start_sql($primary, $vacuum, '-c', "SELECT mf_retrain('ratings')");
	do
	{
		my $answer = eval { ask($session, "SELECT version, (SELECT count(*) FROM generate_series(1, 20) u, mf_recommend(u, 3, version => m.version))"
			. " FROM mfrec.model m") };
		$answers++;
		if (!defined $answer)
		{
			$ended .= $session->{err};
			$session = open_session($standby);
			$answer = '';
		}
		$whole++ if $answer =~ /^(\d+)\|60$/;
		$versions{$1} = 1 if defined $1;
		$training->{handle}->pump_nb if $training->{handle}->pumpable;
	} while ($training->{handle}->pumpable);
	my ($status, $out, $err) = finish_sql($training);
	$other++ if $status != 0;
}
my @errors = grep { /ERROR|FATAL|PANIC/ } split /\n/, $ended . $session->{err};
my @foreign = grep { !/ERROR:  40001: canceling statement due to conflict with recovery|FATAL:  40001: terminating connection due to conflict with recovery/ }
	@errors;
is($other, 0, '20 retrains and vacuums of the primary succeed');
is(scalar @foreign, 0, 'while the standby gives no error but that of a recovery conflict') or diag(join("\n", @foreign));
is($whole + @errors, $answers, 'every other answer is a whole list');
cmp_ok(scalar keys %versions, '>', 1, 'of more than one version');
$primary->wait_for_catchup($standby);
is(ask($session, 'SELECT version FROM mfrec.model'), '22', 'the session sees the last one');
is(ask($session, $lists), $primary->safe_psql('postgres', $lists), 'and serves it');
close_session($session);

# a statement that is in the way for sure
my $slow = start_sql($standby, 'SELECT count(*) FROM (SELECT pg_sleep(0.1), r.* FROM generate_series(1, 5000) u, mf_recommend(u % 20 + 1, 3) r OFFSET 0) slow',
	'-v', 'VERBOSITY=verbose');
$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%slow' AND wait_event = 'PgSleep'");
$primary->safe_psql('postgres', "SELECT mf_retrain('ratings')") for 1 .. 3;
$primary->safe_psql('postgres', $vacuum);
my ($slow_status, $slow_out, $slow_err) = finish_sql($slow);
like($slow_err, qr/ERROR:  40001: canceling statement due to conflict with recovery/, 'a recovery conflict is the usual error');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'after which the standby serves');

# what waits for the replay of a rewrite has a snapshot from before it
my $changer = open_session($primary);
ask($changer, 'BEGIN; ALTER TABLE ratings ADD added uuid DEFAULT gen_random_uuid()');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'ratings'::regclass AND mode = 'AccessExclusiveLock'")
	or die 'the lock does not arrive';
my $waiting = start_sql($standby, 'SELECT count(*) FROM mf_recommend(1, 3)', '-v', 'VERBOSITY=verbose');
$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'ratings'::regclass AND NOT granted")
	or die 'nobody waits for the lock';
ask($changer, 'COMMIT');
my ($waited, $out, $err) = finish_sql($waiting);
like($err, qr/ERROR:  40001: could not serialize access due to concurrent rewrite of table "public.ratings"/, 'a rewrite of the source');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'and afterwards');
ask($changer, 'ALTER TABLE ratings DROP added');
close_session($changer);

# promoted, it trains
$primary->wait_for_catchup($standby);
$standby->promote;
is($standby->safe_psql('postgres', $lists), $primary->safe_psql('postgres', $lists), 'serves after promotion what the primary served');
is($standby->safe_psql('postgres', "SELECT version FROM mf_retrain('ratings')"), '26', 'trains after promotion');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'and serves that');
is($standby->safe_psql('postgres', "SELECT mf_rollback('ratings')"), '25', 'goes back to what it got from the primary');
$lists =~ s/^.*mf_models.*\n//m;
is($standby->safe_psql('postgres', $lists), $primary->safe_psql('postgres', $lists), 'and serves that as the primary does');
$standby->stop;
$primary->stop;

done_testing();
