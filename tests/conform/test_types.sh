#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The conformance tests, "dictum test-plugin", on a scratch table of each type that a plugin brings.
#
# A type that needs more than a name has a program here, with-TYPE: "start FOLDER" prepares a table
# in that new folder, starting a server if need be, and prints what stands behind the colon; "stop
# FOLDER" ends it.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

"$DICTUM" types --json >"$work/types"
sed -n 's/^{"type":"\([^"]*\)","status":"ok",.*"module":"\([^"]*\)".*/\1 \2/p' "$work/types" \
  >"$work/modules"

running=
stop() {
  [ -z "$running" ] || "$here/with-$running" stop "$work/$running"
  running=
}
cleanup() {
  stop
  remove_work
}

# Sets $name. False: what the type needs is not here.
prepare() {
  name=$work/scratch-$1
  [ -x "$here/with-$1" ] || return 0
  mkdir "$work/$1"
  running=$1
  name=$("$here/with-$1" start "$work/$1" 2>"$work/log") && [ -n "$name" ]
}

# The results of a test-plugin become results of ours, whatever its end was.
try() { # TYPE MODULE
  "$DICTUM" test-plugin "$2" "$1:$name" >"$work/out" 2>"$work/log"
  status=$?
  while IFS= read -r line; do
    case $line in
    "ok "*"# SKIP "*)
      what=${line#* - }
      skip "$1: ${what%% # SKIP *}" "${line##* # SKIP }"
      ;;
    "ok "*) result 0 "$1: ${line#* - }" ;;
    "not ok "*) result 1 "$1: ${line#* - }" ;;
    "1.."*) ;;
    *) echo "#   $line" ;;
    esac
  done <"$work/out"
  : >"$work/log"
  result "$status" "test-plugin of $1 ends well"
}

while read -r type module; do
  if prepare "$type"; then
    try "$type" "$module"
  elif [ -n "${TESTS_COMPLETE-}" ]; then
    result 1 "$type: what it needs is here"
  else
    skip "$type" "what it needs is not here"
  fi
  stop
done <"$work/modules"

if grep -q '"module":' "$work/types"; then
  [ -s "$work/modules" ]
  result $? "there are types to test"
else
  skip "test-plugin" "every type is inside the program"
fi
finish
