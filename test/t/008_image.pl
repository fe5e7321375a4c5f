# The files that sessions share: published, mapped, replaced when damaged, and gone when they should be.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('image');
my $folder = $node->data_dir . '/base/pgsql_tmp';

# The image files there are, the one there is, and the server's log since.
sub images { return grep { m{/pgsql_tmp_mfrec\.} } glob("$folder/*"); }
sub image { my @files = images(); return scalar(@files) == 1 ? $files[0] : die 'not one image: ' . join(' ', @files); }

sub patch
{
	my ($path, $offset, $bytes) = @_;
	open(my $file, '+<:raw', $path) or die "$path: $!";
	seek($file, $offset, 0);
	print $file $bytes;
	close($file);
	return;
}

sub bytes_at
{
	my ($path, $offset, $n) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	seek($file, $offset, 0);
	read($file, my $bytes, $n);
	close($file);
	return $bytes;
}

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 2003 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 1000) u, generate_series(1, 20) i;
CREATE INDEX ON ratings (user_id);
SELECT mf_train('ratings', factors => 8, iterations => 3);
SQL
my $lists = "SELECT u, item_id, rank FROM generate_series(1, 50) u, mf_recommend(u, 5, fresh => false) ORDER BY u, rank";
my $expected = $node->safe_psql('postgres', $lists);

# training leaves the file, and its size shows
is(scalar(images()), 1, 'training publishes an image');
is($node->safe_psql('postgres', 'SELECT image_bytes FROM mf_models'), -s image(), 'mf_models shows its size');
is($node->safe_psql('postgres', 'SELECT mf_image_bytes(gen_random_uuid())'), '0', 'an image that nobody has built has none');
my $inode = (stat image())[1];
is($node->safe_psql('postgres', $lists), $expected, 'another session answers the same');
is((stat image())[1], $inode, 'from the same file');
is($node->safe_psql('postgres', "SELECT mf_recommend(1, 1); SELECT count(*) > 0 FROM regexp_split_to_table(pg_read_file('/proc/self/maps'), '\\n') l WHERE l LIKE '%pgsql_tmp_mfrec%'"),
	$node->safe_psql('postgres', "SELECT mf_recommend(1, 1)") . "\nt", 'which it maps') if -r '/proc/self/maps';

# damage of every kind is found by the next session, answered rightly and mended
my $size = -s image();
my %damage = (
	'a flipped byte at the end' => sub { patch(image(), $size - 1, chr(ord(bytes_at(image(), $size - 1, 1)) ^ 1)) },
	'a flipped byte in the middle' => sub { patch(image(), $size / 2, chr(ord(bytes_at(image(), $size / 2, 1)) ^ 128)) },
	'a flipped byte in the header' => sub { patch(image(), 100, chr(ord(bytes_at(image(), 100, 1)) ^ 1)) },
	'another magic' => sub { patch(image(), 0, 'somefile') },
	'another format' => sub { patch(image(), 8, pack('L', 999)) },
	'a truncated file' => sub { truncate(image(), $size / 2) },
	'an empty file' => sub { truncate(image(), 0) },
	'a longer file' => sub { patch(image(), $size, 'x') });
for my $what (sort keys %damage)
{
	$damage{$what}->();
	my $offset = -s $node->logfile;
	is($node->safe_psql('postgres', $lists), $expected, "$what: right answers");
	is(-s image(), $size, "$what: replaced");
	like(slurp_file($node->logfile, $offset), qr/is damaged or of another version, and will be replaced/, "$what: said in the log");
	$offset = -s $node->logfile;
	is($node->safe_psql('postgres', $lists), $expected, "$what: right answers afterwards");
	unlike(slurp_file($node->logfile, $offset), qr/damaged/, "$what: mended once");
}

# the same at places of chance: a run of bytes that are turned, written over, or cut off with all that follow
my $rounds = $ENV{MFREC_TEST_ALL} ? 1000 : 60;
my @wrong;
srand(8);
for my $round (1 .. $rounds)
{
	my $at = $round % 3 == 0 ? int(rand(1024)) : int(rand($size));    # the header is at the start
	my $n = 1 + int(rand($round % 5 == 0 ? 5000 : 8));
	$n = $size - $at if $at + $n > $size;
	if ($round % 10 == 0) { truncate(image(), $at) }
	elsif ($round % 2 == 0) { patch(image(), $at, join('', map { chr(int(rand(256))) } 1 .. $n)) }
	else { patch(image(), $at, bytes_at(image(), $at, $n) ^ ("\xff" x $n)) }
	push @wrong, "round $round: $n bytes at $at" if $node->safe_psql('postgres', $lists) ne $expected || -s image() != $size;
}
is(join(', ', @wrong), '', "$rounds damages at places of chance: right answers, and a whole file again");

# a sound file that somebody has touched is verified and taken
$inode = (stat image())[1];
utime(undef, undef, image());
is($node->safe_psql('postgres', $lists), $expected, 'a touched file: right answers');
is((stat image())[1], $inode, 'a touched file is kept');

# of another model: the same database, a wrong uuid
$node->safe_psql('postgres', "SELECT mf_train('ratings', 'other', factors => 8, iterations => 1)");
my ($own) = $node->safe_psql('postgres', "SELECT v.image FROM mfrec.model_version v WHERE model = 'ratings'");
my ($other) = $node->safe_psql('postgres', "SELECT v.image FROM mfrec.model_version v WHERE model = 'other'");
my ($own_file) = grep { /$own/ } images();
my ($other_file) = grep { /$other/ } images();
system_or_bail('cp', '-p', $other_file, $own_file);
is($node->safe_psql('postgres', $lists), $expected, "another model's file under our name: right answers");
$node->safe_psql('postgres', "SELECT mf_drop('other')");
is(scalar(images()), 1, 'mf_drop takes the file away');

# twenty sessions miss it at once: one builds
unlink(image());
my $offset = -s $node->logfile;
my @runs = map { start_sql($node, "$lists; SELECT 'done'") } 1 .. 20;
my @answers = map { my @result = finish_sql($_); $result[1] } @runs;
is(scalar(grep { $_ eq "$expected\ndone\n" } @answers), 20, 'twenty sessions that miss it answer rightly');
is(scalar(images()), 1, 'and leave one file');

# transactions
$node->safe_psql('postgres', "BEGIN; SELECT mf_retrain('ratings'); ROLLBACK");
is(scalar(images()), 1, 'a training that is rolled back leaves no file');
$node->safe_psql('postgres', "BEGIN; SAVEPOINT s; SELECT mf_retrain('ratings'); ROLLBACK TO s; COMMIT");
is(scalar(images()), 1, 'nor in a subtransaction');
is($node->safe_psql('postgres', $lists), $expected, 'and the version before serves');
$node->safe_psql('postgres', "SELECT mf_retrain('ratings')");
is(scalar(images()), 1, 'a committed one replaces the file');
isnt(image(), $own_file, 'by its own');
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 5, version => 1)"), '5', 'the version before is built again when asked for');
is(scalar(images()), 2, 'and shared');
$node->safe_psql('postgres', "SELECT mf_rollback('ratings')");
is($node->safe_psql('postgres', $lists), $expected, 'after mf_rollback the old lists');

# a snapshot from before a retrain keeps its version, though the file has gone: it is built again
my $go = $node->data_dir . '/go';
my $reader = start_sql($node, <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
DO \$\$
BEGIN
	PERFORM FROM mfrec.model;
	WHILE pg_stat_file('go', true) IS NULL LOOP PERFORM pg_sleep(0.01); END LOOP;
END \$\$;
$lists;
COMMIT;
SQL
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_stat_file%' AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL");
$node->safe_psql('postgres', "SELECT mf_retrain('ratings')");
isnt($node->safe_psql('postgres', $lists), $expected, 'others see the retrain');
open(my $flag, '>', $go);
close($flag);
my (undef, $seen) = finish_sql($reader);
is($seen, "$expected\n", 'an old snapshot sees its own version');
$node->safe_psql('postgres', "SELECT mf_rollback('ratings', 1)");
is($node->safe_psql('postgres', $lists), $expected, 'back to the first version');

# mf_refresh shows what was edited by hand, in the same transaction and to others only at commit
my $first = $node->safe_psql('postgres', 'SELECT item_id FROM mf_recommend(1, 1, fresh => false)');
my $second = $node->safe_psql('postgres', 'SELECT item_id FROM mf_recommend(1, 2, fresh => false) ORDER BY rank DESC LIMIT 1');
$node->safe_psql('postgres', "BEGIN; DELETE FROM ratings_item_factors WHERE item_id = $first; SELECT mf_refresh('ratings'); ROLLBACK");
is($node->safe_psql('postgres', 'SELECT item_id FROM mf_recommend(1, 1, fresh => false)'), $first, 'mf_refresh rolled back');
is($node->safe_psql('postgres', "SELECT mf_recommend(1, 1, fresh => false) IS NULL; DELETE FROM ratings_item_factors WHERE item_id = $first; SELECT mf_refresh('ratings') > 0; SELECT item_id FROM mf_recommend(1, 1, fresh => false)"),
	"f\nt\n$second", 'mf_refresh shows the change in the same session');
is($node->safe_psql('postgres', 'SELECT item_id FROM mf_recommend(1, 1, fresh => false)'), $second, 'and in another');
$expected = $node->safe_psql('postgres', $lists);

# a dropped database's files go with the next sweep
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', "CREATE EXTENSION mfrec; CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (u + i) % 3 AS rating FROM generate_series(1, 9) u, generate_series(1, 9) i; SELECT mf_train('ratings', factors => 2)");
my $gone = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'gone'");
is(scalar(grep { /_mfrec\.$gone\./ } images()), 1, 'another database has its own');
$node->safe_psql('postgres', 'DROP DATABASE gone');
open(my $stale, '>', "$folder/pgsql_tmp_mfrec.$gone.$own.999999999.tmp");
close($stale);
$node->safe_psql('postgres', "SELECT mf_refresh('ratings')");
is(scalar(grep { /_mfrec\.$gone\./ } images()), 0, 'what a dropped database left is swept');

# a folder that cannot be written to: a warning, and private memory
SKIP:
{
	skip 'permissions do not bind root', 3 if $> == 0;
	unlink(images());
	chmod(0500, $folder);
	my ($status, $out, $err) = $node->psql('postgres', $lists);
	is($out, $expected, 'without a file: right answers');
	like($err, qr/WARNING:  could not write image file/, 'and a warning');
	chmod(0700, $folder);
	is($node->safe_psql('postgres', $lists), $expected, 'with the folder back');
}

# kill -9 while an image is written, or right after: the server clears the folder
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->reload;
$node->safe_psql('postgres', 'SELECT mf_recommend(1, 1)');
my $victim = start_sql($node, 'SELECT mf_recommend(1, 1); SELECT pg_sleep(100)');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
open($stale, '>', "$folder/" . (image() =~ m{([^/]+)$})[0] . ".$pid.tmp");
close($stale);
my $logged = -s $node->logfile;
kill 'KILL', $pid;
finish_sql($victim);
ok(is_back($node, $logged), 'the server is back');
is(scalar(images()), 0, 'a crash clears the folder');
is($node->safe_psql('postgres', $lists), $expected, 'and the next session builds the image again');

# built from the model tables it is to the byte what the training left, also with items that nobody has rated, and users' rows mean the same
sub body { my $path = image(); my $start = (unpack('L', bytes_at($path, 16, 4)) + 63) & ~63; return bytes_at($path, $start, (-s $path) - $start); }
$node->safe_psql('postgres', <<'SQL');
SELECT mf_drop('ratings');
CREATE TABLE films AS SELECT i AS item_id, 'g' || i % 5 AS genre FROM generate_series(-200, 1300) i;
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id, (CASE WHEN (u + i) % 5 = 0 THEN 5 ELSE 2 END - (u * 7 + i) % 2)::real AS rating
	FROM generate_series(1, 500) u, generate_series(1, 1200) i WHERE mf_holdout(u, i, CASE WHEN (u + i) % 5 = 0 THEN 0.1 ELSE 0.01 END);
SQL
for my $what ('', ", item_features => 'films'", ", item_features => 'films', interest_weight => 0", ", item_features => 'films', validation => 0.2")
{
	$node->safe_psql('postgres', "SELECT mf_train('taken', factors => 8, iterations => 4$what)");
	is($node->safe_psql('postgres', 'SELECT bool_or(factors::text ~ $$[1-9]$$) FROM taken_item_factors WHERE ratings = 0'), $what ? 't' : '', "trained$what");
	my $published = body();
	my $all = $node->safe_psql('postgres', "SELECT u, item_id, score, rank FROM generate_series(1, 50) u, mf_recommend(u, 3000, fresh => false) ORDER BY u, rank");
	unlink(image());
	is($node->safe_psql('postgres', "SELECT u, item_id, score, rank FROM generate_series(1, 50) u, mf_recommend(u, 3000, fresh => false) ORDER BY u, rank"), $all, 'the same lists');
	ok(body() eq $published, 'from the same bytes');
	$node->safe_psql('postgres', 'SELECT mf_refresh()');
	ok(body() eq $published, 'refreshed, too');
	$node->safe_psql('postgres', "SELECT mf_drop('taken')");
}
$node->safe_psql('postgres', "SELECT mf_train('ratings', factors => 8, iterations => 3)");
$expected = $node->safe_psql('postgres', $lists);

# the image of an updated version is a patch of the one before, and more than one file can be damaged or lost
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE many AS SELECT u AS user_id, (u * i * 7919) % 6007 AS item_id, ((u + i) % 5)::real AS rating FROM generate_series(1, 1000) u, generate_series(1, 20) i;
SELECT mf_train('many', 'many', factors => 8, iterations => 3);
SQL
my $of_many = "SELECT u, item_id, score, rank FROM generate_series(1, 50) u, mf_recommend(u, 5, 'many', fresh => false) ORDER BY u, rank";
my $updates = 0;
my $patch_path;

sub update_many
{
	$updates++;
	$node->safe_psql('postgres', "INSERT INTO many SELECT 1 + i * 13 % 1000, CASE i % 3 WHEN 0 THEN 7000 + $updates ELSE i * 31 % 6007 END, 3 FROM generate_series(1, 20) i; SELECT mf_update('many')");
	$patch_path = "$folder/pgsql_tmp_mfrec." . $node->safe_psql('postgres', "SELECT d.oid || '.' || v.image FROM pg_database d, mfrec.model_version v WHERE datname = 'postgres' AND v.model = 'many'");
	return $node->safe_psql('postgres', $of_many);
}
my %loss = (
	'a flipped byte of the patch' => sub { patch($patch_path, (-s $patch_path) - 1, chr(ord(bytes_at($patch_path, (-s $patch_path) - 1, 1)) ^ 1)) },
	'a flipped byte of its header' => sub { patch($patch_path, 60, chr(ord(bytes_at($patch_path, 60, 1)) ^ 1)) },
	'another table of pages' => sub { patch($patch_path, 128, pack('q', 1 << 40)) },
	'a truncated patch' => sub { truncate($patch_path, 5000) },
	'a flipped byte of the base' => sub { patch("$patch_path.base", 100_000, chr(ord(bytes_at("$patch_path.base", 100_000, 1)) ^ 1)) },
	'a truncated base' => sub { truncate("$patch_path.base", 100_000) },
	'another base' => sub { unlink("$patch_path.base"); patch_copy(image_of('ratings'), "$patch_path.base") },
	'a lost base' => sub { unlink("$patch_path.base") },
	'a lost patch' => sub { unlink($patch_path) });

sub image_of { return "$folder/pgsql_tmp_mfrec." . $node->safe_psql('postgres', "SELECT d.oid || '.' || v.image FROM pg_database d, mfrec.model_version v WHERE datname = 'postgres' AND v.model = '$_[0]'"); }

sub patch_copy
{
	my ($from, $to) = @_;
	my $bytes = slurp_file($from);
	append_to_file($to, $bytes);
	return;
}
for my $what (sort keys %loss)
{
	my $lists_now = update_many();
	ok(-e $patch_path && -e "$patch_path.base", "before $what: a patch and its base");
	is((stat "$patch_path.base")[3], 1, "before $what: which has no other name");
	is($node->safe_psql('postgres', "SELECT image_bytes FROM mf_models WHERE model = 'many'"), (-s $patch_path) + (-s "$patch_path.base"), "before $what: mf_models shows the size of both");
	$loss{$what}->();
	is($node->safe_psql('postgres', $of_many), $lists_now, "$what: right answers");
	ok(-e $patch_path && !-e "$patch_path.base", "$what: a whole image again");
	is($node->safe_psql('postgres', $of_many), $lists_now, "$what: right answers afterwards");
}
update_many();
my $alone = "$folder/pgsql_tmp_mfrec." . $node->safe_psql('postgres', "SELECT d.oid || '.' || gen_random_uuid() FROM pg_database d WHERE datname = 'postgres'") . '.base';
append_to_file($alone, 'left behind');
update_many();
ok(!-e $alone, 'a base without a patch is swept away');
$node->safe_psql('postgres', "SELECT mf_drop('many')");
ok(!-e $patch_path && !-e "$patch_path.base", 'both go with the model');

# pg_checksums and a restart
$node->stop;
is(scalar(images()), 1, 'a stopped server has its images');
run_log([ 'pg_checksums', '--disable', '-D', $node->data_dir ]);    # since 18 initdb enables them
command_ok([ 'pg_checksums', '--enable', '-D', $node->data_dir ], 'pg_checksums --enable passes them over');
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'pg_checksums --check, too');
$node->start;
is(scalar(images()), 0, 'a start clears them');
is($node->safe_psql('postgres', $lists), $expected, 'and they are built again');
$node->stop;

done_testing();
