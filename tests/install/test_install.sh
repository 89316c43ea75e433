#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make install DESTDIR=...: everything where it belongs, nothing elsewhere; make uninstall takes it
# all away. $TOP_BUILDDIR is the build, $PREFIX what it was configured for.
. "$(dirname "$0")/../lib.sh"

dest=$work/dest
at=$dest$PREFIX
check "make install DESTDIR=" make -C "$TOP_BUILDDIR" --no-print-directory install DESTDIR="$dest"

is_file() {
  check "$1" test -s "$at/$1"
}
is_file bin/dictum
is_file include/dictum.h
is_file include/dictum_plugin.h
is_file lib/libdictum.so
is_file lib/pkgconfig/dictum.pc
for plugin in $(cd "$TOP_SRCDIR/plugins" && echo */plugin.am); do
  plugin=${plugin%/*}
  is_file "lib/dictum/dictum_$plugin.so"
  is_file "etc/dictum/dynamicmaps.cf.d/$plugin.cf"
done
is_file etc/dictum/dynamicmaps.cf
is_file share/man/man1/dictum.1
is_file share/man/man1/dictum-postmap.1
is_file share/man/man3/libdictum.3
is_file share/man/man7/dictum-plugin.7
is_file share/man/man7/dictum-types.7
for page in "$TOP_SRCDIR"/plugins/*/*_table.5; do
  page=${page##*/} page=${page%_table.5}
  is_file "share/man/man5/${page}_table.5"
done
is_file share/bash-completion/completions/dictum.bash
is_file share/zsh/site-functions/_dictum

# Postfix's own programs are in sbin and bin: ours by the same names stay out of their way.
there() {
  [ -e "$1" ] || [ -L "$1" ]
}
for name in postmap postalias; do
  check "no $name among the programs" sh -c "! [ -e '$at/bin/$name' ] && ! [ -e '$at/sbin/$name' ]"
  check "$name in libexec" there "$at/libexec/dictum/$name"
done

find "$dest" -type f -o -type l | sed "s|^$dest||" | grep -v "^$PREFIX/" >"$work/log"
[ ! -s "$work/log" ]
result $? "nothing outside of the prefix"
find "$dest" \( -type f -o -type d \) -perm /022 >"$work/log"
[ ! -s "$work/log" ]
result $? "nothing that others can write"

# The destination is no part of what is in the files, nor is the place of the build.
grep -rlF -e "$dest" -e "$TOP_BUILDDIR" "$dest" --include='*.pc' --include='*.cf' >"$work/log"
[ ! -s "$work/log" ]
result $? "no text file names the staging folder or the build's"
readelf -d "$at/bin/dictum" "$at"/lib/libdictum.so "$at"/lib/dictum/*.so 2>/dev/null |
  grep -E 'R(UN)?PATH' | grep -F -e "$dest" -e "$TOP_BUILDDIR" >"$work/log"
[ ! -s "$work/log" ]
result $? "no binary looks for libraries there"

check "make uninstall DESTDIR=" make -C "$TOP_BUILDDIR" --no-print-directory uninstall DESTDIR="$dest"
find "$dest" -type f -o -type l >"$work/log"
[ ! -s "$work/log" ]
result $? "nothing is left of it"
finish
