# SPDX-License-Identifier: MIT
# The sshd and the Docker Engine of tests/services: they do what the head of services.sh promises,
# touch nothing of the machine's own, and leave nothing behind, also when they are killed.
#
# time-limit: 240
. tests/support/tap.sh
. tests/services/services.sh
services_need ssh docker curl tls

at() { ssh -o BatchMode=yes -F "$session/$1/client/config" "$@" </dev/null; }
left_of() {
	find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$1/*" 2>/dev/null
	ls -d "$1" 2>/dev/null
}
nothing_left() { [ -z "$(left_of "$1")" ]; }
# Processes by words of their command line that only they have: others start such containers, too.
has_process() { pgrep -f -- "$1" >/dev/null; }
has_none() { ! has_process "$1"; }
not_there() { ! ip link show "$1" 2>/dev/null; }

# --- sshd ---------------------------------------------------------------------------------------

ok 'an sshd starts' services start ssh
eval "$(services env ssh)"
session=${SSH_DIR%/*}
# shellcheck disable=SC2016 # for the other side
is "$(at ssh 'id -un; echo "$HOME"')" "$(id -un)"$'\n'"$SSH_DATA" 'and lets us in, at a HOME of its own'
exits 3 'the status of a command comes back' at ssh 'exit 3'
is "$(ssh-keygen -l -f "$SSH_DIR/hostkey_ed25519.pub" | cut -d' ' -f2)" "$SSH_HOSTKEY_SHA256" \
	'env knows its key'
ssh-keygen -q -t ed25519 -N '' -f "$TMPDIR/stranger"
exits 255 'a stranger is refused' ssh -F /dev/null -i "$TMPDIR/stranger" -o IdentitiesOnly=yes -o BatchMode=yes \
	-o UserKnownHostsFile="$SSH_KNOWN_HOSTS" -p "$SSH_PORT" "$SSH_USER@127.0.0.1" true
like "$err" 'Permission denied \(publickey\)' 'for his key'

ok 'other host keys' services rekey ssh
exits 255 'are refused' at ssh true
like "$err" 'HOST IDENTIFICATION HAS CHANGED' 'as changed'
services stop ssh

ok 'one that asks for what we tell' services start ssh told --set MaxSessions=1 --no-forwarding \
	--hostkeys ecdsa --env "WORD=two words" --shell chatty
# shellcheck disable=SC2016
run at told 'echo "<$WORD>"'
like "$out" 'Welcome.*no newline at the end of this<two words>$' 'a login that prints noise, a variable'
like "$(services env told T)" "T_HOSTKEY_ECDSA='SHA256:[^']+'" 'a key of that type'
unlike "$(services env told T)" ED25519 'and no other'
exits 255 'and forwards nothing' at told -W 127.0.0.1:9

ok 'one behind it' services start ssh jump
ok 'by way of another' services start ssh inner --jump jump
is "$(at inner echo there)" there 'is reached'
like "$(<"$session/jump/log")" "direct-tcpip|Connection from .* on .*" 'through it'

ok 'with a passphrase on the key' services start ssh locked --encrypted-key
eval "$(services env locked L)"
exits 255 'not without it' at locked true
# shellcheck disable=SC2154 # of env
printf '#!/bin/sh\necho "%s"\n' "$L_PASSPHRASE" >"$TMPDIR/ask"
chmod +x "$TMPDIR/ask"
is "$(SSH_ASKPASS=$TMPDIR/ask SSH_ASKPASS_REQUIRE=force ssh -F "$L_CONFIG" locked echo in)" in 'with it'

ok 'with a password' services start ssh asks --password hunter2
eval "$(services env asks A)"
printf '#!/bin/sh\necho hunter2\n' >"$TMPDIR/ask"
for way in password keyboard-interactive; do
	# shellcheck disable=SC2154
	is "$(SSH_ASKPASS=$TMPDIR/ask SSH_ASKPASS_REQUIRE=force ssh -F "$A_CONFIG" \
		-o PreferredAuthentications="$way" asks echo in)" in "in by $way"
done

if [ "$EUID" = 0 ]; then
	ok 'another user' services start ssh third --user postgres
	# shellcheck disable=SC2016
	is "$(at third 'id -un; touch "$HOME/x" && echo mine')" $'postgres\nmine' 'has a HOME, too'
else
	skip 'another user' 'only root lets others in'
fi
is "$(ssh -F "$session/ssh_config" inner echo there)" there 'one configuration for all'

ok 'a proxy before it' services proxy far jump
is "$(at far echo there)" there 'passes on'
services proxy far cut >/dev/null
services proxy far blackhole >/dev/null
exits 124 'and can be a black hole' timeout 0.3 ssh -F "$session/far/client/config" far true
services proxy far normal >/dev/null

# What a session leaves in the background is the server's.
mark="86${$}1"
at jump "(setsid sleep $mark >/dev/null 2>&1 &)"
ok 'a job in the background lives on' has_process "sleep $mark"
ok 'frozen' services freeze jump
exits 124 'it does not answer' timeout 0.3 ssh -F "$session/jump/client/config" jump true
ok 'thawed' services thaw jump
is "$(at jump echo there)" there 'it does'
ok 'killed' services crash jump
ok 'with its job' wait_until 60 has_none "sleep $mark"
ok 'it comes back' services start ssh jump
is "$(at jump echo there)" there 'and lets us in'
ok 'an orderly shutdown' services down jump
not_ok 'is one' services running jump

if services can-mount; then
	ok 'a HOME on a small disk' services start ssh small --disk 2
	services fill small 0
	exits 1 'is full' at small 'head -c 100000 /dev/zero >"$HOME/x"'
	like "$err" 'No space left' 'which the shell says'
else
	skip 'a HOME on a small disk' 'only root mounts'
fi

# --- Docker -------------------------------------------------------------------------------------

ok 'a Docker Engine starts' services start docker
eval "$(services env docker)"
ok 'and another one' services start docker second
is "$(services docker second images -q)" '' 'with nothing in it'
eval "$(services env second SECOND)"
# shellcheck disable=SC2153 # of env
second_bridge=$SECOND_BRIDGE
isnt "$second_bridge" "$DOCKER_BRIDGE" 'and a bridge of its own'
ok 'an image' services image docker shop:1.8.0 \
	'HEALTHCHECK --interval=1s CMD ["/shopd", "--probe", "8080"]'
is "$(services docker docker inspect -f '{{index .Config.Labels "org.opencontainers.image.version"}}' \
	shop:1.8.0)" 1.8.0 'has its label'
port=$(services port)
services docker docker run -d --name web -p "127.0.0.1:$port:8080" shop:1.8.0 \
	/shopd --port 0.0.0.0:8080 --name "crashed$$" >/dev/null ||
	bail 'no container starts'
is "$(curl -s --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/health" |
	cut -d, -f3)" '"status":"ok"' 'a published port answers'
is_healthy() { [ "$(services docker docker inspect -f '{{.State.Health.Status}}' web)" = "$1" ]; }
ok 'the container gets healthy' wait_until 60 is_healthy healthy
services docker docker kill -s USR1 web >/dev/null
is "$(curl -s -o "$TMPDIR/body" -w '%{http_code}' "http://127.0.0.1:$port/health")" 503 \
	'a signal makes its health fail'
exits 125 'nothing is pulled' services docker docker run nowhere.invalid/x:1
is "$(curl -s --unix-socket "$DOCKER_SOCKET" http://d/containers/json | grep -o '"/web"')" '"/web"' \
	'the socket speaks'
ok 'a proxy before it' services proxy far-docker docker
eval "$(services env far-docker F)"
# shellcheck disable=SC2154
is "$(curl -s --unix-socket "$F_SOCKET" http://d/_ping)" OK 'passes on'

services docker docker run -d --name loops --restart always shop:1.8.0 /shopd --exit-after 50 \
	--exit-code 3 >/dev/null
restarted() { [ "$(services docker docker inspect -f '{{.RestartCount}}' loops)" -ge 2 ]; }
ok 'a container that loops' wait_until 60 restarted
services docker docker rm -f loops >/dev/null

shopd() { services docker docker run --rm shop:1.8.0 /shopd "$@"; }
is "$(shopd --shape numbered --rate max --count 20000 --exit |
	"$BASCULE_BUILD/tests/services/shopd" --verify)" \
	'lines=20000 missing=0 again=0 first=1 last=20000 hash=good' 'lines that are counted and hashed'

ok 'killed' services crash docker
ok 'with its containers' wait_until 60 has_none "--name crashed$$"
ok 'it comes back' services start docker
is "$(services docker docker ps -a --format '{{.Names}}')" web 'and knows what it had'
ok 'all are stopped' services stop-all
ok 'nothing of them is left' wait_until 60 nothing_left "$session"
is "$(grep -c "$session" /proc/self/mounts)" 0 'no mount'
ok 'no bridge' not_there "$DOCKER_BRIDGE"
ok 'of neither' not_there "$second_bridge"
is "$(find /sys/fs/cgroup -type d -name "$DOCKER_BRIDGE" | wc -l)" 0 'no cgroup'

# An owner that is killed, with a container up and a job of a session in the background.
cat >"$TMPDIR/owner.sh" <<'O'
services() { bash tests/services/services.sh --owner $$ "$@"; }
services start ssh && services start docker && services image docker shop:1
services docker docker run -d shop:1 /shopd --name "$2" >/dev/null
services env docker >"$1"
kill -KILL $$
O
{ bash "$TMPDIR/owner.sh" "$TMPDIR/owner.env" "owned$$"; } 2>/dev/null
is $? 137 'an owner is killed'
eval "$(<"$TMPDIR/owner.env")"
ok 'nothing of its servers is left' wait_until 60 nothing_left "${DOCKER_DIR%/*}"
ok 'nor of its container' wait_until 60 has_none "--name owned$$"
ok 'nor its bridge' wait_until 60 not_there "$DOCKER_BRIDGE"

# --- podman -------------------------------------------------------------------------------------

if services need podman >/dev/null; then
	ok 'podman in the place of dockerd' services start docker pod --podman
	ok 'takes the image' services image pod shop:1
	ok 'and runs it' services docker pod run -d --name web shop:1 /shopd --name "podded$$"
	is "$(services docker pod ps --format '{{.Names}}')" web 'lists it'
	ok 'stops' services stop pod
	ok 'with its container' wait_until 60 has_none "--name podded$$"
else
	skip 'podman in the place of dockerd' "$(services need podman)"
fi
done_testing
