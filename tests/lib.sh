# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# lib.sh - for tests in shell that print the Test Anything Protocol: source it, end with `finish`.
# Gives an own folder $work, which is removed in the end.

set -u
umask 022
LC_ALL=C
export LC_ALL

tap_count=0
tap_failed=0

work=$(mktemp -d "${TMPDIR:-/tmp}/dictum-test.XXXXXX") || exit 99
chmod 755 "$work"
cleanup() { # a test that has more to clean defines its own, and calls remove_work
  remove_work
}
remove_work() {
  chmod -R u+w "$work" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 99' HUP INT TERM

# `result STATUS WHAT`: one check is done. What a failed one printed is in $work/log.
result() {
  tap_count=$((tap_count + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $tap_count - $2"
    return 0
  fi
  tap_failed=$((tap_failed + 1))
  echo "not ok $tap_count - $2"
  [ ! -s "$work/log" ] || tail -n 40 "$work/log" | sed 's/^/#   /'
  return 1
}

# `check WHAT COMMAND...`: the command must succeed.
check() {
  what=$1
  shift
  "$@" >"$work/log" 2>&1
  result $? "$what"
}

# `skip WHAT WHY`
skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

# `require PROGRAM...`: ends the test when one is missing: as skipped, or as failed when
# $TESTS_COMPLETE says that everything has been installed.
require() {
  for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 && continue
    if [ -n "${TESTS_COMPLETE-}" ]; then
      echo "1..1"
      echo "not ok 1 - $program is there"
      exit 1
    fi
    echo "1..0 # SKIP there is no $program"
    exit 0
  done
}

finish() {
  echo "1..$tap_count"
  [ "$tap_failed" -eq 0 ]
  exit
}
