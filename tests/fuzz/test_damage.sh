#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tables of Dictum's and of Postfix's making in damaged files; damage.c says what is demanded. A run
# with $DAMAGE_COUNT=100000 tries so many of each; $DAMAGE_SEED is the number of the first. A failed
# one tells its number.
. "$(dirname "$0")/../lib.sh"

count=${DAMAGE_COUNT:-800} seed=${DAMAGE_SEED:-1}
postmap=${REFERENCE_POSTMAP:-/usr/sbin/postmap}
program=$TOP_BUILDDIR/tests/fuzz/damage

# Each change of a table waits for the disk, of which a folder in memory has none.
folder=$work
if [ -w /dev/shm ]; then
  folder=$(mktemp -d /dev/shm/dictum-damage.XXXXXX) || exit 99
fi
cleanup() {
  [ "$folder" = "$work" ] || rm -rf "$folder"
  remove_work
}

# Plain records, keys of odd lengths, and some records too large for a page: values for all types,
# keys where they may be.
# shellcheck disable=SC2016 # awk's variables
write_source() {
  awk -v kind="$1" 'BEGIN {
    letters = "abcdefghijklmnopqrstuvwxyz"
    while (length(text) < 20000)
      text = text letters
    for (i = 0; i < 420; i++)
      printf("user%05d@example.org mailbox/%d/%s/\n", i, i, substr(letters, 1, i % 23))
    for (i = 1; i <= 4; i++)
      print "large" i "@example.org " substr(text, i, 4000 * i + 1000)
    for (i = 0; i < 40; i++) # an item of as many bytes as what describes a chain
      printf("short-%04d value-of-a-short-key\n", i)
    for (i = 0; i < 120 && kind == "lmdb"; i++) # few on a page, for a tree of many levels
      printf("%s-%03d@example.org value-of-a-long-key\n", substr(text, i % 26 + 1, 450), i)
    for (i = 1; i <= 3 && (kind == "hash" || kind == "btree"); i++)
      print substr(text, i, 1100 + 100 * i) "@example.org long-key-" i
  }'
}

mkdir -p "$work/conf"
echo "compatibility_level = 3.6" >"$work/conf/main.cf"
touch -d 2020-01-01 "$work/conf/main.cf"

damage() { # TYPE MAKER COMMAND...
  kind=$1 maker=$2
  shift 2
  table=$folder/$kind-$maker
  write_source "$kind" >"$table"
  "$@" "$kind:$table" || return
  "$program" "$kind" "$table".*db "$table" "$seed" "$count" >"$work/out" 2>&1
  status=$?
  cat "$work/out"
  return "$status"
}

# A table of small pages in this byte order and in the other hold the same, and can be changed.
read_both_orders() { # TYPE
  for order in small-pages other-order; do
    cp "$TOP_SRCDIR/tests/fuzz/corpus/bdb_image/$1-$order" "$folder/$order.db" || return
    chmod u+w "$folder/$order.db"
    "$DICTUM" put "$1:$folder/$order" user99 new && "$DICTUM" del "$1:$folder/$order" user35 &&
      "$DICTUM" list "$1:$folder/$order" | sort >"$folder/$order" || return
  done
  [ "$(grep -c '^user' "$folder/small-pages")" -eq 59 ] &&
    cmp "$folder/small-pages" "$folder/other-order"
}

# A root with the first three of its entries only: nobody who walks may take them for all.
cut_root() {
  write_source "two levels" >"$folder/cut"
  "${POSTMAP:?}" "lmdb:$folder/cut" &&
    python3 - "$folder/cut.lmdb" <<'EOF' || return
import struct, sys
page_bytes, meta_root, meta_transaction, header_lower = 4096, 16 + 24 + 48 + 40, 16 + 24 + 96 + 8, 12
with open(sys.argv[1], "r+b") as table:
    map = table.read()
    meta = max((0, page_bytes), key=lambda at: struct.unpack_from("Q", map, at + meta_transaction))
    root, = struct.unpack_from("Q", map, meta + meta_root)
    lower = root * page_bytes + header_lower
    assert struct.unpack_from("H", map, lower)[0] > 16 + 2 * 3
    table.seek(lower)
    table.write(struct.pack("H", 16 + 2 * 3))
EOF
  ! "$DICTUM" list "lmdb:$folder/cut" >"$work/listed" 2>"$work/said" &&
    grep -q MDB_CORRUPTED "$work/said"
}

run() { # TYPE MAKER COMMAND...
  check "$1, made by $2" damage "$@" && tail -n 1 "$work/log" | sed 's/^/# /'
}

for kind in hash btree lmdb; do
  plugin=${DICTUM_PLUGIN_DIR:?}/dictum_bdb.so
  [ "$kind" != lmdb ] || plugin=$DICTUM_PLUGIN_DIR/dictum_lmdb.so
  if [ ! -e "$plugin" ]; then
    skip "$kind" "there is no such plugin"
    continue
  fi
  if [ "$kind" = lmdb ]; then
    check "lmdb whose root lost entries" cut_root
  else
    check "$kind of another page size or byte order" read_both_orders "$kind"
  fi
  run "$kind" dictum "${POSTMAP:?}"
  if [ -x "$postmap" ]; then
    MAIL_CONFIG=$work/conf run "$kind" postfix "$postmap"
  else
    skip "$kind, made by postfix" "there is no $postmap"
  fi
done
finish
