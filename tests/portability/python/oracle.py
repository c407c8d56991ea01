"""What Python's flagd core answers: `python oracle.py DOCUMENT…`, run by the Python of a virtual environment.

Lines in and out as in npm/oracle.mjs. A value is asked for by the type of the flag's variants, as applications do;
errors become what the OpenFeature client makes of them.
"""
import json
import logging
import sys
from pathlib import Path

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

TYPES = {bool: ("boolean", False), str: ("string", ""), int: ("float", 0.0), float: ("float", 0.0),
         dict: ("object", {})}


class Document:
    def __init__(self, path):
        text = Path(path).read_text(encoding="utf-8")
        self.core = FlagdCore()
        self.core.set_flags(text)
        self.asks = {}
        for key, flag in json.loads(text)["flags"].items():
            name, default = TYPES[type(next(iter(flag["variants"].values())))]
            self.asks[key] = (getattr(self.core, f"resolve_{name}_value"), default)

    def decide(self, key, context):
        ask, default = self.asks[key]
        try:
            details = ask(key, default, context)
        except OpenFeatureError as problem:
            return [None, None, "ERROR", problem.error_code.value]
        except Exception:  # as the client: any other exception of a provider
            return [None, None, "ERROR", "GENERAL"]
        value = None if details.variant is None else details.value
        return [value, details.variant, details.reason, details.error_code]


def main():
    logging.disable(logging.CRITICAL)
    documents = [Document(path) for path in sys.argv[1:]]
    for line in sys.stdin:
        request = json.loads(line)
        attributes = request["context"]
        context = EvaluationContext(targeting_key=attributes.pop("targetingKey", None), attributes=attributes)
        document = documents[request["document"]]
        print(json.dumps([document.decide(key, context) for key in request["flags"]]))


if __name__ == "__main__":
    main()
