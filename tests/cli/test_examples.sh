#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The examples of the manual pages that need no server: what is typed behind "$ " must answer as the
# page says. A block without "$ " above one with it is the file that the example names, rules.
: "${DICTUM:?name the program to test}"
: "${POSTMAP:?name the program to test}"
# shellcheck source=tests/lib.sh
. "${TOP_SRCDIR:?}/tests/lib.sh"
mkdir "$work/bin" "$work/etc"
ln -s "$DICTUM" "$work/bin/dictum"
ln -s "$POSTMAP" "$work/bin/postmap"
PATH=$work/bin:$PATH MAIL_CONFIG=$work/etc
export PATH MAIL_CONFIG
: >"$work/etc/main.cf"
cd "$work" || exit 99

# Each example of a page becomes two files: N.typed and N.shown.
take_apart() { # PAGE
  rm -f ./*.typed ./*.shown ./*.file
  awk '
    function unquote(text) { gsub(/\\e/, "\\", text); gsub(/\\&/, "", text); gsub(/\\\(dq/, "\"", text); return text }
    /^\.Bd / { inside = 1; n++; next }
    /^\.Ed/ { inside = 0; next }
    inside && /^\$ / { typed++; name = sprintf("%03d", typed); print unquote(substr($0, 3)) > (name ".typed"); printf "" > (name ".shown"); block = n; next }
    inside && typed && block == n { print unquote($0) > (name ".shown"); next }
    inside { print unquote($0) > (sprintf("%03d", n) ".file") }' "$1"
}

for page in "$TOP_SRCDIR"/core/dictum-types.7 "$TOP_SRCDIR"/core/dictum-combinators.7 \
  "$TOP_SRCDIR"/plugins/cidr/cidr_table.5 "$TOP_SRCDIR"/plugins/pcre/pcre_table.5 \
  "$TOP_SRCDIR"/plugins/regexp/regexp_table.5; do
  name=${page##*/}
  type=${name%_table.5}
  case $name in
  *_table.5) "$DICTUM" types --options "$type" >/dev/null 2>&1 || continue ;;
  esac
  take_apart "$page"
  for typed in *.typed; do
    # The last block above with text in it is the table.
    if grep -q ':rules ' "$typed"; then
      cat "$(find . -name '*.file' | sort | tail -n 1)" >rules
    fi
    sh "$typed" >out 2>&1
    { cat "$typed" && cat out && echo "wanted:" && cat "${typed%.typed}.shown"; } >log
    cmp -s out "${typed%.typed}.shown"
    result $? "$name: $(cat "$typed")"
  done
done
[ "$tap_count" -gt 8 ]
result $? "there are examples"
finish
