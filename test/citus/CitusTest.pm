# What the tests on a Citus cluster share: the cluster, and questions to all of its nodes.
package CitusTest;

use strict;
use warnings;
use Exporter 'import';
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_cluster add_worker sql everywhere same_everywhere error_of make_ratings lists_sql);

# A started server with Citus in its database postgres.
sub new_server
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'citus'", "listen_addresses = '127.0.0.1'",
		'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off', 'autovacuum = off', 'wal_level = logical', 'max_wal_senders = 10', 'max_replication_slots = 10',
		'citus.shard_count = 8', "citus.node_conninfo = 'sslmode=disable'", 'citus.enable_statistics_collection = off', @settings, ''));
	$node->start;
	sql($node, 'CREATE EXTENSION citus');
	return $node;
}

# Another worker for a coordinator's cluster.
sub add_worker
{
	my ($coordinator, $name, @settings) = @_;
	my $node = new_server($name, @settings);
	sql($coordinator, sprintf("SELECT citus_add_node('127.0.0.1', %d)", $node->port));
	return $node;
}

# A cluster with mfrec: the coordinator, and three workers.
sub new_cluster
{
	my ($name, @settings) = @_;
	my @nodes = (new_server("${name}0", @settings));
	sql($nodes[0], sprintf("SELECT citus_set_coordinator_host('127.0.0.1', %d)", $nodes[0]->port));
	push @nodes, add_worker($nodes[0], "$name$_", @settings) for 1 .. 3;
	sql($nodes[0], 'CREATE EXTENSION mfrec');
	return @nodes;
}

# What statements answer; warnings and notices are not looked at.
sub sql
{
	my ($node, $statements) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; $statements");
	BAIL_OUT("$err in: $statements") if $status != 0;
	return $out;
}

# What all nodes answer, each once.
sub everywhere
{
	my ($nodes, $statements) = @_;
	return map { sql($_, $statements) } @$nodes;
}

# All nodes answer the same, and something.
sub same_everywhere
{
	my ($nodes, $statements, $expected, $name) = @_;
	isnt($expected, '', "$name: something is expected") if !defined $expected || $expected eq '';
	my @answers = everywhere($nodes, $statements);
	is(join("\n--\n", @answers), join("\n--\n", ($expected) x @answers), $name);
	return;
}

# SQLSTATE and message of the error of a statement, then its details and hints.
sub error_of
{
	my ($node, $statements) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; $statements",
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $status == 0 ? "no error: $out" : $err;
}

# A table of ratings that have no pattern, of so many users and items; distribute: how, as a call of Citus's.
sub make_ratings
{
	my ($node, $table, $distribute, %options) = @_;
	my ($users, $items) = ($options{users} // 300, $options{items} // 60);
	sql($node, <<"SQL");
CREATE TABLE $table (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO $table SELECT u, i, 1 + abs(hashint4(u * 1000 + i)) % 5 FROM generate_series(1, $users) u, generate_series(1, $items) i
	WHERE abs(hashint4(u * 7 + i * 100003)) % 4 = 0;
SQL
	sql($node, $distribute) if $distribute;
	return;
}

# A query for the lists of the first users of a model: one line, scores rounded.
sub lists_sql
{
	my ($model, $arguments) = @_;
	$arguments = $arguments ? ", $arguments" : '';
	return <<"SQL";
SELECT string_agg(format('%s:%s:%s:%s', u, item_id, round(score::numeric, 3), reason), ' ' ORDER BY u, rank)
	FROM generate_series(1, 12) u, LATERAL mf_recommend(u, 3, '$model'$arguments) r
SQL
}

1;
