# Completion of lgcnet, lgcnet-search and the other commands, for bash.
#
#   source completions/lgcnet.bash
#
# Commands, flags and the values of those that take one of a few come from `--help`,
# once for each command of a shell.

_lgcnet_help() { # puts the help of a command into _lgcnet_text, and remembers it
  local joined="$*" name
  name="_lgcnet_help_${joined//[^a-zA-Z0-9]/_}"
  eval "_lgcnet_text=\${$name:-}"
  if [ -z "$_lgcnet_text" ]; then
    _lgcnet_text=$(COLUMNS=100 "$@" --help 2>/dev/null)
    eval "$name=\$_lgcnet_text"
  fi
}

_lgcnet_flags() { # --flag=, or both forms of a switch, one a line
  sed -nE \
    -e 's/^  --\[no\]([a-z0-9_]+).*/--\1\n--no\1/p' \
    -e 's/^  (--[a-z0-9_]+=).*/\1/p' \
    -e 's/^  (--(help|version)) .*/\1/p'
}

_lgcnet_values() { # what one flag takes, if its help says "One of a, b, c."
  sed -E 's/^  --/@--/' | tr '\n' ' ' | tr -s ' ' | tr '@' '\n' | grep -E "^--$1=" |
    sed -nE 's/.*One of ([^.]*)\..*/\1/p' | tr -d ',' | tr -s ' ' '\n'
}

_lgcnet() {
  local line="${COMP_LINE:0:COMP_POINT}" word before
  word="${line##* }"
  local program=("${COMP_WORDS[0]}")
  if [ "${program[0]##*/}" = lgcnet ]; then
    read -ra before <<<"$line"
    if [ "${#before[@]}" -lt 2 ] || { [ "${#before[@]}" -eq 2 ] && [ -n "$word" ]; }; then
      local names
      _lgcnet_help "${program[@]}"
      names=$(echo "$_lgcnet_text" | sed -nE 's/^  ([a-z-]+) .*/\1/p')
      COMPREPLY=($(compgen -W "$names --help --version" -- "$word"))
      return
    fi
    program+=("${before[1]}")
  fi
  _lgcnet_help "${program[@]}"
  local flag="${word%%=*}"
  if [ "$flag" = "$word" ]; then
    local flags
    flags=$(echo "$_lgcnet_text" | _lgcnet_flags)
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
    [[ "${COMPREPLY[*]}" == *= ]] && compopt -o nospace 2>/dev/null
    return
  fi
  local given="${word#*=}" values # bash completes what stands behind the =
  values=$(echo "$_lgcnet_text" | _lgcnet_values "${flag#--}")
  if [ -n "$values" ]; then
    COMPREPLY=($(compgen -W "$values" -- "$given"))
  else
    COMPREPLY=($(compgen -f -- "$given"))
  fi
}

complete -o default -F _lgcnet lgcnet $(
  for name in import-data inspect-data run measure-latency check-latency search derive choose pretrain \
    finetune evaluate export serve predict benchmark plot sweep; do
    echo "lgcnet-$name"
  done
)
