#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The command `dictum`, as a user types it. Prints TAP. $DICTUM is the program.
: "${DICTUM:?name the program to test}"

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
cd "$work" || exit 99
mkdir etc
echo 'compatibility_level = 3.6' >etc/main.cf
MAIL_CONFIG=$work/etc
export MAIL_CONFIG

count=0
failed=0
result() { # STATUS-OF-CHECK WHAT
  count=$((count + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $count - $2"
    return
  fi
  failed=$((failed + 1))
  echo "not ok $count - $2"
  echo "# status $status; standard output, standard error:"
  sed 's/^/#   /' out err
}

# Runs the program: `run ARG...` leaves $status, out and err. Standard input: the file `in`.
: >in
run() {
  "$DICTUM" "$@" <in >out 2>err
  status=$?
}
# `expect STATUS OUTPUT WHAT`: the last run's, the output without its last newline.
expect() {
  [ "$status" -eq "$1" ] && [ "$(cat out)" = "$2" ]
  result $? "$3"
}
# `said STATUS TEXT WHAT`: TEXT is in the messages of the last run, and nothing was printed.
said() {
  [ "$status" -eq "$1" ] && [ ! -s out ] && grep -qF -e "$2" err
  result $? "$3"
}
# `quiet WHAT`: the last run had no message.
quiet() {
  [ ! -s err ]
  result $? "$1"
}
skip() { # WHAT WHY
  count=$((count + 1))
  echo "ok $count - $1 # SKIP $2"
}
input() {
  printf '%b' "$1" >in
}
has_type() {
  "$DICTUM" types --options "$1" >/dev/null 2>&1
}

colours='inline:{red=apple, green=pear, blue=plum}'

# ---- help, version, mistakes on the command line ---------------------------------------------
for command in '' get list build put del types test-plugin; do
  # shellcheck disable=SC2086 # no command, no word
  run $command --help
  [ "$status" -eq 0 ] && grep -q '^usage: dictum' out && [ ! -s err ]
  result $? "dictum $command --help"
  # shellcheck disable=SC2086
  run help $command
  [ "$status" -eq 0 ] && grep -q '^usage: dictum' out
  result $? "dictum help $command"
done
run get -h
[ "$status" -eq 0 ] && grep -q '^usage: dictum get' out
result $? "dictum get -h"
run --version
[ "$status" -eq 0 ] && grep -q '^dictum [0-9]' out
result $? "dictum --version"
run
said 64 'which command?' "no command"
run biuld
said 64 'did you mean build?' "a command with letters swapped"
run frobnicate
said 64 'unknown command "frobnicate" (try "dictum --help")' "an unknown command"
run get --jsn "$colours" red
said 64 'did you mean --json?' "a long option misspelt"
run get -x "$colours" red
said 64 'unknown option -x' "an unknown letter"
run get --json=yes "$colours" red
said 64 'takes no value' "a value where none goes"
run get --timeout
said 64 'needs a value' "a value that is not there"
run get --timeout 5parsecs "$colours" red
said 64 'bad duration' "a wrong duration"
run get "$colours"
said 64 'which key?' "get without a key"
run put "$colours" key
said 64 'expected TABLE KEY VALUE' "put without a value"
run build --mode 0999 hash:x
said 64 'bad --mode' "a mode that is not octal"
for size in 0 x 12X 1KK '' -1 99999999999999999; do
  run build --memory="$size" hash:x
  said 64 'bad --memory' "a wrong size for --memory: '$size'"
done
DICTUM_BUILD_MEMORY=some run build hash:x
said 78 'DICTUM_BUILD_MEMORY: bad size "some"' "a wrong size in the environment"
run build --duplicates=some hash:x
said 64 'bad --duplicates' "a wrong word for --duplicates"

# ---- get -----------------------------------------------------------------------------------
run get "$colours" red
expect 0 apple "one key"
quiet "one key: no message"
run get --timeout 500ms "$colours" RED
expect 0 apple "one key, folded, with a limit"
run get --no-fold "$colours" RED
expect 1 '' "one key, not folded"
run get "$colours" black
expect 1 '' "one key that is not there"
quiet "a key that is not there: no message"
run get "$colours" red blue
expect 0 "$(printf 'red\tapple\nblue\tplum')" "two keys"
run get "$colours" red black blue
expect 1 "$(printf 'red\tapple\nblue\tplum')" "three keys, one not there"
run get -- "$colours" -
expect 0 '' "empty standard input"
input 'green\nblack\nred'
run get "$colours" -
expect 1 "$(printf 'green\tpear\nred\tapple')" "standard input, without its last newline"
input 'green\000black\000red\000'
run get -0 "$colours" -
[ "$status" -eq 1 ] && [ "$(tr '\0' '|' <out)" = 'green|pear|red|apple|' ]
result $? "standard input, NUL-separated"
run get --json -0 "$colours" -
expect 1 '{"key":"green","status":"ok","value":"pear"}
{"key":"black","status":"notfound"}
{"key":"red","status":"ok","value":"apple"}' "standard input NUL-separated, output JSON"
run get -0 "$colours" red
[ "$status" -eq 0 ] && [ "$(tr '\0' '|' <out)" = 'red|apple|' ]
result $? "one key, NUL-separated"
run get --json "$colours" red black
expect 1 '{"key":"red","status":"ok","value":"apple"}
{"key":"black","status":"notfound"}' "JSON"
input 'gr\374n\n'
run get --no-utf8 --json "$colours" -
expect 1 '{"key_base64":"Z3L8bg==","status":"notfound"}' "JSON of what is not UTF-8"
run get --json "$colours" -
[ "$status" -eq 65 ] && grep -qF '{"key_base64":"Z3L8bg==","status":"invalid",' out
result $? "a key that is not UTF-8 though it must be"
run get --json 'nosuchtype:x' red
[ "$status" -eq 78 ] && grep -q '^{"status":"config",.*"code":"type_unknown"' out && [ ! -s err ]
result $? "JSON of a table that cannot be opened"
run get 'nosuchtype:x' red
said 78 'dictum: ' "a type that is not there"
run get ':x' red
said 78 'type:name' "a table without a type before its colon"
run get --degrade 'nosuchtype:x' red
said 75 'nosuchtype' "a type that is not there, degraded"
run get --json 'fail:x' red
[ "$status" -eq 75 ] && grep -q '^{"key":"red","status":"retry",.*"retry_after_ms":' out
result $? "JSON of a table that fails"
input 'one\ntwo\n'
run get --json 'fail:x' -
[ "$status" -eq 75 ] && [ "$(grep -c '"status":"retry"' out)" -eq 2 ]
result $? "each key of a batch has its failure"
run -c "$work/nowhere" get "$colours" red
said 78 'nowhere/main.cf' "a folder without main.cf"
: >in
"$DICTUM" get "$colours" red >/dev/full 2>err
status=$?
: >out
said 74 'standard output' "output to a full disk"

# Answers come while the input is still open.
mkfifo questions answers
timeout 60 "$DICTUM" get "$colours" - <questions >answers 2>err &
exec 3>questions 4<answers
printf 'red\n' >&3
IFS= read -r first <&4
printf 'black\nblue\n' >&3
IFS= read -r second <&4
exec 3>&-
wait $!
status=$?
exec 4<&-
: >out
[ "$status" -eq 1 ] && [ "$first" = "$(printf 'red\tapple')" ] &&
  [ "$second" = "$(printf 'blue\tplum')" ]
result $? "a slow input is answered as it comes"

# ---- list ----------------------------------------------------------------------------------
run list "$colours"
sort out >sorted && mv sorted out
expect 0 "$(printf 'blue\tplum\ngreen\tpear\nred\tapple')" "list"
run list --json 'inline:{a=b}'
expect 0 '{"key":"a","status":"ok","value":"b"}' "list, JSON"
run list static:x
said 78 'dictum: ' "list of a type without entries"

# ---- types ---------------------------------------------------------------------------------
run types
[ "$status" -eq 0 ] && grep -q '^inline ' out
result $? "types"
run types --json
[ "$status" -eq 0 ] && grep -q '^{"type":"inline","status":"ok",' out
result $? "types, JSON"
run types --options nosuchtype
said 78 'nosuchtype' "options of a type that is not there"

# ---- build, put, del -----------------------------------------------------------------------
type=
for candidate in lmdb hash btree; do
  if has_type $candidate; then
    type=$candidate
    break
  fi
done

cat >virtual <<'DATA'
# a comment
info@example.org   alice
sales@example.org  bob,
  carol
INFO@example.org   mallory
DATA

test_build() {
  run build "$type:virtual"
  said 0 'dictum: warning: virtual, line 5: duplicate of line 2: "info@example.org"' \
    "build names a duplicate with both lines"
  run get "$type:virtual" info@example.org
  expect 0 alice "the first of equal keys was kept"
  run build --duplicates=replace "$type:virtual"
  quiet "build --duplicates=replace is silent"
  run get "$type:virtual" info@example.org
  expect 0 mallory "the last of equal keys was kept"
  run build --duplicates=ignore "$type:virtual"
  quiet "build --duplicates=ignore is silent"
  run build --duplicates=error "$type:virtual"
  said 65 'virtual, line 5: duplicate of line 2' "build --duplicates=error"
  printf 'new@example.org x\nnew@example.org y\n' >dup
  run build --duplicates=error "$type:virtual" dup
  [ "$status" -eq 65 ]
  result $? "build --duplicates=error from another source"
  run get "$type:virtual" info@example.org
  expect 0 alice "the old table is still there"
  printf 'only\nkey value\n' >doubtful
  run build --strict "$type:virtual" doubtful
  said 65 'doubtful, line 1: ' "build --strict"
  run get "$type:virtual" info@example.org
  expect 0 alice "the old table is still there"
  run build "$type:virtual" doubtful
  said 0 'doubtful, line 1: ' "a doubtful line is told"
  run get "$type:virtual" key
  expect 0 value "the other lines are in the table"
  input 'from stdin\n'
  run build "$type:virtual" -
  run list "$type:virtual"
  expect 0 "$(printf 'from\tstdin')" "build from standard input"
  seq -f "key%.0f@example.org value" 3000 -1 0 | sed p >large
  run build "$type:roomy" large
  cp err all
  for memory in 1 100K; do
    run build --memory=$memory "$type:tight" large
    [ "$status" -eq 0 ] && cmp -s all err && cmp -s "$(echo roomy.*)" "$(echo tight.*)"
    result $? "build in $memory of memory: the same table and messages"
  done
  run build --json --duplicates=ignore "$type:virtual"
  [ "$status" -eq 0 ] &&
    grep -q '^{"table":"'$type':virtual","status":"ok","entries":2,"duplicates":1,"skipped":0,"file":"virtual\.' out
  result $? "build, JSON"
  run build "$type:nosource"
  said 78 'nosource: No such file' "a source that is not there"
  run build --json "$type:nosource"
  [ "$status" -eq 78 ] && grep -q '"status":"config"' out && [ ! -s err ]
  result $? "JSON of a source that is not there"
  echo 'a b' >one
  echo 'c d' >two
  run build "$type:one" "$type:two" && [ "$status" -eq 0 ] && run get "$type:two" c
  expect 0 d "several tables"
  run build --mode 0600 "$type:moded" one
  # shellcheck disable=SC2012 # the names are ours
  [ "$(ls -l moded.* | cut -c 1-10)" = '-rw-------' ]
  result $? "build --mode"
  printf 'root: alice, bob\n"two words": carol\n' >aliases
  run build --aliases "$type:aliases"
  run get "$type:aliases" root
  expect 0 'alice, bob' "build --aliases"
  run build static:x one
  said 78 'dictum: ' "a type that cannot be built"
  run build "$type:virtual" etc/main.cf/none
  [ "$status" -eq 78 ] && run get "$type:virtual" sales@example.org
  expect 0 'bob,  carol' "and the table was left alone"
}

test_change() {
  run put "$type:new" key value
  [ "$status" -eq 0 ] && [ ! -s out ] && [ ! -s err ]
  result $? "put makes a table"
  run get "$type:new" key
  expect 0 value "what was put is found"
  run put "$type:new" KEY other && run get "$type:new" key
  expect 0 other "put replaces"
  run put --duplicates=ignore "$type:new" key third && run get "$type:new" key
  expect 0 other "put --duplicates=ignore"
  run put --duplicates=refuse "$type:new" key third
  said 0 'warning: duplicate entry: "key"' "put --duplicates=refuse"
  run put --duplicates=error "$type:new" key third
  said 65 'dictum: ' "put --duplicates=error"
  run put --json --duplicates=refuse "$type:new" key third
  expect 0 '{"key":"key","status":"exists"}' "put, JSON"
  input 'a 1\nb two words\n'
  run put "$type:new" -
  run get "$type:new" a b key
  expect 0 "$(printf 'a\t1\nb\ttwo words\nkey\tother')" "put from standard input"
  input 'k 1\000v\n1\000k2\000v2'
  run put -0 "$type:new" -
  run get --json "$type:new" 'k 1' k2
  expect 0 '{"key":"k 1","status":"ok","value":"v\n1"}
{"key":"k2","status":"ok","value":"v2"}' "put from NUL-terminated records"
  input 'k3\000'
  run put -0 "$type:new" -
  said 65 'the last key has no value' "a record without a value"
  : >in
  run del "$type:new" a nokey
  expect 1 '' "del"
  quiet "del of a key that is not there: no message"
  run get "$type:new" a
  expect 1 '' "what was deleted is gone"
  input 'b\nnokey\n'
  run del --json "$type:new" -
  expect 1 '{"key":"b","status":"ok"}
{"key":"nokey","status":"notfound"}' "del from standard input, JSON"
  : >in
  run put 'inline:{a=b}' c d
  said 78 'dictum: ' "a type that cannot be changed"
  run del "$type:nofile" key
  said 78 'nofile' "del from a table that is not there"
  "$DICTUM" list -0 "$type:new" >records
  cp records in
  run put -0 "$type:copy" -
  [ "$status" -eq 0 ] && "$DICTUM" list -0 "$type:copy" | cmp -s - records
  result $? "list -0 into put -0 makes a copy"
}

test_default_type() {
  echo "default_database_type = $type" >>etc/main.cf
  run get virtual sales@example.org
  expect 0 'bob,  carol' "a table without a type"
}

test_plugin() {
  module=$("$DICTUM" types --json | sed -n 's/^{"type":"'$type'",.*"module":"\([^"]*\)".*/\1/p')
  if [ -z "$module" ]; then
    skip "test-plugin" "the types are inside the program"
    return
  fi
  run test-plugin "$module" "$type:scratch"
  [ "$status" -eq 0 ] && ! grep -q '^not ok' out && grep -q '^1\.\.' out
  result $? "test-plugin of $type"
}

if [ -n "$type" ]; then
  test_build
  test_change
  test_default_type
  test_plugin
else
  skip "build, put and del" "there is no type to build"
fi
# Keys that begin others, and do not end in a NUL byte: each has its place on a page.
for type in hash btree lmdb; do
  has_type $type || continue
  awk 'BEGIN { for (i = 0; i < 3000; i++) print substr("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", 1 + i % 16, 1 + i % 17) i % 7 " v" i }' >prefixes
  input ''
  "$DICTUM" build --no-nul --duplicates=ignore "$type:prefixes" >out 2>err
  for round in 1 2 3; do
    run put --no-nul --duplicates=replace "$type:prefixes" "a$round" x
    run put --no-nul --duplicates=replace "$type:prefixes" "a" "$round"
  done
  expect 0 '' "$type: put among keys that begin others"
  run get --no-nul "$type:prefixes" a
  expect 0 3 "$type: and it is there"
  run del --no-nul "$type:prefixes" a2
  expect 0 '' "$type: del among keys that begin others"
done
run test-plugin ./nosuch.so
[ "$status" -eq 78 ] && grep -q '^not ok 1 ' out
result $? "test-plugin of a file that is not there"

echo "1..$count"
[ "$failed" -eq 0 ]
