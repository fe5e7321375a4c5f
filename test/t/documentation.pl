# Whether the documentation is true: every SQL block of README.md runs as it stands, in order, and so do
# those of the other pages, each in a copy of the database that the README leaves; where a block is
# followed by its output, the rows are those; links lead somewhere, and files of src are there; every function, argument, view, column and setting is described; every object has a comment.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use FindBin;
use lib $FindBin::Bin;
use Page qw(anchor_of blocks prose);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Beside the tests, or where they come from.
my ($root) = grep { -e "$_/README.md" } map { abs_path(dirname(__FILE__) . $_) } '/..', '/../..';
my @pages = ("$root/README.md", grep { !m{/README\.md$} } sort glob("$root/*.md $root/docs/*.md"));

my $node = PostgreSQL::Test::Cluster->new('documentation');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;

# Stands in for pg_cron, which is tested for real elsewhere: runs the command at once.
$node->safe_psql('postgres', 'CREATE DATABASE readme');
$node->safe_psql('readme', q{
	CREATE SCHEMA cron;
	CREATE FUNCTION cron.schedule(job text, schedule text, command text) RETURNS bigint
	LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; RETURN 1; END $$;
});

# Lines of output without what varies: order, widths and numbers.
sub rows_of
{
	my @rows = grep { /\S/ && !/^[-+]+$/ } split /\n/, shift;
	for (@rows)
	{
		s/-?\d+(\.\d+)?(e[-+]?\d+)?/#/g;
		s/\s+/ /g;
		s/^ | $//g;
	}
	return join("\n", sort @rows);
}

sub check_block
{
	my ($database, $where, $sql, $output) = @_;
	my ($stdout, $stderr);
	my $code = $node->psql($database, $sql, stdout => \$stdout, stderr => \$stderr,
		extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off', '-P', 'footer=off' ]);
	ok($code == 0 && $stderr !~ /WARNING/, "$where runs") or diag("$sql\n$stderr");
	return if !defined $output;
	is(rows_of($stdout), rows_of($output), "$where has the output that follows it") or diag($stdout);
}

my %anchors;
my %text;
for my $page (@pages)
{
	my $name = substr($page, length($root) + 1);
	$text{$name} = slurp_file($page);
	my $prose = prose($text{$name});
	$anchors{$name}{ anchor_of($1) } = 1 while $prose =~ /^#+ (.*)$/gm;

	my $database = $name eq 'README.md' ? 'readme' : basename($name, '.md');
	$node->safe_psql('postgres', "CREATE DATABASE \"$database\" TEMPLATE readme") if $database ne 'readme';
	my @sql = grep { $_->{language} eq 'sql' } blocks($text{$name});
	check_block($database, "$name line $_->{line}", $_->{code}, $_->{output}) for @sql;
	cmp_ok(scalar @sql, '>', 0, "$name has SQL") if $name =~ /README|reference|operations|migration|SECURITY/;
}

# Whether the report of variants is right: 95% intervals of Newcombe, "Two-sided confidence intervals for the single
# proportion", Statistics in Medicine 17, 1998, table I; all of n and none of one are z and n by hand.  The users are
# shown two items twice on the first day.  Of these r visit one, once; all of them visit it a day later, and other items.
$node->safe_psql('operations', q{
	TRUNCATE exposures, visits;
	CREATE TABLE shown_to AS SELECT variant, 1000 * v + u AS user_id, u <= r AS clicks
	FROM (VALUES (1, 'a', 263, 81), (2, 'b', 148, 15), (3, 'c', 20, 0), (4, 'd', 29, 1), (5, 'e', 29, 29), (6, 'f', 1, 0)) t (v, variant, n, r),
		generate_series(1, n) u;
	INSERT INTO exposures SELECT user_id, i, variant, timestamptz '2024-03-01 00:00+00' + hours * interval '1 hour'
	FROM shown_to, generate_series(1, 2) i, unnest(ARRAY[0, 23]) hours;
	INSERT INTO exposures SELECT user_id, 2, variant, '2024-03-02 00:00+00' FROM shown_to;
	INSERT INTO visits SELECT user_id, 2, '2024-03-01 00:00+00' FROM shown_to WHERE clicks;
	INSERT INTO visits SELECT user_id, 2, '2024-03-03 00:00+00' FROM shown_to;
	INSERT INTO visits SELECT user_id, 1, '2024-02-29 23:59+00' FROM shown_to;
	INSERT INTO visits SELECT user_id, 3, '2024-03-01 00:00+00' FROM shown_to;
});
is($node->safe_psql('operations', q{SET timezone = 'Pacific/Auckland';
	SELECT variant, day, users, round(click_through, 4), round(users_who_clicked::numeric, 4), round(low::numeric, 4), round(high::numeric, 4)
	FROM variant_report WHERE day = '2024-03-01' OR variant = 'c' ORDER BY day, variant}),
	join("\n", 'a|2024-03-01|263|0.0770|0.3080|0.2553|0.3662', 'b|2024-03-01|148|0.0253|0.1014|0.0624|0.1605',
		'c|2024-03-01|20|0.0000|0.0000|0.0000|0.1611', 'd|2024-03-01|29|0.0086|0.0345|0.0061|0.1718',
		'e|2024-03-01|29|0.2500|1.0000|0.8830|1.0000', 'f|2024-03-01|1|0.0000|0.0000|0.0000|0.7935',
		'c|2024-03-02|20|0.0000|0.0000|0.0000|0.1611'), 'intervals of the report');
is($node->safe_psql('operations', q{SELECT count(*), sum(users), max(high) < 1 FROM variant_report WHERE day = '2024-03-02' AND click_through = 0}),
	'6|490|t', 'days of the report');

# Links within the project.
for my $name (sort keys %text)
{
	my $folder = dirname($name) eq '.' ? '' : dirname($name) . '/';
	while ($text{$name} =~ /\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)
	{
		my ($file, $anchor) = ($1, $2);
		my $target = $file eq '' ? $name : $folder . $file;
		$target =~ s{[^/]+/\.\./}{};
		ok(-e "$root/$target" && (!defined $anchor || $anchors{$target}{$anchor}),
			"link of $name to $file" . (defined $anchor ? "#$anchor" : '') . ' leads somewhere');
	}
	my @places = $text{$name} =~ m{`(src/[^`\s]+)`}g;
	is(join(' ', grep { !grep { -e } glob "$root/$_" } @places), '', "files that $name speaks of are there");
}

# What there is, and what the README and the reference say of it.
my %described;
for (@text{ 'README.md', 'docs/reference.md' })
{
	my $prose = prose($_);
	$described{$_} = 1 for map { /\w+/g } grep { defined } $prose =~ /`([^`\n]+)`|^#+ (.*)$/gm;
}
my $missing = sub {
	my ($what, $query) = @_;
	my @names = split /\n/, $node->safe_psql('readme', $query);
	cmp_ok(scalar @names, '>', 0, "some $what is there");
	is(join(' ', grep { !$described{$_} } @names), '', "every $what is described");
};
my $members = q{FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
	AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'mfrec'};
# those in the schema of bookkeeping are parts of others
my $called = "$members JOIN pg_proc p ON p.oid = d.objid AND p.pronamespace <> 'mfrec'::regnamespace";
$missing->('function', "SELECT DISTINCT proname $called");
$missing->('argument', "SELECT DISTINCT unnest(proargnames) $called");
$missing->('column of a view', "SELECT DISTINCT attname $members JOIN pg_class c ON c.oid = d.objid AND relkind = 'v'
	JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0");
$missing->('setting', q{LOAD 'mfrec'; SELECT regexp_replace(name, '^mfrec\.', '') FROM pg_settings WHERE name LIKE 'mfrec.%'});

is($node->safe_psql('readme', "SELECT pg_describe_object(d.classid, d.objid, 0) $members
	AND obj_description(d.objid, d.classid::regclass::name) IS NULL
	AND (d.classid <> 'pg_type'::regclass) AND pg_identify_object(d.classid, d.objid, 0)::text !~ 'toast'"),
	'', 'every object has a comment');

$node->stop;
done_testing();
