#compdef lgcnet lgcnet-import-data lgcnet-inspect-data lgcnet-run lgcnet-measure-latency lgcnet-check-latency lgcnet-search lgcnet-derive lgcnet-choose lgcnet-pretrain lgcnet-finetune lgcnet-evaluate lgcnet-export lgcnet-serve lgcnet-predict lgcnet-benchmark lgcnet-plot lgcnet-sweep
# Completion of lgcnet, lgcnet-search and the other commands, for zsh.
#
#   autoload -U compinit && compinit
#   source completions/lgcnet.zsh      (or copy it as _lgcnet into a folder of $fpath)
#
# Commands and flags with their meanings, and the values of those flags that take one of
# a few, come from `--help`, once for each command of a shell.

typeset -gA _lgcnet_texts

_lgcnet_help() { # puts the help of a command into REPLY, and remembers it
  local key="$*"
  if [[ -z ${_lgcnet_texts[$key]:-} ]]; then
    _lgcnet_texts[$key]=$(COLUMNS=100 "$@" --help 2>/dev/null)
  fi
  REPLY=${_lgcnet_texts[$key]}
}

_lgcnet_entries() { # each command or flag of a help with its meaning, NAME:MEANING
  awk '
    function tell() {
      if (name == "") return
      gsub(/ +/, " ", meaning); sub(/^ /, "", meaning)
      if (name ~ /^--\[no\]/) {
        sub(/^--\[no\]/, "", name)
        print "--" name ":" meaning
        print "--no" name ":" meaning
      } else {
        sub(/=.*/, "=", name)
        print name ":" meaning
      }
      name = ""
    }
    /^  [a-z-]/ {
      tell()
      name = $1
      meaning = $0
      sub(/^  [^ ]+/, "", meaning)
      next
    }
    /^    / { meaning = meaning " " $0; next }
    { tell() }
    END { tell() }
  '
}

_lgcnet() {
  local REPLY flag
  local -a program entries wanted values
  program=(${~${(Q)words[1]}})
  if [[ ${program[1]:t} == lgcnet ]]; then
    if (( CURRENT == 2 )); then
      _lgcnet_help $program
      entries=(${(f)"$(print -r -- $REPLY | sed -n '/^Commands:/,$p' | _lgcnet_entries)"})
      entries+=("--help:Prints the commands." "--version:Prints the version.")
      _describe -t commands command entries
      return
    fi
    program+=($words[2])
  fi
  _lgcnet_help $program
  # What stands below "Example:" is no flag.
  entries=(${(f)"$(print -r -- $REPLY | sed '/^Example:/,$d' | _lgcnet_entries)"})
  if [[ $PREFIX == --*=* ]]; then
    flag=${PREFIX%%=*}
    wanted=(${(M)entries:#$flag=:*})
    if [[ $wanted[1] == *"One of "* ]]; then
      values=(${(s:, :)${${wanted[1]#*One of }%%.*}})
      compset -P '--*='
      _describe -t values value values
    else
      compset -P '--*='
      _files
    fi
  elif [[ $PREFIX == -* || -z $PREFIX ]]; then
    wanted=(${(M)entries:#--*=:*})
    values=(${${(M)entries:#--*}:#--*=:*})
    _describe -t flags flag wanted -S '' -- values
    [[ -z $PREFIX ]] && _files
  else
    _files
  fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _lgcnet "$@" # compinit has found this file in $fpath
else
  compdef _lgcnet lgcnet lgcnet-{import-data,inspect-data,run,measure-latency,check-latency} \
    lgcnet-{search,derive,choose,pretrain,finetune,evaluate,export,serve,predict,benchmark,plot,sweep}
fi
