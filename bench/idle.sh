#!/bin/bash
# SPDX-License-Identifier: MIT
# An idle console for a minute: what wakes it. Expected is the refresh timer (every 5 s) and nothing else. A
# wake-up is a return of poll in the thread that draws.
. "$(dirname "$0")/support.bash"

SECONDS_HELD=${SECONDS_HELD:-60}

demo
export XDG_STATE_HOME=$WORK/demo/.state
cat >"$WORK/traced" <<T
#!/bin/sh
exec strace -qq -e trace=poll,ppoll,select,pselect6,epoll_wait,clock_nanosleep,nanosleep,read -r -o $WORK/trace $BASCULE
T
chmod +x "$WORK/traced"
bytes=$("$BIN/pty_meter" hold "$SECONDS_HELD" -- "$WORK/demo" "$WORK/traced")
# -r prints the time since the call before; what happens in one wake-up follows at once.
wakes=$(awk '$1 > 0.5 { n++ } END { print n + 0 }' "$WORK/trace")
echo "idle: $SECONDS_HELD s with the demo open: $wakes wake-ups of the drawing thread after a wait of over 0.5 s" \
	"(refresh timer: $((SECONDS_HELD / 5))), $bytes bytes to the terminal"
