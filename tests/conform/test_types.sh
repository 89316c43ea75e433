#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The conformance tests, "dictum test-plugin", on a scratch table of each type that a plugin brings.
. "$(dirname "$0")/../lib.sh"

"$DICTUM" types --json >"$work/types"
sed -n 's/^{"type":"\([^"]*\)","status":"ok",.*"module":"\([^"]*\)".*/\1 \2/p' "$work/types" \
  >"$work/modules"

# Tables of servers want real ones.
server=
if grep -q '^memcache ' "$work/modules" && command -v memcached >/dev/null; then
  mkdir "$work/memcached"
  server=$(python3 -B "$(dirname "$0")/../servers/memcached.py" start --unix "$work/memcached")
  eval "$server"
  printf 'memcache = %s\nbackup = lmdb:%s\n' "$MEMCACHED" "$work/memcached/backup" >"$work/memcache.cf"
fi
cleanup() {
  [ -z "$server" ] ||
    python3 -B "$(dirname "$0")/../servers/memcached.py" stop "$work/memcached"
  remove_work
}

# What stands behind the colon. A table of patterns is read from a file that must be there.
name_for() {
  case $1 in
  regexp)
    echo "/^user0*([0-9]+)@example\\.org\$/ value of \$1" >"$work/rules"
    echo "$work/rules"
    ;;
  memcache) echo "$work/memcache.cf" ;;
  *) echo "$work/scratch-$1" ;;
  esac
}

while read -r type module; do
  if [ "$type" = memcache ] && ! [ -e "$work/memcache.cf" ]; then
    [ -z "${TESTS_COMPLETE-}" ]
    result $? "memcache: there is a memcached to test with"
    continue
  fi
  "$DICTUM" test-plugin "$module" "$type:$(name_for "$type")" >"$work/out" 2>"$work/log"
  status=$?
  # Its results become results of ours, whatever its end was.
  while IFS= read -r line; do
    case $line in
    "ok "*"# SKIP "*)
      what=${line#* - }
      skip "$type: ${what%% # SKIP *}" "${line##* # SKIP }"
      ;;
    "ok "*) result 0 "$type: ${line#* - }" ;;
    "not ok "*) result 1 "$type: ${line#* - }" ;;
    "1.."*) ;;
    *) echo "#   $line" ;;
    esac
  done <"$work/out"
  : >"$work/log"
  result "$status" "test-plugin of $type ends well"
done <"$work/modules"

if grep -q '"module":' "$work/types"; then
  [ -s "$work/modules" ]
  result $? "there are types to test"
else
  skip "test-plugin" "every type is inside the program"
fi
finish
