#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# postmap and postalias by their names, with settings that no recorded case has: where they do as
# Postfix, and how to have it otherwise.
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 99
mkdir etc
MAIL_CONFIG=$work/etc
export MAIL_CONFIG

# `settings LINE...`: the main.cf of the next commands.
settings() {
  printf '%s\n' "compatibility_level = 3.6" "$@" >etc/main.cf
  touch -d @0 etc/main.cf
}

# `expect STATUS OUTPUT WHAT COMMAND...`: keys on standard input are those in the file "in".
expect() {
  wanted=$1 output=$2 what=$3
  shift 3
  "$@" <in >out 2>err
  status=$?
  { echo "status $status"; cat out err; } >log
  [ "$status" -eq "$wanted" ] && [ "$(cat out)" = "$output" ]
  result $? "$what"
}

# `said TEXT`: in the messages of the last command.
said() {
  grep -qF -e "$1" err
  result $? "... and says: $1"
}

has_type() {
  "$DICTUM" types --options "$1" >/dev/null 2>&1
}

tab=$(printf '\t')
printf 'a\nb\n' >in

# ---- what Postfix does not do well -------------------------------------------------------------
settings
expect 1 '' "what was found before a fatal error is lost" "$POSTMAP" -q - 'inline:{a=1}' fail:x

# More than Postfix's buffer holds is out before the end.
settings
awk 'BEGIN { for (i = 0; i < 2000; i++) print "key" i; print "last" }' >in
"$POSTMAP" -q - 'pipemap:{inline:{x=y}}' static:abcdef <in >all
awk 'BEGIN { for (i = 0; i < 2000; i++) print "key" i " abcdef" }' >text
"$POSTMAP" -q - texthash:text fail:x <in >out 2>err
[ "$(wc -c <out)" -eq $(($(wc -c <out) / 4096 * 4096)) ] && [ "$(wc -c <out)" -ge 4096 ] &&
  [ "$(wc -c <out)" -gt $(($(wc -c <all) - 8192)) ]
result $? "no more than 4096 bytes are lost"

printf '\303\204b\n\303\244b\n' >in
printf '\303\204b one\nbad \377\nc d\n' >text
expect 1 '' "a capital outside of ASCII in a texthash cannot be found" "$POSTMAP" -q - texthash:text
expect 1 '' "nor in an inline table" "$POSTMAP" -q - "inline:{$(printf '\303\204')b=one}"
expect 1 '' "a value that is not UTF-8 is an error" "$POSTMAP" -q bad texthash:text
said 'non-UTF-8 value'
settings 'texthash_utf8 = yes'
expect 0 "$(head -n 1 in)${tab}one
$(tail -n 1 in)${tab}one" "with texthash_utf8 it is found" "$POSTMAP" -q - texthash:text
said 'non-UTF-8 input'
settings
expect 0 one "dictum finds it anyway" "$DICTUM" get texthash:text "$(head -n 1 in)"
settings 'texthash_utf8 = maybe'
expect 1 '' "neither yes nor no" "$POSTMAP" -q k static:x
said 'bad boolean configuration: texthash_utf8 = maybe'
settings

for type in hash btree lmdb; do
  has_type $type || continue
  printf 'k first\nz 1\nk second\n' >text
  settings
  "$POSTMAP" -w $type:text
  expect 0 "k${tab}first" "$type: -w keeps the first" sh -c "'$POSTMAP' -s $type:text | grep ^k"
done

finish
