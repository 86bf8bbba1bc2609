# SPDX-License-Identifier: MIT
# Machines, engines and logs at their worst, through the real program: what cannot be known is said, with the
# reason, within the time that was given; the rest is shown; nothing hangs, nothing is lost unsaid, and no
# byte of a log reaches the terminal as it is.
#
# time-limit: 300
. tests/support/tap.sh
. tests/services/services.sh
services_need ssh docker curl

shopd=$BASCULE_BUILD/tests/services/shopd
PATH=$(dirname "$BASCULE"):$PATH
mkdir "$TMPDIR/shop" && cd "$TMPDIR/shop" || bail 'no folder'

# pick PERL-EXPRESSION: of the JSON in $out, which is $j there; a list is joined by blanks.
pick() {
	perl -MJSON::PP -0777 -e '
		my $j = eval { decode_json($ARGV[0]) } or do { print "not JSON: $ARGV[0]"; exit };
		my @said = map { ref ? encode_json($_) : $_ // "null" } eval $ARGV[1];
		print $@ || "@said"' "$out" "$1"
}
# of ENVIRONMENT FIELD: of its services, in `status --json`.
of() { pick "map { my \$e = \$_; map { \$_->{$2} } @{\$e->{services}} } grep { \$_->{name} eq '$1' } @{\$j->{environments}}"; }
# in_time SECONDS WANT DESCRIPTION COMMAND...: exits with a limit.
in_time() {
	local limit=$1 want=$2 what=$3
	shift 3
	exits "$want" "$what" timeout "$limit" "$@"
}
escapes() { grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$1"; }

# --- The world ----------------------------------------------------------------------------------

services start docker || bail 'no docker'
services image docker shop:1 || bail 'no image'
eval "$(services env docker)"
services docker docker run -d --name web shop:1 >/dev/null || bail 'no container'
for host in app1 app2 app3; do services start ssh $host || bail 'no sshd'; done
services start ssh chatty --shell chatty
services start ssh few --set MaxSessions=2 --set MaxStartups=3
services start ssh denied --user postgres
services proxy far app1 --delay 100 >/dev/null
services proxy hole app2 >/dev/null
services proxy hole blackhole >/dev/null
services down app3
eval "$(services env app1)"
export BASCULE_SSH_CONFIG=$SSH_CONFIG_ALL

environment() { # NAME HOST [LINE of its service]...
	printf '\n[environment %s]\nhost = %s\nconnect_timeout = 4s\nprotected = no\n' "$1" "$2"
	printf '\n[service web on %s]\n' "$1"
	shift 2
	printf '%s\n' "$@"
}
{
	printf '%s\n' '[project]' 'name = shop'
	for each in good:app1 slow:far hole:hole gone:app3 chatty:chatty few:few denied:denied; do
		environment "${each%:*}" "${each#*:}" "engine_socket = $DOCKER_SOCKET"
	done
	environment nodocker app1 'engine_socket = /nowhere/docker.sock'
	environment nothing app1 "engine_socket = $DOCKER_SOCKET" 'container = nothing'
} >bascule.ini

# --- Logs: where they cannot be read ------------------------------------------------------------

in_time 20 0 'a machine that is well' bascule logs good --tail 3
like "$out" 'GET |order placed' 'gives its lines'
in_time 30 0 'one that is far away' bascule logs slow --tail 3
like "$out" 'GET |order placed' 'does too'
in_time 20 0 'one whose login prints noise' bascule logs chatty --tail 3
like "$out" 'GET |order placed' 'gives the lines'
unlike "$out$err" 'Welcome|nvm' 'and not the noise'
in_time 15 1 'one that is down' bascule logs gone
like "$err" 'app3.*Connection refused' 'is said to refuse'
in_time 15 1 'one in a black hole' bascule logs hole
like "$err" 'hole (did not answer )?in time' 'is said not to answer'
in_time 15 1 'who may not use docker' bascule logs denied
like "$err" "postgres may not use $DOCKER_SOCKET.*try: " 'is told so, and what helps'
in_time 15 1 'no docker' bascule logs nodocker
like "$err" 'there is no /nowhere/docker.sock' 'is said'
in_time 15 1 'no such container' bascule logs nothing
like "$err" 'no container nothing on app1' 'is said'

# --- Logs: what is in them ----------------------------------------------------------------------

run_shopd() { services docker docker run -d --name "$1" shop:1 /shopd "${@:2}" >/dev/null; }
run_shopd dirty --binary --rate max --count 300
run_shopd huge --long-line 30000000 --shape plain --rate max --count 20
run_shopd counted --shape numbered --rate max --count 100000 --exit
mkdir run
# Its own clock goes back by an hour in the middle.
"$shopd" --shape plain --rate max --jump-back 500 --count 1000 --exit --log run/back.log
{
	printf '\n[environment bad]\nhost = app1\nprotected = no\n'
	for each in dirty huge counted; do
		printf '\n[service %s on bad]\nengine_socket = %s\n' "$each" "$DOCKER_SOCKET"
	done
	printf '\n[service back on bad]\nruntime = process\ndirectory = %s/run\n' "$PWD"
	printf '%s\n' 'pid_file = back.pid' 'log_file = back.log'
} >>bascule.ini

in_time 30 0 'bytes that are no text' bascule logs bad dirty --since 1h
is "$(escapes "$out")" 0 'come to a terminal as text'
like "$out" 'x1b]0;owned' 'what can be read of them is there'
in_time 30 0 'as JSON' bascule logs bad dirty --since 1h --json
is "$(perl -MJSON::PP -ne 'decode_json($_) && $n++; END { print $n }' <<<"$out")" 301 'each line is valid'

timeout 60 bascule logs bad huge --since 1h >huge.out
is $? 0 'a line of 30 MB'
is "$(tr -cd + <huge.out | wc -c)" $((30000000 / 64)) 'comes whole, in pieces'
is "$(wc -L <huge.out | awk '{ print $1 < 1500000 }')" 1 'that are not endless'
like "$(tail -n 1 huge.out)" 'GET |slow query' 'and so does what follows'
rm huge.out

timeout 60 bascule logs bad counted --since 1h >counted.out
is "$("$shopd" --verify <counted.out)" \
	'lines=100000 missing=0 again=0 first=1 last=100000 hash=good' '100,000 lines, counted and hashed'
rm counted.out

in_time 30 0 'a clock that goes back' bascule logs bad back --tail 2000
is "$(grep -c ' INFO \| WARN ' <<<"$out")" 1002 'loses no line'

# --- Logs: what happens to them -----------------------------------------------------------------

# follow NAME ENVIRONMENT SERVICE...: `logs -f` in the background, into NAME.out and NAME.err.
follow() {
	local name=$1
	shift
	bascule logs "$@" -f --since 1h >"$name.out" 2>"$name.err" &
	follower=$!
}
unfollow() {
	kill -TERM $follower
	wait $follower
}
has() { grep -q -- "$2" "$1" 2>/dev/null; }
lines_of() { [ "$(grep -c -- "$2" "$1")" -ge "$3" ]; }

# Rotated behind our back, three times and more.
{
	printf '\n[environment rotating]\nhost = app1\nprotected = no\n[service web on rotating]\n'
	printf '%s\n' 'runtime = process' "directory = $PWD/run" 'pid_file = web.pid' 'log_file = web.log'
} >>bascule.ini
"$shopd" --shape numbered --rate 1500 --count 9000 --rotate 250000 --log run/web.log --pid-file run/web.pid &
service=$!
follow rotating rotating
ok 'a log that rotates' wait_until 60 has rotating.out ' n=9000 '
unfollow
ok 'did' test -e run/web.log.1
is "$("$shopd" --verify <rotating.out)" 'lines=9000 missing=0 again=0 first=1 last=9000 hash=good' \
	'loses nothing, and nothing comes twice'
kill $service

# Cut in the middle, and a host that goes away and comes back.
run_shopd flow --shape numbered --rate 400 --count 4000
printf '\n[environment cut]\nhost = far\nprotected = no\n[service flow on cut]\nengine_socket = %s\n' \
	"$DOCKER_SOCKET" >>bascule.ini
follow cut cut
ok 'a log from far away' wait_until 30 lines_of cut.out ' n=' 200
services proxy far cut >/dev/null
seen=$(grep -c ' n=' cut.out)
ok 'goes on after a cut' wait_until 60 lines_of cut.out ' n=' $((seen + 200))
services crash app1
services start ssh app1
ok 'and after a crash of sshd' wait_until 90 has cut.out ' n=4000 '
unfollow
is "$("$shopd" --verify <cut.out)" 'lines=4000 missing=0 again=0 first=1 last=4000 hash=good' \
	'exactly where it was'

# A container that is removed while it is followed, and another in its place.
run_shopd short --rate 20 --name first
printf '\n[service short on bad]\nengine_socket = %s\n' "$DOCKER_SOCKET" >>bascule.ini
follow short bad short
ok 'a container is followed' wait_until 30 has short.out 'first 1.0.0 starts'
services docker docker rm -f short >/dev/null
ok 'removed, that is told' wait_until 30 has short.err 'short'
diag "$(cat short.err)"
run_shopd short --rate 20 --name second
ok 'the next of its name is followed' wait_until 60 has short.out 'second 1.0.0 starts'
unfollow

# More logs than the server has sessions for.
printf '\n[environment many]\nhost = few\nprotected = no\n' >>bascule.ini
for each in 1 2 3 4 5 6 7 8; do
	"$shopd" --shape plain --name "m$each" --rate 5 --log "run/m$each.log" --pid-file "run/m$each.pid" &
	printf '\n[service m%s on many]\n' $each
	printf '%s\n' 'runtime = process' "directory = $PWD/run" "pid_file = m$each.pid" \
		"log_file = m$each.log"
done >>bascule.ini
follow many many
all_eight() { [ "$(awk '{ print $2 }' many.out | sort -u | wc -l)" = 8 ]; }
ok 'eight logs through two sessions at a time' wait_until 60 all_eight
is "$(grep -c 'm[1-8] *INFO  *[^ ]* *INFO  *m[1-8] 1.0.0 starts' many.out)" 8 'each from its begin'
unfollow
mapfile -t left < <(jobs -p)
kill "${left[@]}"
done_testing
