#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each public header compiles alone, as C99, C17 and C++17, by both compilers, without a warning.
. "$(dirname "$0")/../lib.sh"

include=$TOP_SRCDIR/core/include
try() { # COMPILER STANDARD HEADER
  case $2 in
  c++*) language=c++ ;;
  *) language=c ;;
  esac
  check "$3 as $2 by $1" "$1" -x "$language" -std="$2" -Wall -Wextra -Wpedantic -Wshadow -Wundef \
    -Werror -fsyntax-only -I"$include" "$work/alone"
}

for header in dictum.h dictum_plugin.h; do
  echo "#include <$header>" >"$work/alone"
  for compiler in gcc clang; do
    try "$compiler" c99 "$header"
    try "$compiler" c17 "$header"
  done
  for compiler in g++ clang++; do
    try "$compiler" c++17 "$header"
  done
done
finish
