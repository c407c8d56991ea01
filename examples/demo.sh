#!/bin/bash
# The story of weir in one terminal: a Git repository, a commit, and what users get. `make demo` runs it.
# Everything it makes is in one temporary folder and gone at the end. DEMO_ONCE=1 ends it without waiting for Ctrl-C.
set -euo pipefail
export LC_ALL=C.UTF-8 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 # your own Git settings stay out of it
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
here=$(cd "$(dirname "$0")" && pwd)
weir=$(realpath "${WEIR:-$here/../build/weir}")
flag=checkout-v2 environment=production

colour=never jq_colour=-M bold='' dim='' red='' green='' yellow='' cyan='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    colour=always jq_colour=-C bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' cyan=$'\e[36m' plain=$'\e[0m'
fi
chapter() { printf '\n%s── %s %s%s\n\n' "$bold$cyan" "$1" "$(printf '─%.0s' $(seq $((88 - ${#1}))))" "$plain"; }
say() { printf '%s\n' "$@" | sed 's/^./  &/'; }
shown() { printf '  %s$ %s%s\n' "$dim" "$*" "$plain"; } # a command, as one would type it
indent() { sed 's/^./    &/'; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
pid=
clean_up() {
    local code=$?
    trap - EXIT
    trap '' INT TERM
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
    rm -rf "$tmp"
    [ -z "${farewell:-}" ] || printf '\n  %s\n\n' "$farewell"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 0' INT TERM
fail() {
    printf '\n  %sthe demo failed: %s%s\n' "$red" "$1" "$plain" >&2
    [ ! -s "$tmp/log" ] || tail -n 20 "$tmp/log" >&2
    exit 1
}

# --- small tools -----------------------------------------------------------------------
git() { command git -c user.name=Ada -c user.email=ada@acme.example -c commit.gpgsign=false -C "$tmp/work" "$@"; }
publish() { # commits and pushes what changed in the work tree
    shown "git commit -am '$1' && git push"
    git add --all
    git commit --quiet -m "$1"
    pushed_from=$EPOCHREALTIME
    git push --quiet origin HEAD
    pushed_at=$EPOCHREALTIME
}
milliseconds() { # between two of $EPOCHREALTIME
    echo $(((${2/[.,]/} - ${1/[.,]/} + 500) / 1000))
}
status() { curl -sS "$url/status"; }
ask() { # the OFREP answer for one user: NAME COUNTRY EMAIL
    curl -sS "$url/env/$environment/ofrep/v1/evaluate/flags/$flag" -H 'Content-Type: application/json' \
        -d "{\"context\":{\"targetingKey\":\"$1\",\"country\":\"$2\",\"email\":\"$3\"}}"
}
until_true() { # WHAT COMMAND…: asks again and again, for at most 15 seconds
    local what=$1 end=$((SECONDS + 15))
    shift
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || fail "weir ended"
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
    done
}
users=("ann US ann@acme.example" "eve DE eve@mail.example" "bob US bob@mail.example")
declare -A before=()
answers() { # a table of what each user gets, and whether that is new
    local user name country email value reason note paint
    printf '    %s%-6s %-8s %-18s %-7s %s%s\n' "$dim" user country email answer reason "$plain"
    for user in "${users[@]}"; do
        read -r name country email <<<"$user"
        read -r value reason < <(ask $user | jq -r '"\(.value) \(.reason)"')
        note='' paint=$dim
        [ "$value" != true ] || paint=$green
        [ -z "${before[$name]:-}" ] || [ "${before[$name]}" = "$value" ] || note="${yellow}  ◀ was ${before[$name]}$plain"
        before[$name]=$value
        printf '    %-6s %-8s %-18s %s%-7s%s %s%s\n' "$name" "$country" "$email" "$paint" "$value" "$plain" "$reason" "$note"
    done
}

# --- the story -------------------------------------------------------------------------
chapter "1  Flags live in a Git repository"
mkdir "$tmp/work"
cp -R "$here/acme-shop/." "$tmp/work"
command git init --quiet --bare --initial-branch=main "$tmp/flags.git"
git init --quiet --initial-branch=main
git remote add origin "$tmp/flags.git"
git add --all
git commit --quiet -m 'The flags of acme-shop'
git push --quiet origin HEAD
say "A bare repository, $tmp/flags.git, with the definitions of examples/acme-shop." \
    "This is the flag that the story is about, in flags/$flag.yaml:" ""
sed -n '/^spec:/,/^  environments:/p' "$tmp/work/flags/$flag.yaml" | sed '$d' | indent

chapter "2  weir follows it and answers applications"
shown "weir run --repo file://$tmp/flags.git --listen 127.0.0.1:0 --data $tmp/data"
"$weir" run --repo "file://$tmp/flags.git" --listen 127.0.0.1:0 --data "$tmp/data" >"$tmp/address" 2>"$tmp/log" &
pid=$!
has_address() { grep -qs '^listening on ' "$tmp/address"; }
until_true "its address" has_address
url=$(sed -n 's/^listening on //p' "$tmp/address")
until_true "the first snapshot" curl -sf -o /dev/null "$url/readyz"
say "listening on $url" "" "Three users ask for $flag over OFREP, the protocol of OpenFeature:" ""
answers
say "" "ann is staff, eve is in Europe but not in the first quarter of it, bob is in neither."

chapter "3  A commit becomes what users get"
sed -i 's/quarter-of-europe/most-of-europe/; s/{on: 25, off: 75}/{on: 60, off: 40}/' "$tmp/work/flags/$flag.yaml"
say "Ada gives the new checkout to 60 % of Europe:" ""
git diff --color=$colour --unified=0 | sed 1,4d | indent
echo
publish 'New checkout: 60 % of Europe'
kill -HUP "$pid" # fetches at once
eve_has_it() { [ "$(ask ${users[1]} | jq .value)" = true ]; }
until_true "the new answer" eve_has_it
answered_at=$EPOCHREALTIME
say "" "${bold}$(milliseconds "$pushed_at" "$answered_at") ms${plain} after git push had returned, the new answer was there (the push itself took \
$(milliseconds "$pushed_from" "$pushed_at") ms;" "the loop of curl and jq that watched for it is counted in). SIGHUP told weir to look, as a webhook" \
    "does too; left alone it looks every 10 s, or whatever --poll says." ""
answers
say "" "Growing a share only adds users: who had it keeps it."

chapter "4  A mistake harms nobody"
sed -i 's/{segment: europe}/{segment: europ}/' "$tmp/work/flags/$flag.yaml"
say "The next commit has a slip of the pen. The check that runs in an editor or in CI sees it:" ""
shown "weir validate"
(cd "$tmp/work" && "$weir" validate --format text) >"$tmp/faults" && fail "weir validate found nothing"
sed -E "s/error\[[^]]*\]/$bold$red&$plain/; s/\^+/$bold$red&$plain/; s/hint:/$bold&$plain/" "$tmp/faults" | indent
say "" "It is pushed all the same:" ""
publish 'New checkout: all of Europe, or so Ada thinks'
kill -HUP "$pid"
bad=$(git rev-parse HEAD)
is_judged() { [ "$(status | jq -r .tip)" = "$bad" ]; }
until_true "weir's judgement" is_judged
say "" "weir takes of commit ${bad:0:10} what is good, lets the rest stand as it stood, and says so in its log, its" \
    "metrics and at /status:" ""
filter='{commit, tipWhole, quarantined, fault: .faults[0] | {code, path, line, column, message}}'
shown "curl -s $url/status | jq '$filter'"
status | jq $jq_colour "$filter" | indent
[ "$(status | jq -r '.quarantined[0].name')" = "$flag" ] || fail "the faulty flag does not stand as it stood"
say "" "Users keep what they had:" ""
answers

chapter "5  What is served can be rebuilt from Git alone"
meta=$tmp/data/targets/$environment/flags.json.meta.json
has_it() { [ "$(jq -r .commit "$meta" 2>/dev/null)" = "$bad" ]; }
until_true "the file target" has_it
say "A target of the repository keeps the same state as a file, for a stock flagd or an SDK; beside it:" ""
shown "jq . data/targets/$environment/flags.json.meta.json"
jq $jq_colour . "$meta" | indent
digest=$("$weir" build --env $environment --repo "$tmp/flags.git" --rev "$bad" --digest 2>/dev/null)
echo
shown "weir build --env $environment --repo flags.git --rev ${bad:0:10} --digest 2>/dev/null"
printf '%s\n' "$digest" | indent
[ "$digest" = "$(jq -r .digest "$meta")" ] || fail "the digests differ"
say "" "The digest is the same: state is a function of Git, faulty commits and all."

# --- and on ----------------------------------------------------------------------------
if [ -n "${DEMO_ONCE:-}" ]; then
    farewell="That was the demo; weir has been stopped and $tmp removed."
    exit 0
fi
chapter "Your turn: weir keeps serving until Ctrl-C"
say "Everybody's answer for every flag, what weir knows, and its metrics:" ""
shown "curl -s $url/env/$environment/ofrep/v1/evaluate/flags --json '{\"context\":{\"targetingKey\":\"you\",\"country\":\"FR\"}}' | jq"
shown "curl -s $url/status | jq"
shown "curl -s $url/metrics"
say "" "Mend the mistake, or make a change of your own, and see it served within 10 s (or at once: kill -HUP $pid):" ""
shown "cd $tmp/work"
shown "sed -i 's/europ}/europe}/' flags/$flag.yaml && git -c user.name=You -c user.email=you@acme.example commit -am Mended && git push origin HEAD"
say "" "The log is in $tmp/log."
farewell="weir has been stopped and $tmp removed."
wait "$pid" || true # Ctrl-C ends this, and the script, by the trap
farewell=
fail "weir ended by itself"
