# New items of which an update knows twenty rows: where they stand in the lists of those who took them, beside where a
# training of all rows puts them.  On real ratings where the files are there; with as many factors as by default with MFREC_TEST_ALL.
#   MFREC_DATA   folder with anime/; default ../shared/data beside the project
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{MFREC_DATA} || "$FindBin::Bin/../../../shared/data";
plan skip_all => "no data in $data" unless -r "$data/anime/ratings.tsv";

my $factors = $ENV{MFREC_TEST_ALL} ? 'NULL' : 64;
my $node = new_node('new_items');

# 200 items with at least 30 ratings, of which 20 rows come after the training, and five never: of those who took them.
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE everything (user_id int, item_id int, rating real);
\\copy everything FROM '$data/anime/ratings.tsv' WITH (FORMAT csv, DELIMITER E'\\t', HEADER)
CREATE TABLE new_items AS SELECT item_id FROM everything GROUP BY 1 HAVING count(*) >= 30 ORDER BY md5(item_id::text), 1 LIMIT 200;
CREATE TABLE came AS SELECT *, row_number() OVER (PARTITION BY item_id ORDER BY md5(user_id || ' ' || item_id)) AS n FROM everything JOIN new_items USING (item_id);
CREATE TABLE takers AS SELECT user_id, item_id FROM came WHERE n BETWEEN 21 AND 25;
CREATE TABLE ratings AS SELECT user_id, item_id, rating FROM everything WHERE item_id NOT IN (SELECT item_id FROM new_items);
DELETE FROM takers WHERE user_id NOT IN (SELECT user_id FROM ratings);
SQL

# The mean reciprocal rank of items in the lists of their takers.
sub mean_reciprocal_rank
{
	my ($model) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SELECT sum(coalesce(1.0 / l.rank, 0)) / count(*) FROM takers t
LEFT JOIN LATERAL (SELECT rank FROM mf_recommend(t.user_id, 10000, '$model', fresh => false) r WHERE r.item_id = t.item_id) l ON true
SQL
}

$node->safe_psql('postgres', "SELECT FROM mf_train('ratings', 'updated', factors => $factors); INSERT INTO ratings SELECT user_id, item_id, rating FROM came WHERE n <= 20");
is($node->safe_psql('postgres', "SELECT items_added FROM mf_update('updated')"), '200', 'an update finds them');
$node->safe_psql('postgres', "SELECT FROM mf_train('ratings', 'trained', factors => $factors)");
my ($updated, $trained) = map { mean_reciprocal_rank($_) } 'updated', 'trained';
cmp_ok($updated, '>', 0, 'and lists have them');
cmp_ok($updated / $trained, '>=', 0.9, sprintf('mean reciprocal rank %.5f, after a training %.5f: %.3f of it', $updated, $trained, $updated / $trained));
$node->stop;

done_testing();
