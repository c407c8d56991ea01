"""A small shop: `shop.py BASE_URL` asks weir by the OpenFeature SDK over OFREP which checkout a user gets.

It runs in the virtual environment of the SDK's kit (tests/sdk/clients.py), and listens on a free loopback port:

    POST /checkouts  {"users": [KEY, …]}   each checks out; answers {"on": N, "off": N}, by what each was given
    PUT  /errors     {"on": 0.05, …}       the share of checkouts that fail from now on, by variant; 0 at first
    GET  /metrics                          checkout_total and checkout_errors_total, by variant

Failures are spread evenly, not drawn: 100 checkouts at 0.05 are five failures. The first line printed is
{"port": N}; it ends with standard input.
"""
import http.server
import json
import sys
import threading

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

FLAG = "checkout-v2"
VARIANTS = ("on", "off")


class Shop:
    def __init__(self, place):
        api.set_provider_and_wait(OFREPProvider(place))
        self.flags, self.lock = api.get_client(), threading.Lock()
        self.total, self.errors = dict.fromkeys(VARIANTS, 0), dict.fromkeys(VARIANTS, 0)
        self.rate, self.owed = dict.fromkeys(VARIANTS, 0.0), dict.fromkeys(VARIANTS, 0.0)

    def checkout(self, user):
        """The variant that the user was given; off where weir does not answer, as the code's default is."""
        variant = "on" if self.flags.get_boolean_value(FLAG, False, EvaluationContext(user)) else "off"
        with self.lock:
            self.total[variant] += 1
            self.owed[variant] += self.rate[variant]
            if self.owed[variant] >= 1 - 1e-9:
                self.owed[variant] -= 1
                self.errors[variant] += 1
        return variant

    def set_errors(self, rates):
        with self.lock:
            for variant in rates:
                self.rate[variant], self.owed[variant] = float(rates[variant]), 0.0

    def metrics(self):
        with self.lock:
            return "".join(f"# TYPE {name} counter\n" + "".join(f'{name}{{variant="{v}"}} {counts[v]}\n' for v in VARIANTS)
                           for name, counts in (("checkout_total", self.total), ("checkout_errors_total", self.errors)))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status, text, kind="application/json"):
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if self.path != "/metrics":
            return self.answer(404, "{}")
        self.answer(200, self.server.shop.metrics(), "text/plain; version=0.0.4")

    def do_POST(self):
        given = [self.server.shop.checkout(user) for user in self.body()["users"]]
        self.answer(200, json.dumps({variant: given.count(variant) for variant in VARIANTS}))

    def do_PUT(self):
        self.server.shop.set_errors(self.body())
        self.answer(200, "{}")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.shop = True, Shop(sys.argv[1])
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    sys.stdin.read()
    server.shutdown()
    api.shutdown()


main()
