# A cluster of an older major that is upgraded with pg_upgrade serves the same lists, and trains on.
# MFREC_OLD_PG_CONFIG names the older PostgreSQL, in which the extension is installed, too: test/majors
# does that.
use strict;
use warnings;
use File::Basename;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old_config = $ENV{MFREC_OLD_PG_CONFIG};
plan skip_all => 'MFREC_OLD_PG_CONFIG names no older PostgreSQL to upgrade from' if !$old_config;
chomp(my $old_bin = `$old_config --bindir`);
chomp(my $new_bin = `pg_config --bindir`);
my $old = PostgreSQL::Test::Cluster->new('old', install_path => dirname($old_bin));
my $new = PostgreSQL::Test::Cluster->new('new');
# checksums: one of the two majors may have them by default
my @initdb = ('--data-checksums', '--encoding=UTF8', '--locale=C');
$old->init(extra => \@initdb);
$new->init(extra => \@initdb);
$old->start;
$old->safe_psql('postgres', <<'SQL');
CREATE EXTENSION mfrec;
CREATE TABLE ratings (user_id int, item_id text, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, 'i' || i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE SCHEMA "Other place";
CREATE TABLE gone AS SELECT * FROM ratings;
SELECT mf_train('ratings', factors => 4);
SELECT mf_retrain('ratings');
SELECT mf_rollback('ratings');
SELECT mf_train('ratings', 'other', feedback => 'implicit', factors => 3, schema => 'Other place');
SELECT mf_train('gone', factors => 3);
CREATE TABLE their_users AS SELECT user_id AS id, factors FROM ratings_user_factors WHERE version = 1;
CREATE TABLE their_items AS SELECT item_id AS id, factors FROM ratings_item_factors WHERE version = 1;
SELECT mf_import('imported', 'their_users', 'their_items', source => 'ratings', rating_column => NULL, regularization => 0.1, alpha => 1);
SELECT mf_set_default('other');
CREATE VIEW held_out AS SELECT * FROM ratings WHERE mf_holdout(user_id, item_id);
DROP TABLE gone;
SQL

my $asked = <<'SQL';
SELECT model, version, serving, is_default, users, items, ratings, loss, rmse, fresh, parameters FROM mf_models ORDER BY model, version;
SELECT model, version, iteration, loss FROM mf_training_log ORDER BY model, version, iteration;
SELECT m.name, u, r.* FROM mfrec.model m, generate_series(1, 20) u,
	mf_recommend(u, 5, item_type => NULL::text, model => m.name, fresh => m.name <> 'gone') r ORDER BY name, u, rank;
SELECT u, r.* FROM generate_series(1, 20) u, mf_recommend(u, 5, item_type => NULL::text, model => 'ratings', version => 2) r ORDER BY u, rank;
SELECT * FROM mf_recommend(1, 5, item_type => NULL::text) ORDER BY rank;
SELECT * FROM mf_similar_items('i1', 5, 'ratings') ORDER BY rank;
SELECT mf_predict(1, 'i1', 'ratings');
SELECT count(*), sum(hashtext(item_id)) FROM held_out;
SQL
my $expected = $old->safe_psql('postgres', $asked);
cmp_ok(scalar(split /\n/, $expected), '>', 300, 'there are lists to compare');
$old->stop;

# writes where it is called
chdir PostgreSQL::Test::Utils::tempdir() or die;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old_bin, '-B', $new_bin,
	'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', $asked), $expected, 'lists, versions and parameters are as before');
is($new->safe_psql('postgres', $asked), $expected, 'and again, from images');
is($new->safe_psql('postgres', "SELECT version FROM mf_retrain('ratings')"), '3', 'trains on');
is($new->safe_psql('postgres', "SELECT mf_rollback('ratings')"), '2', 'goes back');
is($new->safe_psql('postgres', "INSERT INTO ratings VALUES (101, 'i2', 5), (101, 'i4', 5);
	SELECT DISTINCT reason FROM mf_recommend(101, 3, item_type => NULL::text, model => 'ratings')"), 'fresh', 'fresh ratings');
like(($new->psql('postgres', "SELECT mf_retrain('gone')"))[2], qr/source "public.gone" of model "gone" does not exist/, 'a source that had gone');
$new->safe_psql('postgres', 'SELECT mf_drop(model) FROM mf_models WHERE serving');
is($new->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_factors'"), '0', 'drops');
$new->stop;
done_testing();
