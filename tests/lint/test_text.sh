#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scripts, manual pages, and that pages and programs tell the same. $PREFIX holds an installed copy.
. "$(dirname "$0")/../lib.sh"

cd "$TOP_SRCDIR" || exit 99

scripts=$(find . \( -name .git -o -path ./build -o -path ./build-aux -o -path ./m4 \
  -o -path ./autom4te.cache -o -path ./tests/compat/vectors \) -prune -o -type f -print |
  grep -v '/configure~*$' |
  while read -r file; do
    case $file in
    *.sh) echo "$file" ;;
    *) head -n 1 "$file" | tr -d '\0' | grep -qE '^#! ?/bin/(ba)?sh' && echo "$file" ;;
    esac
  done | sort)
[ -n "$scripts" ]
result $? "there are scripts"
for script in $scripts; do
  check "shellcheck ${script#./}" shellcheck "$script"
done

for page in $(find core plugins cli -name '*.[1-8]' | sort); do
  mandoc -T lint -W warning "$page" >"$work/log" 2>&1
  # The pages of Postfix and of other packages are not here.
  grep -v 'referenced manual not found' "$work/log" >"$work/said"
  cp "$work/said" "$work/log"
  [ ! -s "$work/log" ]
  result $? "mandoc -T lint $page"
done

# A page as plain text, without overstriking.
page_text() {
  mandoc -T ascii "$1" 2>/dev/null | sed "s/.$(printf '\b')//g"
}

# Each long option that a command's help has must be in its page.
dictum=$PREFIX/bin/dictum
for command in get list build put del status flush types test-plugin; do
  "$dictum" "$command" --help | grep -oE -e '--[a-z][a-z0-9-]+' | sort -u >"$work/options"
  page_text cli/dictum.1 >"$work/page"
  while read -r option; do
    grep -qF -e "$option" "$work/page" || echo "$command $option"
  done <"$work/options" >"$work/log"
  [ -s "$work/options" ] && [ ! -s "$work/log" ]
  result $? "dictum.1 has each option of dictum $command"
done

# Each setting of a type must be in the page of its plugin, and the other way round.
for type in $("$dictum" types --json | sed -n 's/^{"type":"\([^"]*\)","status":"ok".*"module".*/\1/p'); do
  page=$(echo plugins/*/"${type}_table.5")
  [ -e "$page" ] || page=$(grep -lw -e "$type" plugins/*/*_table.5 | head -n 1)
  page_text "${page:-/nonexistent}" >"$work/page"
  "$dictum" types --options "$type" | sed 's/ .*//' | while read -r setting; do
    grep -qw -e "$setting" "$work/page" || echo "$setting of $type is not in $page"
  done >"$work/log"
  [ -n "$page" ] && [ ! -s "$work/log" ]
  result $? "the page of $type has its settings"
done
finish
