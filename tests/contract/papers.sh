#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The papers against the program and the tree: a paper that says something else than what is there is
# a fault like any other. What docs-check sees without a program (links, targets) is not repeated.
. tests/support/tap.sh

# --- The tree in ARCHITECTURE.md ------------------------------------------------------------------
#
# A line that is not indented is a folder; an indented one names files, then after two blanks says
# what they are. A name may have a * only where there is one file for each of many things.

tree=$TMPDIR/tree
sed -n '/^## 11\. The tree/,$p' ARCHITECTURE.md | sed -n '/^```$/,/^```$/p' | grep -v '^```' >"$tree"

named() { # every file the tree names, patterns as they are
	local line folder='' names
	while IFS= read -r line; do
		case $line in
		'') ;;
		' '*)
			line=${line#"${line%%[! ]*}"}
			names=${line%%  *}
			for name in $names; do
				printf '%s\n' "${folder#./}$name"
			done
			;;
		*/) folder=$line ;;
		*) printf 'not a folder: %s\n' "$line" ;;
		esac
	done <"$tree"
}

# Sources as git knows them, so that build products and editors' files do not count.
sources() {
	{ git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f | sed 's|^\./||'; } |
		grep -E '\.(c|h|sh|bash)$|^tools/' | grep -vE '^(build|tests/fixtures|docs)/' | sort -u |
		while IFS= read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done
}

set -f
named_files=$(named)
set +f

missing=''
while IFS= read -r name; do
	compgen -G "$name" >/dev/null || missing+="$name "
done <<<"$named_files"
is "$missing" '' 'every file the tree names exists'

unnamed=''
while IFS= read -r file; do
	found=''
	while IFS= read -r name; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $file == $name && ${file%/*} == "${name%/*}" ]] && found=1 && break
	done <<<"$named_files"
	[ -n "$found" ] || unnamed+="$file "
done < <(sources)
is "$unnamed" '' 'the tree names every source'

is "$(sort <<<"$named_files" | uniq -d)" '' 'the tree names nothing twice'

lost=''
set -f
for name in $named_files; do
	[[ $name != *'*'* || $name == tests/* || $name == themes/* ]] || lost+="$name "
done
set +f
is "$lost" '' 'patterns stand for tests and themes only'

untold=$(grep -vE '^[^ ].*/$|^$|^  [^ ].*  +[^ ]' "$tree")
is "$untold" '' 'every line of the tree says what the files are'

page_text() { # PAGE: as plain text, without the overstriking of bold
	mandoc -T ascii "$1" | sed $'s/.\b//g'
}

# --- Commands -------------------------------------------------------------------------------------

run "$BASCULE" help
is "$status" 0 'help ends with 0'
commands=$(sed -n '/^commands:/,/^$/s/^  \([a-z]\{1,\}\).*/\1/p' <<<"$out" | sort)
isnt "$commands" '' 'help lists commands'

synopsis=$(page_text man/bascule.1 |
	sed -n '/^SYNOPSIS/,/^DESCRIPTION/s/^ *bascule \([a-z]\{1,\}\).*/\1/p' | sort)
is "$synopsis" "$commands" 'the synopsis of bascule(1) has the commands of help'

# `bascule WORD …` in a paper: in backquotes or at the start of a line of a fenced block.
commands_of() { # PAPER
	{
		grep -oE '`bascule [a-z]+' "$1"
		sed -n '/^```/,/^```/p' "$1" | grep -oE '^(\$ )?bascule [a-z]+'
	} | sed 's/.*bascule //' | sort -u
}
for paper in README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md; do
	unknown=$(comm -23 <(commands_of "$paper") <(printf '%s\nrun\n' "$commands" | sort))
	is "$unknown" '' "$paper names only commands that exist"
done

# --- Keys -----------------------------------------------------------------------------------------

run "$BASCULE" keys --json
is "$status" 0 'keys ends with 0'
keys=$(grep -oE '"keys": "[^"]*"' <<<"$out" | sed 's/^"keys": "//;s/"$//;s/\\\\/\\/g' | tr ' ' '\n' |
	grep . | sort -u)

# Keys of a paper: <kbd>…</kbd>, and the first column of the newcomer's block; TYPE is text to type.
keys_of() { # PAPER
	{
		grep -oE '<kbd>[^<]*</kbd>' "$1" | sed 's/<[^>]*>//g'
		sed -n '/<!-- keys: newcomer -->/,/^```$/p' "$1" | grep -vE '^(<!--|```|$)' |
			sed 's/  .*//' | tr ' ' '\n' | grep -v '^"'
	} | grep . | sort -u
}
isnt "$(keys_of README.md)" '' 'the README names keys'
is "$(comm -23 <(keys_of README.md) <(printf '%s\n' "$keys"))" '' 'keys in the README are keys of the console'

# --- Configuration --------------------------------------------------------------------------------

# A block of the README that is a whole configuration is read by the program itself.
blocks=0
while IFS= read -r -d '' block; do
	blocks=$((blocks + 1))
	dir=$TMPDIR/config$blocks
	mkdir -p "$dir"
	printf '%s\n' "$block" >"$dir/bascule.ini"
	run "$BASCULE" -c "$dir/bascule.ini" runs
	is "$status" 0 "configuration $blocks of the papers is accepted"
	[ "$status" = 0 ] || diag "$err"
done < <(perl -0777 -ne 'while (/^```ini\n(.*?)^```/msg) { print "$1\0" }' README.md)
ok 'the README has a configuration' test "$blocks" -gt 0

for file in config/examples/*.ini; do
	run env SHOP_HOME="$TMPDIR" SHOP_DATA="$TMPDIR" "$BASCULE" -c "$file" runs
	is "$status" 0 "$file is accepted"
	[ "$status" = 0 ] || diag "$err"
done

# --- Themes ---------------------------------------------------------------------------------------

roles=$(sed -n '/^\.Sh ROLES/,/^\.El/s/^\.It Li //p' man/bascule-theme.5 | sed 's/ , /\n/g' | sort)
for file in themes/*.theme; do
	is "$(sed -n '/^\[roles\]/,$s/^\([a-z0-9-]*\) = .*/\1/p' "$file" | sort)" "$roles" \
		"$file has the roles of bascule-theme(5)"
done

# --- Exit statuses --------------------------------------------------------------------------------

page=$(page_text man/bascule.1 | sed -n '/^EXIT STATUS/,/^EXAMPLES/p')
for code in 0 1 2 3 4 5 6 7 8; do
	like "$page" $'\n'" +$code +[a-z]" "bascule(1) explains exit status $code"
	like "$(<README.md)" "\| $code \|" "the README explains exit status $code"
done

done_testing
