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

# ---- parameters, and what they refer to --------------------------------------------------------
printf 'k v\n' >text
settings 'lmdb_map_size = 4294967296'
expect 0 v "a map may be larger than what fits in 32 bits" "$POSTMAP" -q k static:v
settings 'berkeley_db_read_buffer_size = 4294967296'
expect 1 '' "a buffer may not, as in Postfix" "$POSTMAP" -q k static:v
said 'bad numerical configuration: berkeley_db_read_buffer_size = 4294967296'
for name in mydestination mydomain myhostname myorigin mail_name mail_owner syslog_name; do
  settings "default_database_type = \${$name?{texthash}:{fail}}"
  expect 0 v "$name has a value that main.cf does not give it" "$POSTMAP" -q k text
done
settings "default_database_type = \${{\$myorigin} == {\$myhostname} ? {texthash}:{fail}}"
expect 0 v "... which is Postfix's" "$POSTMAP" -q k text
settings 'default_database_type = static:v'
expect 1 '' "a type of tables is no table" "$POSTMAP" -q k text
said 'unsupported dictionary type: static:v'
settings
mkdir folder
expect 0 '' "a folder as standard input is empty" sh -c "'$POSTMAP' -i hash:from-folder <folder"
said 'standard input is a directory'
ln -s "$(command -v "$DICTUM")" postmap.distrib
expect 0 v "a program that was put aside still knows what it is" ./postmap.distrib -q k static:v
if has_type cdb; then
  "$POSTMAP" cdb:text
  for operand in cdb:text cdb:is-not-there; do
    expect 1 '' "$operand: nothing is removed from it" "$POSTMAP" -d k $operand
    said 'unsupported non-bulk change request'
    expect 1 '' "$operand: nothing is added to it" "$POSTMAP" -i $operand
    said 'unsupported non-bulk change request'
  done
fi
if has_type ldap; then
  printf 'timeout = x\nsearch_base = x\n' >bad.cf
  expect 1 '' "settings that are wrong" "$POSTMAP" -q k ldap:./bad.cf
  [ "$(grep -c . err)" -eq 1 ]
  result $? "... are told once"
fi

# ---- tables that have moved away from Berkeley DB ----------------------------------------------
# `moved LEVEL LINE...`: hash is lmdb now, and btree too.
moved() {
  level=$1
  shift
  settings "non_bdb_migration_level = $level" 'default_database_type = lmdb' \
    'default_cache_db_type = lmdb' "non_bdb_migration_allow_root_prefixes = /etc, $work" \
    "non_bdb_migration_allow_user_prefixes = $work" "$@"
}

# `builds TYPE SUFFIX WHAT`: postmap TYPE:moved makes moved.SUFFIX and nothing else.
builds() {
  rm -f moved.*
  expect 0 '' "$3" "$POSTMAP" "$1:moved"
  [ "$(echo moved.*)" = "moved.$2" ] && [ "$("$POSTMAP" -q k "$1:moved" 2>/dev/null)" = v ]
  result $? "... as moved.$2, which is asked"
}

test_mapping() {
  printf 'k v\n' >moved
  moved enable-redirect 'non_bdb_custom_mapping = inline:{hash=cdb}'
  builds hash cdb "a mapping by type"
  said 'redirecting hash:moved to cdb:moved'
  builds btree lmdb "what it does not have goes where the level says"
  moved enable-redirect 'non_bdb_custom_mapping = inline:{hash=cdb}, inline:{hash:moved=lmdb}'
  builds hash lmdb "type and name count more than the type"
  moved enable-redirect 'non_bdb_custom_mapping = regexp:{ {/^btree:/ cdb} }'
  builds btree cdb "a mapping may be of any type of table"
  moved enable-reindex 'non_bdb_custom_mapping = static:cdb'
  builds hash cdb "enable-reindex redirects, too"
  moved disable 'non_bdb_custom_mapping = static:cdb'
  builds hash db "disabled, it does nothing"
  moved enable-redirect 'non_bdb_custom_mapping = static:btree'
  expect 1 '' "a mapping to Berkeley DB" "$POSTMAP" hash:moved
  said 'hash:moved: type mapping lookup error: hash would become "btree"'
  moved enable-redirect 'non_bdb_custom_mapping = static:lmdb:x'
  expect 1 '' "a mapping to what is no type" "$POSTMAP" hash:moved
  said 'type mapping lookup error'
  moved enable-redirect 'non_bdb_custom_mapping = fail:x'
  expect 1 '' "a mapping that fails" "$POSTMAP" hash:moved
  said 'hash:moved: type mapping lookup error'
  moved enable-redirect 'non_bdb_custom_mapping = texthash:/nonexistent'
  expect 1 '' "a mapping that is not there" "$POSTMAP" hash:moved
  said 'type mapping lookup error: open database /nonexistent'
  moved enable-redirect 'non_bdb_custom_mapping = static:nosuchtype'
  expect 1 '' "a mapping to a type that is not there" "$POSTMAP" -q k hash:moved
  said 'unsupported dictionary type: nosuchtype'
}

# `legacy TEXT`: a source, and the file of Berkeley DB that was made from it.
legacy() {
  rm -f "$old".*
  printf '%b' "$1" >"$old"
  chmod 644 "$old"
  echo 'not read at all' >"$old.db"
}

# `refuses WHAT WHY`
refuses() {
  expect 1 '' "$1" "$POSTMAP" -q k "hash:$old"
  said "could not execute command 'postmap lmdb:$old': "
  said "$2"
  [ ! -e "$old.lmdb" ]
  result $? "... and makes nothing"
}

test_reindex() {
  old=$work/old
  legacy 'k v\n'
  moved enable-redirect
  expect 1 '' "enable-redirect makes no missing file" "$POSTMAP" -q k "hash:$old"
  moved enable-reindex
  expect 0 v "enable-reindex does" "$POSTMAP" -q k "hash:$old"
  said "successfully executed 'postmap lmdb:$old' as uid $(id -u)"
  printf 'k other\n' >"$old"
  expect 0 v "one that is there stays" "$POSTMAP" -q k "hash:$old"
  legacy 'k v\n'
  printf 'new entry\n' >in
  "$POSTMAP" -i "hash:$old" <in 2>err
  expect 0 "k${tab}v
new${tab}entry" "-i adds to what there was" "$POSTMAP" -s "hash:$old"
  legacy 'k v\nl w\n'
  expect 0 '' "-d deletes from it" "$POSTMAP" -d k "hash:$old"
  expect 0 "l${tab}w" "... and the rest is there" "$POSTMAP" -s "hash:$old"
  legacy 'Root: you\n'
  expect 0 you "aliases are made by postalias, whoever asks" "$POSTMAP" -q root "hash:$old"
  said "successfully executed 'postalias lmdb:$old'"
  expect 0 @ "... with their mark" "$POSTMAP" -q @ "hash:$old"

  legacy 'a:b c\n'
  refuses "what could be of either" 'execute one of them by hand'
  legacy 'k v\nno value:\nx\n'
  refuses "what is of neither" 'execute one of them by hand'
  legacy 'k v\n'
  chmod 666 "$old"
  refuses "a source that others may write" "source $old is owned or writable by others"
  rm "$old"
  refuses "a source that is not there" "source $old: No such file"
  legacy 'k v\n'
  rm "$old.db"
  ln -s "$old" "$old.db"
  refuses "an old file that is a link" "$old.db is no file"
  legacy 'k v\n'
  mkdir -p dir directory
  old=$work/directory/old
  legacy 'k v\n'
  moved enable-reindex "non_bdb_migration_allow_root_prefixes = /etc $work/dir" \
    "non_bdb_migration_allow_user_prefixes = /etc $work/dir"
  refuses "a folder that is none of those allowed" "does not allow the folder $work/directory"
  moved enable-reindex
  mkdir -p open
  chmod 777 open
  old=$work/open/old
  legacy 'k v\n'
  refuses "a folder that others may write" "folder $work/open is owned or writable by others"
  old=$work/etc/../open/old
  refuses "by whatever way" "folder $work/open is owned or writable by others"
  rm -f "$old".*
  expect 1 '' "without an old file, there is none" "$POSTMAP" -q k "hash:$old"
  said "open database $old.lmdb: No such file"

  # As root, the work is done as the owner of the old file.
  old=$work/theirs/old
  mkdir theirs
  legacy 'k v\n'
  if [ "$(id -u)" -ne 0 ]; then
    skip "another owner" "not root"
    return
  fi
  chown 1234:1234 theirs "$old" "$old.db"
  expect 0 v "the owner of the old file makes the new one" "$POSTMAP" -q k "hash:$old"
  [ "$(stat -c %u:%g "$old.lmdb")" = 1234:1234 ]
  result $? "... and owns it"
  legacy 'k v\n'
  refuses "root's file in their folder" "folder $work/theirs is owned or writable by others"
  chown 1234 "$old.db"
  chown 4321 "$old"
  refuses "their file, and a third one's source" "source $old is owned or writable by others"
}

if has_type lmdb && has_type hash && has_type cdb; then
  test_mapping
  test_reindex
fi

finish
