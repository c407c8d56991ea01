"""Overrides as another controller, or a stranger who knows how an intent is derived, leaves them at a target or in a ref."""
import hashlib
import json
import time


def planted(action, flag, fragment, rollout="", run=0, seq=0, by="weir"):
    """(intent, JSON): for production, right in all but that nobody decided it, and with any fragment."""
    parts = ["production", rollout or f"flags/{flag}", str(run), str(seq), action]
    intent = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
    return intent, json.dumps({
        "action": action, "by": by, "environment": "production", "evidence": "", "flag": flag, "fragment": fragment,
        "generation": "0" * 32, "intent": intent, "note": "", "rollout": rollout, "run": run, "seq": seq,
        "since": int(time.time())})
