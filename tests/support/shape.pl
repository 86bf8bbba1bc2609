#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# shape.pl DOCUMENTED: reads a JSON document from stdin and compares its members with a documented
# shape, as bascule(7) writes it: {"a","b":{"c"},"d":[],"e":[{"f"}],"g":{*:{"h"}}}. A member without a
# value is anything that holds no members; * stands for any names; null may stand for an object that
# is not there. Prints what differs and ends with 1.
use strict;
use warnings;
use JSON::PP;

my ($text, $wrong) = (shift // '', 0);
my @token = $text =~ /"[^"]*"|[{}\[\]:,*]/g;

sub shape; # a hash of members, a list with at most one element, or undef for a plain value
sub shape {
	my $t = shift @token // die "the documented shape ends too early\n";
	if ($t eq '{') {
		my %member;
		while ((my $name = shift @token // '}') ne '}') {
			next if $name eq ',';
			$name =~ s/^"|"$//g;
			$member{$name} = undef;
			if (@token && $token[0] eq ':') {
				shift @token;
				$member{$name} = shape();
			}
		}
		return \%member;
	}
	die "the documented shape has a stray $t\n" if $t ne '[';
	my $element = $token[0] eq ']' ? undef : shape();
	shift @token;
	return [$element];
}

sub wrong {
	print "@_\n";
	$wrong = 1;
}

sub compare;
sub compare {
	my ($where, $want, $got) = @_;
	return if !defined $got;
	if (!defined $want) {
		wrong("$where has members that are not documented") if ref($got) =~ /^(HASH|ARRAY)$/;
	} elsif (ref $want eq 'ARRAY') {
		return wrong("$where is not a list") if ref $got ne 'ARRAY';
		compare("$where\[\]", $want->[0], $_) for @$got;
	} elsif (ref $got ne 'HASH') {
		wrong("$where is not an object");
	} elsif (exists $want->{'*'}) {
		compare("$where.*", $want->{'*'}, $_) for values %$got;
	} else {
		exists $got->{$_} or wrong("$where.$_ is documented and not there") for sort keys %$want;
		exists $want->{$_} or wrong("$where.$_ is not documented") for sort keys %$got;
		compare("$where.$_", $want->{$_}, $got->{$_}) for grep { exists $want->{$_} } sort keys %$got;
	}
}

local $/;
compare('', shape(), JSON::PP->new->utf8->decode(<STDIN>));
exit($wrong);
