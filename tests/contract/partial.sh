# SPDX-License-Identifier: MIT
# Migrations that stop inside, on MariaDB, through the real program: what is said, what goes on from
# there, and that nothing runs twice.
#
# needs: servers
# time-limit: 400
. tests/support/tap.sh
. tests/services/services.sh
. tests/support/servers.sh
services_need my
services start my >/dev/null || bail 'MariaDB does not start'

# --- A failure in the middle ------------------------------------------------------------------------

world my
migration 0001 'CREATE TABLE base (id INT PRIMARY KEY) ENGINE=InnoDB;' 'DROP TABLE base;'
migration 0002 "CREATE TABLE a (x INT);
INSERT INTO a VALUES (1);
ALTER TABLE missing ADD COLUMN y INT;
INSERT INTO a VALUES (2);
CREATE TABLE b (x INT);
INSERT INTO b SELECT x FROM a;
INSERT INTO a VALUES (3);" 'DROP TABLE b; DROP TABLE a;'
migration 0003 'CREATE TABLE c (x INT);' 'DROP TABLE c;'
exits 1 'a failing statement ends the command with 1' bascule migrate dev --yes --plain
like "$out$err" 'statement 3 of 7, line 3' 'which statement, of how many, in which line'
like "$out$err" 'ALTER TABLE missing ADD COLUMN y INT' 'the statement itself'
like "$out$err" '42S02' 'the server says why, with its SQLSTATE'
like "$err" 'bascule resume [0-9]' 'and what goes on from there'
is "$(sql 'SELECT count(*) FROM a')" 1 'what ran before it stays'
is "$(events "event = 'failed' AND statement = 3 AND statements = 7")" 1 'the failure is in the history, once'
is "$(events "id = '0003'")" 0 'nothing behind it was begun'
run bascule matrix --json
like "$out" '"state":"partial"' 'the matrix does not call it pending or applied'
run bascule plan migrate dev --plain
like "$out$err" 'resume|statement 3 of 7' 'a plan says where it stands'

exits 1 'a resume with the cause still there fails at the same statement' bascule resume 1
like "$out$err" 'statement 3 of 7' 'and says so'
is "$(sql 'SELECT count(*) FROM a')" 1 'having repeated nothing'
sql 'CREATE TABLE missing (x INT)'
exits 0 'with the cause mended, resume goes on' bascule resume 1
like "$out$err" 'statements 3 to 7 of 7' 'from that statement'
is "$(sql 'SELECT group_concat(x ORDER BY x) FROM a')" 1,2,3 'nothing was repeated, nothing left out'
is "$(in_force)" 3 'and the migrations behind it followed'
exits 0 'and all of it goes back' bascule rollback dev last 3 --yes
is "$(sql "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name IN ('a','b','c','base')")" 0 'to nothing'
sql 'DROP TABLE missing; CREATE TABLE missing (x INT)'
exits 0 'and up again' bascule migrate dev --yes

# --- A file that is mended ---------------------------------------------------------------------------

world my
migration 0001 'CREATE TABLE a (x INT);
INSERT INTO a VALUES (1);
INSERT INTO a VALUES (nonsense);
INSERT INTO a VALUES (3);'
exits 1 'another failure' bascule migrate dev --yes --plain
exits 4 'abort gives the environment back' bascule abort 1
migration 0001 'CREATE TABLE a (x INT, y INT);
INSERT INTO a VALUES (1);
INSERT INTO a VALUES (2);
INSERT INTO a VALUES (3);'
run bascule migrate dev --yes --plain
isnt "$status" 0 'an earlier statement that was changed is refused'
like "$out$err" 'statement 1 .*changed' 'with its number'
is "$(sql 'SELECT count(*) FROM a')" 1 'nothing ran'
run bascule abort "$(run_number)"
migration 0001 'CREATE TABLE a (x INT);
INSERT INTO a VALUES (1);
INSERT INTO a VALUES (2);
INSERT INTO a VALUES (3);'
exits 0 'one mended from the failed statement on goes on' bascule migrate dev --yes --plain
is "$(sql 'SELECT group_concat(x ORDER BY x) FROM a')" 1,2,3 'from there'
is "$(events "event = 'applied'")" 1 'and is applied'

# --- What leaves no trace -----------------------------------------------------------------------------

# A procedure that works for long is killed with its runner: nobody can tell how far it came.
called() { # WORD
	world my
	sql "CREATE TABLE log (n INT); CREATE TABLE hold (n INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO hold VALUES (1)"
	services sql my 'DELIMITER //
CREATE DEFINER=app@localhost PROCEDURE slow() BEGIN INSERT INTO log VALUES (1); COMMIT; DO sleep(60); INSERT INTO log VALUES (2); END//' "$world_db"
	migration 0001 'CREATE TABLE before_it (x INT);
CALL slow();
CREATE TABLE behind_it (x INT);'
	bascule migrate dev --yes --plain >first 2>&1 &
	wait_until 60 events_are 1 "event = 'intent' AND statement = 2" || diag "$(cat first)"
	wait_until 60 log_has_one
	kill -9 "$(runner)"
	wait
	sql "$(sql "SELECT coalesce(group_concat(concat('KILL ', id) SEPARATOR ';'), 'DO 0') FROM information_schema.processlist WHERE db = '$world_db' AND user = 'app'")"
	settle
}
log_has_one() { [ "$(sql 'SELECT count(*) FROM log')" = 1 ]; }

called
run bascule resume 1
isnt "$status" 0 'a CALL that was killed in the middle: resume does not guess'
like "$out$err" 'cannot tell whether statement 2 of' 'it asks'
like "$out$err" 'CALL slow' 'showing the statement'
like "$err" 'bascule mark dev 0001 --statement 2 done --reason' 'and how to answer'
is "$(sql 'SELECT count(*) FROM log')" 1 'it did not run again'
exits 2 'an answer wants a reason' bascule mark dev 0001 --statement 2 'done' --yes
exits 2 'about the statement in question' bascule mark dev 0001 --statement 1 'done' --reason x --yes
exits 0 'answered: done' bascule mark dev 0001 --statement 2 'done' --reason 'looked' --yes --plain
exits 0 'the run goes on' bascule resume 1
is "$(sql 'SELECT count(*) FROM log')" 1 'without it'
is "$(in_force)" 1 'to the end'
called
run bascule resume 1
sql 'DROP PROCEDURE slow; CREATE PROCEDURE slow() INSERT INTO log VALUES (3); GRANT EXECUTE ON *.* TO app@localhost'
exits 0 'answered: not done' bascule mark dev 0001 --statement 2 not-done --reason 'looked' --yes --plain
exits 0 'the run goes on' bascule resume 1
is "$(sql 'SELECT group_concat(n) FROM log')" 1,3 'with it'
is "$(in_force)" 1 'to the end'

# --- What a file may hold -------------------------------------------------------------------------------

world my
migration 0001 "-- everything that is not quite a statement
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, x INT) ENGINE=InnoDB;
;;
/*!50000 CREATE TABLE old (x INT) */;
/*! INSERT INTO old VALUES (1) */;
DELIMITER //
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN
	SET NEW.x = NEW.x + 1; -- ; inside
END//
CREATE PROCEDURE p() BEGIN INSERT INTO t (x) VALUES (10); INSERT INTO t (x) VALUES (20); END//
DELIMITER ;
CALL p();
/* only a comment */;
INSERT INTO t (x) VALUES (30);" 'DROP TABLE t; DROP TABLE old; DROP PROCEDURE p;'
exits 0 'DELIMITER, bodies, /*! */ comments, empty statements' bascule migrate dev --yes --plain
is "$(sql 'SELECT group_concat(x ORDER BY x) FROM t')" 11,21,31 'do what the own client does with them'
is "$(sql 'SELECT count(*) FROM old')" 1 'also in a /*! */ comment'
exits 0 'and back' bascule rollback dev last 1 --yes --plain

world my
migration 0001 "CREATE TABLE m (x INT) ENGINE=MyISAM COMMENT='was ENGINE=InnoDB';
INSERT INTO m VALUES (1);
INSERT INTO m VALUES (2);"
exits 0 'a table that does not roll back' bascule migrate dev --yes --plain
is "$(events "event = 'intent' AND statement IN (2, 3)")" 2 'its rows are written behind an intent'

world my
migration 0001 "CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB AUTO_INCREMENT=4000;
CREATE TABLE child (id INT) ENGINE=InnoDB;
INSERT INTO parent VALUES ();
INSERT INTO child VALUES (LAST_INSERT_ID());
INSERT INTO child VALUES (last_insert_id());"
exits 0 'a statement that asks what the one before inserted' bascule migrate dev --yes --plain
is "$(sql 'SELECT group_concat(id) FROM child')" 4000,4000 'hears it, and not of our records'

# What is known of objects is not believed when something unread may have changed it.
world my
migration 0001 "CREATE TABLE t (x INT);
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.x = 1;
DROP TABLE t;
CREATE TABLE t (x INT);
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.x = 2;
CREATE PROCEDURE mk() CREATE TABLE made (x INT);
CALL mk();
ALTER TABLE made ADD COLUMN y INT;
DROP TABLE made;"
exits 0 'a trigger that went with its table is made anew' bascule migrate dev --yes --plain
like "$(sql "SELECT objects FROM bascule_history WHERE event = 'intent' AND statement = 8")" '^[0-9a-f]{64}$' \
	'a table that a procedure made has a digest'
made=$(sql "SELECT objects FROM bascule_history WHERE event = 'intent' AND statement = 8")
migration 0002 'ALTER TABLE made ADD COLUMN y INT;'
run bascule migrate dev --yes --plain
isnt "$(sql "SELECT objects FROM bascule_history WHERE id = '0002' AND event = 'intent' AND statement = 1")" "$made" \
	'another than one of a table that is not there'

# --- Back --------------------------------------------------------------------------------------------------

world my
migration 0001 'CREATE TABLE a (x INT);
CREATE TABLE b (x INT);
CREATE TABLE c (x INT);' 'DROP TABLE c;
DROP TABLE gone;
DROP TABLE b;
DROP TABLE a;'
exits 0 'up' bascule migrate dev --yes --plain
exits 1 'a down that fails in its middle' bascule rollback dev last 1 --yes --plain
like "$out$err" 'statement 2 of 4' 'says where'
like "$err" 'bascule resume 2' 'and what goes on'
run bascule matrix --json
like "$out" '"state":"partial"' 'the matrix does not call it applied'
sql 'CREATE TABLE gone (x INT)'
exits 0 'resume goes on from there' bascule resume 2
is "$(sql "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name IN ('a','b','c','gone')")" 0 'to the end'
is "$(in_force)" 0 'and it is rolled back'
exits 0 'and can be applied again' bascule migrate dev --yes --plain

# A partial down is not "applied as before": nothing may pass over it.
run bascule rollback dev last 1 --yes --plain
exits 4 'abort leaves it partial' bascule abort "$(run_number)"
exits 3 'migrate is refused' bascule migrate dev --yes --plain
like "$err" 'stopped inside its rollback' 'for a half rolled back migration is not applied'
sql 'CREATE TABLE gone (x INT)'
exits 0 'a new rollback goes on from there' bascule rollback dev last 1 --yes --plain
is "$(in_force)" 0 'and ends it'

# --- Policies and requests -------------------------------------------------------------------------------

# A pause in the middle, and a try again.
world my 'on_failure = pause'
migration 0001 'CREATE TABLE a (x INT);
INSERT INTO a VALUES (1);
ALTER TABLE missing ADD COLUMN y INT;
INSERT INTO a VALUES (2);'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
paused() { grep -q '"paused"' "$(run_dir)/journal.ndjson"; }
ok 'a failing run pauses' wait_until 60 paused
sql 'CREATE TABLE missing (x INT)'
exits 0 'the step is tried again' bascule retry 1
wait $command
is "$(in_force)" 1 'the run goes on to its end'
is "$(sql 'SELECT group_concat(x ORDER BY x) FROM a')" 1,2 'repeating nothing'

# Aborted in a statement.
world my
migration 0001 'CREATE TABLE a (x INT) ENGINE=InnoDB;
INSERT INTO a VALUES (1);
INSERT INTO a SELECT sleep(300);
INSERT INTO a VALUES (3);'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
napping() { [ -n "$(sql "SELECT 1 FROM information_schema.processlist WHERE info LIKE '%SELECT sleep(300)%' AND user = 'app'")" ]; }
ok 'a statement of minutes' wait_until 60 napping
run bascule abort 1 --plain
wait $command
is "$?" 4 'abort ends it'
like "$(cat first)" 'aborted at statement 3 of 4' 'and says where'
unlike "$(cat first)" 'transaction was rolled back' 'without claiming that all of it was rolled back'
settle
is "$(sql 'SELECT group_concat(x) FROM a')" 1 'what ran stays, what was ended left nothing'
migration 0001 'CREATE TABLE a (x INT) ENGINE=InnoDB;
INSERT INTO a VALUES (1);
INSERT INTO a VALUES (2);
INSERT INTO a VALUES (3);'
exits 0 'the next migrate goes on from there' bascule migrate dev --yes --plain
is "$(sql 'SELECT group_concat(x ORDER BY x) FROM a')" 1,2,3 'to the end'

# Stopped: what is under way is finished and recorded, and the rest is not begun.
world my 'lock_timeout = 300s'
sql 'CREATE TABLE busy (x INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO busy VALUES (1)'
migration 0001 'CREATE TABLE a (x INT) ENGINE=InnoDB;
UPDATE busy SET x = 2;
CREATE TABLE b (x INT);'
for i in {2..60}; do migration "$(printf %04d "$i")" "CREATE TABLE c$i (x INT);"; done
hold 'BEGIN; UPDATE busy SET x = 3'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
ok 'a statement that waits' wait_until 60 waits 'UPDATE busy SET x = 2'
kill -TERM "$(runner)"
let_go
wait $command
is "$?" 4 'SIGTERM stops the run'
is "$(events "id = '0001' AND event = 'applied'")" 1 'behind the migration that was under way'
is "$(events "event = 'intent' AND statement = 1")" "$(in_force)" 'nothing is left in its middle'
is "$(events "id = '0060'")" 0 'and before the end'

# Locks of others: of a table, and of a row.
tried() { grep -q '"attempt"' "$(run_dir)/journal.ndjson"; }
world my 'lock_timeout = 1s'
sql 'CREATE TABLE busy (x INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO busy VALUES (1)'
migration 0001 'CREATE TABLE a (x INT);
ALTER TABLE busy ADD COLUMN y INT;
CREATE TABLE b (x INT);'
hold 'BEGIN; SELECT * FROM busy'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
ok 'a table that is in use: a try was in vain' wait_until 60 tried
let_go
wait $command
is "$?" 0 'then it is free, and the migration goes on'
like "$(cat first)" 'at try [2-5]' 'saying at which try'
is "$(events "event = 'intent' AND statement = 2")" 1 'one intent for all tries'
migration 0002 'INSERT INTO a VALUES (1);
UPDATE busy SET y = 1;
INSERT INTO a VALUES (2);'
hold 'BEGIN; UPDATE busy SET y = 2'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
second_tried() { [ "$(run_number)" = 2 ] && tried; }
ok 'a row that is in use: a try was in vain' wait_until 60 second_tried
let_go
wait $command
is "$?" 0 'then it is free, and the migration goes on'
is "$(sql 'SELECT group_concat(x ORDER BY x), (SELECT y FROM busy) FROM a' | tr '\t' ' ')" '1,2 1' 'each statement once'

world my 'statement_timeout = 2s'
migration 0001 'CREATE TABLE a (x INT) ENGINE=InnoDB;
INSERT INTO a SELECT seq_1_to_1000000.seq FROM seq_1_to_1000000, seq_1_to_1000000 AS b;'
exits 1 'a statement longer than statement_timeout' bascule migrate dev --yes --plain
like "$err" 'statement 2 of 2' 'is ended by the server'
is "$(sql 'SELECT count(*) FROM a')" 0 'and leaves nothing'

# What is too large for the server, and what is just not.
world my
mb=$((15 * 1024 * 1024))
{ echo 'CREATE TABLE a (x LONGTEXT);'; printf "INSERT INTO a VALUES ('"; head -c $mb /dev/zero | tr '\0' x; echo "');"; } >sql/up/0001_t.sql
exits 0 'an INSERT of 15 MB' bascule migrate dev --yes --plain
is "$(sql 'SELECT length(x) FROM a')" "$mb" 'arrives'
{ echo 'CREATE TABLE b (x LONGTEXT);'; printf "INSERT INTO b VALUES ('"; head -c $((20 * 1024 * 1024)) /dev/zero | tr '\0' x; echo "');"; } >sql/up/0002_t.sql
run bascule migrate dev --yes --plain
isnt "$status" 0 'one of 20 MB does not'
like "$out$err" 'max_allowed_packet|larger|limit' 'and the limit is named'
ok 'the environment can still be looked at' bascule status dev

# --- Killed ------------------------------------------------------------------------------------------------

# Its runner is killed during an ALTER, which a server ends or finishes as it likes (takeover_server.sh
# has one that it finishes).
world my 'lock_timeout = 300s'
sql 'CREATE TABLE big (x INT) ENGINE=InnoDB; INSERT INTO big SELECT 1'
migration 0001 "CREATE TABLE one (x INT);
ALTER TABLE big ADD COLUMN y INT, ALGORITHM=COPY;
CREATE TABLE three (x INT);"
hold 'BEGIN; SELECT * FROM big'
bascule migrate dev --yes --plain >first 2>&1 &
command=$!
altering() { [ -n "$(sql "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE big%'")" ]; }
ok 'an ALTER waits on the server' wait_until 60 altering
kill -9 "$(runner)"
wait $command
let_go
settle
exits 0 'when its session is gone, resume goes on' bascule resume 1
is "$(sql "SELECT count(*) FROM information_schema.columns WHERE table_schema = database() AND table_name = 'big'")" 2 'the ALTER ran once'
is "$(in_force)" 1 'and the rest'

# At any moment: each statement makes a table of its own or a row of its own, so that doing one twice
# fails or shows.
world my
sql 'CREATE TABLE rows_of (n INT) ENGINE=InnoDB'
big=
for i in {1..15}; do big+="CREATE TABLE k$i (x INT);"$'\n'"INSERT INTO rows_of VALUES ($i);"$'\n'; done
down=
for i in {1..15}; do down+="DROP TABLE k$i;"$'\n'; done
migration 0001 "$big" "$down DELETE FROM rows_of;"
rounds=12 torn=0 bad=
[ "${TORTURE-}" != full ] || rounds=60
for ((round = 1; round <= rounds; round++)); do
	bascule migrate dev --yes --plain >first 2>&1 &
	command=$!
	at=$((round * 28 / rounds))
	wait_until 60 events_reach "$at" "generation = $round AND down = 0" ||
		diag "round $round: $at events were not reached" "$(cat first)"
	kill -9 "$(runner)" 2>/dev/null
	wait $command
	if [ $? != 0 ]; then
		torn=$((torn + 1))
		settle || diag "round $round: not settled"
		run bascule resume "$(run_number)"
		[ "$status" = 0 ] || bad+="round $round: $out $err"$'\n'
	fi
	[ "$(sql 'SELECT count(*), count(DISTINCT n) FROM rows_of' | tr '\t' ' ')" = '15 15' ] ||
		bad+="round $round: rows $(sql 'SELECT group_concat(n ORDER BY n) FROM rows_of')"$'\n'
	[ "$(sql "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE 'k%'")" = 15 ] ||
		bad+="round $round: tables"$'\n'
	[ "$(in_force)" = 1 ] || bad+="round $round: not in force"$'\n'
	[ -z "$bad" ] || break
	bascule rollback dev last 1 --yes --plain >back 2>&1 || bad+="round $round: $(cat back)"$'\n'
done
is "$bad" '' "killed at $torn of $rounds moments: every statement ran exactly once"

# Between a statement and its record: what the server answers never arrives.
world_server=my
services proxy net my >/dev/null || bail 'no proxy'
world_server=net
world my
world_server=
migration 0001 'CREATE TABLE s1 (x INT);
ALTER TABLE s1 ADD COLUMN y INT;
CREATE TABLE s3 (x INT);
INSERT INTO s3 VALUES (1);'
services proxy net swallow 'ADD COLUMN y' >/dev/null
run bascule migrate dev --yes --plain
isnt "$status" 0 'a connection cut between a DDL and its answer'
settle
exits 0 'resume sees that it ran' bascule resume 1
is "$(sql 'SELECT count(*) FROM s3')" 1 'and goes on behind it'
is "$(in_force)" 1 'to the end'
services proxy net normal >/dev/null
done_testing
