# Resources that run out, and ends that come at any moment: a clear error, no temporary file left, a
# server that stays up and an old version that serves on.
#
# MFREC_SMALL_DISK is a folder on a file system of a few megabytes; test/run, as root, makes one.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('resources');

# Trainings spill here unless they say otherwise.  strike() does what the setting test.act says when it
# comes to the place that the setting test.place names: a row of the view as it is read, or a user or an
# item as it is stored.
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET maintenance_work_mem = '1MB';
CREATE TABLE ratings AS SELECT n, (n * 7919 % 3001)::int AS user_id, (n * 104729 % 1009 * (n * 31 % 17 + 1) % 1009)::int AS item_id,
	(n * 13 % 5 + 1)::real AS rating FROM generate_series(1::bigint, 200000) n;
CREATE INDEX ON ratings (user_id);
CREATE VIEW many AS SELECT user_id + 3001 * copy AS user_id, item_id, rating FROM ratings, generate_series(0, 4) copy;
CREATE FUNCTION strike(place text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF place = current_setting('test.place', true) THEN EXECUTE current_setting('test.act'); END IF;
	RETURN 0;
END $$;
CREATE VIEW struck AS SELECT user_id, item_id, rating + strike('row ' || n) AS rating FROM ratings;
CREATE TABLE few AS SELECT user_id, item_id, rating FROM ratings WHERE n <= 2000;
CREATE TABLE few_items AS SELECT user_id, item_id, rating FROM ratings WHERE item_id < 50; -- so few that all attributes are used
CREATE VIEW items AS SELECT i AS item_id, CASE WHEN i % 3 > 0 THEN ARRAY['k' || i % 7] END AS kind, (SELECT array_agg(sin(i * k))::real[] FROM generate_series(1, 48) k) AS v,
	strike('attribute ' || i) + i % 5 AS n FROM generate_series(1, 6000) i;
SELECT mf_train('ratings', 'm', factors => 16, iterations => 2, item_features => 'items');
CREATE INDEX ON m_feature_factors (strike('feature ' || attribute));
CREATE INDEX ON m_user_factors (strike('user ' || user_id));
CREATE INDEX ON m_item_factors (strike('item ' || item_id));
CREATE FUNCTION tell_files() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'temporary files: %', (SELECT count(*) FROM pg_ls_tmpdir() WHERE name ~ '^pgsql_tmp\d');
END $$;
SQL
my $train = "SELECT mf_train('ratings', 'm', factors => 16, iterations => 2)";
my $list = "SELECT string_agg(item_id::text, ',' ORDER BY rank) FROM mf_recommend(7, 10, 'm')";
my $served = $node->safe_psql('postgres', $list);
my $before = $node->safe_psql('postgres', fingerprint_sql('m'));

# What psql prints for errors and warnings, with their SQLSTATEs.
sub errors_of
{
	my ($sql, %options) = @_;
	my (undef, undef, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ], %options);
	return $err;
}

# That error, and but for it nothing has changed.
sub failed_cleanly
{
	my ($what, $err, $error) = @_;
	like($err, $error, "$what: says why");
	is(temporary_files($node), '', "$what: leaves no file");
	is($node->safe_psql('postgres', fingerprint_sql('m')), $before, "$what: leaves the old version as it was");
	is($node->safe_psql('postgres', $list), $served, "$what: which serves on");
	return;
}

# ends while ratings are still in memory, when they have spilled, while users are stored, and items
my %act = (
	cancel => [ 'SELECT pg_cancel_backend(pg_backend_pid())', qr/ERROR:  57014: canceling statement due to user request/ ],
	error => [ 'SELECT tell_files()', qr/ERROR:  P0001: temporary files: [1-9]/ ],
	termination => [ 'SELECT pg_terminate_backend(pg_backend_pid())', qr/FATAL:  57P01: terminating connection due to administrator command/ ],
	timeout => [ 'SELECT pg_sleep(600)', qr/ERROR:  57014: canceling statement due to statement timeout/ ]);
for my $act (sort keys %act)
{
	my ($sql, $error) = @{ $act{$act} };
	# the same while attributes are read, and while what was learned of them is stored
	for my $place ('attribute 10', 'attribute 5900', 'feature kind')
	{
		my $err = errors_of("SET test.place = '$place'; SET test.act = '$sql'; SET statement_timeout = '"
				. ($act eq 'timeout' ? '3s' : '0') . "'; SELECT mf_train('" . ($place =~ /feature/ ? 'few_items' : 'ratings') . "', 'm', factors => 16, iterations => 2, item_features => 'items')");
		failed_cleanly("$act at $place", $err, $act eq 'error' && $place =~ /feature/ ? qr/ERROR:  P0001: temporary files: \d/ : $error);
	}
	for my $place ('row 1000', 'row 150000', 'user 2900', 'item 500')
	{
		my $err = errors_of("SET test.place = '$place'; SET test.act = '$sql'; SET statement_timeout = '"
				. ($act eq 'timeout' ? '1s' : '0') . "'; SELECT mf_train('struck', 'm', factors => 16, iterations => 2)");
		failed_cleanly("$act at $place", $err, $act eq 'error' && $place eq 'row 1000' ? qr/temporary files: 0/ : $error);
	}
}

# ends while spilled ratings are sorted, and while they are read again for each half-sweep
for my $phase ([ 'sort', 'many', 'true' ], [ 'sweep', 'ratings', 'iteration >= 2' ])
{
	my ($name, $source, $moment) = @$phase;
	for my $act ([ 'cancel', 'pg_cancel_backend(%s)' ], [ 'termination', 'pg_terminate_backend(%s)' ])
	{
		my $run = start_sql($node, "SELECT mf_train('$source', 'm', factors => 16, iterations => 10000, tolerance => 0)",
			'-v', 'VERBOSITY=verbose');
		isnt(act_in_phase($node, $name, $act->[1], $moment), 0, "$act->[0] in phase $name: caught");
		my (undef, undef, $err) = finish_sql($run);
		failed_cleanly("$act->[0] in phase $name", $err, $act{ $act->[0] }[1]);
	}
}

# ends at any moment of a training by attributes: they are read, strengths are searched, maps fitted, all is stored
my $by_attributes = "SELECT pg_sleep(100 * version) FROM mf_train('ratings', 'm', factors => 16, iterations => 3, item_features => 'items')";
my $began = time;
$node->safe_psql('postgres', "BEGIN; SELECT mf_train('ratings', 'm', factors => 16, iterations => 3, item_features => 'items'); ROLLBACK");
my $lasts = time - $began;
for my $part (1 .. 9)
{
	failed_cleanly("timeout after $part tenths of a training by attributes", errors_of(sprintf("SET statement_timeout = '%d ms'; $by_attributes", 100 * $part * $lasts)), $act{timeout}[1]);
}

# temp_file_limit, while reading and while sorting
for my $limit ('100kB', '2MB', '4MB')
{
	failed_cleanly("temp_file_limit of $limit", errors_of("SET temp_file_limit = '$limit'; $train"),
		qr/ERROR:  53400: temporary file size exceeds "?temp_file_limit/);
	failed_cleanly("temp_file_limit of $limit, for attributes", errors_of("SET temp_file_limit = '$limit'; SELECT mf_train('few', 'm', factors => 16, item_features => 'items')"),
		qr/ERROR:  53400: temporary file size exceeds "?temp_file_limit/);
}

# a server whose backends get no memory: for ratings, and for factors; nor for the image of a version,
# which is not taken for damaged; and a server that can start no process
SKIP:
{
	skip 'no prlimit', 20 if system('prlimit --version >/dev/null 2>&1') != 0;
	my ($server) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my $limit = sub { system_or_bail('prlimit', '--pid', $server, "--$_[0]=$_[1]:"); return };
	my ($memory, $processes) = map { `prlimit --pid $server --$_ --output SOFT --noheadings --raw` =~ /(\w+)/ } 'as', 'nproc';
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE wide AS SELECT g % 1000 AS user_id, g AS item_id, (g % 5)::real AS rating FROM generate_series(1, 40000) g;
SELECT mf_train('wide', factors => 64, iterations => 1);
SQL
	my ($image) = glob($node->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*.'
			. $node->safe_psql('postgres', "SELECT image FROM mfrec.model_version WHERE model = 'wide'"));
	my $inode = (stat $image)[1];
	my ($size) = $node->safe_psql('postgres', "$list; SELECT pg_read_file('/proc/self/status')") =~ /^VmPeak:\s+(\d+) kB/m;

	for my $megabytes (4, 16, 48)
	{
		$limit->('as', 1024 * ($size + 1024 * $megabytes));
		my $err = errors_of("SET maintenance_work_mem = '1GB'; SELECT mf_train('many', 'm', factors => 1000)");
		is($node->safe_psql('postgres', $list), $served, "$megabytes MB of memory: the old version serves meanwhile");
		like(errors_of("SELECT mf_recommend(7, 10, 'wide')"), qr/ERROR:  53200: could not map image file/,
			"$megabytes MB of memory: an image that does not fit") if $megabytes < 16;
		$limit->('as', $memory);
		failed_cleanly("$megabytes MB of memory", $err, qr/ERROR:  53200: out of memory/);
	}
	is((stat $image)[1], $inode, 'an image that could not be mapped is still there');

	my $err = errors_of(<<"SQL", on_error_stop => 0);
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
\\! prlimit --pid $server --nproc=1:
$train;
\\! prlimit --pid $server --nproc=$processes:
SQL
	failed_cleanly('no parallel workers', $err, qr/ERROR:  55000: parallel worker failed to initialize/);
}

# A full disk.
SKIP:
{
	my $disk = $ENV{MFREC_SMALL_DISK};
	skip 'no small disk (MFREC_SMALL_DISK)', 42 if !defined $disk;

	# Fills the disk but for so many bytes.
	my $leave = sub {
		my ($free) = @_;
		my $size = 0;
		unlink("$disk/filler");
		open(my $filler, '>:raw', "$disk/filler") or die "$disk/filler: $!";
		while (my $written = syswrite($filler, "\0" x 65536)) { $size += $written; }
		truncate($filler, $size - $free) or die "$disk/filler: $!";
		close($filler);
		return;
	};
	my $full = qr/ERROR:  53100: could not (write|extend) .*: No space left on device/;

	# spilled ratings, on a tablespace of their own
	mkdir("$disk/space") or die "$disk/space: $!";
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/space'");
	for my $free (100 * 1024, 2 * 1024 * 1024, 4 * 1024 * 1024)
	{
		$leave->($free);
		failed_cleanly("$free bytes for temporary files", errors_of("SET temp_tablespaces = small; $train"), $full);
		failed_cleanly("$free bytes for attributes", errors_of("SET temp_tablespaces = small; SELECT mf_train('few', 'm', factors => 16, item_features => 'items')"), $full);
	}

	# the first version of a model and the next one, in a tablespace without room
	$leave->(200 * 1024);
	like(errors_of("SET default_tablespace = small; SELECT mf_train('ratings', 'stored', factors => 64, rating_factors => 0, iterations => 1)"),
		$full, 'no room for factors: says why');
	is(leftovers($node, 'stored'), '', 'no room for factors: leaves nothing');
	$leave->(3 * 1024 * 1024);
	$node->safe_psql('postgres', "SET default_tablespace = small; SELECT mf_train('ratings', 'stored', factors => 64, rating_factors => 0, iterations => 1)");
	my $stored = $node->safe_psql('postgres', fingerprint_sql('stored'));
	$leave->(0);
	like(errors_of("SELECT mf_retrain('stored')"), $full, 'no room for the next version: says why');
	is(temporary_files($node), '', 'no room for the next version: leaves no file');
	is($node->safe_psql('postgres', fingerprint_sql('stored')), $stored, 'no room for the next version: leaves the old one as it was');
	$node->safe_psql('postgres', "SELECT mf_drop('stored')");

	# images, progress and temporary files, all on the full disk
	$node->stop;
	my $folder = $node->data_dir . '/base/pgsql_tmp';
	system_or_bail('rm', '-r', $folder);
	mkdir("$disk/temporary") or die "$disk/temporary: $!";
	symlink("$disk/temporary", $folder) or die "$folder: $!";
	$node->start;
	$leave->(0);
	failed_cleanly('no room at all', errors_of($train), $full);
	my $no_image = qr/WARNING:  53100: could not write image file .*: No space left on device/;
	like(errors_of($list), $no_image, 'no room for an image: a warning');
	my $err = errors_of("SET maintenance_work_mem = '64MB'; $train");
	like($err, $no_image, 'and after a training without temporary files');
	unlike($err, qr/ERROR/, 'which succeeds');
	my $next = $node->safe_psql('postgres', $list);
	$leave->(4 * 1024 * 1024);
	is(errors_of($list), '', 'with room again no warning');
	is($node->safe_psql('postgres', $list), $next, 'and the same list');
	is(scalar(my @images = glob("$disk/temporary/*")), 1, 'from an image');
}

$node->stop;
done_testing();
