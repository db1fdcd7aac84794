# bash completion for netlab(1)

_netlab_targets() {
    local line
    # compgen -W expands its words as the shell does: what may not stand in a name of Docker's is left out.
    while IFS= read -r line; do
        [[ $line =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] && printf '%s\n' "$line"
    done < <(netlab "$@" ls -q 2>/dev/null)
}

_netlab() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local global='-H --host -o --output -j --json --color --help --version'
    local command='' host=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -H | --host) host=(-H "${COMP_WORDS[i+1]}"); ((i++)) ;;
            -o | --output | --color | --colour) ((i++)) ;;
            -*) ;;
            *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    COMPREPLY=()
    [[ $command == sockets || $command == ss ]] && [[ $previous == -[is] ]] && previous=''
    case $previous in
        -o | --output) COMPREPLY=($(compgen -W 'table wide json' -- "$current")); return ;;
        --color | --colour) COMPREPLY=($(compgen -W 'auto always never' -- "$current")); return ;;
        --runtime) COMPREPLY=($(compgen -W 'docker podman netns pid host' -- "$current")); return ;;
        -H | --host | -c | --count | -i | --interval | -W | --wait | -s | --size | -I | --interface | --network | --from | --mark | --iif) return ;;
    esac
    if [[ $command == routes && ($previous == -t || $previous == --table) ]]; then
        COMPREPLY=($(compgen -W 'main local default all' -- "$current"))
        return
    fi
    case $command in
        '') COMPREPLY=($(compgen -W "ls links bridges networks ping version help $global" -- "$current")) ;;
        help) COMPREPLY=($(compgen -W 'ls links bridges networks ping version' -- "$current")) ;;
        '') COMPREPLY=($(compgen -W "ls neigh ping route routes rules version help $global" -- "$current")) ;;
        help) COMPREPLY=($(compgen -W 'ls neigh ping route routes rules version' -- "$current")) ;;
        routes | rules | neigh | route)
            local own
            case $command in
                routes) own='-a --all -t --table -4 --ipv4 -6 --ipv6' ;;
                rules) own='-a --all -4 --ipv4 -6 --ipv6' ;;
                neigh) own='-a --all -i --interface -4 --ipv4 -6 --ipv6 --noarp' ;;
                route) own='--from --mark --iif' ;;
            esac
            if [[ $current == -* ]]; then
                COMPREPLY=($(compgen -W "$own $global" -- "$current"))
            else
                COMPREPLY=($(compgen -W "$(_netlab_targets "${host[@]}")" -- "$current"))
            fi
            ;;
        ls) COMPREPLY=($(compgen -W "-q --quiet --runtime --network $global" -- "$current")) ;;
        links)
            if [[ $current == -* ]]; then
                COMPREPLY=($(compgen -W "-a --all -i --interface -s --statistics $global" -- "$current"))
    [[ $previous == --state ]] && {
        COMPREPLY=($(compgen -W 'established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack listening
            closing all connected synchronized bucket big' -- "$current")); return; }
    [[ $previous == --sport || $previous == --dport ]] && return
    case $command in
        '') COMPREPLY=($(compgen -W "ls ping ps sockets ss sysctls version help $global" -- "$current")) ;;
        help) COMPREPLY=($(compgen -W 'ls ping ps sockets ss sysctls version' -- "$current")) ;;
        ls) COMPREPLY=($(compgen -W "-q --quiet --runtime --network $global" -- "$current")) ;;
        ps | sysctls | sockets | ss)
            if [[ $current == -* ]]; then
                local words='--all'
                case $command in
                    ps) words+=' -a' ;;
                    sysctls) words+=' -a --changed' ;;
                    *) words+=' -a -t --tcp -u --udp -x --unix -w --raw -0 --packet -l --listening --state --sport --dport -4 --ipv4
                        -6 --ipv6 -p --processes --no-processes -i --info -m --memory -s --summary -n --numeric' ;;
                esac
                COMPREPLY=($(compgen -W "$words $global" -- "$current"))
            else
                COMPREPLY=($(compgen -W "$(_netlab_targets "${host[@]}")" -- "$current"))
            fi
            ;;
        bridges)
            if [[ $current == -* ]]; then
                COMPREPLY=($(compgen -W "-a --all --fdb $global" -- "$current"))
            else
                COMPREPLY=($(compgen -W "$(_netlab_targets "${host[@]}")" -- "$current"))
            fi
            ;;
        networks) COMPREPLY=($(compgen -W "$global" -- "$current")) ;;
        ping)
            if [[ $current == -* ]]; then
                COMPREPLY=($(compgen -W "-c --count -i --interval -W --wait -s --size -4 --ipv4 -6 --ipv6 -I --interface
                    --df --flood --address -q --quiet $global" -- "$current"))
            else
                COMPREPLY=($(compgen -W "$(_netlab_targets "${host[@]}")" -- "$current"))
            fi
            ;;
    esac
}

complete -F _netlab netlab
