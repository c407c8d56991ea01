"""What is evaluated: the flags that all servers get, each in the form that the server reads, and the five kinds
of flag that are evaluated in process. The same on every run."""
import json

COUNTRIES = "AT BE CH DE DK ES FI FR IE IT NL NO PL PT SE UK".split()
ENVIRONMENT = "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"

# --- the flags of the serving and loading benches: three conditions, then a 25 % split -----------------------------

# 130 bytes with the envelope; the rules look at four of its attributes, and all conditions hold.
CONTEXT = {"targetingKey": "user-48151", "email": "ann@example.com", "country": "DE", "app": {"version": "2.7.13"},
           "plan": "enterprise1"}


def name_of(i):
    return f"flag-{i:03}"


def conditions(i):
    """(countries, least version, end of the e-mail address). Neighbours' rules differ."""
    countries = ["DE"] + [COUNTRIES[(i + k) % 16] for k in (0, 4, 9, 13) if COUNTRIES[(i + k) % 16] != "DE"]
    return countries, f"{i % 2 + 1}.{i % 7}.{i % 10}", "@example.com"[i % 8:]


def weir_yaml(i, fixed=None):
    """Who meets the conditions draws; or gets `fixed`, likewise below: "on" or "off", always of the first flag only."""
    countries, version, end = conditions(i)
    outcome = f"serve: {fixed}" if fixed else "split: {on: 25, off: 75}"
    return f"""apiVersion: weir/v1
kind: Flag
metadata:
  name: {name_of(i)}
  description: Generated
  owner: team-{i % 23}
spec:
  variants: {{on: true, off: false}}
  default: off
  rules:
    - name: experiment
      when:
        all:
          - {{attribute: country, in: [{", ".join(countries)}]}}
          - {{attribute: app.version, semver: ">={version}"}}
          - {{attribute: email, endsWith: "{end}"}}
      {outcome}
"""


def write_definitions(folder, count, a_file=1):
    """`a_file` flags to a file, below `folder`, with their environment."""
    for name in ("environments", "flags"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "environments/production.yaml").write_text(ENVIRONMENT)
    for start in range(0, count, a_file):
        text = "---\n".join(weir_yaml(i) for i in range(start, min(start + a_file, count)))
        (folder / f"flags/{name_of(start)}.yaml").write_text(text)


def flagd_json(count, fixed=None):
    """Of flagd, as a person writes it: without the guards that keep all engines together in what weir compiles."""
    def flag(i):
        countries, version, end = conditions(i)
        holds = {"and": [{"in": [{"var": "country"}, countries]}, {"sem_ver": [{"var": "app.version"}, ">=", version]},
                         {"ends_with": [{"var": "email"}, end]}]}
        outcome = fixed if fixed and i == 0 else {"fractional": [["on", 25], ["off", 75]]}
        return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
                "targeting": {"if": [holds, outcome]}}
    return {"flags": {name_of(i): flag(i) for i in range(count)}}


def goff_json(count, fixed=None):
    """Of GO Feature Flag."""
    def flag(i):
        countries, version, end = conditions(i)
        query = f"country in {json.dumps(countries)} and app.version ge {version} and email ew \"{end}\""
        outcome = {"variation": fixed} if fixed and i == 0 else {"percentage": {"on": 25, "off": 75}}
        return {"variations": {"on": True, "off": False}, "defaultRule": {"variation": "off"},
                "targeting": [{"name": "experiment", "query": query} | outcome]}
    return {name_of(i): flag(i) for i in range(count)}


def flipt_json(count, fixed=None):
    """Of Flipt's features.yaml. It has no order of versions and no nested attributes, so that condition is a prefix."""
    flags, segments = [], []
    for i in range(count):
        countries, _, end = conditions(i)
        wanted = (("country", "isoneof", json.dumps(countries)), ("version", "prefix", "2."), ("email", "suffix", end))
        segments.append({"key": name_of(i), "name": name_of(i), "match_type": "ALL_MATCH_TYPE", "constraints": [
            {"type": "STRING_COMPARISON_TYPE", "property": name, "operator": operator, "value": value}
            for name, operator, value in wanted]})
        shares = {fixed: 100} if fixed and i == 0 else {"on": 25, "off": 75}
        flags.append({"key": name_of(i), "name": name_of(i), "type": "VARIANT_FLAG_TYPE", "enabled": True,
                      "variants": [{"key": "on"}, {"key": "off"}],
                      "rules": [{"segment": name_of(i), "distributions": [
                          {"variant": variant, "rollout": share} for variant, share in shares.items()]}]})
    return {"version": "1.5", "namespace": "default", "flags": flags, "segments": segments}


def unleash_json(count):
    """Of Unleash Edge's bootstrap file. Attributes are flat."""
    def toggle(i):
        countries, version, end = conditions(i)
        return {"name": name_of(i), "type": "release", "project": "default", "enabled": True, "variants": [],
                "strategies": [{"name": "flexibleRollout", "constraints": [
                    {"contextName": "country", "operator": "IN", "values": countries},
                    {"contextName": "version", "operator": "SEMVER_GT", "value": version},
                    {"contextName": "email", "operator": "STR_ENDS_WITH", "values": [end]}],
                    "parameters": {"rollout": "25", "stickiness": "userId", "groupId": name_of(i)}}]}
    return {"version": 2, "features": [toggle(i) for i in range(count)]}


# --- five kinds of flag, in process ---------------------------------------------------------------------------------

KEYS = 64  # users, evaluated in turn: a split does not always go the same way
CONTEXT_BYTES = 409  # as the JSON readers of the reference were measured with
LIST_VALUES = 1000

# name: (what it is, the reason, the least and the most of KEYS users that get "on")
CASES = {
    "static": ("static", "STATIC", KEYS, KEYS),
    "three": ("three-condition rule and a split", "TARGETING_MATCH", 5, 30),
    "split": ("25 % split", "TARGETING_MATCH", 5, 30),
    "list": ("list of 1 000 values", "TARGETING_MATCH", KEYS, KEYS),
    "segments": ("ten segments", "TARGETING_MATCH", KEYS, KEYS),
}


def case_yaml(name):
    head = (f"apiVersion: weir/v1\nkind: Flag\nmetadata: {{name: {name}}}\nspec:\n"
            f"  variants: {{on: true, off: false}}\n  default: {'on' if name == 'static' else 'off'}\n")
    values = ", ".join(f"account-{i * 7:05}" for i in range(LIST_VALUES))
    segments = ", ".join(f"{{segment: segment-{i}}}" for i in range(10))
    return head + {
        "static": "",
        "three": "  rules:\n    - when:\n        all:\n"
                 "          - {attribute: country, in: [AT, BE, DE, FR, NL, PL]}\n"
                 "          - {attribute: app.version, semver: \">=2.4.0\"}\n"
                 "          - {attribute: email, endsWith: \"@example.com\"}\n"
                 "      split: {on: 25, off: 75}\n",
        "split": "  rules:\n    - split: {on: 25, off: 75}\n",
        "list": f"  rules:\n    - when: {{attribute: account, in: [{values}]}}\n      serve: on\n",
        "segments": f"  rules:\n    - when: {{any: [{segments}]}}\n      serve: on\n",
    }[name]


def segment_yaml(i):
    """Only the last has the user, so all ten are looked at."""
    domain = "example.com" if i == 9 else "elsewhere.example"
    return (f"apiVersion: weir/v1\nkind: Segment\nmetadata: {{name: segment-{i}}}\nspec:\n"
            f"  match: {{attribute: email, endsWith: \"@{domain}\"}}\n"
            f"  include: [guest-{i}]\n  exclude: [banned-{i}]\n")


def write_cases(folder):
    folder.mkdir(parents=True, exist_ok=True)
    documents = [ENVIRONMENT, *map(case_yaml, CASES), *map(segment_yaml, range(10))]
    (folder / "all.yaml").write_text("---\n".join(documents))


def case_context(key):
    """15 attributes, five of which the rules look at, in CONTEXT_BYTES bytes of JSON."""
    context = {
        "targetingKey": f"user-{key:05}", "email": f"user-{key:05}@example.com", "country": "DE",
        "app": {"version": "2.7.13"}, "account": f"account-{key % LIST_VALUES * 7:05}", "plan": "business",
        "orders": 37, "spent": 1249.95, "newsletter": True, "language": "de-DE", "device": "phone", "os": "Android 16",
        "firstSeen": "2024-03-19T08:15:00Z", "roles": ["buyer", "reviewer"], "userAgent": ""}
    agent = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome"
    context["userAgent"] = agent[:CONTEXT_BYTES - len(json.dumps(context, separators=(",", ":")))]
    text = json.dumps(context, separators=(",", ":"))
    if len(text) != CONTEXT_BYTES:
        raise ValueError(f"a context has {len(text)} bytes")
    return text


def write_contexts(path):
    path.write_text("".join(case_context(i * 1031) + "\n" for i in range(KEYS)))
