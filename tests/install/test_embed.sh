#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A program that embeds libdictum, and a plugin of a third party, are built with nothing but
# pkg-config and an installed copy, which is in $PREFIX.
. "$(dirname "$0")/../lib.sh"

cp -r "$TOP_SRCDIR/examples/." "$work/"
cd "$work" || exit 99
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig" PATH="$PREFIX/bin:$PATH"
unset LD_LIBRARY_PATH DICTUM_PLUGIN_DIR DICTUM_DYNAMICMAPS

check "pkg-config knows the version" test "$(pkg-config --modversion dictum)" = \
  "$(dictum --version | sed 's/^dictum //')"
for variable in plugindir registrydir; do
  check "pkg-config knows $variable" test -d "$(pkg-config --variable=$variable dictum)"
done

# ---- the program of some thirty lines ---------------------------------------------------------
build_lookup() {
  # shellcheck disable=SC2046 # flags are words
  "$1" -std=c99 -Wall -Wextra -Werror lookup.c $(pkg-config --cflags --libs dictum) \
    -Wl,-rpath,"$PREFIX/lib" -o lookup
}
for compiler in gcc clang; do
  if command -v "$compiler" >/dev/null 2>&1 || [ -n "${TESTS_COMPLETE-}" ]; then
    check "lookup.c, built by $compiler" build_lookup "$compiler"
  fi
done
says() { # STATUS OUTPUT WHAT COMMAND...
  expected=$1 output=$2 what=$3
  shift 3
  "$@" >out 2>log
  status=$?
  cat out >>log
  [ "$status" -eq "$expected" ] && { [ -z "$output" ] || grep -qF -e "$output" out; }
  result $? "$what"
}
printf 'info@example.org\tsomebody\n' >table
dictum build lmdb:table hash:table
says 0 'found: somebody' "lookup finds" ./lookup lmdb:table Info@Example.org
says 1 'there is no such key' "lookup does not find" ./lookup hash:table nobody@example.org
says 75 'ask again in' "lookup is told to ask again" ./lookup fail:x key
says 78 'wake the operator: nosuch:x: unsupported dictionary type' "lookup is told what is wrong" \
  ./lookup nosuch:x key
says 64 '' "lookup without operands" ./lookup

# ---- the plugin of somebody else --------------------------------------------------------------
cd rot13 || exit 99
check "rot13: make" make --no-print-directory
check "rot13: make check" make --no-print-directory check
check "rot13: make install" make --no-print-directory install DESTDIR="$work/staged"
module=$work/staged$(pkg-config --variable=plugindir dictum)/rot13.so
check "rot13: is where plugins are" test -s "$module"
mkdir registry
echo "rot13 $module" >registry/dynamicmaps.cf
export DICTUM_DYNAMICMAPS="$PWD/registry/dynamicmaps.cf"
cd "$work" || exit 99
says 0 hello "rot13: answers" dictum get rot13:any uryyb
says 1 '' "rot13: does not find" dictum get rot13:any 12345
says 0 rot13-example "rot13: is listed with its name" dictum types
finish
