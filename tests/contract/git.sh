#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What git says of the migrations: shown by check and matrix, a note of the plan where nothing is
# protected, a gate where it is. Every command that the gate prints changes what it says.
. tests/support/tap.sh
. tests/support/shop.sh

command -v git >/dev/null || skip_all 'no git'
export GIT_CONFIG_GLOBAL=$TMPDIR/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name Op
git config --global user.email op@example
git config --global init.defaultBranch main

git init -q --bare "$TMPDIR/origin.git"
mkdir -p "$TMPDIR/my work/m/up" "$TMPDIR/my work/m/down" "$TMPDIR/my work/data"
cd "$TMPDIR/my work" || bail 'no folder'
cat >bascule.ini <<'INI'
[project]
name = git
migrations = m
pipeline = staging -> production
[environment staging]
database = sqlite:data/staging.sqlite
[environment production]
database = sqlite:data/production.sqlite
protected = yes
backup = never
INI
echo 'CREATE TABLE one(n);' >m/up/0001_one.sql
echo 'DROP TABLE one;' >m/down/0001_one.sql
sqlite3 data/staging.sqlite VACUUM
sqlite3 data/production.sqlite VACUUM
go='--confirm production'

run bascule check
like "$out" 'git +git: not in a git work tree' 'check says when there is no git'
run bascule plan migrate production
like "$out" 'open +git +git: not in a git work tree' 'which is no reason to refuse'
unlike "$(bascule matrix | head -n 1)" 'git' 'and nothing in the matrix'

git init -q .
echo data >.gitignore
run bascule matrix
like "$out" '^1 migration, .*, git main, 2 uncommitted' 'the matrix says what is not committed'
run bascule plan migrate staging
like "$out" 'the migrations are at git main.*2 files not committed' 'a note where nothing is protected'
unlike "$out" '(open|CLOSED) +git' '... and no gate'
run bascule migrate production --confirm production
is "$status" 3 'a gate where it is'
like "$err" 'gate git is closed' '... by its name'
like "$err" '0001_one.sql' '... with the file'
run sh -c "$(hint)"
is "$status" 0 'what it prints can be run'
run bascule plan migrate production
like "$out" 'open +git +main at [0-9a-f]+, no upstream branch' 'and opens it'

git remote add origin "$TMPDIR/origin.git"
git push -q -u origin main
run bascule check
like "$out" 'ok +git +main at [0-9a-f]+, all committed and pushed' 'check says that all is pushed'
echo '-- more' >>m/up/0001_one.sql
git commit -qam 'more'
run bascule check
like "$out" 'warn +git +.*1 commit not pushed' 'and what is not'
run bascule migrate production --confirm production
is "$status" 3 'a commit that is not pushed closes the gate'
is "$(hint)" "git -C '$PWD/m' push" 'push is the way out'
sh -c "$(hint)" >/dev/null 2>&1
echo '-- and more' >>m/up/0001_one.sql
run bascule migrate production --confirm production
is "$status" 3 'an edit closes it again'
sh -c "$(hint)" >/dev/null 2>&1
is "$(git status --porcelain m)$(git rev-list --count '@{upstream}..HEAD')" 0 'its command commits and pushes'
exits 0 'and the migration goes' bascule migrate production --confirm production
is "$(applied production)" 1 'it is applied'

echo 'CREATE TABLE two(n);' >m/up/0002_two.sql
echo 'DROP TABLE two;' >m/down/0002_two.sql
run bascule migrate production --confirm production
is "$status" 3 'a new file closes it'
exits 0 'a reason passes it' bascule migrate production $go --override git --reason 'a hot fix'
exits 0 'rollback asks no git' bascule rollback production last 1 $go
# Work elsewhere in the tree is nobody's business here.
git add -A && git commit -qm two && git push -q
echo x >elsewhere
run bascule plan migrate production
like "$out" 'open +git' 'other files of the tree do not count'
done_testing
