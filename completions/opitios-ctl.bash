# opitios-ctl.bash - completion of opitios-ctl.
# Written by `make docs` from include/tables/commands.def; changes here are lost.
# shellcheck shell=bash

# Values of a member in what a running gateway answers; nothing where none does.
_opitios_ctl_ask()
{
	opitios-ctl "${where[@]}" --timeout 1 --json "${@:2}" 2>/dev/null |
		grep -oE "\"$1\":\"?[a-z0-9-]+" | sed 's/.*[":]//'
}

_opitios_ctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' at=0 words='' i
	local -a where=()

	COMPREPLY=()
	case $prev in
	--state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--config | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--timeout | -n | -d | --from | --to | --type | --symbol | --limit | --timeframe | --adjustment | --feed | --format | --output | --asset | --url) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--state-dir | --config | --socket)
			where+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
			i=$((i + 1))
			;;
		--timeout | -n | -d | --from | --to | --type | --symbol | --limit | --timeframe | --adjustment | --feed | --format | --output | --asset | --url) i=$((i + 1)) ;;
		-*) ;;
		*) if [ -z "$command" ]; then command=${COMP_WORDS[i]}; else at=$((at + 1)); fi ;;
		esac
	done
	case $command:$at in
	:*) words="status workers top health crashes reload upgrade restart drain scale log-level journal export backfill reopen-logs " ;;
	crashes:0) words="$(_opitios_ctl_ask id crashes)" ;;
	restart:0) words="$(_opitios_ctl_ask slot workers)" ;;
	scale:0) words="http" ;;
	log-level:0) words="debug info warn error" ;;
	journal:0) words="ls cat verify" ;;
	journal:1) words="$(_opitios_ctl_ask source journal ls)" ;;
	export:0) words="bars trades quotes" ;;
	esac
	case $cur in
	-*) words="--state-dir --config --socket --json --timeout -n -d --once --version --help "
		[[ " journal export backfill " == *" $command "* ]] && words+=" --from"
		[[ " journal export backfill " == *" $command "* ]] && words+=" --to"
		[[ " journal " == *" $command "* ]] && words+=" --type"
		[[ " journal export " == *" $command "* ]] && words+=" --symbol"
		[[ " journal export " == *" $command "* ]] && words+=" --limit"
		[[ " journal " == *" $command "* ]] && words+=" --follow"
		[[ " export backfill " == *" $command "* ]] && words+=" --timeframe"
		[[ " export backfill " == *" $command "* ]] && words+=" --adjustment"
		[[ " export backfill " == *" $command "* ]] && words+=" --feed"
		[[ " export " == *" $command "* ]] && words+=" --format"
		[[ " export " == *" $command "* ]] && words+=" --output"
		[[ " export " == *" $command "* ]] && words+=" --versions"
		[[ " backfill " == *" $command "* ]] && words+=" --asset"
		[[ " backfill " == *" $command "* ]] && words+=" --url"
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _opitios_ctl opitios-ctl
