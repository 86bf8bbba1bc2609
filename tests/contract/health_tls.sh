# SPDX-License-Identifier: MIT
# Health over https: a certificate counts only when an authority of this machine has signed it, for the name in the
# URL, and now; whether the service is here or behind ssh. The authority is made here, and known to a mount namespace
# of the commands that are to know it.
. tests/support/tap.sh
. tests/services/services.sh
services_need ssh tls
unshare --mount true 2>/dev/null || skip_all 'this kernel or user may not make a mount namespace'

PATH=$(dirname "$BASCULE"):$PATH
mkdir -p "$TMPDIR/shop" "$TMPDIR/known" && cd "$TMPDIR/shop" || bail 'no folder'
services start ssh app1 || bail 'no sshd'
eval "$(services env app1)"
export BASCULE_SSH_CONFIG=$SSH_CONFIG_ALL

# --- Certificates and who shows them --------------------------------------------------------------

key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -keyout ca.key -subj '/CN=ours' -days 2 -out "$TMPDIR/known/ca-certificates.crt" \
	2>/dev/null || bail 'no authority'
certificate() { # NAME DAYS SUBJECT
	openssl req -new "${key[@]}" -keyout "$1.key" -subj /CN=shop -out "$1.csr" 2>/dev/null &&
		openssl x509 -req -in "$1.csr" -CA "$TMPDIR/known/ca-certificates.crt" -CAkey ca.key \
			-set_serial $RANDOM -days "$2" -extfile <(echo "subjectAltName=$3") -out "$1.crt" 2>/dev/null
}
certificate good 2 'DNS:localhost,IP:127.0.0.1' && certificate old -1 'IP:127.0.0.1' &&
	certificate other 2 'DNS:other.example' || bail 'no certificates'
service() { # NAME: shows that certificate, and answers 200 to everything
	local port
	port=$(services port)
	openssl s_server -accept "127.0.0.1:$port" -cert "$1.crt" -key "$1.key" -www -quiet \
		</dev/null >"$1.said" 2>&1 &
	echo $! >"$1.pid"
	printf '\n[service %s]\nruntime = process\npid_file = %s/%s.pid\nlog_file = %s/%s.said\n' "$1" \
		"$PWD" "$1" "$PWD" "$1"
	printf '%s\n' "health = https://127.0.0.1:$port/health" 'health_delay = 0s' 'health_attempts = 4' \
		'health_interval = 200ms' 'health_successes = 3'
	wait_until 60 bash -c ": <>/dev/tcp/127.0.0.1/$port" 2>/dev/null
}
{
	printf '%s\n' '[project]' 'name = shop' 'pipeline = here -> there'
	printf '\n[environment %s]\nhost = %s\nprotected = no\n' here local there app1
	for each in good old other; do service $each; done
} >bascule.ini
named() { sed 's|https://127.0.0.1|https://localhost|' bascule.ini >named.ini; }
named

knowing() { unshare --mount sh -c 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"' sh "$TMPDIR/known" "$@"; }

# --- Asked ----------------------------------------------------------------------------------------

for where in here there; do
	exits 0 "$where: a good certificate" knowing bascule health $where good
	like "$out" 'ok +good .*200 in' 'lets its answer through'
	exits 0 "$where: for the name in the URL" knowing bascule -c named.ini health $where good
	exits 1 "$where: a certificate of an authority that nobody knows" bascule health $where good
	like "$out" 'FAIL +good .*(self-signed|issuer)' 'is none, and why'
	exits 1 "$where: one that is out of date" knowing bascule health $where old
	like "$out" 'FAIL +old .*expired' 'is none, and why'
	exits 1 "$where: one for another name" knowing bascule health $where other
	like "$out" "FAIL +other .*(no alternative|match).*127.0.0.1" 'is none, and why'
done
run knowing bascule status there --json
like "$out" '"ok": ?false.*"service": ?"o' 'status sees the same'

for each in good old other; do kill "$(<"$each.pid")"; done
done_testing
