#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# README.md's table of speed has the figures that were measured: it is what tests/bench/readme makes
# of tests/bench/RESULTS.md. Without results, README.md has no such table.
. "$(dirname "$0")/../lib.sh"

cd "$TOP_SRCDIR" || exit 99
require python3

# `agrees README RESULTS`
agrees() {
  awk '/^## / { fast = $0 == "## Fast" } fast && /^[|]/' "$1" >"$work/told"
  python3 -B tests/bench/readme "$2" >"$work/measured" 2>&1 &&
    diff "$work/measured" "$work/told"
}

check "README.md tells what RESULTS.md has" agrees README.md tests/bench/RESULTS.md

# The same of results that are made up, to see that this check sees something.
{
  echo '| row | ours | postmap | raw | over postmap | over raw |'
  echo '|---|---:|---:|---:|---:|---:|'
  sed -n 's/^ *"\([a-z0-9-]*\)": ".*/\1/p' tests/bench/readme
  for type in hash btree lmdb cdb texthash; do printf 'build-%s\nquery-%s\n' $type $type; done
} | sed '3,$s/.*/| & | 1 s | 8 s | 2 s | 8.00 (7.00-9.00) | 2.00 (2.00-2.00) |/' >"$work/results"
{
  printf '# Dictum\n\n| a | table |\n\n## Fast\n\nWords.\n\n'
  python3 -B tests/bench/readme "$work/results"
  printf '\n## More\n\n| another | table |\n'
} >"$work/readme"
grep -q '^| build a .hash. table | 1 s | 8 s | 8.00 (7.00-9.00) | 2 s |$' "$work/readme"
result $? "the table of made-up results"
check "it agrees" agrees "$work/readme" "$work/results"

sed '/open-pcre/d' "$work/results" >"$work/fewer"
sed 's/| 8 s | 8\.00/| 80 s | 80.00/' "$work/readme" >"$work/better"
sed '/cidr/d' "$work/readme" >"$work/shorter"
agrees "$work/readme" "$work/fewer" >"$work/log" 2>&1
[ $? -eq 1 ]
result $? "a row without results is found"
agrees "$work/readme" "$work/none" >"$work/log" 2>&1
[ $? -eq 1 ]
result $? "a table without any results is found"
for other in better shorter; do
  agrees "$work/$other" "$work/results" >"$work/log" 2>&1
  [ $? -eq 1 ]
  result $? "a $other table is found"
done
finish
