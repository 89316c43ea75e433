#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every corpus through its fuzz target: no input may crash it, and the sanitizers see it in a build
# with them.
. "$(dirname "$0")/../lib.sh"

for folder in "$TOP_SRCDIR"/tests/fuzz/corpus/*; do
  target=${folder##*/}
  program=$TOP_BUILDDIR/tests/fuzz/replay_$target
  case $target in
  bdb_image | cdb | lmdb_tree | mongodb | regexp | pcre | cidr)
    if [ ! -e "$program" ]; then
      skip "corpus $target" "there is no such plugin"
      continue
    fi
    ;;
  esac
  check "corpus $target" "$program" "$folder"
done
finish
