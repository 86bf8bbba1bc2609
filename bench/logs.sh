#!/bin/bash
# SPDX-License-Identifier: MIT
# The store of followed logs: memory for 1 GB of log when all of it is packed, intake, searches beside `grep -cE` on the
# same bytes in a cached file, the first screen behind a new filter, and the calls of a screen under 100,000 lines a
# second.
. "$(dirname "$0")/support.bash"

BYTES=${BYTES:-1000000000}
RUNS=${RUNS:-5}

"$BIN/logs" generate "$WORK/log" "$BYTES"
cat "$WORK/log" >/dev/null
echo "logs: $BYTES bytes of access lines, JSON and text"
"$BIN/logs" measure "$WORK/log" "$RUNS"
