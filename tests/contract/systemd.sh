# SPDX-License-Identifier: MIT
# Services of a real systemd, process 1 of a machine of its own that is reached over ssh: what status, health and logs
# say of units in every state, and what who may not read the journal is told.
. tests/support/tap.sh
. tests/services/services.sh
services_need ssh systemd

PATH=$(dirname "$BASCULE"):$PATH
mkdir "$TMPDIR/shop" && cd "$TMPDIR/shop" || bail 'no folder'
services start ssh sys --systemd || bail 'no systemd'
services start ssh guest --systemd --user postgres || bail 'no systemd for guests'
eval "$(services env sys)"
export BASCULE_SSH_CONFIG=$SSH_CONFIG_ALL
on() { ssh -F "$SSH_CONFIG" sys "$@" </dev/null; }
unit() { # NAME [LINE of its service]...
	{
		printf '%s\n' '[Unit]' 'DefaultDependencies=no' 'StartLimitIntervalSec=0' '[Service]'
		printf '%s\n' "${@:2}"
	} | ssh -F "$SSH_CONFIG" sys "cat >/run/systemd/system/$1.service"
}
is "$(on 'cat /proc/1/comm; systemctl is-system-running')" $'systemd\nrunning' 'a systemd runs'

unit steady 'ExecStart=/bin/sh -c "echo ready; exec sleep 1000"' Restart=always RestartSec=100ms
unit broken 'ExecStart=/bin/sh -c "echo no database >&2; exit 3"'
unit killed 'ExecStart=/bin/sh -c "kill -SEGV $$$$"'
unit looping 'ExecStart=/bin/sh -c "exit 4"' Restart=always RestartSec=200ms
unit once 'ExecStart=/bin/true' Type=oneshot RemainAfterExit=yes
unit wrong 'ExecStart=nowhere'
unit idle 'ExecStart=/bin/true'
# shellcheck disable=SC2016 # for the other side
unit chatty 'ExecStart=/bin/sh -c "for i in $(seq 9000); do echo line $$i; done; sleep 2; echo after; sleep 1000"' \
	LogRateLimitIntervalSec=1s LogRateLimitBurst=5
on 'systemctl daemon-reload; systemctl mask --runtime hidden 2>/dev/null
	for i in steady broken killed looping once chatty; do systemctl start --no-block $i; done'
{
	printf '%s\n' '[project]' 'name = shop' 'pipeline = test -> denied'
	for each in test:sys denied:guest; do
		printf '\n[environment %s]\nhost = %s\nprotected = no\n' "${each%:*}" "${each#*:}"
	done
	for each in steady broken killed looping once wrong idle hidden nothing chatty; do
		printf '\n[service %s on test]\nruntime = systemd\nunit = %s.service\n' $each $each
	done
	printf '\n[service web on denied]\nruntime = systemd\nunit = test.service\n'
} >bascule.ini

# --- Status -------------------------------------------------------------------------------------

# of SERVICE FIELD
of() {
	perl -MJSON::PP -e 'for my $e (@{decode_json($ARGV[0])->{environments}}) {
		for (@{$e->{services}}) {
			my $v = $_->{$ARGV[2]};
			print ref $v ? $v ? "true" : "false" : $v // "null" if $_->{name} eq $ARGV[1]
		}
	}' "$out" "$@"
}
look() { run bascule status test --json; }
settled() { look && [ "$(of steady state) $(of broken state) $(of killed state)" = 'running failed failed' ]; }
ok 'units come into their states' wait_until 60 settled
look
is "$(of steady ok) $(of steady restarts) $(of steady error)" 'true 0 null' 'one that runs'
like "$(of steady since)" '^20[0-9-]+T[0-9:.]+Z$' 'since when'
is "$(of broken exit_code)" 3 'one that failed, with its status'
like "$(of broken words)" 'exit-code|exit 3' 'in words'
is "$(of killed exit_code)" 139 'one that a signal ended'
is "$(of once state)" stopped 'one that did its work'
is "$(of idle state) $(of nothing state)" 'stopped absent' 'one that was not started, one that is not there'
is "$(of hidden ok)" false 'one that is masked'
is "$(of wrong ok)" false 'one whose file is wrong'
loops() { look && [ "$(of looping loops) $(of looping ok)" = 'true false' ]; }
ok 'one that comes up again and again' wait_until 60 loops
pid=$(on systemctl show --value --property=MainPID steady)
on kill -KILL "$pid"
came_back() { look && [ "$(of steady restarts)/$(of steady state)" = 1/running ]; }
ok 'one that was killed counts one restart' wait_until 60 came_back

# --- Health -------------------------------------------------------------------------------------

exits 0 'health of one that runs' bascule health test steady
exits 1 'health of one that failed' bascule health test broken
like "$out" 'FAIL +broken.*(exit|failed).*no database' 'with the last line of its journal'

# --- Logs ---------------------------------------------------------------------------------------

exits 0 'the journal of a unit' bascule logs test broken
like "$out" 'no database' 'is its log'
run bascule logs test steady
is "$(grep -c ready <<<"$out")" 2 'over a restart'
after() { run bascule logs test chatty && [[ $out == *after* ]]; }
ok 'one whose rate limit let little through' wait_until 60 after
run bascule logs test chatty
lost=$(sed -n 's/.*Suppressed \([0-9]*\) messages from chatty.*/\1/p' <<<"$out")
is $((lost + $(grep -c ' line [0-9]' <<<"$out"))) 9000 'says how many it kept back'
like "$err" "chatty: $lost lines are lost" 'which are counted as lost'

# --- Who may not ---------------------------------------------------------------------------------

run bascule logs denied
is "$status" 1 'who may not read the journal'
like "$err" 'permission|not seeing messages|No journal files' 'is told so'
like "$err" 'systemd-journal' 'and which group helps'
exits 0 'where no bus is for him' bascule status denied
like "$out" 'cannot ask systemctl for test.service: Failed to connect to bus.*try: ' 'that is said'
done_testing
