# A dump of a database with models restores to a database that serves and trains.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('dump');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id text, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, 'i' || i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE SCHEMA "Other place";
CREATE TABLE gone AS SELECT * FROM ratings;
SELECT mf_train('ratings', factors => 4);
SELECT mf_retrain('ratings');
SELECT mf_train('ratings', 'other', feedback => 'implicit', factors => 3, schema => 'Other place');
SELECT mf_train('gone', factors => 3);
CREATE TABLE things AS SELECT 'i' || i AS item_id, (ARRAY['new', 'old', 'odd'])[1 + i % 3] AS kind FROM generate_series(1, 130) i;
CREATE TABLE taken AS SELECT u AS user_id, 'i' || i AS item_id FROM generate_series(1, 300) u, generate_series(1, 120) i
	WHERE ('x' || substr(md5(u || ' ' || i), 1, 4))::bit(16)::int % 100 < CASE WHEN u % 3 = i % 3 THEN 40 ELSE 4 END;
SELECT mf_train('taken', feedback => 'implicit', factors => 2, item_features => 'things');
CREATE TABLE events AS SELECT user_id, substr(item_id, 2)::int AS item_id, (ARRAY['view', 'purchase'])[1 + length(item_id) % 2] AS kind, date '2024-01-01' + user_id AS day FROM ratings;
SELECT mf_train('events', factors => 3, time_column => 'day', half_life => '5 days', event_column => 'kind', event_weights => '{"view": 1, "purchase": 2.5}');
CREATE TABLE shops AS SELECT user_id % 2 AS shop_id, * FROM ratings;
SELECT mf_train_each('shops', 'shop_id', factors => 3);
SELECT mf_set_default('other');
DROP TABLE gone;
CREATE ROLE regress_mfrec_dump LOGIN;
GRANT SELECT ON ratings, ratings_user_factors, ratings_item_factors TO regress_mfrec_dump;
SQL
my $asked = <<'SQL';
SELECT model, version, serving, is_default, users, items, ratings, loss, rmse, fresh, parameters FROM mf_models ORDER BY model, version;
SELECT model, version, iteration, loss FROM mf_training_log ORDER BY model, version, iteration;
SELECT u, r.* FROM generate_series(1, 20) u, mf_recommend(u, 5, item_type => NULL::text, model => 'ratings') r ORDER BY u, rank;
SELECT u, r.* FROM generate_series(1, 20) u, mf_recommend(u, 5, item_type => NULL::text, model => 'ratings', version => 1) r ORDER BY u, rank;
SELECT * FROM mf_recommend(1, 5, item_type => NULL::text) ORDER BY rank;
SELECT * FROM mf_recommend(1, 5, item_type => NULL::text, model => 'gone', fresh => false) ORDER BY rank;
SELECT mf_predict(1, 'i1', 'ratings');
SELECT * FROM mf_recommend(1, 5, model => 'events', fresh => true, exclude_seen => false) ORDER BY rank;
SELECT parameters FROM mfrec.model WHERE name = 'events';
SELECT * FROM taken_feature_factors;
SELECT * FROM mf_tenants ORDER BY model;
SELECT * FROM mf_recommend(3, 5, item_type => NULL::text, model => mf_tenant('shops', 1), exclude_seen => false) ORDER BY rank;
SELECT feature_table FROM mf_models WHERE model = 'taken';
SQL
my $expected = $node->safe_psql('postgres', $asked);
my $folder = PostgreSQL::Test::Utils::tempdir();

for my $format ('plain', 'custom')
{
	my $file = "$folder/$format";
	my $database = "restored_$format";
	$node->command_ok([ 'pg_dump', "--format=$format", '-f', $file, $node->connstr('postgres') ], "pg_dump $format");
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok($format eq 'plain' ? [ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($database) ]
		: [ 'pg_restore', '--exit-on-error', '-d', $node->connstr($database), $file ], "restore $format");
	is($node->safe_psql($database, $asked), $expected, "$format: serves as before");
	is($node->safe_psql($database, "SELECT version FROM mf_retrain('ratings')"), '3', "$format: trains on");
	is($node->safe_psql($database, "SELECT tenant, version FROM mf_retrain_each('shops')"), "0|3\n1|4", "$format: and tenants");
	is($node->safe_psql($database, "SELECT mf_rollback('ratings')"), '2', "$format: goes back");
	is($node->safe_psql($database, "INSERT INTO ratings VALUES (101, 'i2', 5), (101, 'i4', 5); SELECT DISTINCT reason FROM mf_recommend(101, 3, item_type => NULL::text, model => 'ratings')"),
		'fresh', "$format: fresh ratings");
	like(($node->psql($database, "SELECT mf_retrain('gone')"))[2], qr/source "public.gone" of model "gone" does not exist/, "$format: a source that had gone");
	is($node->safe_psql($database, "SELECT version FROM mf_retrain('taken'); SELECT version, count(*) > 0 FROM taken_feature_factors GROUP BY 1 ORDER BY 1"), "2\n1|t\n2|t",
		"$format: what attributes add goes on");
	is($node->safe_psql($database, "SELECT version FROM mf_retrain('events'); SELECT count(DISTINCT (parameters ->> 'newest') || (parameters ->> 'mean_fade')) FROM mf_models WHERE model = 'events'"), "2\n1",
		"$format: rows go on fading");
	$node->safe_psql($database, "SELECT mf_drop('shops'); SELECT mf_drop(model) FROM mf_models WHERE serving");
	is($node->safe_psql($database, "SELECT count(*) FROM pg_class WHERE relname LIKE '%factors%'"), '0', "$format: drops");
}

# by a user who owns nothing of the extension
$node->command_ok([ 'pg_dump', '-U', 'regress_mfrec_dump', '-t', 'ratings*', '-f', "$folder/mine", $node->connstr('postgres') ],
	'a plain user dumps their own tables');

# a database made after another as template has its own
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE restored_plain');
$node->safe_psql('copied', "SELECT mf_train('ratings', factors => 4)");
is($node->safe_psql('copied', 'SELECT count(*) FROM mf_recommend(1, 3, item_type => NULL::text)'), '3', 'a copied database trains and serves');
is($node->safe_psql('restored_plain', 'SELECT count(*) FROM mf_models'), '0', 'and its template knows nothing of it');
$node->stop;

done_testing();
