# Quality with defaults alone, and the statements of everyday use, on MovieTweetings where the files are there.
#   MFREC_DATA   folder with movietweetings-*/; default ../shared/data beside the project
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{MFREC_DATA} || "$FindBin::Bin/../../../shared/data";
plan skip_all => "no data in $data" unless -r "$data/movietweetings-100k/train.tsv";

my $node = new_node('real_data');

# Loads train and test rows of a folder as tables.
sub load
{
	my ($folder, $columns) = @_;
	$node->safe_psql('postgres', <<"SQL");
DROP TABLE IF EXISTS ratings, test;
CREATE TABLE ratings ($columns);
CREATE TABLE test ($columns);
\\copy ratings FROM '$data/$folder/train.tsv'
\\copy test FROM '$data/$folder/test.tsv'
CREATE INDEX ON ratings (user_id);
ANALYZE ratings, test;
SQL
	return;
}

# Mean NDCG@10 over users with test rows of some rating and more: binary gains against the best of min(10, n), train rows left out.
my $ndcg = <<'SQL';
WITH relevant AS (SELECT DISTINCT user_id, item_id FROM test
		WHERE user_id IN (SELECT user_id FROM ratings) AND item_id IN (SELECT item_id FROM ratings) AND rating >= %2$g),
	counts AS (SELECT user_id, count(*) AS n FROM relevant GROUP BY user_id),
	lists AS (SELECT c.user_id, r.item_id, r.rank FROM counts c, LATERAL mf_recommend(c.user_id, 10, '%1$s') r),
	gains AS (SELECT user_id, sum(1 / log(2.0, rank + 1)) AS gain FROM lists JOIN relevant USING (user_id, item_id) GROUP BY user_id)
SELECT avg(coalesce(g.gain, 0) / (SELECT sum(1 / log(2.0, i + 1)) FROM generate_series(1, least(c.n, 10)::int) i))
FROM counts c LEFT JOIN gains g USING (user_id)
SQL
my $rmse = <<'SQL';
SELECT sqrt(avg((mf_predict(user_id, item_id, '%s') - rating) ^ 2)) FROM test
WHERE user_id IN (SELECT user_id FROM ratings) AND item_id IN (SELECT item_id FROM ratings)
SQL

# How a model's lists change with diversity => 0.3, k = 10: items are less alike by a quarter at least, and NDCG is at least 0.95 of it.
sub measure_diversity
{
	my ($model, $label) = @_;
	my ($alike, $kept) = split /\|/, $node->safe_psql('postgres', <<"SQL");
SELECT max(d.value / p.value) FILTER (WHERE metric = 'intra_list_similarity'), max(d.value / p.value) FILTER (WHERE metric = 'ndcg')
FROM mf_evaluate('test', 10, '$model', diversity => 0.3) d JOIN mf_evaluate('test', 10, '$model') p USING (metric)
SQL
	cmp_ok($alike, '<=', 0.75, sprintf('%s: lists of diversity 0.3 are alike by %.3f of plain ones', $label, $alike));
	cmp_ok($kept, '>=', 0.95, sprintf('%s: and have %.3f of their ndcg@10', $label, $kept));
	return;
}

# What a model measures up to, as tests with a label.
sub measure
{
	my ($model, $label, %bar) = @_;
	my $value;
	if ($bar{rmse})
	{
		$value = $node->safe_psql('postgres', sprintf($rmse, $model));
		cmp_ok($value, '<=', $bar{rmse}, sprintf('%s: rmse %.4f', $label, $value));
	}
	for my $liked (sort keys %{ $bar{ndcg} })
	{
		$value = $node->safe_psql('postgres', sprintf($ndcg, $model, $liked));
		cmp_ok($value, '>=', $bar{ndcg}{$liked}, sprintf('%s: ndcg@10 %.4f over rows of %d and more', $label, $value, $liked));
	}
	return;
}

# ---- many items with a rating or two: no start fails
load('movietweetings-100k', 'user_id int, item_id int, rating real, at bigint');
my $seeds = $ENV{MFREC_TEST_ALL} ? 40 : 2;
is($node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, $seeds) s, LATERAL mf_train('ratings', 's' || s, seed => s)"), $seeds, "trains with $seeds seeds");
is($node->safe_psql('postgres', "SELECT ratings FROM mf_estimate('ratings')"), '86326', 'and so does an estimate');
$node->safe_psql('postgres', "SELECT mf_drop('s' || s) FROM generate_series(1, $seeds) s");

my $implicit = "feedback => 'implicit', rating_column => NULL";
# folder; the most RMSE, which ratings alone must not beat either; the least NDCG@10 over all test rows, over those of
# 7 and more, and of an implicit model
for my $set ([ 'movietweetings-10core', 1.347, 0.206, 0.204, 0.203 ], [ 'movietweetings-5core', 1.399, 0.163, 0.162, 0.159 ])
{
	my ($folder, $most, $least, $least_liked, $least_implicit) = @$set;
	my %both = (rmse => $most, ndcg => { 0 => $least, 7 => $least_liked });
	load($folder, 'user_id int, item_id int, rating real');
	unlike(($node->psql('postgres', "SELECT * FROM mf_train('ratings')"))[2], qr/says nothing about taste|two values/, "$folder: people chose what they rated");
	measure('ratings', $folder, %both);
	measure_diversity('ratings', $folder);
	$node->safe_psql('postgres', "SELECT * FROM mf_train('ratings', 'stars', interest_weight => 0)");
	measure('stars', "$folder, ratings alone", rmse => $most);
	$node->safe_psql('postgres', "SELECT * FROM mf_train('ratings', 'clicks', $implicit)");
	measure('clicks', "$folder, implicit", ndcg => { 0 => $least_implicit });
	if ($ENV{MFREC_TEST_ALL})
	{
		# tuned on the training rows alone
		$node->safe_psql('postgres', "SELECT * FROM mf_tune('ratings', trials => 40, train => true, model => 'tuned')");
		measure('tuned', "$folder, tuned", %both);
		$node->safe_psql('postgres', "SELECT * FROM mf_tune('ratings', trials => 40, train => true, model => 'tuned_clicks', $implicit)");
		measure('tuned_clicks', "$folder, implicit, tuned", ndcg => { 0 => $least_implicit });
	}
	$node->safe_psql('postgres', 'SELECT mf_drop(model) FROM mf_models WHERE serving');
}

# ---- dense ratings of 1 to 10: what ratings have for themselves keeps stars and lists from pulling one vector two ways
SKIP:
{
	skip 'no dense ratings', 4 unless -r "$data/anime/ratings.tsv";
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE anime (user_id int, item_id int, rating real);
\\copy anime FROM '$data/anime/ratings.tsv' WITH (FORMAT csv, DELIMITER E'\\t', HEADER)
DROP TABLE test, ratings;
CREATE TABLE test AS SELECT * FROM anime WHERE mf_holdout(user_id, item_id);
CREATE TABLE ratings AS SELECT * FROM anime WHERE NOT mf_holdout(user_id, item_id);
CREATE INDEX ON ratings (user_id);
ANALYZE ratings, test;
SELECT FROM mf_train('ratings', 'dense');
SQL
	measure('dense', 'dense ratings', rmse => 1.147, ndcg => { 0 => 0.395 });
	measure_diversity('dense', 'dense ratings');
	$node->safe_psql('postgres', "SELECT mf_drop('dense')");
}

# everyday statements, as written in the documentation
load('movietweetings-100k', 'user_id int, item_id int, rating real, rated_at bigint');
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE movies (id int PRIMARY KEY, title text, genres text);
\\copy movies FROM '$data/movietweetings-100k/movies.tsv'
SQL
is($node->safe_psql('postgres', "SELECT model, version, users, items, ratings FROM mf_train('ratings')"),
	'ratings|1|' . $node->safe_psql('postgres', 'SELECT count(DISTINCT user_id), count(DISTINCT item_id), count(*) FROM ratings'), 'trains with nothing but the name');
measure_diversity('ratings', 'all of MovieTweetings');
is($node->safe_psql('postgres', 'SELECT count(*), count(title), bool_and(score IS NOT NULL AND predicted_rating BETWEEN 0 AND 10)
	FROM (SELECT m.title, r.score, r.predicted_rating FROM mf_recommend(2, 10) r JOIN movies m ON m.id = r.item_id ORDER BY r.rank) l'),
	'10|10|t', 'a list joined with titles');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT user_id), bool_and(rank <= 3) FROM (SELECT u.user_id, r.* FROM (SELECT DISTINCT user_id FROM ratings LIMIT 100) u,
	LATERAL mf_recommend(u.user_id, 3) r) l'), '300|100|t', 'lists of a hundred users');
my $horror = "SELECT * FROM mf_recommend(2, 10, candidates => ARRAY(SELECT id FROM movies WHERE genres LIKE '%Horror%'))";
is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE m.genres LIKE '%Horror%') FROM ($horror) r JOIN movies m ON m.id = r.item_id"), '10|10', 'candidates');
is($node->safe_psql('postgres', 'SELECT count(*), count(b.item_id) FROM mf_recommend(2, 10, exclude => ARRAY(SELECT item_id FROM mf_recommend(2, 10))) a
	LEFT JOIN mf_recommend(2, 10) b USING (item_id)'), '10|0', 'exclude');
is($node->safe_psql('postgres', 'SELECT mf_predict(2, 111161) BETWEEN 0 AND 10'), 't', 'a predicted rating');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mf_similar_items(111161, 5)'), '5', 'similar items');
is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM mf_explain(2, 111161)'), 't', 'an explanation');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend_for(ARRAY[111161, 468569], k => 5)'), '5', 'a basket');
is($node->safe_psql('postgres', <<'SQL'), "popular\nfresh\n0\nt", 'a new user, before and after a first rating');
SELECT DISTINCT reason FROM mf_recommend(99999999, 10);
CREATE TEMP TABLE before AS SELECT item_id, rank FROM mf_recommend(99999999, 10);
BEGIN;
INSERT INTO ratings VALUES (99999999, 111161, 10);
SELECT DISTINCT reason FROM mf_recommend(99999999, 10);
SELECT count(*) FROM mf_recommend(99999999, 10) WHERE item_id = 111161;
SELECT count(*) < 10 FROM mf_recommend(99999999, 10) JOIN before USING (item_id, rank);
ROLLBACK;
SQL
# what changes a transaction's own view is gone after it
is($node->safe_psql('postgres', 'SELECT DISTINCT reason FROM mf_recommend(99999999, 10)'), 'popular', 'and after a rollback');
$node->stop;

done_testing();
