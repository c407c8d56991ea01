#!/bin/bash
# The story of weir in one terminal: a release that walks by itself, and walks back by itself. `make demo` runs it.
# Everything it makes is in one temporary folder and gone at the end. DEMO_ONCE=1 ends it without waiting for Ctrl-C.
set -euo pipefail
export LC_ALL=C.UTF-8 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 # your own Git settings stay out of it
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
here=$(cd "$(dirname "$0")" && pwd)
weir=$(realpath "${WEIR:-$here/../build/weir}")
environment=production

terminal='' colour=never jq_colour=-M bold='' dim='' red='' green='' yellow='' cyan='' plain=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    terminal=yes
    if [ -z "${NO_COLOR:-}" ]; then
        colour=always jq_colour=-C bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' cyan=$'\e[36m' plain=$'\e[0m'
    fi
fi
chapter() { printf '\n%s── %s %s%s\n\n' "$bold$cyan" "$1" "$(printf '─%.0s' $(seq $((88 - ${#1}))))" "$plain"; }
say() { printf '%s\n' "$@" | sed 's/^./  &/'; }
shown() { printf '  %s$ %s%s\n' "$dim" "$*" "$plain"; } # a command, as one would type it
indent() { sed 's/^./    &/'; }
progress() { # one line, drawn over; nothing where nobody sees it
    [ -z "$terminal" ] || printf '\r\e[K    %s' "$1"
}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
pids=()
clean_up() {
    local code=$? pid
    trap - EXIT
    trap '' INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$tmp"
    [ -z "${farewell:-}" ] || printf '\n  %s\n\n' "$farewell"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 0' INT TERM
fail() {
    printf '\n  %sthe demo failed: %s%s\n' "$red" "$1" "$plain" >&2
    [ ! -s "$tmp/log" ] || tail -n 20 "$tmp/log" >&2
    [ ! -s "$tmp/shop.log" ] || tail -n 20 "$tmp/shop.log" >&2
    exit 1
}

# --- small tools -----------------------------------------------------------------------
git() { command git -c user.name=Ada -c user.email=ada@acme.example -c commit.gpgsign=false -C "$tmp/work" "$@"; }
story() { command git -C "$tmp/flags.git" --no-pager log --color=$colour "$@"; } # of the remote
milliseconds() { # between two of $EPOCHREALTIME
    echo $(((${2/[.,]/} - ${1/[.,]/} + 500) / 1000))
}
alive() {
    local pid
    for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || fail "weir or the shop ended"; done
}
until_true() { # WHAT COMMAND…: asks again and again, for at most a minute
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        alive
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
    done
}
status() { curl -sS "$url/status"; }
shop() { curl -sS "http://127.0.0.1:$shop_port$1" "${@:2}"; }
variant() { # the OFREP answer for one user: FLAG USER
    curl -sS "$url/env/$environment/ofrep/v1/evaluate/flags/$1" -H 'Content-Type: application/json' \
        -d "{\"context\":{\"targetingKey\":\"$2\"}}" | jq -r .variant
}

# --- the story -------------------------------------------------------------------------
chapter "1  A release is a file in a Git repository"
python3 "$here/shop.py" >"$tmp/port" 2>"$tmp/shop.log" &
pids+=($!)
has_port() { [ -s "$tmp/port" ]; }
until_true "the shop" has_port
shop_port=$(cat "$tmp/port")

mkdir -p "$tmp/work"/{flags,segments,metrics,rollouts,environments}
cp "$here/acme-shop/segments/staff.yaml" "$tmp/work/segments"
for name in checkout-v2 search-v2; do
    cat >"$tmp/work/flags/$name.yaml" <<END
apiVersion: weir/v1
kind: Flag
metadata: {name: $name}
spec: {variants: {on: true, off: false}, default: off}
END
done
cat >"$tmp/work/environments/$environment.yaml" <<END
apiVersion: weir/v1
kind: Environment
metadata: {name: $environment}
END
cat >"$tmp/work/metrics/checkout-errors.yaml" <<END
apiVersion: weir/v1
kind: Metric
metadata: {name: checkout-errors}
spec:
  http:                      # or prometheus
    url: http://127.0.0.1:$shop_port/checkouts?variant={{variant}}&window={{window}}
    numerator: /failed
    denominator: /total
  thresholdRange: {max: 0.01}
  interval: 1s
END
cat >"$tmp/work/rollouts/search-v2.yaml" <<END
apiVersion: weir/v1
kind: Rollout
metadata: {name: search-v2}
spec:
  flag: search-v2
  environment: $environment
  variant: on
  control: off
  phases: [{name: half, percent: 50, bake: 1w}]
END
starts=$(($(date +%s) + 4))
cat >"$tmp/work/rollouts/checkout-v2.yaml" <<END
apiVersion: weir/v1
kind: Rollout
metadata: {name: checkout-v2}
spec:
  flag: checkout-v2
  environment: $environment
  variant: on
  control: off
  start: $(date -u -d @$starts +%Y-%m-%dT%H:%M:%SZ)
  phases:
    - {name: staff,  audience: {segment: staff}, bake: 2s}
    - {name: canary, percent: 10,  bake: 2s}
    - {name: half,   percent: 50,  bake: 30s}
    - {name: all,    percent: 100, bake: 30s}
  metrics: [checkout-errors]
  onBreach: rollback
END
say "A real one takes weeks; the bakes of this one, rollouts/checkout-v2.yaml, are seconds:" ""
sed -n '/^spec:/,$p' "$tmp/work/rollouts/checkout-v2.yaml" | indent
say "" "What it is measured by, metrics/checkout-errors.yaml:" ""
sed -n '/^spec:/,$p' "$tmp/work/metrics/checkout-errors.yaml" | indent
command git init --quiet --bare --initial-branch=main "$tmp/flags.git"
git init --quiet --initial-branch=main
git remote add origin "$tmp/flags.git"
git add --all
git commit --quiet -m 'The new checkout, in four phases'
git push --quiet origin HEAD

chapter "2  weir follows it, and a shop asks"
"$weir" token create --role operator --env $environment --name ada --tokens "$tmp/tokens" >"$tmp/token" 2>/dev/null
shown "weir run --repo file://$tmp/flags.git --allow-host 127.0.0.1:$shop_port --tokens tokens …"
"$weir" run --repo "file://$tmp/flags.git" --allow-host "127.0.0.1:$shop_port" --tokens "$tmp/tokens" \
    --listen 127.0.0.1:0 --data "$tmp/data" >"$tmp/address" 2>"$tmp/log" &
pids+=($!)
has_address() { grep -qs '^listening on ' "$tmp/address"; }
until_true "its address" has_address
url=$(sed -n 's/^listening on //p' "$tmp/address")
until_true "the first snapshot" curl -sf -o /dev/null "$url/readyz"
shop /open -X PUT -d "$url/env/$environment" >"$tmp/opened"
say "listening on $url" "" "200 customers of a shop in Python check out over and over, and ask weir over OFREP, the protocol of OpenFeature."

chapter "3  It starts by its date, and advances by itself"
declare phase='' state='' row=''
bar() { # 12 columns wide; bash would count bytes
    local full=$((($1 + 15) / 16))
    printf '%s%.*s' "$(printf '█%.0s' $(seq $full))" $((12 - full)) '            '
}
look() { # where the rollout stands, and who has the variant
    local sees
    read -r state seen <<<"$(curl -sS "$url/rollouts" | jq -r '.rollouts[] | select(.name == "checkout-v2") |
        "\(.status) \(.phase // "-")"')"
    words=$(curl -sS "$url/rollouts" | jq -r '.rollouts[] | select(.name == "checkout-v2") |
        (.gates[0].evidence // "-") + "|" + (.gates[0].verdict // "-") + "|" + ([.waits[].words][0] // "")')
    IFS='|' read -r evidence verdict waits <<<"$words"
    sees=$(shop /) customers=$(jq .on <<<"$sees")
}
walked() { # draws a row when a phase is over; true once half has stood well
    look
    if [ "$seen" != "$phase" ]; then
        [ -z "$row" ] || { progress ''; [ -z "$terminal" ] || printf '\r'; printf '%s\n' "$row"; }
        phase=$seen row=''
    fi
    progress "$dim$(printf '%-8s %s' "$state" "$waits")$plain"
    if [ "$phase" != - ] && [ "$verdict" = success ]; then
        row=$(printf '    %10d ms  %-7s %s%3d%s of 200  %s%s%s  %s' "$(milliseconds $starts.000000 "$EPOCHREALTIME")" "$phase" \
            "$bold" "$customers" "$plain" "$green" "$(bar "$customers")" "$plain" "${evidence%%, ln E*}")
        [ "$phase" != half ] || [ "$customers" -lt 80 ] || return 0
    fi
    return 1
}
printf '    %s%13s  %-7s %-24s %s%s\n' "$dim" "from its date" phase 'with the new checkout' checkout-errors "$plain"
until_true "half of the customers" walked
progress ''
[ -z "$terminal" ] || printf '\r'
printf '%s\n' "$row"
say "" "A phase ends when its bake is over and its metrics are good. Each advance is a commit by weir."

chapter "4  The new checkout begins to fail"
failing=$EPOCHREALTIME
shop /failing -X PUT -d 0.2 >"$tmp/opened"
say "One in five of the new checkouts fails from now on. Nobody is at the keyboard." ""
is_back() { back=$(shop / | jq '.back // empty | round') && [ -n "$back" ]; }
until_true "the first customer who is taken back" is_back
noticed=$EPOCHREALTIME
is_reverted() { story --format=%s -1 | grep -q '^Revert '; }
until_true "the revert" is_reverted
reverted=$EPOCHREALTIME
first=$(shop / | jq .round)
everybody_is_back() { shop / | jq -e ".on == 0 and .round > $first" >"$tmp/opened"; }
until_true "all customers on control" everybody_is_back
evidence=$(story --format='%(trailers:key=Weir-Evidence,valueonly)' -1 | sed -n 's/, ln E.*//p')
happened() { printf '    %-31s %s%6d ms%s  %s\n' "$1" "$bold$4" "$2" "$plain" "$3"; }
printf '    %s%-31s %9s  %s%s\n' "$dim" what 'took' after "$plain"
happened 'weir has seen enough errors' $(($(milliseconds "$failing" "$noticed") - back)) 'they began; it asks every second' ''
happened 'customers are back on control' "$back" 'the answer that showed them' "$green"
happened 'the revert is on the remote' "$(milliseconds "$noticed" "$reverted")" 'that: users first, Git second' ''
say "" "What weir saw: $yellow$evidence$plain. Now all 200 customers have the old checkout again."

chapter "5  Git tells the story"
shown "git log --oneline"
story --oneline --format='%C(yellow)%h%C(reset) %<(52,trunc)%s %C(dim)%an%C(reset)' | indent
echo
shown "git log -1"
printf '%s\n' "$(story -1 --format=%B)" | sed -E "s/^(Weir-(Evidence|Action|Phase): )(.*)/\1$yellow\3$plain/" | indent

chapter "6  Git goes away, and a person says kill"
"$weir" start $environment/search-v2 --controller "$url" --token-file "$tmp/token" --reason 'the index is ready' >"$tmp/opened"
number=0
until [ "$(variant search-v2 "customer-$number")" = on ]; do
    number=$((number + 1))
    [ $number -lt 200 ] || fail "nobody has the new search"
done
mv "$tmp/flags.git" "$tmp/flags.away"
say "The new search is with half of the users. Then the remote is gone, and the search finds nothing." ""
shown "weir kill $environment/search-v2 --controller $url --token-file token --reason 'it finds nothing'"
asked=$EPOCHREALTIME
"$weir" kill $environment/search-v2 --controller "$url" --token-file "$tmp/token" --reason 'it finds nothing' \
    --wait 1s >"$tmp/killed" 2>&1 &
killing=$!
is_off() { [ "$(variant search-v2 "customer-$number")" = off ]; }
until_true "the kill" is_off
answered=$EPOCHREALTIME
wait $killing || fail "$(cat "$tmp/killed")"
sed -n 1p "$tmp/killed" | sed "s/, by http.*//; s/^served/$bold$green&$plain/" | indent
say "" "After $bold$(milliseconds "$asked" "$answered") ms$plain users were off it, the command itself and the curl that watched counted in." ""
shown "weir rollouts"
"$weir" rollouts --controller "$url" --color=$colour | sed '/^[0-9]* rollouts\? at/d; s/: checkout-errors: .*//' | indent || true
mv "$tmp/flags.away" "$tmp/flags.git"
back=$EPOCHREALTIME
is_recorded() { story -1 --format=%s | grep -q '^Kill '; }
until_true "the commit of the kill" is_recorded
say "" "The remote is back, and $(milliseconds "$back" "$EPOCHREALTIME") ms later it says so too:" ""
shown "git log -1"
story -1 --format='%C(yellow)%h%C(reset) %s%n%n%(trailers:key=Weir-Phase)%(trailers:key=Weir-By)%(trailers:key=Weir-Reason)' | sed '$d' | indent

chapter "7  A mistake harms nobody"
git pull --quiet --rebase origin main
sed -i 's/{segment: staff}/{segment: staf}/' "$tmp/work/rollouts/checkout-v2.yaml"
say "The next commit has a slip of the pen. The check that runs in an editor or in CI sees it:" ""
shown "weir validate"
(cd "$tmp/work" && "$weir" validate --format text) >"$tmp/faults" && fail "weir validate found nothing"
sed -E "/^[0-9]+ error/,\$d; s/error\[[^]]*\]/$bold$red&$plain/; s/\^+/$bold$red&$plain/; s/hint:/$bold&$plain/" "$tmp/faults" | indent
git commit --quiet -am 'A slip of the pen'
git push --quiet origin HEAD
kill -HUP "${pids[1]}" # fetches at once
bad=$(git rev-parse HEAD)
is_judged() { [ "$(status | jq -r .tip)" = "$bad" ]; }
until_true "weir's judgement" is_judged
say "It is pushed all the same; weir takes of it what is good, and lets the rest stand as it stood:" ""
filter='{tipWhole, quarantined, fault: .faults[0].message}'
shown "curl -s $url/status | jq -c '$filter'"
status | jq $jq_colour -c "$filter" | indent
[ "$(status | jq -r '.quarantined[0].name')" = checkout-v2 ] || fail "the faulty rollout does not stand as it stood"
echo
shown "weir build --env $environment --repo flags.git --digest"
digest=$("$weir" build --env $environment --repo "$tmp/flags.git" --digest 2>/dev/null)
printf '%s\n' "$digest" | indent
[ "$digest" = "$(status | jq -r ".environments[] | select(.name == \"$environment\").digest")" ] ||
    fail "the digests differ"
say "" "That is the digest of what is served: state is a function of Git, on any machine, faulty commits and all."

# --- and on ----------------------------------------------------------------------------
if [ -n "${DEMO_ONCE:-}" ]; then
    farewell="That was the demo; weir and the shop have been stopped and $tmp removed."
    exit 0
fi
chapter "Your turn: weir keeps serving until Ctrl-C"
shown "weir rollouts --watch --controller $url"
shown "weir unkill $environment/search-v2 --controller $url --token-file $tmp/token --reason 'mended'"
shown "curl -s $url/metrics"
shown "cd $tmp/work       # and push a change of your own"
say "" "The log is in $tmp/log."
farewell="weir and the shop have been stopped and $tmp removed."
wait "${pids[1]}" || true # Ctrl-C ends this, and the script, by the trap
farewell=
fail "weir ended by itself"
