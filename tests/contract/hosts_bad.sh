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
# Clocks that were set wrong.
for each in 'early -200' 'late 4000'; do
	mkdir "$TMPDIR/${each% *}"
	printf '#!/bin/sh\nexec %s -d "now %s seconds" "$@"\n' "$(command -v date)" "${each#* }" \
		>"$TMPDIR/${each% *}/date"
	chmod +x "$TMPDIR/${each% *}/date"
	services start ssh "${each% *}" --env "PATH=$TMPDIR/${each% *}:$PATH" || bail 'no sshd'
done
services start ssh full --disk 1 && services fill full 0
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
	for each in good:app1 slow:far hole:hole gone:app3 chatty:chatty few:few full:full denied:denied; do
		environment "${each%:*}" "${each#*:}" "engine_socket = $DOCKER_SOCKET"
	done
	environment nodocker app1 'engine_socket = /nowhere/docker.sock'
	environment half 'app1, app3' "engine_socket = $DOCKER_SOCKET"
	environment nothing app1 "engine_socket = $DOCKER_SOCKET" 'container = nothing'
} >bascule.ini

# --- Status -------------------------------------------------------------------------------------

begin=$SECONDS
in_time 60 0 'the status of them all' bascule status --json
[ $((SECONDS - begin)) -le 30 ] # of eleven, each with 4 s and more
is $? 0 'takes as long as the slowest may take'
for each in good slow chatty few full; do is "$(of $each state)" running "$each: its service runs"; done
for each in hole gone denied nodocker; do is "$(of $each state)" unknown "$each: nobody knows"; done
like "$(of hole error)" 'cannot connect to hole in time' 'a black hole'
like "$(of gone error)" 'app3.*Connection refused' 'a machine that is down'
is "$(of denied error)" "cannot reach docker: postgres may not use $DOCKER_SOCKET" 'no permission'
is "$(of nodocker error)" 'cannot reach docker: there is no /nowhere/docker.sock' 'no docker'
is "$(of half state)" 'running unknown' 'one of two machines is down'
is "$(of nothing state) $(of nothing error)" 'absent null' 'no container'
in_time 60 0 'for people' bascule status hole good
like "$out" 'services +1 up +unknown' 'side by side'
like "$out" 'hole: .*in time.*try: ' 'with the reason, and what to do'

# --- Clocks ---------------------------------------------------------------------------------------

{
	printf '%s\n' '[project]' 'name = clocks'
	for each in app1 early late; do environment on-$each $each "engine_socket = $DOCKER_SOCKET"; done
} >clocks.ini
in_time 60 0 'a check of clocks' bascule -c clocks.ini check --json
clock() { pick "map { \"\$_->{state} \$_->{found}\" } grep { \$_->{what} eq '$1' && \$_->{found} =~ /clock/ } @{\$j->{checks}}"; }
like "$(clock app1)" '^ok its clock is as ours, within [0-9]+ ms$' 'one that goes right'
like "$(clock early)" '^warn[a-z]* its clock is behind ours by 3m' 'one that is late'
like "$(clock late)" '^warn[a-z]* its clock is ahead of ours by 1h' 'one that is an hour early'
like "$(pick 'map { $_->{hint} // "" } grep { $_->{what} eq "late" } @{$j->{checks}}')" 'synchronise both clocks' \
	'and what to do'

# Up and down again, and not enough memory of it to be up.
services docker docker run -d --name loops --restart always shop:1 /shopd --exit-after 30 --exit-code 3 \
	>/dev/null
# Many of them: the engine has 200, most of them never started.
for i in {1..200}; do
	printf 'next\nurl = "http://d/containers/create?name=c%s"\noutput = /dev/null\nunix-socket = "%s"\n' \
		"$i" "$DOCKER_SOCKET"
	printf '%s\n' 'header = "Content-Type: application/json"' 'data = "{\"Image\":\"shop:1\"}"'
done | sed 1d >containers
curl -s --parallel --parallel-max 8 --config containers 2>/dev/null
is "$(services docker docker ps -aq --filter name=^c | wc -l)" 200 '200 containers'
for i in 1 2 3; do services docker docker start c$i >/dev/null; done
{
	printf '\n[environment crowd]\nhost = app1\nprotected = no\n'
	for i in loops c{1..200}; do
		printf '\n[service %s on crowd]\nengine_socket = %s\n' "$i" "$DOCKER_SOCKET"
	done
} >>bascule.ini
looped() { [ "$(services docker docker inspect -f '{{.RestartCount}}' loops)" -ge 3 ]; }
wait_until 60 looped
in_time 60 0 'status of a machine with 200' bascule status crowd --json
states=$(of crowd state | tr ' ' '\n')
is "$(grep -c created <<<"$states")" 197 'most were only created'
is "$(tail -n +2 <<<"$states" | grep -c running)" 3 'three run'
like "$(of crowd words | head -c 200)" '[0-9]+ restarts' 'one was started again and again'
like "$(of crowd ok)" '^false true true true false' 'which is not well'

# --- Health -------------------------------------------------------------------------------------

mkdir run
serve() { # NAME [OPTION]...: a process with a health, on app1
	local port
	port=$(services port)
	"$shopd" --name "$1" --port "$port" --log "run/$1.log" --pid-file "run/$1.pid" "${@:2}" &
	printf '\n[service %s on serving]\nruntime = process\ndirectory = %s/run\n' "$1" "$PWD"
	printf '%s\n' "pid_file = $1.pid" "log_file = $1.log" "health = http://127.0.0.1:$port/health" \
		'health_delay = 0s' 'health_attempts = 3' 'health_interval = 200ms' 'health_timeout = 1s' \
		'health_successes = 2'
}
printf '\n[environment serving]\nhost = app1\nprotected = no\n' >ini
for each in well: 'fails:--fail-health 500' 'slow:--slow-health 5000' turns:--redirect-health \
	'late:--healthy-after 100'; do
	# shellcheck disable=SC2086 # words
	serve "${each%%:*}" ${each#*:} >>ini
done
cat ini >>bascule.ini
verdict() { pick "map { \$_->{verdict} } @{\$j->{services}}"; }
in_time 60 1 'health of five' bascule health serving --json
is "$(verdict)" 'healthy unhealthy unhealthy unhealthy healthy' 'three fail, each for its reason'
like "$(pick 'map { $_->{error} // "-" } @{$j->{services}}')" '500.*302' 'which is said'
in_time 60 1 'for people' bascule health serving fails
like "$out" 'FAIL.*500.*\| .*(GET|order placed|starts|payment|more|at )' 'with the last lines of its log'
in_time 60 0 'of one that is well' bascule health serving well
in_time 60 1 'on a machine that is down' bascule health gone
like "$out$err" 'app3.*Connection refused' 'nobody knows'
members() { pick 'join ",", map { sort keys %$_ } @{$j->{services}}'; }
well='error,host,hint,log,ms,ok,service,state,status,successes,tries,verdict'
in_time 60 1 'as a document' bascule health gone --json
is "$(pick '$j->{ok}') $(verdict) $(pick '$j->{services}[0]{ok}')" 'false unknown false' 'not well'
like "$(pick '$j->{services}[0]{error}')" 'app3.*Connection refused' 'which has the reason'
is "$(members | tr , '\n' | sort)" "$(tr , '\n' <<<"$well" | sort)" 'and every member'
in_time 60 1 'with one of two machines down' bascule health half --once --json
is "$(verdict)" 'healthy unknown' 'the other is asked'
is "$(pick 'map { $_->{host}, $_->{ok} } @{$j->{services}}') $(pick '$j->{ok}')" 'app1 true app3 false false' \
	'and which of them it is'
like "$(pick '$j->{services}[1]{error}')" 'web.*app3.*Connection refused' 'with its own reason'
is "$(members | tr , '\n' | sort -u)" "$(tr , '\n' <<<"$well" | sort)" 'and every member'
in_time 60 1 'a document of a black hole' bascule health hole --json
is "$(verdict)" unknown 'is one too'

# --- Logs: where they cannot be read ------------------------------------------------------------

in_time 60 0 'a machine that is well' bascule logs good --tail 3
like "$out" '20[0-9-]+T[0-9:.]+Z ' 'gives its lines'
in_time 60 0 'one that is far away' bascule logs slow --tail 3
like "$out" '20[0-9-]+T[0-9:.]+Z ' 'does too'
in_time 60 0 'one whose login prints noise' bascule logs chatty --tail 3
like "$out" '20[0-9-]+T[0-9:.]+Z ' 'gives the lines'
unlike "$out$err" 'Welcome|nvm' 'and not the noise'
in_time 60 1 'one that is down' bascule logs gone
like "$err" 'app3.*Connection refused' 'is said to refuse'
in_time 60 1 'one of two that are down' bascule logs half --tail 3
like "$out" 'web@app1 ' 'leaves the lines of the other'
like "$err" 'app3.*Connection refused' 'and is said'
in_time 60 1 'one in a black hole' bascule logs hole
like "$err" 'hole (did not answer )?in time' 'is said not to answer'
in_time 60 1 'who may not use docker' bascule logs denied
like "$err" "postgres may not use $DOCKER_SOCKET.*try: " 'is told so, and what helps'
in_time 60 1 'no docker' bascule logs nodocker
like "$err" 'there is no /nowhere/docker.sock' 'is said'
in_time 60 1 'no such container' bascule logs nothing
like "$err" 'no container nothing on app1' 'is said'

# --- Logs: what is in them ----------------------------------------------------------------------

run_shopd() { services docker docker run -d --name "$1" shop:1 /shopd "${@:2}" >/dev/null; }
run_shopd dirty --shape plain --binary --rate max --count 300
run_shopd huge --long-line 30000000 --shape plain --rate max --count 20
run_shopd counted --shape numbered --rate max --count 100000 --exit
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

in_time 60 0 'bytes that are no text' bascule logs bad dirty --since 1h
is "$(escapes "$out")" 0 'come to a terminal as text'
like "$out" 'x1b]0;owned' 'what can be read of them is there'
in_time 60 0 'as JSON' bascule logs bad dirty --since 1h --json
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

in_time 60 0 'a clock that goes back' bascule logs bad back --tail 2000
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
ok 'a log from far away' wait_until 60 lines_of cut.out ' n=' 200
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
ok 'a container is followed' wait_until 60 has short.out 'first 1.0.0 starts'
services docker docker rm -f short >/dev/null
ok 'removed, that is told' wait_until 60 has short.err 'short'
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
