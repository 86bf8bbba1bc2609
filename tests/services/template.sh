# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # shares variables with services.sh
#
# Templates: a folder of data per kind and version of server, made once per source tree and copied
# for every start (tests/services/services.sh). One has the superuser, the role app with a password,
# and an empty database app that it owns. They lie in build/services; their names have the version
# of the server, the user and a sum of this file, so that a change here makes new ones.

app_password=app-secret

# pg_program NAME: its path; Debian keeps the programs of the server out of PATH. The newest wins.
pg_program() {
	local each
	REPLY=
	for each in /usr/lib/postgresql/*/bin; do
		[ ! -x "$each/$1" ] || REPLY=$each/$1
	done
	[ -n "$REPLY" ] || REPLY=$(command -v "$1")
}

template_name() { # pg|my
	local version sum user
	case $1 in
	pg) pg_program postgres && version=$("$REPLY" --version) ;;
	my) version=$(mariadbd --no-defaults --version) ;;
	esac
	version=$(grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"$version" | head -n 1)
	sum=$(cksum <"$services_dir/template.sh")
	user_of "$1"
	user=${REPLY:-$EUID}
	REPLY=$1-$version-$user-${sum%% *}
}

# template_fill pg|my FOLDER USER: makes one in FOLDER/data, which USER can write.
template_fill() {
	local dir=$2 user=$3
	case $1 in
	pg)
		pg_program initdb
		run_as "$user" "$REPLY" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
			--no-sync --no-instructions || return 1
		cat >"$dir/data/pg_hba.conf" <<-'H'
			local all,replication all trust
			host all app 127.0.0.1/32 scram-sha-256
			host all all 127.0.0.1/32 scram-sha-256
			host replication all 127.0.0.1/32 scram-sha-256
		H
		;;
	my)
		run_as "$user" mkdir "$dir/data" || return 1
		run_as "$user" mariadb-install-db --no-defaults --datadir="$dir/data" \
			--auth-root-authentication-method=normal --skip-test-db --skip-name-resolve \
			--innodb-log-file-size=32M --innodb-flush-method=nosync --debug-no-sync \
			--character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci || return 1
		;;
	esac
}

# template_roles pg|my: what the server in $dir, just started, gets.
template_roles() {
	case $1 in
	pg)
		sql_run postgres "create role app login password '$app_password'" &&
			sql_run postgres 'create database app owner app'
		;;
	my)
		sql_run mysql "delete from mysql.global_priv where user = '' or user = 'root' and
				host <> 'localhost';
			flush privileges;
			create user app@localhost;
			create user app@127.0.0.1 identified by '$app_password';
			create database app;
			grant all on app.* to app@localhost;
			grant all on app.* to app@127.0.0.1"
		;;
	esac
}

# template_make pg|my NAME: builds it as a server of the session and moves it to its place whole.
template_make() {
	local made=$services_cache/$2 new=$services_cache/.$2.$$
	(
		name=.template-$1
		dir=$session/$name
		kind=$1
		engine=$1
		rm -rf "$dir"
		user_of "$kind"
		user=$REPLY
		trap 'instance_end "$dir"' EXIT
		instance_folder "$dir" "$user" &&
			template_fill "$kind" "$dir" "$user" >"$dir/log" 2>&1 &&
			"${kind}_argv" "$dir" ordinary &&
			instance_run "$kind" "$dir" "$user" && template_roles "$kind" &&
			instance_down "$kind" "$dir" && rm -f "$dir/data/postmaster.opts" &&
			cp -a --reflink=auto "$dir/data" "$new" || {
			sed 's/^/services: /' "$dir/log" >&2
			exit 1
		}
	) || die "cannot make the template $2"
	mv -T "$new" "$made" 2>/dev/null || rm -rf "$new"
	[ -d "$made" ]
}

# template_of pg|my: REPLY becomes its folder. Two tests that need it at once make one.
template_of() {
	local name
	template_name "$1"
	name=$REPLY
	if ! mkdir -p "$services_cache" 2>/dev/null || [ ! -w "$services_cache" ]; then
		services_cache=$session/.cache
		mkdir -p "$services_cache"
	fi
	if [ ! -d "$services_cache/$name" ]; then
		(
			flock -w 120 7 || exit 1
			[ -d "$services_cache/$name" ] || template_make "$1" "$name"
		) 7>"$services_cache/.lock-$1" || die "no template for $1"
	fi
	REPLY=$services_cache/$name
}
