# A page of the documentation as its tests see it: the blocks of code in their order.
package Page;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(anchor_of blocks prose);

# The blocks of a page, each a hash of its language ('' where none is said), code, line, the headings above it
# (section, the last one of ##, and heading, the last one of any level), and the output that follows it: a block
# without a language right behind.
sub blocks
{
	my ($text) = @_;
	my @blocks;
	while ($text =~ /^```(\w*)\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?/gms)
	{
		my %block = (language => $1, code => $2, output => $3, line => 1 + (substr($text, 0, $-[0]) =~ tr/\n//));
		my $before = prose(substr($text, 0, $-[0]));
		($block{section}) = $before =~ /.*^## ([^\n]*)/ms;
		($block{heading}) = $before =~ /.*^#+ ([^\n]*)/ms;
		push @blocks, \%block;
	}
	return @blocks;
}

# The name under which a heading can be linked to.
sub anchor_of
{
	my $heading = lc shift;
	$heading =~ s/[^\w\s-]//g;
	$heading =~ s/\s/-/g;
	return $heading;
}

# What a page says beside its blocks.
sub prose
{
	return shift =~ s/^```.*?^```//gmsr;
}

1;
