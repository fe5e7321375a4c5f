# Backups in all ways that PostgreSQL has, and a library that fits its SQL: dumps whole and in parts, a base
# backup, recovery to a moment between two versions, checksums of a cluster with images, extension versions.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('backup', has_archiving => 1, allows_streaming => 1);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 40) u, generate_series(1, 30) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE gone AS SELECT * FROM ratings;
SELECT mf_train('ratings', factors => 4);
SELECT mf_retrain('ratings');
SELECT mf_train('gone', feedback => 'implicit', factors => 3);
DROP TABLE gone;
SQL
my $lists = <<'SQL';
SELECT model, version, serving, is_default, users, items, ratings, loss FROM mf_models ORDER BY model, version;
SELECT u, r.* FROM generate_series(1, 41) u, mf_recommend(u, 5, model => 'ratings') r ORDER BY u, rank;
SELECT u, r.* FROM generate_series(1, 41) u, mf_recommend(u, 5, model => 'ratings', version => 1) r ORDER BY u, rank;
SELECT u, r.* FROM generate_series(1, 41) u, mf_recommend(u, 5, model => 'gone', fresh => false) r ORDER BY u, rank;
SQL
my $expected = $node->safe_psql('postgres', $lists);
my $folder = PostgreSQL::Test::Utils::tempdir();

# A database with oids that are not those of the dumped one.
sub new_database
{
	my ($name, $extension) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE TABLE shift_oids (a serial, b text); DROP TABLE shift_oids');
	$node->safe_psql($name, 'CREATE EXTENSION mfrec') if $extension;
	return $node->connstr($name);
}

# whole, in parallel, with a source that was dropped
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$folder/parallel", $node->connstr('postgres') ], 'parallel pg_dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j2', '-d', new_database('parallel'), "$folder/parallel" ], 'parallel pg_restore');
is($node->safe_psql('parallel', $lists), $expected, 'parallel: serves as before');
isnt($node->safe_psql('parallel', "SELECT 'ratings_user_factors'::regclass::oid"),
	$node->safe_psql('postgres', "SELECT 'ratings_user_factors'::regclass::oid"), 'parallel: other oids');
is($node->safe_psql('parallel', "SELECT version FROM mf_retrain('ratings')"), '3', 'parallel: trains on');
like(($node->psql('parallel', "SELECT mf_retrain('gone')"))[2], qr/source "public.gone" of model "gone" does not exist/,
	'parallel: a source that was dropped');

# with --clean over a database that has it all
$node->command_ok([ 'pg_restore', '--exit-on-error', '--clean', '--if-exists', '-d', $node->connstr('parallel'), "$folder/parallel" ],
	'pg_restore --clean');
is($node->safe_psql('parallel', $lists), $expected, '--clean: back at what was dumped');

# only the schema: no model, and tables in the way of one of that name, until its owner drops them
$node->command_ok([ 'pg_dump', '--schema-only', '-f', "$folder/schema", $node->connstr('postgres') ], 'pg_dump --schema-only');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/schema", '-d', new_database('schema') ], 'restored');
is($node->safe_psql('schema', "SELECT count(*) || ' ' || (SELECT count(*) FROM ratings_user_factors) FROM mf_models"), '0 0', 'only the schema: no model');
like(($node->psql('schema', "SELECT mf_train('ratings')", extra_params => [ '-v', 'VERBOSITY=verbose' ]))[2],
	qr/ERROR:  (42P07|02000): /, 'only the schema: a clear error');
$node->safe_psql('schema', 'DROP TABLE ratings_user_factors, ratings_item_factors; INSERT INTO ratings SELECT u, i, (u + i) % 3 FROM generate_series(1, 9) u, generate_series(1, 9) i');
is($node->safe_psql('schema', "SELECT version FROM mf_train('ratings', factors => 4)"), '1', 'only the schema: trains without them');

# a single table: nobody's model, and it joins
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'ratings_item_factors', '-f', "$folder/table", $node->connstr('postgres') ], 'pg_dump of a model table');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', new_database('single', 1), "$folder/table" ], 'restored beside the extension');
is($node->safe_psql('single', 'SELECT count(*) FROM ratings_item_factors WHERE version = 2'), '30', 'a single table: its rows');
like(($node->psql('single', 'SELECT mf_recommend(1)'))[2], qr/there is no model|has not been trained|no model/, 'a single table: no model');

# one model table of a whole dump: what was lost comes back
$node->safe_psql('parallel', 'DELETE FROM ratings_item_factors WHERE item_id % 2 = 0; SELECT mf_refresh(\'ratings\'); SELECT mf_recommend(1)');
isnt($node->safe_psql('parallel', $lists), $expected, 'rows that were lost');
$node->safe_psql('parallel', 'TRUNCATE ratings_item_factors');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '-t', 'ratings_item_factors', '-d', $node->connstr('parallel'), "$folder/parallel" ],
	'pg_restore of one table');
$node->safe_psql('parallel', "SELECT mf_refresh('ratings')");
is($node->safe_psql('parallel', $lists), $expected, 'and mf_refresh: serves as before');

# without the tables' contents, as operations.md says
$node->command_ok([ 'pg_dump', '--exclude-table-data=*_factors', '-f', "$folder/slim", $node->connstr('postgres') ], 'pg_dump without models');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/slim", '-d', new_database('slim') ], 'restored');
like(($node->psql('slim', "SELECT mf_recommend(1, model => 'ratings')", extra_params => [ '-v', 'VERBOSITY=verbose' ]))[2],
	qr/ERROR:  XX001: table "public.ratings_item_factors" has no rows of version 2/, 'without models: lists are errors');
is($node->safe_psql('slim', "SELECT version FROM mf_retrain('ratings')"), '3', 'without models: trains on');
$node->safe_psql('slim', 'SELECT mf_drop(model) FROM mf_models WHERE serving');
is($node->safe_psql('slim', "SELECT version FROM mf_train('ratings', factors => 4)"), '1', 'without models: dropped, and trained again');

# A server out of the base backup, recovered to where the configuration says.  It archives nothing: its
# timeline is no concern of others.
sub recovered
{
	my ($name, $target) = @_;
	my $other = PostgreSQL::Test::Cluster->new($name);
	$other->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
	$other->append_conf('postgresql.conf', <<"CONF");
$target
recovery_target_action = 'promote'
archive_mode = off
CONF
	$other->start;
	$other->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	return $other;
}

# a base backup, then version 3, a moment with a name, one without, a model that was dropped, version 4
$node->backup('base');
is(join(' ', glob($node->backup_dir . '/base/base/pgsql_tmp/*')), '', 'a base backup has no images');
$node->safe_psql('postgres', "INSERT INTO ratings VALUES (101, 2, 5), (101, 4, 5); SELECT mf_retrain('ratings')");
(my $later = $lists) =~ s/version => 1/version => 2/;
my $between = $node->safe_psql('postgres', $later);
$node->safe_psql('postgres', "SELECT pg_create_restore_point('between')");
$node->safe_psql('postgres', "SELECT mf_drop('gone')");
my $moment = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
my $dropped = $node->safe_psql('postgres', 'SELECT model, version FROM mf_models ORDER BY version');
$node->safe_psql('postgres', "DELETE FROM ratings WHERE user_id < 10; SELECT mf_retrain('ratings')");
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
isnt($node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'ratings' AND serving"), '3', 'and goes on');

my $named = recovered('named', "recovery_target_name = 'between'");
is($named->safe_psql('postgres', $later), $between, 'recovery to a restore point between two versions');
is($named->safe_psql('postgres', "SELECT version FROM mf_retrain('ratings')"), '4', 'trains on');
$named->stop;
my $timed = recovered('timed', "recovery_target_time = '$moment'");
is($timed->safe_psql('postgres', 'SELECT model, version FROM mf_models ORDER BY version'), $dropped, 'recovery to a time after a drop');
is($timed->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname LIKE 'gone%'"), '0', 'whose tables have gone');
is($timed->safe_psql('postgres', "SELECT mf_rollback('ratings')"), '2', 'goes back');
$timed->stop;

# checksums: of a stopped cluster that has images, and of pages that trainings have written
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 3, model => 'ratings')"), '3', 'an image');
$node->stop;
cmp_ok(scalar(my @images = glob($node->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*')), '>', 0, 'a stopped cluster with images');
# which clusters of 18 have from the start
system_log('pg_checksums', '--disable', '-D', $node->data_dir);
command_ok([ 'pg_checksums', '--enable', '-D', $node->data_dir ], 'pg_checksums --enable');
$node->start;
$node->safe_psql('postgres', "SELECT mf_retrain('ratings'); SELECT mf_recommend(1, 3, model => 'ratings')");
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'pg_checksums --check after a training');
$node->start;

# Versions of the extension.  A catalog says what a database has of it.
my $catalog = <<'SQL';
SELECT pg_describe_object(classid, objid, objsubid) AS object,
	CASE classid WHEN 'pg_proc'::regclass THEN pg_get_functiondef(objid) || coalesce((SELECT proacl::text FROM pg_proc WHERE oid = objid), '')
		WHEN 'pg_class'::regclass THEN (SELECT string_agg(a.attname || ' ' || format_type(atttypid, atttypmod) || attnotnull || attnum, ', ' ORDER BY attnum)
			|| coalesce((SELECT relacl::text FROM pg_class WHERE oid = objid), '') || coalesce(pg_get_viewdef(objid), '')
			FROM pg_attribute a WHERE attrelid = objid AND attnum > 0 AND NOT attisdropped) END,
	obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid))
FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'mfrec') AND deptype = 'e' ORDER BY 1
SQL
my $current = $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = 'mfrec'");
new_database('fresh', 1);
my $fresh = $node->safe_psql('fresh', $catalog);
new_database('altered', 1);
is($node->safe_psql('altered', $catalog), $fresh, 'two fresh installations are alike');
for my $change ('ALTER FUNCTION mf_set_default COST 7', 'REVOKE EXECUTE ON FUNCTION mf_set_default FROM public',
	'GRANT INSERT ON mfrec.model TO public', 'ALTER TABLE mfrec.model ADD COLUMN odd int', "COMMENT ON VIEW mf_models IS 'odd'")
{
	isnt($node->safe_psql('altered', "BEGIN; $change; $catalog"), $fresh, "$change would be seen");
}
my @paths = split(/\n/, $node->safe_psql('postgres',
	"SELECT source FROM pg_extension_update_paths('mfrec') WHERE target = '$current' AND path IS NOT NULL"));
for my $version (@paths)
{
	(my $name = "from_$version") =~ s/\W/_/g;
	new_database($name);
	$node->safe_psql($name, "CREATE EXTENSION mfrec VERSION '$version'; CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (u + i) % 3 AS rating FROM generate_series(1, 9) u, generate_series(1, 9) i WHERE (u + 2 * i) % 5 > 1");
	is($node->safe_psql($name, "SELECT version FROM mf_train('ratings', factors => 4)"), '1', "$version: old SQL trains with the new library");
	my $old = $node->safe_psql($name, 'SELECT * FROM mf_recommend(1, 3, fresh => false) ORDER BY rank');
	is(scalar(split(/\n/, $old)), 3, "$version: and lists what is left");
	# views of users, which depend on functions: they answer as before, and are dumped and restored
	my @calls = ('mf_recommend(1, 3, fresh => false)', 'mf_recommend(1, k => 2, candidates => ARRAY[1, 3, 5], exclude => ARRAY[1], exclude_seen => false)',
		"mf_recommend('1', 2, item_type => NULL::text, version => 1)", 'mf_recommend_for(ARRAY[1, 3], ARRAY[1, 2]::real[])', 'mf_similar_items(1, 2)',
		"mf_similar_users('1', 2)", "mf_explain(1, '3', 2)", 'mf_explain(1, 3, 2)', 'mf_recommend_users(1, 2, user_type => NULL::int)', 'mf_popular(3)',
		"mf_popular(3, NULL::text, 'ratings')", 'mf_recommend_all(2)', 'mf_recommend_all(2, NULL::int, NULL::text)', 'mf_predict(1, 2)',
		"mf_holdout('u1', 'i1')", "mf_holdout('u1', 2)");
	my $asked = join(' ', map { "SELECT $_ AS view, v::text FROM v$_ v ORDER BY v::text COLLATE \"C\";" } 0 .. $#calls);
	$node->safe_psql($name, join(' ', map { "CREATE VIEW v$_ AS SELECT * FROM $calls[$_];" } 0 .. $#calls));
	my $viewed = $node->safe_psql($name, $asked);
	# a dump of the old bookkeeping, which knows no owner, restored beside the present one
	$node->command_ok([ 'pg_dump', '-f', "$folder/$name.old", $node->connstr($name) ], "$version: pg_dump before the update");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/$name.old", '-d', new_database("${name}_old") ], 'restored');
	is($node->safe_psql("${name}_old", "SELECT version FROM mf_retrain('ratings'); SELECT owner = current_user FROM mfrec.model"), "2\nt",
		"$version: restored in the present one it retrains, and then its owner is known");
	$node->safe_psql($name, 'ALTER EXTENSION mfrec UPDATE');
	is($node->safe_psql($name, 'SELECT owner = current_user FROM mfrec.model'), 't', "$version: an update notes who owns models");
	is($node->safe_psql($name, $catalog), $fresh, "$version: updated it is what a fresh install is");
	is($node->safe_psql($name, $asked), $viewed, "$version: views that were there answer as before");
	$node->command_ok([ 'pg_dump', '-f', "$folder/$name", $node->connstr($name) ], "$version: pg_dump of the views");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/$name", '-d', new_database("${name}_again") ], 'restored');
	is($node->safe_psql("${name}_again", $asked), $viewed, "$version: restored they answer as before");
	is($node->safe_psql("${name}_again", 'SELECT owner = current_user FROM mfrec.model'), 't', 'and the owner is known');
	is($node->safe_psql($name, 'SELECT * FROM mf_recommend(1, 3, fresh => false) ORDER BY rank'), $old, "$version: updated it serves as before");
	# arguments that 0.1.0 kept say nothing of dimensions of ratings alone: a retrain goes on without, and back leads to what was
	is($node->safe_psql($name, "UPDATE mfrec.model SET parameters = parameters - 'rating_factors'; SELECT version FROM mf_retrain('ratings');
		SELECT factors, parameters -> 'rating_factors' FROM mf_models WHERE serving"), "2\n4|", "$version: updated it retrains with the dimensions of before");
	is($node->safe_psql($name, "SELECT mf_rollback('ratings'); SELECT * FROM mf_recommend(1, 3, fresh => false) ORDER BY rank"), "1\n$old", "$version: and goes back");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extension_versions WHERE name = 'mfrec'"), @paths + 1,
	'every version that can be installed can be updated');

# What the installed scripts call is in the library: what they create was looked up by CREATE EXTENSION, but what
# an older version created is only looked up when it is called.
my $scripts = $node->config_data('--sharedir') . '/extension';
my %symbols = map { $_ => 1 } map { slurp_file($_) =~ /'MODULE_PATHNAME', '(\w+)'/g } glob("$scripts/mfrec--*.sql");
cmp_ok(scalar(keys %symbols), '>', 20, 'the scripts name symbols');
my $library = $node->config_data('--pkglibdir') . '/mfrec';
$node->safe_psql('fresh', "CREATE FUNCTION probe_$_() RETURNS void LANGUAGE c AS '$library', '$_'") for sort keys %symbols;
like(($node->psql('fresh', "CREATE FUNCTION probe_nothing() RETURNS void LANGUAGE c AS '$library', 'mf_nothing'"))[2],
	qr/could not find function "mf_nothing"/, 'a symbol that is not there would be found');
is($node->safe_psql('fresh', "SELECT count(*) FROM pg_proc WHERE proname LIKE 'probe\\_%'"), scalar(keys %symbols), 'each one is in the library');
$node->stop;

done_testing();
