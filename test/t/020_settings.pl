# Settings that roles keep: in sessions that have not loaded the library yet, by whom README says, and
# through what an installation goes through.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @settings = ([ 'mfrec.model', 'mine' ], [ 'mfrec.cold_start', 'empty' ], [ 'mfrec.max_memory', '100MB' ], [ 'mfrec.training_seconds', '45s' ],
	[ 'mfrec.keep_versions', '3' ], [ 'mfrec.threads', '1' ], [ 'mfrec."verbose"', 'on' ]);

my $node = PostgreSQL::Test::Cluster->new('settings');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE regress_plain LOGIN; CREATE ROLE regress_other LOGIN');

# What a new session of a role gives: output, or SQLSTATE and message.
sub as
{
	my ($on, $database, $role, $sql) = @_;
	my ($status, $stdout, $stderr) = $on->psql($database, $sql, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return $stderr =~ /ERROR:  (.*)/ ? $1 : $stdout;
}

# A database of that role, with the extension.
sub own_database
{
	my ($on, $name, $extension) = @_;
	$on->safe_psql('postgres', "CREATE DATABASE $name OWNER regress_plain");
	$on->safe_psql($name, $extension);
}

# Every way to keep a setting, each in a session of its own.
sub keeps
{
	my ($on, $database, $what) = @_;
	for (@settings)
	{
		my ($name, $value) = @$_;
		is(as($on, $database, 'regress_plain', "ALTER ROLE regress_plain SET $name = '$value'"), '', "$what: ALTER ROLE SET $name");
		is(as($on, $database, 'regress_plain', "ALTER DATABASE $database SET $name = '$value'"), '', "$what: ALTER DATABASE SET $name");
		is(as($on, $database, 'regress_plain', "CREATE SCHEMA IF NOT EXISTS s; CREATE OR REPLACE FUNCTION s.f() RETURNS text LANGUAGE sql
			SET $name = '$value' AS \$\$ SELECT current_setting('$name') \$\$"), '', "$what: CREATE FUNCTION SET $name") if $name ne 'mfrec."verbose"';
		is(as($on, $database, 'regress_plain', "SHOW $name"), $value, "$what: the next session has $name");
	}
	is(as($on, $database, 'regress_plain', "SELECT mf_holdout(1, 1, 0); SHOW mfrec.model; SHOW mfrec.max_memory"), "f\nmine\n100MB",
		"$what: also once the library is loaded");
	is(as($on, $database, 'regress_plain', "SET mfrec.model = ''; SELECT s.f()"), '1', "$what: a function's setting");
	is(as($on, $database, 'regress_plain', 'ALTER ROLE regress_plain RESET ALL'), '', "$what: and back");
	like(as($on, $database, 'regress_plain', "ALTER ROLE regress_other SET mfrec.model = 'mine'"), qr/^42501: /, "$what: but no other role's");
	like(as($on, $database, 'regress_other', "ALTER DATABASE $database SET mfrec.model = 'mine'"), qr/^42501: /, "$what: nor another's database's");
}

own_database($node, 'shop', 'CREATE EXTENSION mfrec');
is(as($node, 'shop', 'regress_plain', "SELECT current_setting('mfrec.model', true) IS NULL"), 't', 'a new session knows no setting');
like(as($node, 'shop', 'regress_plain', 'SHOW mfrec.model'), qr/^42704: /, 'which SHOW does not like');
is(as($node, 'shop', 'regress_plain', 'SELECT mf_holdout(1, 1, 0); SHOW mfrec.model'), 'f
', 'until it has called a function');
keeps($node, 'shop', 'new');

# an older version, updated, on a server that has never seen the grant
my $granted = 'SELECT count(*) FROM pg_parameter_acl WHERE parname LIKE \'mfrec.%\'';
$node->safe_psql('shop', 'REVOKE SET ON PARAMETER mfrec.model, mfrec.cold_start, mfrec.max_memory, mfrec.training_seconds, mfrec.keep_versions,
	mfrec.threads, mfrec."verbose" FROM PUBLIC');
is($node->safe_psql('postgres', $granted), '0', 'the grant can be taken back');
like(as($node, 'shop', 'regress_plain', "ALTER ROLE regress_plain SET mfrec.model = 'mine'"), qr/^42501: /, 'then it is for superusers');
own_database($node, 'older', "CREATE EXTENSION mfrec VERSION '0.1.0'; ALTER EXTENSION mfrec UPDATE");
keeps($node, 'older', 'updated');

# globals on another server, before anything of mfrec is there, as pg_upgrade restores them
my $globals = PostgreSQL::Test::Utils::tempdir() . '/globals';
$node->command_ok([ 'pg_dumpall', '--globals-only', '-f', $globals, '-d', $node->connstr('postgres') ], 'pg_dumpall --globals-only');
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', 'fsync = off');
$other->start;
(my $superuser = $other->safe_psql('postgres', 'SELECT current_user'));
my $sql = slurp_file($globals) =~ s/^(CREATE|ALTER) ROLE "?$superuser"?\b.*$//gmr;
$other->safe_psql('postgres', $sql);
is($other->safe_psql('postgres', $granted), '7', 'globals have the grants');
own_database($other, 'restored', 'CREATE EXTENSION mfrec');
keeps($other, 'restored', 'restored');
$other->safe_psql('restored', 'DROP EXTENSION mfrec');
is(as($other, 'restored', 'regress_plain', "ALTER ROLE regress_plain SET mfrec.model = 'mine'"), '', 'a dropped extension leaves them');
$other->safe_psql('restored', 'CREATE EXTENSION mfrec');
is($other->safe_psql('restored', $granted), '7', 'and finds them again');
$other->safe_psql('restored', 'DROP EXTENSION mfrec; REVOKE SET ON PARAMETER mfrec.threads FROM PUBLIC; CREATE EXTENSION mfrec');
is($other->safe_psql('restored', $granted), '6', 'but leaves alone what was taken away');
$other->safe_psql('restored', "DROP EXTENSION mfrec; CREATE EXTENSION mfrec VERSION '0.1.0'; ALTER EXTENSION mfrec UPDATE");
is($other->safe_psql('restored', $granted), '6', 'and so does an update');
$other->safe_psql('postgres', 'DROP DATABASE restored; DROP ROLE regress_plain, regress_other');
$other->stop;
$node->stop;
done_testing();
