# Whether what packages say is true: META.json has what PGXN's specification of it (version 1.0.0) asks
# for, and all files agree on the version.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# Beside the tests, or where they come from.
my ($root) = grep { -e "$_/META.json" } map { abs_path(dirname(__FILE__) . $_) } '/..', '/../..';
my $semver = qr/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+)?$/;
my $term = qr{^[^\s/\\[:cntrl:]][^/\\[:cntrl:]]+$};
my @licenses = qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3
	lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib open_source
	restricted unrestricted unknown);
my @keys = qw(name version abstract maintainer license provides meta-spec description generated_by no_index prereqs
	release_status resources tags);

my $meta = decode_json(slurp_file("$root/META.json"));
is(join(' ', grep { !defined $meta->{$_} } @keys[ 0 .. 6 ]), '', 'META.json has every mandatory field');
my %known = map { $_ => 1 } @keys;
is(join(' ', grep { !$known{$_} && !/^x_/i } sort keys %$meta), '', 'META.json has no unknown field');
like($meta->{name}, $term, 'its name is one');
like($meta->{version}, $semver, 'its version is semantic');
like($meta->{$_}, qr/\S/, "its $_ says something") for qw(abstract maintainer description generated_by);
ok(scalar(grep { $_ eq $meta->{license} } @licenses), 'its license is one of the list');
like($meta->{release_status}, qr/^(stable|testing|unstable)$/, 'its release status is one of three');
is($meta->{'meta-spec'}{version}, '1.0.0', 'its specification is named');
is($meta->{'meta-spec'}{url}, 'https://pgxn.org/meta/spec.txt', 'with its address');
is(join(' ', grep { ref $_ || !length $_ || length $_ > 255 || m{[/\\[:cntrl:]]} } @{ $meta->{tags} }), '', 'its tags are tags');
is(join(' ', sort keys %{ $meta->{provides} }), 'mfrec', 'it provides mfrec');
for my $phase (sort keys %{ $meta->{prereqs} })
{
	like($phase, qr/^(configure|build|test|runtime|develop)$/, "prereqs: $phase is a phase");
	for my $relation (sort keys %{ $meta->{prereqs}{$phase} })
	{
		like($relation, qr/^(requires|recommends|suggests|conflicts)$/, "prereqs: $relation is a relation");
		like($_, $semver, 'prereqs: a version is semantic') for values %{ $meta->{prereqs}{$phase}{$relation} };
	}
}
my $provided = $meta->{provides}{mfrec};
ok(-e "$root/$provided->{$_}", "provides: $_ is there") for qw(file docfile);
like($provided->{abstract}, qr/\S/, 'provides: the abstract says something');

my ($version) = slurp_file("$root/mfrec.control") =~ /^default_version = '(.*)'$/m;
like($version, $semver, 'mfrec.control has a version');
is($meta->{version}, $version, 'META.json has the version of mfrec.control');
is($provided->{version}, $version, 'and so has what it provides');
my ($latest) = slurp_file("$root/CHANGELOG.md") =~ /^## (\S+)/m;
is($latest, $version, 'so has CHANGELOG.md');
my ($packaged) = slurp_file("$root/debian/changelog") =~ /^mfrec \((.*)-[^-]+\) /;
is($packaged, $version, 'so has debian/changelog');

# as pg_buildext updatecontrol does it for Debian 12
my $control = slurp_file("$root/debian/control.in");
$control =~ s/PGVERSION/15/g;
is(slurp_file("$root/debian/control"), $control, 'debian/control is made of debian/control.in');
my $license = slurp_file("$root/LICENSE") =~ s/\A.*\n\n//r;
is(slurp_file("$root/debian/copyright") =~ s/\A.*^License: .*?\n//msr =~ s/^ \.?//mgr, $license, 'debian/copyright has the licence');
like($control, qr/^ \$\{mfrec:Server\},$/m, 'the package depends on a minor');
like(slurp_file("$root/debian/rules"), qr/mfrec:Server=postgresql-\$\$major \(>= \$\$version\)/, 'that of the headers, or a later one');

# What make install puts beside the extension's scripts.
chomp(my $share = `pg_config --sharedir`);
# Scripts of the version that is not released yet end with what a report is made of.
my $report = join '', map { slurp_file("$root/sql/$_") } qw(mfrec_chart.sql mfrec_report.sql);
for my $file ('mfrec_api.sql', 'mfrec.control', "mfrec--$version.sql", map { basename($_) } glob("$root/sql/mfrec--*.sql"))
{
	my ($source) = grep { -e } "$root/sql/$file", "$root/$file", "$root/sql/mfrec.sql";
	my $contents = slurp_file($source) . ($file =~ /--\Q$version\E\.sql$/ ? $report : '');
	ok(-e "$share/extension/$file" && slurp_file("$share/extension/$file") eq $contents, "$file is installed");
}

# Built with the headers of 15.20 and its siblings, heap_getattr() would need what minors before do not have.
chomp(my $folder = `pg_config --pkglibdir`);
SKIP:
{
	my $symbols = `nm -D --undefined-only '$folder/mfrec.so' 2>/dev/null`;
	skip 'nm or the library is missing', 1 if $symbols !~ /SPI_connect/;
	unlike($symbols, qr/heap_datum_check/, 'the library needs no function that servers of a minor before lack');
}
done_testing();
