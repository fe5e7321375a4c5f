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
SELECT * FROM mf_popular(5) ORDER BY rank;
SELECT mf_predict(1, 2);
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

# what writes is refused, cleanly
for my $call ("mf_train('ratings')", "mf_train('ratings', 'new')", "mf_retrain('ratings')", "mf_rollback('ratings')",
	"mf_drop('ratings')", "mf_set_default('ratings')", "mf_forget(1)")
{
	my ($status, $out, $err) = $standby->psql('postgres', "SELECT $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  25006: cannot execute mf_\w+\(\) (during recovery|in a read-only transaction)/, "$call is refused");
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'the standby still serves');

# promoted, it trains
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'serves after promotion');
is($standby->safe_psql('postgres', "SELECT version FROM mf_retrain('ratings')"), '3', 'trains after promotion');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'and serves that');
$standby->stop;
$primary->stop;

done_testing();
