#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# failover, cache and fault from the shell: what outlives the process, what processes share.
: "${DICTUM:?name the program to test}"
: "${POSTMAP:?name the program to test}"
# shellcheck source=tests/lib.sh
. "${TOP_SRCDIR:?}/tests/lib.sh"
cd "$work" || exit 99
mkdir etc
: >etc/main.cf
MAIL_CONFIG=$work/etc
export MAIL_CONFIG

if ! "$DICTUM" types --options lmdb >/dev/null 2>&1; then
  [ -z "${TESTS_COMPLETE-}" ] || { echo 1..1 && echo "not ok 1 - there is lmdb" && exit 1; }
  echo "1..0 # SKIP there is no lmdb"
  exit
fi

# A table that is out of service while the file `down` is there.
printf 'a@x.example one\nb@x.example two\n' >virtual
"$DICTUM" build lmdb:virtual || exit 99
source="fault:{retry=100 trigger=$work/down, lmdb:$work/virtual}"
cached="cache:{ttl=1h stale_ok=1d store=lmdb:$work/store, $source}"
expired="cache:{ttl=0 stale_ok=1d store=lmdb:$work/store, $source}"

# `expect STATUS OUTPUT WHAT COMMAND...`
expect() {
  wanted_status=$1 wanted=$2 what=$3
  shift 3
  "$@" >out 2>err
  status=$?
  {
    echo "status $status, output:"
    cat out err
  } >log
  [ "$status" -eq "$wanted_status" ] && [ "$(cat out)" = "$wanted" ]
  result $? "$what"
}
# `count NAME SPEC`: a number of the first cache.
count() {
  "$DICTUM" status --json --no-probe "$2" 2>/dev/null | sed -n "1s/.*\"$1\":\([0-9]*\).*/\1/p"
}

expect 0 one "failover: the second answers" "$DICTUM" get "failover:{fail:x, lmdb:virtual}" a@x.example
expect 0 one "postmap knows it as well" "$POSTMAP" -q a@x.example "failover:{fail:x, lmdb:virtual}"
expect 75 '' "failover: nobody can tell" "$DICTUM" get "failover:{fail:x, fail:y}" a@x.example
check "the last one is named" grep -q '^dictum: fail:y: ' err
expect 1 '' "failover: absent is an answer" "$DICTUM" get "failover:{lmdb:virtual, static:x}" c@x.example

# ---- the store outlives the process ----------------------------------------------------------
expect 0 one "a first answer" "$DICTUM" get "$cached" a@x.example
expect 1 '' "a first absence" "$DICTUM" get "$cached" c@x.example
touch down
expect 0 one "another process has it from the store" "$DICTUM" get "$cached" a@x.example
expect 0 '{"key":"a@x.example","status":"ok","value":"one","flags":["cached"]}' "and says so" \
  "$DICTUM" get --json "$cached" a@x.example
expect 0 one "postmap has it, too" "$POSTMAP" -q A@x.example "$cached"
expect 75 '' "what nobody asked for before is not there" "$DICTUM" get "$cached" b@x.example
expect 0 '{"key":"a@x.example","status":"ok","value":"one","flags":["stale","cached"]}' \
  "beyond its time it is stale" "$DICTUM" get --json "$expired" a@x.example
check "and that is told, once" [ "$(grep -c 'used beyond their time' err)" -eq 1 ]
expect 1 '' "absence is not used beyond its time by default, but within it" \
  "$DICTUM" get "$cached" c@x.example
rm down
expect 0 '{"key":"a@x.example","status":"ok","value":"one"}' "the table answers again" \
  "$DICTUM" get --json "$expired" a@x.example

# ---- counts of all processes -----------------------------------------------------------------
check "hits are counted over processes" [ "$(count hits "$cached")" -ge 3 ]
check "so are absences" [ "$(count negative_hits "$cached")" -ge 1 ]
check "and misses" [ "$(count misses "$cached")" -ge 3 ]
check "and stale answers" [ "$(count stale "$cached")" -eq 1 ]

# ---- flushing --------------------------------------------------------------------------------
printf 'a@x.example new\nb@x.example two\n' >virtual
"$DICTUM" build lmdb:virtual
"$DICTUM" get "$cached" b@x.example >log
printf 'a@x.example new\nb@x.example newer\n' >virtual
"$DICTUM" build lmdb:virtual
expect 0 one "what is cached hides a change" "$DICTUM" get "$cached" a@x.example
expect 0 '' "one key is flushed" "$DICTUM" flush "$cached" A@x.example
expect 0 new "and seen anew" "$DICTUM" get "$cached" a@x.example
expect 0 two "others are not" "$DICTUM" get "$cached" b@x.example
expect 0 '' "all keys are flushed" "$DICTUM" flush --all "$cached"
expect 0 newer "and seen anew" "$DICTUM" get "$cached" b@x.example
expect 78 '' "nothing to flush" "$DICTUM" flush --all lmdb:virtual
expect 64 '' "flush wants a key" "$DICTUM" flush "$cached"
expect 64 '' "or all, not both" "$DICTUM" flush --all "$cached" key
expect 64 '' "and all before the table" "$DICTUM" flush "$cached" --all
expect 0 '{"key":"k","status":"ok"}' "a flush says in JSON that it is done" \
  "$DICTUM" flush --json "$cached" k

# A running process hears of it: it has the key in memory, and its next question comes later.
mkfifo questions
"$DICTUM" get "$cached" - <questions >answers 2>>log &
exec 3>questions
echo a@x.example >&3
tries=0
until [ -s answers ] || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done
printf 'a@x.example newest\n' >virtual
"$DICTUM" build lmdb:virtual
"$DICTUM" flush "$cached" a@x.example
sleep 1.1
echo a@x.example >&3
exec 3>&-
wait
check "a running process follows a flush" [ "$(tail -n 1 answers)" = "a@x.example	newest" ]

# ---- kill -9 ---------------------------------------------------------------------------------
# Whatever it was doing: the store is whole, and what was in it before still is.
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "k%d v%d\n", i, i }' >many
"$DICTUM" build lmdb:many
filled="cache:{ttl=1h stale_ok=1d store=lmdb:$work/kept, fault:{retry=100 trigger=$work/down, lmdb:$work/many}}"
"$DICTUM" get "$filled" k0 k1 k2 >log
wrong=0
for delay in 0.02 0.05 0.08 0.12 0.2; do
  cut -d' ' -f1 many | "$DICTUM" get "$filled" - >partial 2>&1 &
  pid=$!
  sleep "$delay"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  touch down
  [ "$("$DICTUM" get "$filled" k0 k1 k2 2>&1)" = "k0	v0
k1	v1
k2	v2" ] || wrong=$((wrong + 1))
  # What it has, it has right; the rest it cannot tell.
  cut -d' ' -f1 many | "$DICTUM" get "$filled" - 2>/dev/null | awk -F'\t' 'substr($1, 2) != substr($2, 2) { bad++ } END { exit bad > 0 }' || wrong=$((wrong + 1))
  rm down
done >log 2>&1
check "kill -9 leaves the store whole" [ "$wrong" -eq 0 ]

# ---- bounded, shared, damaged ----------------------------------------------------------------
small="cache:{store=lmdb:$work/small store_bytes=400000, lmdb:$work/many}"
cut -d' ' -f1 many | "$DICTUM" get "$small" - >out 2>err
check "a full store turns over" [ -e small.old.lmdb ]
check "and every answer is right" sh -c 'tr "\t" " " <out | cmp -s - many'
check "and it keeps within reach of its bound" \
  [ "$(cat small.lmdb small.old.lmdb | wc -c)" -lt 1200000 ]

for part in 0 1 2 3; do
  cut -d' ' -f1 many | tail -n +$((part * 1000)) | "$DICTUM" get "$filled" - >out.$part 2>>log &
done
wait
tail -q -n +1 out.? | awk -F'\t' 'substr($1, 2) != substr($2, 2) { bad++; print } END { exit bad > 0 || NR < 60000 }' >log
result $? "several processes share a store"

dd if=/dev/urandom of=kept.lmdb bs=1000 count=20 2>>log
dd if=/dev/urandom of=kept.tally bs=64 count=1 2>>log
expect 0 "k5	v5
k6	v6" "a damaged store costs no answer" "$DICTUM" get "$filled" k5 k6
mkdir readonly
expect 0 "k5	v5
k6	v6" "nor does one that cannot be had" \
  "$DICTUM" get "cache:{store=lmdb:$work/nowhere/at/all, lmdb:many}" k5 k6
say_why() {
  "$DICTUM" get "cache:{store=lmdb:$work/nowhere/at/all, lmdb:many}" k5 2>&1 |
    grep -q "nowhere/at/all is unavailable.*No such file or directory"
}
check "and why is told" say_why

# ---- changes through a cache -----------------------------------------------------------------
through="cache:{ttl=1h store=lmdb:$work/through, lmdb:$work/virtual}"
expect 0 newest "asked through it" "$DICTUM" get "$through" a@x.example
expect 0 '' "changed through it" "$DICTUM" put "$through" a@x.example changed
expect 0 changed "the change is seen" "$DICTUM" get "$through" a@x.example
expect 0 '' "removed through it" "$DICTUM" del "$through" a@x.example
expect 1 '' "the removal is seen" "$DICTUM" get "$through" a@x.example
printf 'z@x.example last\n' >virtual

# ---- unionmap, pipemap, debug ----------------------------------------------------------------
expect 1 "a	1
B	2,3
c	4" "unionmap joins, for a batch as well" \
  "$DICTUM" get "unionmap:{inline:{a=1,b=2}, inline:{b=3,c=4}}" a B c d
touch down
expect 75 "" "unionmap: one cannot tell, so nobody can" "$DICTUM" get \
  "unionmap:{inline:{a=1,b=2}, fault:{retry=100 trigger=$work/down, static:x}}" a b
rm down
expect 0 "a	1,x
b	2,x" "unionmap: all can tell" "$DICTUM" get \
  "unionmap:{inline:{a=1,b=2}, fault:{retry=100 trigger=$work/down, static:x}}" a b
expect 1 "a	found
B	other" "pipemap leads a batch through" \
  "$DICTUM" get "pipemap:{inline:{a=One,b=two,c=gone}, inline:{one=found,two=other}}" a B c d
# shellcheck disable=SC2016 # the rule's $1
expect 0 USER "pipemap: rules see a value as it is" \
  "$DICTUM" get 'pipemap:{inline:{a=USER@x}, regexp:{{/^([A-Z]*)@/ $1}}}' a
expect 0 z "pipemap: an empty value goes on" "$DICTUM" get 'pipemap:{inline:{a=}, static:z}' a
expect 0 1 "debug tells" "$DICTUM" get 'debug:inline:{a=1}' A
check "what was asked and answered" grep -qF 'inline:{a=1} lookup: "A" = "1"' err
expect 78 '' "unionmap cannot be listed" "$DICTUM" list 'unionmap:{inline:{a=1}}'

# ---- status ----------------------------------------------------------------------------------
expect 0 "static:x: up" "status of a single table" "$DICTUM" status static:x
touch down
"$DICTUM" status --json "failover:{lmdb:$work/nowhere, lmdb:$work/virtual}" >out 2>err
status=$?
cp err log
[ $status -eq 78 ] && [ "$(wc -l <out)" -eq 3 ] &&
  grep -q '"state":"down","status":"config","error":"open database .*nowhere.lmdb: No such file' out
result $? "status of a table with a member that is not there"
expect 64 '' "status wants a table" "$DICTUM" status
finish
