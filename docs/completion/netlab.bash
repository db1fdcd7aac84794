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
    local global='-h --help --version -H --host -o --output -j --json --color --colour'
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
    # Flags there, which elsewhere take a value.
    [[ $command == sockets || $command == ss ]] && [[ $previous == -[is] ]] && previous=''
    [[ $command == links && $previous == -s ]] && previous=''
    local commands='ls why ping connect capture dns resolv links addrs routes route rules neigh sockets ss bridges networks ports nat conntrack firewall ps sysctls version'
    case $previous in
        -o | --output) COMPREPLY=($(compgen -W 'table wide json' -- "$current")); return ;;
        --color | --colour) COMPREPLY=($(compgen -W 'auto always never' -- "$current")); return ;;
        --runtime) COMPREPLY=($(compgen -W 'docker podman netns pid host' -- "$current")); return ;;
        --state)
            if [[ $command == conntrack ]]; then
                COMPREPLY=($(compgen -W 'SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2
                    UNREPLIED REPLIED ASSURED OFFLOAD' -- "$current"))
                return
            fi
            COMPREPLY=($(compgen -W 'established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack
                listening closing all connected synchronized bucket big' -- "$current"))
            return ;;
        -H | --host | -c | --count | -i | --interval | -W | --wait | -s | --size | -I | --interface | --network | --from | \
            --mark | --iif | --sport | --dport | --server | --root | --port | --data) return ;;
    esac
    if [[ $command == routes && ($previous == -t || $previous == --table) ]]; then
        COMPREPLY=($(compgen -W 'main local default all' -- "$current"))
        return
    fi
    if [[ $command == capture ]]; then
        case $previous in
            -w | --write) COMPREPLY=($(compgen -f -- "$current")); return ;;
            -Q | --direction) COMPREPLY=($(compgen -W 'in out inout' -- "$current")); return ;;
            --for | --snaplen | -B | --buffer-size | --ring) return ;;
        esac
    fi
    if [[ $command == conntrack ]]; then
        case $previous in
            -p | --protocol) COMPREPLY=($(compgen -W 'tcp udp icmp icmpv6 sctp' -- "$current")); return ;;
            --src | --dst | --for | -B | --buffer-size) return ;;
        esac
    fi
    if [[ $command == firewall ]]; then
        case $previous in
            --hook)
                COMPREPLY=($(compgen -W 'ingress prerouting input forward output postrouting egress' -- "$current"))
                return ;;
            --table | --chain) return ;;
        esac
    fi
    local own
    case $command in
        '') COMPREPLY=($(compgen -W "$commands help $global" -- "$current")); return ;;
        help) COMPREPLY=($(compgen -W "$commands" -- "$current")); return ;;
        ls) COMPREPLY=($(compgen -W "-q --quiet --runtime --network $global" -- "$current")); return ;;
        networks | version) COMPREPLY=($(compgen -W "$global" -- "$current")); return ;;
        dns) own='--server --all-servers --tcp --search --no-search --trace --root -W --wait --short' ;;
        ping) own='-c --count -i --interval -W --wait -s --size -4 --ipv4 -6 --ipv6 -I --interface --df --flood --address -q --quiet --all-pairs --network --all' ;;
        connect) own='-u --udp -c --count -i --interval -W --wait -4 --ipv4 -6 --ipv6 -I --interface --address -b --banner --tls --data -q --quiet
            --all-pairs --port --network --all' ;;
        capture) own='-w --write -c --count --for -s --snaplen -p --no-promiscuous-mode -Q --direction -B --buffer-size --ring -n --numeric
            -q --quiet' ;;
        links) own='-a --all -i --interface -s --statistics' ;;
        addrs) own='-a --all -i --interface --plain -4 --ipv4 -6 --ipv6' ;;
        routes) own='-a --all -t --table -4 --ipv4 -6 --ipv6' ;;
        firewall) own='--table --chain --hook -4 --ipv4 -6 --ipv6 --no-counters' ;;
        rules) own='-a --all -4 --ipv4 -6 --ipv6' ;;
        neigh) own='-a --all -i --interface -4 --ipv4 -6 --ipv6 --noarp' ;;
        route) own='--from --mark --iif' ;;
        why) own='--no-probe --no-trace -s --size -W --wait --address -4 --ipv4 -6 --ipv6' ;;
        bridges) own='-a --all --fdb' ;;
        conntrack) own='--inside --nat --src --dst --port --sport --dport -p --protocol --state -4 --ipv4 -6 --ipv6 --watch
            -c --count --for -B --buffer-size -n --numeric' ;;
        ports) own='--exposed' ;;
        nat) own='' ;;
        ps) own='-a --all' ;;
        resolv) own='-W --wait' ;;
        sysctls) own='-a --all --changed' ;;
        sockets | ss) own='--all -a -t --tcp -u --udp -x --unix -w --raw -0 --packet -l --listening --state --sport --dport -4 --ipv4
            -6 --ipv6 -p --processes --no-processes -i --info -m --memory -s --summary -n --numeric' ;;
        *) return ;;
    esac
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$own $global" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$(_netlab_targets "${host[@]}")" -- "$current"))
    fi
}

complete -F _netlab netlab
