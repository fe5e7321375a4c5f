# Memory: a session that calls serving functions for ever takes no more than after the first calls.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Calls of each function; test/run all makes them 100,000.  What leaks a few bytes a call shows in 5,000.
my $calls = $ENV{MFREC_LEAK_CALLS} || 5000;

# What may come on top of the first tenth: bytes in use, bytes allocated, kB of the process.
my ($most_used, $most_allocated, $most_anonymous) = (16 * 1024, 64 * 1024, 1024);

my $node = new_node('leaks');
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->reload;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 50) u, generate_series(1, 40) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE INDEX ON ratings (item_id);
CREATE TABLE named AS SELECT 'u' || user_id AS user_id, md5(item_id::text)::uuid AS item_id FROM ratings;
CREATE INDEX ON named (user_id);
CREATE TABLE products AS SELECT i AS id, i % 5 AS seller FROM generate_series(1, 40) i;
ALTER TABLE products ADD PRIMARY KEY (id);
SELECT mf_train('ratings', factors => 4, iterations => 2);
SELECT mf_train('ratings', 'stars', factors => 4, iterations => 2, interest_weight => 0);
SELECT mf_train('named', factors => 4, iterations => 2);
CREATE TABLE described AS SELECT i AS item_id, 'kind ' || i % 3 AS kind, 'words of ' || i % 5 || ' and ' || i AS title, ARRAY[i % 2, 1]::real[] AS v,
	jsonb_build_object('k', i % 4) AS doc, i % 7 AS n FROM generate_series(1, 60) i;
SELECT mf_train('ratings', 'attributed', factors => 4, iterations => 2, item_features => 'described');
CREATE ROLE regress_some;
GRANT SELECT ON ratings, ratings_user_factors, ratings_item_factors TO regress_some;

-- Each runs a query n times, in transactions of 20, with a number as its parameter.
CREATE PROCEDURE call_often(query text, n int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		EXECUTE query INTO found USING 1 + i % 55;
		IF i % 20 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;
-- Whole transactions that are rolled back.
CREATE PROCEDURE roll_back(query text, n int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO ratings VALUES (1 + i % 55, 1000, 5) ON CONFLICT DO NOTHING;
		EXECUTE query INTO found USING 1 + i % 55;
		IF i % 20 = 0 THEN ROLLBACK; END IF;
	END LOOP;
	ROLLBACK;
END $$;
-- Subtransactions that are rolled back after the query.
CREATE PROCEDURE undo(query text, n int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			EXECUTE query INTO found USING 1 + i % 55;
			RAISE SQLSTATE 'UNDO0';
		EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		END;
		IF i % 20 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;
-- Queries that must fail.
CREATE PROCEDURE fail(query text, n int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			EXECUTE query INTO found USING 1 + i % 55;
			found := -1;
		EXCEPTION WHEN OTHERS THEN
			found := 0;
		END;
		ASSERT found = 0, 'there was no error';
		IF i % 20 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;
-- Queries between trainings, so that everything that is kept goes stale, now and then in a transaction that fails.
CREATE PROCEDURE retrain(query text, n int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
	often int := greatest(n / 50, 1);
BEGIN
	FOR i IN 1 .. n LOOP
		EXECUTE query INTO found USING 1 + i % 55;
		CONTINUE WHEN i % often <> 0;
		PERFORM mf_retrain('ratings');
		EXECUTE query INTO found USING 1 + i % 55;
		IF i / often % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
	END LOOP;
END $$;
-- What the session takes: 0 for the process where there is no such file.
CREATE FUNCTION memory(OUT used bigint, OUT allocated bigint, OUT anonymous bigint) LANGUAGE sql AS $$
	SELECT sum(used_bytes), sum(total_bytes),
		coalesce((regexp_match(pg_read_file('/proc/self/status', 0, 100000, true), 'RssAnon:\s+(\d+)'))[1], '0')::bigint
	FROM pg_backend_memory_contexts $$;
SQL

my @runs = (
	[ 'mf_recommend', 'call_often', 'SELECT count(*) FROM mf_recommend($1, 5, fresh => false)' ],
	[ 'fresh', 'call_often', 'SELECT count(*) FROM mf_recommend($1, 5, fresh => true)' ],
	[ 'of ratings alone', 'call_often', q{SELECT count(*) FROM mf_recommend($1, 5, 'stars')} ],
	[ 'candidates and exclude', 'call_often', 'SELECT count(*) FROM mf_recommend($1, 5, candidates => ARRAY(SELECT id FROM products), exclude => ARRAY[1, 2, 3])' ],
	[ 'literal arrays', 'call_often', q{SELECT count(*) FROM mf_recommend('1', 5, candidates => '{1,2,3,4}', exclude => '{4,77}')} ],
	[ 'per_group by a table', 'call_often', q{SELECT count(*) FROM mf_recommend($1, 5, per_group => 1, group_table => 'products', group_column => 'seller')} ],
	[ 'per_group by an array', 'call_often', 'SELECT count(*) FROM mf_recommend($1, 5, candidates => ARRAY[1, 2, 3], per_group => 1, groups => ARRAY[1, 1, 2])' ],
	[ 'text and uuid', 'call_often', q{SELECT count(*) FROM mf_recommend('u' || $1, 5, item_type => NULL::uuid, model => 'named', exclude => ARRAY[md5('1')::uuid])} ],
	[ 'mf_recommend_for', 'call_often', 'SELECT count(*) FROM mf_recommend_for(ARRAY[$1, 3], k => 5)' ],
	[ 'mf_recommend_all', 'call_often', 'SELECT count(*), max($1) FROM mf_recommend_all(2)' ],
	[ 'mf_recommend_all, abandoned', 'call_often', 'SELECT length((mf_recommend_all(2))::text) + $1 LIMIT 3' ],
	[ 'mf_recommend_users', 'call_often', 'SELECT count(*) FROM mf_recommend_users($1, 5)' ],
	[ 'mf_predict', 'call_often', 'SELECT mf_predict($1, 7)::bigint' ],
	[ 'mf_similar_items', 'call_often', 'SELECT count(*) FROM mf_similar_items($1, 5)' ],
	[ 'mf_similar_items by content', 'call_often', q{SELECT count(*) FROM mf_similar_items($1, 5, 'attributed', by => 'content')} ],
	[ 'mf_similar_users', 'call_often', 'SELECT count(*) FROM mf_similar_users($1, 5)' ],
	[ 'mf_explain', 'call_often', 'SELECT count(*) FROM mf_explain($1, 7, 5)' ],
	[ 'mf_explain_features', 'call_often', q{SELECT count(*) FROM mf_explain_features(1, $1, 5, 'attributed')} ],
	[ 'attributes that fail to be read', 'fail', q{SELECT count(*) FROM mf_explain_features(1, 1 + $1 % 40, 5, 'undescribed')} ],
	[ 'trainings by attributes that fail to be read', 'fail', q{SELECT count(*) + $1 FROM mf_train('ratings', 'undescribed', factors => 4, item_features => 'undescribed')}, undef, 25 ],
	[ 'mf_map', 'call_often', q{SELECT count(*) + $1 FROM mf_map(of => 'users')}, undef, 50 ],
	[ 'mf_cluster_labels', 'call_often', q{SELECT count(*) + $1 FROM mf_cluster_labels('attributed', 3)}, undef, 50 ],
	[ 'mf_kmeans', 'call_often', q{SELECT count(*) + $1 FROM mf_kmeans('ratings_item_factors', 'factors', 2, id_column => 'item_id')}, undef, 50 ],
	[ 'clusters that fail', 'fail', q{SELECT count(*) + $1 FROM mf_clusters(clusters => 9999, of => 'users')}, undef, 50 ],
	[ 'mf_popular', 'call_often', 'SELECT count(*) FROM mf_popular(5)' ],
	[ 'in transactions that are rolled back', 'roll_back', 'SELECT count(*) FROM mf_recommend($1, 5)' ],
	[ 'in subtransactions that are rolled back', 'undo', 'SELECT count(*) FROM mf_recommend($1, 5)' ],
	[ 'no such model', 'fail', q{SELECT count(*) FROM mf_recommend($1, 5, 'none')} ],
	[ 'no such version', 'fail', 'SELECT count(*) FROM mf_recommend($1, 5, version => 77)' ],
	[ 'another type of user', 'fail', 'SELECT count(*) FROM mf_recommend(now(), 5)' ],
	[ 'another type of items', 'fail', 'SELECT count(*) FROM mf_recommend($1, 5, item_type => NULL::uuid)' ],
	[ 'bad candidates', 'fail', q{SELECT count(*) FROM mf_recommend($1, 5, candidates => '{1,x}')} ],
	[ 'no such groups', 'fail', q{SELECT count(*) FROM mf_recommend($1, 5, per_group => 1, group_table => 'products', group_column => 'none')} ],
	[ 'groups that fail to be read', 'fail', q{SELECT count(*) FROM mf_recommend($1, 5, per_group => 1, group_table => 'broken', group_column => 'seller')} ],
	[ 'a source that fails to be read', 'fail', q{SELECT count(*) FROM mf_recommend(1 + $1 % 50, 5, 'failing', fresh => true)} ],
	[ 'a bad basket', 'fail', q{SELECT count(*) FROM mf_recommend_for(ARRAY[$1], ARRAY[1, 2]::real[], model => 'stars')} ],
	[ 'row security', 'call_often', 'SELECT count(*) FROM mf_recommend($1, 5)', 'SET ROLE regress_some', 10 ],
	[ 'a model that is trained again and again', 'retrain', 'SELECT count(*) FROM mf_recommend($1, 5)' ],
	[ 'a training by attributes', 'call_often', q{SELECT version + $1 FROM mf_retrain('attributed')}, undef, 50 ]);
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW broken AS SELECT id, seller / (id - id) AS seller FROM products;
CREATE TABLE divisors (d int);
INSERT INTO divisors VALUES (1);
CREATE VIEW failing AS SELECT user_id, item_id, rating / d AS rating FROM ratings, divisors;
SELECT mf_train('failing', factors => 4, iterations => 2);
CREATE VIEW undescribed AS SELECT item_id, kind, title, n / (d + item_id - item_id) AS n FROM described, divisors;
SELECT mf_train('ratings', 'undescribed', factors => 4, iterations => 2, item_features => 'undescribed');
UPDATE divisors SET d = 0;
ALTER TABLE ratings_item_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON ratings_item_factors FOR SELECT TO regress_some USING (item_id < 30);
GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint, boolean) TO regress_some;
GRANT pg_read_server_files, pg_monitor, pg_read_all_stats TO regress_some;
GRANT EXECUTE ON FUNCTION pg_get_backend_memory_contexts() TO regress_some;
GRANT SELECT ON pg_backend_memory_contexts TO regress_some;
SQL

# Compares two rows of memory().
sub check_growth
{
	my ($what, $early, $late) = @_;
	my @early = split /\|/, $early;
	my @late = split /\|/, $late;
	cmp_ok($late[0] - $early[0], '<=', $most_used, "$what: no more memory in use");
	# trainings by attributes turn the session's caches over, whose next block may fall due between the two
	cmp_ok($late[1] - $early[1], '<=', $what eq 'a training by attributes' ? 16 * $most_allocated : $most_allocated, "$what: none allocated");
	cmp_ok($late[2] - $early[2], '<=', $most_anonymous, "$what: none of the process");
	return;
}

for my $run (@runs)
{
	my ($what, $procedure, $query, $before, $share) = @$run;
	my $n = int($calls / ($share || 1));
	my ($status, $out, $err) = $node->psql('postgres', join('', map { "$_;\n" } $before || '',
		sprintf('CALL %s($query$%s$query$, %d)', $procedure, $query, $n / 10), 'SELECT * FROM memory()', 'SELECT * FROM memory()',
		sprintf('CALL %s($query$%s$query$, %d)', $procedure, $query, $n - $n / 10), 'SELECT * FROM memory()'));
	my @lines = $out =~ /^(\d+\|\d+\|\d+)$/mg;
	if (!is($status, 0, "$what: runs"))
	{
		diag($err);
		next;
	}
	check_growth($what, @lines[ 1, 2 ]);
}

# within one query, which looks at itself while it runs
for my $list ('mf_recommend(u % 55, 5)', q{mf_recommend('u' || u, 5, item_type => NULL::uuid, model => 'named')}, 'mf_similar_items(u % 40, 5)',
	'mf_recommend_for(ARRAY[u % 40], k => 5)', 'mf_recommend(u % 55, 5, candidates => ARRAY[1, 2, 3, 4])')
{
	my @lines = grep { $_ } split /\n/, $node->safe_psql('postgres', <<"SQL");
SELECT CASE WHEN u IN ($calls / 10, $calls) THEN (SELECT concat_ws('|', used, allocated, anonymous) FROM memory() WHERE u > 0) END
FROM generate_series(1, $calls) u, LATERAL (SELECT count(*) FROM $list) l;
SQL
	check_growth("$list in one query", @lines);
}
$node->stop;

done_testing();
