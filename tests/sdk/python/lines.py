"""The protocol of all clients: a JSON line {"flag","type","default","context"} in, a JSON line of details out."""
import json
import sys

from openfeature import api
from openfeature.evaluation_context import EvaluationContext


def context(attributes):
    """The SDK keeps the key apart from the attributes, and takes no key that is not a string."""
    if attributes is None:
        return None
    attributes = dict(attributes)
    key = attributes.pop("targetingKey") if isinstance(attributes.get("targetingKey"), str) else None
    return EvaluationContext(key, attributes)


def details(found):
    return {
        "value": found.value,
        "variant": found.variant,
        "reason": found.reason,
        "errorCode": found.error_code,
        "flagMetadata": dict(found.flag_metadata or {}),
    }


def serve(provider):
    """Answers lines by that provider until the input ends."""
    api.set_provider_and_wait(provider)
    client = api.get_client()
    print('{"ready":true}', flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        evaluate = getattr(client, f"get_{request['type']}_details")
        found = evaluate(request["flag"], request["default"], context(request["context"]))
        print(json.dumps(details(found)), flush=True)
    api.shutdown()
