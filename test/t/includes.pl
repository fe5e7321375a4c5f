# Whether test/includes finds what breaks CONTRIBUTING.md's table of includes: a copy of src, with one thing
# wrong at a time.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;
use Test::More;

# Beside the tests, or where they come from.
my ($root) = grep { -e "$_/test/includes" } map { abs_path(dirname(__FILE__) . $_) } '/..', '/../..';
my $copy = PostgreSQL::Test::Utils::tempdir();
make_path("$copy/src");
system("cp '$root/CONTRIBUTING.md' '$copy' && cd '$root/src' && find . -name '*.[ch]' -o -name README.md |"
	  . " tar -c -T - | tar -x -C '$copy/src'") == 0 or die "cannot copy src\n";

sub complaints
{
	my $output = `'$root/test/includes' '$copy'`;
	return $? == -1 ? "cannot run: $!" : join('', grep { /^not ok/ } split /^/, $output), $?;
}

# Files of the copy, by what is appended to them; undone afterwards.
sub finds
{
	my ($what, $pattern, %change) = @_;
	my %before = map { $_ => -e "$copy/src/$_" ? slurp_file("$copy/src/$_") : undef } keys %change;
	for my $file (keys %change)
	{
		make_path(dirname("$copy/src/$file"));
		append_to_file("$copy/src/$file", $change{$file});
	}
	my ($output, $status) = complaints();
	like($output, $pattern, $what);
	isnt($status, 0, "$what: the script fails");
	for my $file (keys %change)
	{
		unlink "$copy/src/$file";
		append_to_file("$copy/src/$file", $before{$file}) if defined $before{$file};
		rmdir dirname("$copy/src/$file");
	}
}

my ($output, $status) = complaints();
is($output, '', 'every file includes what its folder may');
is($status, 0, 'the script succeeds');

finds('train does not know serve', qr{src/train/train\.c:\d+ includes "serve/recommender\.h": train may include},
	'train/train.c' => qq{#include "serve/recommender.h"\n});
finds('serve does not know train', qr{src/serve/recommender\.h:\d+ includes "train/train\.h": serve may include},
	'serve/recommender.h' => qq{#include "train/train.h"\n});
finds('als does not know topk', qr{src/core/als/als\.c:\d+ includes "core/topk/topk\.h": core/als may include},
	'core/als/als.c' => qq{#include "core/topk/topk.h"\n});
finds('the bodies of kernels count', qr{src/core/kernels/dense\.c:\d+ includes "core/als/als\.h": core/kernels may include},
	'core/kernels/dense.c' => qq{#define MF_BODY "core/als/als.h"\n});
finds('the core knows no PostgreSQL', qr{src/core/base/rng\.c:\d+ includes "postgres\.h": the core knows},
	'core/base/rng.c' => qq{#include "postgres.h"\n});
finds('nor the majors of it', qr{src/core/base/rng\.c:\d+ includes "compat\.h": core/base may include nothing},
	'core/base/rng.c' => qq{#include "compat.h"\n});
finds('includes are written from src/', qr{src/pg/progress\.c:\d+ includes "spi_query\.h", which is not written from src/},
	'pg/progress.c' => qq{#include "spi_query.h"\n});
finds('files are not included in a circle', qr{a circle of files: ids/id_map, ids/id_type$}m,
	'ids/id_type.h' => qq{#include "ids/id_map.h"\n});
finds('nor do they call each other', qr{a circle of files: core/base/chicken, core/base/egg$}m,
	'core/base/chicken.c' => "void\nhatch(void)\n{\n\tlay();\n}\n", 'core/base/egg.c' => "void\nlay(void)\n{\n\thatch();\n}\n");
finds('a base name is one file\'s', qr{one name for several files: core/base/rng ids/rng}, 'ids/rng.c' => '');
finds('a folder has a row in the table', qr{src/cellar/wine\.c: the table in CONTRIBUTING\.md has no row for cellar},
	'cellar/wine.c' => '');
finds('a README lists the files of its folder', qr{src/core/base/README\.md does not list egg$}m, 'core/base/egg.c' => '');
finds('and no others', qr{src/ids/README\.md lists id_soup, which is not there}, 'ids/README.md' => "\n| `id_soup` | |\n");
finds('and a README', qr{src/cellar/README\.md has 0 lines}, 'cellar/wine.c' => '');
done_testing();
