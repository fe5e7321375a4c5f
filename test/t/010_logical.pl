# Logical replication of model tables and bookkeeping to a server that only serves: what the subscriber
# answers is what the publisher answers, after the initial copy, a retrain, an import and a rollback.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = new_node('publisher', allows_streaming => 'logical');
my $subscriber = new_node('subscriber');

my $tables = <<'SQL';
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
SQL
$publisher->safe_psql('postgres', $tables . <<'SQL');
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 30) u, generate_series(1, 30) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT mf_train('ratings', factors => 4, rating_factors => 0);
CREATE TABLE vectors AS SELECT user_id AS id, factors FROM ratings_user_factors;
CREATE PUBLICATION models FOR TABLE mfrec.model, mfrec.model_version, mfrec.training_log;
SQL

# The subscriber has the extension and empty tables, as a dump of the schema makes them.
my $dump = $publisher->backup_dir . '/schema.sql';
mkdir $publisher->backup_dir;
$publisher->run_log([ 'pg_dump', '-s', '-x', '--no-publications', '-t', 'ratings*', '-f', $dump, $publisher->connstr('postgres') ]);
$subscriber->run_log([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $subscriber->connstr('postgres') ]);
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION models CONNECTION '$connection' PUBLICATION models");
$subscriber->wait_for_subscription_sync($publisher, 'models');

# The initial copy comes table by table.  What is asked before the items are there is not kept.
my $session = open_session($subscriber);
ask($session, 'SELECT count(*) FROM mf_recommend(1, 3)');
like($session->{err}, qr/table "public.ratings_item_factors" has no rows of version 1 of model "ratings"/, 'a model without rows is an error');
$session->{err} = '';
is(ask($session, 'SELECT image_bytes FROM mf_models'), '0', 'nor an image');
$publisher->safe_psql('postgres', 'ALTER PUBLICATION models ADD TABLE ratings_user_factors, ratings_item_factors, ratings');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION models REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($publisher, 'models');

my $lists = <<'SQL';
SELECT u, r.* FROM generate_series(1, 32) u, mf_recommend(u, 5) r ORDER BY u, rank;
SELECT u, r.* FROM generate_series(1, 32) u, mf_recommend(u, 5, fresh => false) r ORDER BY u, rank;
SELECT * FROM mf_similar_items(1, 5) ORDER BY rank;
SELECT * FROM mf_similar_users(1, 5) ORDER BY rank;
SELECT * FROM mf_explain(1, 2, 5);
SELECT * FROM mf_recommend_for(ARRAY[1, 3], k => 5) ORDER BY rank;
SELECT * FROM mf_recommend_users(2, 5) ORDER BY rank;
SELECT * FROM mf_popular(5) ORDER BY rank;
SELECT mf_predict(1, 2);
SELECT model, version, serving, is_default, source, users, items, ratings, loss, parameters FROM mf_models ORDER BY version;
SELECT * FROM mf_training_log;
SQL

# Both answer alike, in a session that has answered before and in a new one.
sub alike
{
	my ($what) = @_;
	my $expected = $publisher->safe_psql('postgres', $lists);
	$publisher->wait_for_catchup('models');
	cmp_ok(length($expected), '>', 1000, "$what: there is something to compare");
	is($subscriber->safe_psql('postgres', $lists), $expected, "$what: the subscriber's lists are the publisher's");
	is(ask($session, $lists), $expected, "$what: and those of a session that goes on");
	is($session->{err}, '', "$what: without a message");
}

alike('after the initial copy');
$publisher->safe_psql('postgres', "INSERT INTO ratings VALUES (31, 2, 5), (31, 4, 5), (1, 1, 2) ON CONFLICT DO NOTHING");
alike('after new ratings');
is($subscriber->safe_psql('postgres', 'SELECT DISTINCT reason FROM mf_recommend(31, 3)'), 'fresh', 'which count at once');
$publisher->safe_psql('postgres', "SELECT mf_retrain('ratings')");
alike('after a retrain');
is($subscriber->safe_psql('postgres', 'SELECT version FROM mf_models WHERE serving'), '2', 'the retrain has arrived');
is($subscriber->safe_psql('postgres', 'SELECT DISTINCT version FROM ratings_user_factors ORDER BY version'), "1\n2", 'both versions are there');
$publisher->safe_psql('postgres', "SELECT mf_retrain('ratings')");
alike('after another');
is($subscriber->safe_psql('postgres', 'SELECT DISTINCT version FROM ratings_user_factors ORDER BY version'), "2\n3", 'the oldest has gone');
$publisher->safe_psql('postgres', "SELECT mf_rollback('ratings')");
alike('after a rollback');
$publisher->safe_psql('postgres', "SELECT mf_rollback('ratings', 3)");
$publisher->safe_psql('postgres', "SELECT mf_forget(5, 'ratings'); UPDATE ratings_item_factors SET factors = ARRAY[0, 0, 0, 0] WHERE item_id = 2 AND version = 3; SELECT mf_refresh('ratings')");
alike('after tables were edited and refreshed');

# a transaction of the subscriber's keeps what it sees
ask($session, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
my $before = ask($session, 'SELECT * FROM mf_recommend(1, 5, fresh => false); SELECT version FROM mfrec.model');
$publisher->safe_psql('postgres', "SELECT mf_train('ratings', factors => 6, seed => 3)");
$publisher->wait_for_catchup('models');
is(ask($session, 'SELECT * FROM mf_recommend(1, 5, fresh => false); SELECT version FROM mfrec.model'), $before, 'a snapshot keeps its version');
ask($session, 'COMMIT');
alike('after a training of another size');

# an import; its source is none
$publisher->safe_psql('postgres', "SELECT mf_import('ratings', 'vectors', 'vectors', source => 'ratings', alpha => 1, regularization => 0.1)");
alike('after an import');

# a training that is rolled back does not arrive
$publisher->safe_psql('postgres', "BEGIN; SELECT mf_retrain('ratings'); ROLLBACK");
alike('after a training that was rolled back');
$publisher->safe_psql('postgres', "SELECT mf_drop('ratings')");
$publisher->wait_for_catchup('models');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM mf_models'), '0', 'a drop removes the bookkeeping');
like(($subscriber->psql('postgres', 'SELECT * FROM mf_recommend(1)', extra_params => [ '-v', 'VERBOSITY=verbose' ]))[2],
	qr/ERROR:  42704: there is no model yet/, 'and says so');
is($subscriber->safe_psql('postgres', 'SELECT count(*) > 0 FROM ratings_user_factors'), 't', 'tables are left to the owner of the subscriber');

close_session($session);
$subscriber->stop;
$publisher->stop;
done_testing();
