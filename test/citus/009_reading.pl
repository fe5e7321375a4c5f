# Rows of distributed tables come packed from their nodes wherever Citus takes the query there, and are the same.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('reading');
my ($node, @workers) = @nodes;
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, CASE WHEN (u + i) % 50 > 0 THEN (1 + abs(hashint4(u * 1000 + i)) % 5)::numeric / 2 END AS rating,
	'user ' || u AS name, md5(i::text)::uuid AS product, (u % 3)::smallint AS weight, 'epoch'::timestamptz + (u * i) * interval '1 hour' AS at,
	CASE i % 3 WHEN 0 THEN 'view' WHEN 1 THEN 'buy' END AS kind
FROM generate_series(1, 300) u, generate_series(1, 80) i WHERE abs(hashint4(u * 7 + i * 100003)) % 4 = 0;
CREATE TABLE by_user (LIKE here);
SELECT create_distributed_table('by_user', 'user_id');
INSERT INTO by_user SELECT * FROM here;
CREATE TABLE by_item (LIKE here);
SELECT create_distributed_table('by_item', 'item_id', colocate_with => 'none');
INSERT INTO by_item SELECT * FROM here;
CREATE TABLE copies (LIKE here);
SELECT create_reference_table('copies');
INSERT INTO copies SELECT * FROM here;
CREATE VIEW pushed AS SELECT a.user_id, a.item_id, a.rating FROM by_user a JOIN (SELECT user_id, count(*) FROM by_user GROUP BY user_id) b USING (user_id);
CREATE VIEW grouped AS SELECT user_id, item_id, avg(rating) AS rating FROM by_item GROUP BY user_id, item_id;
CREATE TYPE mood AS ENUM ('view', 'buy');
CREATE TABLE moods AS SELECT user_id, item_id, kind::mood AS kind FROM here;
CREATE TABLE moods_there (LIKE moods);
SELECT create_distributed_table('moods_there', 'user_id');
INSERT INTO moods_there SELECT * FROM moods;
SQL

# what a training says of how it read, and what it made
my $trained = sub {
	my ($table, $arguments) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = debug1; SELECT loss, users, items, ratings FROM mf_train('$table', model => 'm', factors => 4, iterations => 3, $arguments); SELECT mf_drop('m')");
	die $err if $status != 0;
	my $skipped = join ' ', $err =~ /NOTICE:  (skipped[^\n]*)/g;
	return (split(/\n/, $out))[0] . " $skipped", $err =~ /reading relation "$table" packed/ ? 'packed' : $err =~ /tables directly/ ? 'directly' : 'by rows';
};
my $ids = 'distribute => false';
for my $case ([ 'ids', '', 'by_user', 'by_item', 'copies' ],
	[ 'texts and uuid', "user_column => 'name', item_column => 'product', ", 'by_user', 'by_item', 'copies' ],
	[ 'weights', "weight_column => 'weight', ", 'by_user' ],
	[ 'times', "time_column => 'at', half_life => '10 days', ", 'by_user', 'by_item' ],
	[ 'kinds', q[rating_column => NULL, event_column => 'kind', event_weights => '{"view": 1, "buy": 5}', ], 'by_user' ])
{
	my ($name, $arguments, @tables) = @$case;
	my ($expected) = $trained->('here', "$arguments$ids");
	for my $table (@tables)
	{
		my ($got, $how) = $trained->($table, "$arguments$ids");
		is($got, $expected, "$name of $table: the same to the bit");
		is($how, 'packed', "$name of $table: packed");
	}
}
my ($expected) = $trained->('here', $ids);
my ($got, $how) = $trained->('pushed', $ids);
is("$got, $how", "$expected, packed", 'a view that Citus pushes down');
($got, $how) = $trained->('grouped', $ids);
is((split / /, $got)[0] =~ s/\|.*//r, (split / /, $expected)[0] =~ s/\|.*//r, 'a view that it does not');
my $events = q[rating_column => NULL, event_column => 'kind', event_weights => '{"view": 1, "buy": 5}', ] . $ids;
($expected) = $trained->('moods', $events);
($got, $how) = $trained->('moods_there', $events);
is("$got, $how", "$expected, by rows", 'enums, whose numbers are those of a node, come row by row');

# beyond work_mem, and by who reads whole sources otherwise
sql($node, <<'SQL');
CREATE VIEW learned AS SELECT user_id, item_id, rating FROM by_user WHERE NOT mf_holdout(user_id, item_id);
CREATE VIEW held AS SELECT user_id, item_id, rating FROM by_user WHERE mf_holdout(user_id, item_id);
CREATE VIEW held_here AS SELECT user_id, item_id, rating FROM here WHERE mf_holdout(user_id, item_id);
SELECT mf_train('learned', factors => 4);
SQL
my $measure = q[SELECT string_agg(metric || ' ' || value, ' ' ORDER BY metric) FROM mf_evaluate('%s', model => 'learned')];
is(sql($node, sprintf($measure, 'held')), sql($node, sprintf($measure, 'held_here')), 'evaluated on both');
my $all = q[SELECT md5(string_agg(r::text, ' ' ORDER BY r::text)) FROM mf_recommend_all(3, 'learned') r];
isnt(sql($node, $all), '', 'lists of all');
$_->append_conf('postgresql.conf', 'work_mem = 64kB') for @nodes;
$_->reload for @nodes;
sql($node, 'INSERT INTO by_user (user_id, item_id, rating) SELECT u, i, 3 FROM generate_series(1000, 3000) u, generate_series(1, 200) i; INSERT INTO here (user_id, item_id, rating) SELECT u, i, 3 FROM generate_series(1000, 3000) u, generate_series(1, 200) i');
($expected) = $trained->('here', $ids);
($got, $how) = $trained->('by_user', $ids);
is("$got, $how", "$expected, packed", 'beyond work_mem');
is(temporary_files($_), '', 'no files are left') for @nodes;

# row security, privileges, and rows of the own transaction
sql($node, <<'SQL');
CREATE ROLE reader LOGIN;
GRANT CREATE ON SCHEMA public TO reader;
GRANT SELECT ON by_user TO reader;
ALTER TABLE by_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON by_user TO reader USING (user_id <= 50);
SQL
is(sql($node, q[SET ROLE reader; SELECT users FROM mf_train('by_user', model => 'few', factors => 4)]), '50', 'row security');
is(sql($node, q[BEGIN; DELETE FROM by_user WHERE user_id > 20; SELECT users FROM mf_train('by_user', model => 'less', factors => 4); ROLLBACK]), '20', 'rows as the transaction has them');
my $count = sql($node, 'SELECT count(rating) FROM by_user');
is(sql($node, q[BEGIN; INSERT INTO by_user (user_id, item_id, rating) VALUES (1, 1000, 3); SELECT ratings FROM mf_train('by_user', model => 'own', factors => 4, iterations => 1, distribute => true); ROLLBACK]),
	$count + 1, 'nodes see what the transaction has written');
sql($node, 'REVOKE SELECT ON by_user FROM reader');
like(error_of($node, q[SET ROLE reader; SELECT mf_train('by_user', model => 'few', factors => 4)]), qr/42501/, 'no privilege');
like(error_of($node, q[INSERT INTO by_user (user_id, item_id, rating) VALUES (1, 1, 'NaN'); SELECT mf_train('by_user', model => 'bad', factors => 4)]), qr/22023: +rating of user 1 and item 1 is nan/i, 'a number that is none');
done_testing();
