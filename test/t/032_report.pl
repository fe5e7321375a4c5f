# Reports where databases are unlike the usual one: of other encodings, with the extension in another schema, with objects in front of
# PostgreSQL's own when it was created, after an update from 0.1.0, without plpgsql.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('report');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

# A database with a model of films, whose titles are given as bytes in its encoding; the page, by a client of any encoding.
my $data = q{
	CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (1 + (u + i) % 5)::real AS rating
		FROM generate_series(1, 20) u, generate_series(1, 12) i WHERE (u * 7 + i * 3) % 4 <> 0;
	ALTER TABLE ratings ADD PRIMARY KEY (user_id, item_id);
	SELECT FROM mf_train('ratings', factors => 2, iterations => 2);};
sub page_in
{
	my ($encoding, $title, @clients) = @_;
	my $database = lc "in_$encoding";
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($database, "SET client_encoding = '$encoding'; CREATE EXTENSION mfrec; $data
		CREATE TABLE movies AS SELECT i AS id, convert_from('$title', '$encoding') AS title FROM generate_series(1, 12) i;");
	# but for the minute in which it was made, which may end between two of them
	my %pages = map { s/\d{4}-\d\d-\d\d \d\d:\d\d/then/gr => 1 } map { $node->safe_psql($database, "SET client_encoding = '$_'; SELECT mf_report('ratings', titles => 'movies', users => '{1, 2}')") } @clients;
	is(scalar keys %pages, 1, "$encoding: the same page for clients of @clients");
	my ($page) = keys %pages;
	unlike($page, qr/[^\n\t\x20-\x7e]/, 'in ASCII');
	return $page;
}
like(page_in('UTF8', '\xe698a0e794bb', qw(UTF8 EUC_JP SQL_ASCII)), qr{<bdi>&#26144;&#30011;</bdi>}, 'characters by their numbers');
like(page_in('LATIN1', '\x416de96c6965', qw(LATIN1 UTF8)), qr{<bdi>Am&#233;lie</bdi>}, 'of Western Europe');
like(page_in('KOI8R', '\xebc9cecf', qw(KOI8R UTF8)), qr{<bdi>&#1050;&#1080;&#1085;&#1086;</bdi>}, 'of Russia');
like(page_in('EUC_JP', '\xb1c7b2e8', qw(EUC_JP UTF8)), qr{<bdi>&#26144;&#30011;</bdi>}, 'of Japan');
like(page_in('SQL_ASCII', '\xe698a0', 'SQL_ASCII'), qr{<bdi>&#26144;</bdi>}, 'of nobody knows where: taken for UTF-8 where it may be that');
$node->safe_psql('in_sql_ascii', q{UPDATE movies SET title = convert_from('\x416de96c6965', 'SQL_ASCII')});
like($node->safe_psql('in_sql_ascii', q{SELECT mf_report('ratings', titles => 'movies')}), qr{<bdi>Am&#233;lie</bdi>}, 'and is no error elsewhere');

# A schema whose name needs quotes, and is a format.
$node->safe_psql('postgres', 'CREATE DATABASE odd');
$node->safe_psql('odd', qq{CREATE SCHEMA "Odd %s %I schema"; CREATE EXTENSION mfrec SCHEMA "Odd %s %I schema"; SET search_path = "Odd %s %I schema"; $data});
like($node->safe_psql('odd', q{SELECT "Odd %s %I schema".mf_report()}),
	qr{<code>&#34;Odd %s %I schema&#34;\.ratings</code>.*</html>$}s, 'in a schema that needs quotes');

# What stands in the schema already is not taken for PostgreSQL's own when bodies are read.
$node->safe_psql('postgres', 'CREATE DATABASE spied');
$node->safe_psql('spied', q{CREATE TABLE noted (what text);
	CREATE FUNCTION public.spy(text, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'spied'; END $$;
	CREATE FUNCTION public.spy(double precision, integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'spied'; END $$;
	CREATE FUNCTION public.spy(bigint, numeric) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'spied'; END $$;
	CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = public.spy);
	CREATE OPERATOR public.>= (LEFTARG = double precision, RIGHTARG = integer, FUNCTION = public.spy);
	CREATE OPERATOR public.* (LEFTARG = bigint, RIGHTARG = numeric, FUNCTION = public.spy);
	CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'spied'; END $$;
	CREATE EXTENSION mfrec;} . $data);
like($node->safe_psql('spied', 'SELECT mf_report()'), qr{</html>$}, 'nothing of the schema is in the way');

# A model of 0.1.0, of which less is known.
$node->safe_psql('postgres', 'CREATE DATABASE updated');
$node->safe_psql('updated', "CREATE EXTENSION mfrec VERSION '0.1.0'; $data; ALTER EXTENSION mfrec UPDATE");
my $page = $node->safe_psql('updated', 'SELECT mf_report()');
like($page, qr{<figcaption>Loss.*</html>$}s, 'a report of what 0.1.0 has trained');
unlike($page, qr/Time by phase/, 'knows no phases');
like($node->safe_psql('updated', q{SELECT FROM mf_retrain('ratings'); SELECT mf_report()}), qr/Time by phase/, 'until it is trained again');

# The language that it is written in may have been dropped.
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->safe_psql('plain', 'DROP EXTENSION plpgsql');
like(($node->psql('plain', 'CREATE EXTENSION mfrec'))[2], qr/required extension "plpgsql" is not installed.*CASCADE/s, 'plpgsql is asked for');
$node->safe_psql('plain', "CREATE EXTENSION mfrec CASCADE; $data");
like($node->safe_psql('plain', 'SELECT mf_report()'), qr{</html>$}, 'and installed along');
$node->stop;
done_testing();
