#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A test that is in no list is never run, and nobody notices.
. "$(dirname "$0")/../lib.sh"

cd "$TOP_SRCDIR" || exit 99

# Those of lint and servers are run as they are found, those of install by tests/run.
for test in tests/*/test_*.*; do
  folder=$(basename "$(dirname "$test")")
  name=$(basename "$test")
  case $folder/$name in
  lint/* | servers/* | */*.h) continue ;;
  install/*) name=${name#test_} && name=${name%.sh} && list=tests/run ;;
  *) name=$folder/${name%.c} && list=tests/Makefile.am ;;
  esac
  grep -qw -- "$name" "$list" || echo "$test"
done >"$work/log"
[ ! -s "$work/log" ]
result $? "every test is run"
finish
