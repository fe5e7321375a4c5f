# LAPACK: loaded by sessions that train, alone; without it training says what to install, and all else goes on.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use Digest::MD5 qw(md5_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs a compiler and LD_PRELOAD of its own'
  if $ENV{LD_PRELOAD} || $^O ne 'linux' || system('gcc --version >/dev/null 2>&1');

my $libraries = q{SELECT 'library ' || regexp_replace(l, '.*/', '')
	FROM regexp_split_to_table(pg_read_file('/proc/self/maps', 0, 1000000), '\n') l WHERE l ~ 'lib[a-z]*(blas|lapack)[^/]*$' LIMIT 1;};

my $node = new_node('lapack');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 53 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 300) u, generate_series(1, 10) i;
CREATE INDEX ON ratings (user_id);
SQL
# and vectors of equal length in random directions: the image of such a model has codes along their principal axes
$node->safe_psql('postgres', <<'SQL');
SELECT setseed(0.5);
CREATE TABLE directions AS SELECT i AS id, (SELECT array_agg(x / length) FROM
		(SELECT x, sqrt(sum(x * x) OVER ()) AS length FROM (SELECT random() - 0.5 + 0 * i AS x FROM generate_series(1, 20)) x) n)::real[] AS factors
	FROM generate_series(1, 10000) i;
CREATE VIEW people AS SELECT * FROM directions WHERE id <= 100;
SQL
my $out = $node->safe_psql('postgres', "SELECT FROM mf_train('ratings'); $libraries");
like($out, qr/^library .*(blas|lapack)/m, 'a session that trains loads it');
unlike($node->safe_psql('postgres', "SELECT FROM mf_import('flat', 'people', 'directions'); $libraries"), qr/^library/m,
	'one that imports does not');
my $lists = q{SELECT * FROM mf_recommend(1, 3); SELECT * FROM mf_similar_items(1, 3); SELECT * FROM mf_explain(1, 2);
	SELECT * FROM mf_recommend(1, 3, 'flat'); SELECT * FROM mf_similar_items(1, 3, 'flat');};
my $before = $node->safe_psql('postgres', $lists);
ok($before, 'lists before');

# what is in the images' files behind their headers, which hold a struct with its padding
sub images
{
	my %images;
	for my $path (glob($node->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*-*'))
	{
		$images{$path} = md5_hex(substr(slurp_file($path), 1024));
	}
	return \%images;
}
my $images = images();
is(scalar keys %$images, 2, 'both models have an image');

# a machine without one: no library is found by its name alone
my $shim = PostgreSQL::Test::Utils::tempdir() . '/shim';
PostgreSQL::Test::Utils::append_to_file("$shim.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
void *
dlopen(const char *name, int flags)
{
	void	   *(*real) (const char *, int) = (void *(*) (const char *, int)) dlsym(RTLD_NEXT, "dlopen");

	return name != NULL && strchr(name, '/') == NULL ? NULL : real(name, flags);
}
C
is(system('gcc', '-shared', '-fPIC', '-o', "$shim.so", "$shim.c", '-ldl'), 0, 'a loader that finds none is built');
{
	# images are thrown away by a restart, and built again by whoever needs them
	local $ENV{LD_PRELOAD} = "$shim.so";
	$node->restart;
}
for my $call (
	"mf_train('ratings', 'other')", "mf_retrain('ratings')",
	"mf_tune('ratings', trials => 1)", "mf_estimate('ratings')")
{
	my (undef, undef, $stderr) =
	  $node->psql('postgres', "SELECT * FROM $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($stderr, qr/ERROR:  58P01: could not load a LAPACK library.*HINT:  .*libopenblas0-pthread/s, "$call says what to install");
}
is($node->safe_psql('postgres', "SELECT string_agg(model, ',' ORDER BY model) FROM mf_models"), 'flat,ratings', 'nothing is half done');
is($node->safe_psql('postgres', $lists), $before, 'what is trained serves without it');
is_deeply(images(), $images, 'and its images are made again to the byte');
my $report = $node->safe_psql('postgres', "SELECT mf_report('ratings')");
like($report, qr/There is no map: this machine has no LAPACK library.*In its middle.*What user \d+ gets.*<\/html>$/s, 'a report has all but the map');
$node->restart;
is_deeply(images(), {}, 'no images after a restart');
$out = $node->safe_psql('postgres', "$lists SELECT 'threads', count(*) FROM pg_ls_dir('/proc/' || pg_backend_pid() || '/task'); $libraries");
is_deeply(images(), $images, 'where there is a library, a session that serves makes the same');
unlike($out, qr/^library/m, 'without loading it');
like($out, qr/^threads\|1$/m, 'and has one thread');
is($node->safe_psql('postgres', "SELECT version FROM mf_retrain('ratings')"), '2', 'once it is there again, training goes on');
$node->stop;
done_testing();
