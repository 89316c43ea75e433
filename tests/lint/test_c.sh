#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Which way the rooms of the source may look, and that they all look alike.
. "$(dirname "$0")/../lib.sh"

cd "$TOP_SRCDIR" || exit 99
c_files() {
  find "$@" -name '*.[ch]' ! -path '*/compat/vectors/*' | sort
}

for file in $(c_files core plugins cli tests examples); do
  clang-format --dry-run --Werror "$file" >"$work/log" 2>&1 || echo "$file" >>"$work/unformatted"
done
cp "$work/unformatted" "$work/log" 2>/dev/null || : >"$work/log"
[ ! -s "$work/log" ]
result $? "every C file is formatted"

for file in $(c_files core plugins cli tests examples); do
  head -n 1 "$file" | grep -q '^/\* SPDX-License-Identifier: BSD-2-Clause \*/$' || echo "$file"
done >"$work/log"
[ ! -s "$work/log" ]
result $? "every C file names its licence"

# Each include in quotes must be found in one of the folders.
quoted_includes_of() { # FOLDER, folders in which its includes may be
  from=$1
  shift
  for file in $(c_files "$from"); do
    sed -n 's/^#include "\(.*\)"$/\1/p' "$file" | while read -r name; do
      case $name in
      config.h | */../* | ../*) [ "$name" = config.h ] && continue ;;
      *) for folder in "$@"; do [ -e "$folder/$name" ] && continue 2; done ;;
      esac
      echo "$file includes \"$name\""
    done
  done >"$work/log"
  [ ! -s "$work/log" ]
  result $? "$from includes nothing of other rooms"
}
quoted_includes_of cli cli
quoted_includes_of core core core/include
quoted_includes_of plugins/common plugins/common
for folder in plugins/*/; do
  folder=${folder%/}
  [ "$folder" = plugins/common ] || quoted_includes_of "$folder" "$folder" plugins/common
done

grep -rlE '^#include <dictum_plugin\.h>' cli >"$work/log"
[ ! -s "$work/log" ]
result $? "cli knows the public interface only"

grep -rl 'ltdl\.h' core --include='*.[ch]' | grep -v '^core/load\.c$' >"$work/log"
[ ! -s "$work/log" ]
result $? "only core/load.c knows libltdl"

# In comments a table may serve as an example.
for file in $(c_files core); do
  gcc -fpreprocessed -dD -E -P "$file" 2>/dev/null |
    grep -nwE 'bdb|lmdb|btree|regexp|pcre|cdb|cidr|pgsql|mysql|sqlite|memcache|mongodb|ldap' |
    sed "s|^|$file: |"
done >"$work/log"
[ ! -s "$work/log" ]
result $? "core names no plugin"

# Long files are hard to read: core keeps to some 400 lines, plugins to some 500.
too_long() { # LINES FOLDER
  find "$2" -name '*.c' -exec wc -l {} + | awk -v most="$1" '$2 != "total" && $1 > most'
}
{ too_long 450 core && too_long 550 plugins; } >"$work/log"
[ ! -s "$work/log" ]
result $? "no file is too long"
finish
