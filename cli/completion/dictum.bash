# SPDX-License-Identifier: BSD-2-Clause
# bash completion for dictum(1)                                  -*- shell-script -*-

_dictum_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# The word before the cursor is a table: a type and a colon, then the name of a file. The colon is
# a word of its own for bash.
_dictum_table() {
  local cur=$1 prev=$2
  if [[ $cur == : || $prev == : ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "${cur#:}")
  else
    compopt -o nospace
    _dictum_words "$(dictum types 2>/dev/null | sed -n '/ unusable: /!s/^\([a-z0-9_]*\) .*/\1:/p')" "$cur"
  fi
}

_dictum() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local commands='get list build put del status flush types test-plugin help'
  local shared='--config --help --verbose'
  local table='--timeout --degrade --fold --no-fold --nul --no-nul --utf8 --no-utf8'
  local command='' word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ " $commands " == *" $word "* ]] && command=$word && break
  done

  case $prev in
  -c | --config)
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    return
    ;;
  --duplicates)
    _dictum_words 'refuse replace ignore error' "$cur"
    return
    ;;
  --options)
    _dictum_words "$(dictum types 2>/dev/null | sed -n '/ unusable: /!s/^\([a-z0-9_]*\) .*/\1/p')" "$cur"
    return
    ;;
  --timeout)
    _dictum_words '500ms 1s 5s 1m none' "$cur"
    return
    ;;
  --memory)
    _dictum_words '64M 256M 1G' "$cur"
    return
    ;;
  --mode)
    _dictum_words '0600 0640 0644' "$cur"
    return
    ;;
  esac

  if [[ $cur == -* ]]; then
    case $command in
    '') _dictum_words "$shared $table --version" "$cur" ;;
    get | list | del) _dictum_words "$shared $table --json --null" "$cur" ;;
    put) _dictum_words "$shared $table --json --null --duplicates" "$cur" ;;
    build) _dictum_words "$shared $table --json --aliases --duplicates --memory --mode --strict" "$cur" ;;
    status) _dictum_words "$shared $table --json --no-probe" "$cur" ;;
    flush) _dictum_words "$shared $table --json --all" "$cur" ;;
    types) _dictum_words "$shared --json --options" "$cur" ;;
    *) _dictum_words "$shared" "$cur" ;;
    esac
    return
  fi

  case $command in
  '') _dictum_words "$commands" "$cur" ;;
  help) _dictum_words "${commands% help}" "$cur" ;;
  types) ;;
  test-plugin)
    if [[ $prev == test-plugin ]]; then
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -X '!*.so' -- "$cur"; compgen -d -- "$cur")
    else
      _dictum_table "$cur" "$prev"
    fi
    ;;
  *) _dictum_table "$cur" "$prev" ;;
  esac
}

complete -F _dictum dictum
