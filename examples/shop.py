#!/usr/bin/python3
"""A small shop, for the demo: its customers check out over and over, and weir says which checkout each of them gets.

It asks weir over OFREP, the protocol of OpenFeature, with nothing but Python's own library; a shop of yours would take
the SDK of its language. It listens on a free loopback port, which is its first line of output:

    PUT /open     URL            open for business, with flags from http://HOST:PORT/env/ENVIRONMENT
    PUT /failing  0.2            this part of the checkouts of the new kind fails from now on
    GET /checkouts?variant=on&window=2s
                                 {"total": 100, "failed": 20} of that time: what a Metric of kind http reads
    GET /         {"customers", "on", "round", "back"}: how many have the new checkout, how often all were there, and
                  the milliseconds from the last answer at /checkouts to the first customer who was taken back
"""
import collections
import http.client
import http.server
import json
import sys
import threading
import time
import urllib.parse

FLAG = "checkout-v2"
CUSTOMERS = [f"customer-{number}" for number in range(200)]
STAFF = 4  # the first of them work there
PAUSE = 0.004  # seconds from one checkout to the next
KEPT = 60  # seconds that a checkout is remembered


class Shop:
    def __init__(self):
        self.lock = threading.Lock()
        self.variants, self.checkouts = {}, collections.deque()  # of (when, variant, whether it failed)
        self.failing = self.owed = 0.0
        self.rounds, self.asked, self.back = 0, None, None

    def serve(self, place):
        """Everybody checks out in turn, for ever."""
        place = urllib.parse.urlsplit(place)
        connection = http.client.HTTPConnection(place.netloc, timeout=10)
        while True:
            for number, customer in enumerate(CUSTOMERS):
                host = "acme.example" if number < STAFF else "mail.example"
                context = {"targetingKey": customer, "email": f"{customer}@{host}"}
                try:
                    connection.request("POST", f"{place.path}/ofrep/v1/evaluate/flags/{FLAG}",
                                       json.dumps({"context": context}), {"Content-Type": "application/json"})
                    variant = json.load(connection.getresponse()).get("variant", "off")
                except (OSError, ValueError, http.client.HTTPException):
                    connection.close()  # the next request opens it anew
                    variant = "off"  # no flag, no experiment
                self.checkout(customer, variant)
                time.sleep(PAUSE)
            with self.lock:
                self.rounds += 1

    def checkout(self, customer, variant):
        """Failures are spread evenly, not drawn, so that each demo is like the last."""
        now = time.monotonic()
        with self.lock:
            if variant == "on":
                self.owed += self.failing
            failed = self.owed >= 1
            self.owed -= failed
            if self.variants.get(customer) == "on" and variant != "on" and self.back is None and self.asked:
                self.back = (now - self.asked) * 1000
            self.variants[customer] = variant
            self.checkouts.append((now, variant, failed))
            while self.checkouts[0][0] < now - KEPT:
                self.checkouts.popleft()

    def fail(self, part):
        with self.lock:
            self.failing, self.back = part, None

    def counts(self, variant, seconds):
        with self.lock:
            now = time.monotonic()
            found = [failed for when, given, failed in self.checkouts if when > now - seconds and given == variant]
            if variant == "on":
                self.asked = now
        return {"total": len(found), "failed": sum(found)}

    def view(self):
        with self.lock:
            on = sum(variant == "on" for variant in self.variants.values())
            return {"customers": len(CUSTOMERS), "on": on, "round": self.rounds, "back": self.back}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        place = urllib.parse.urlsplit(self.path)
        if place.path == "/":
            return self.answer(200, self.server.shop.view())
        if place.path != "/checkouts":
            return self.answer(404, {})
        asked = dict(urllib.parse.parse_qsl(place.query))
        return self.answer(200, self.server.shop.counts(asked["variant"], float(asked["window"].rstrip("s"))))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/failing":
            self.server.shop.fail(float(body))
        else:
            threading.Thread(target=self.server.shop.serve, args=(body,), daemon=True).start()
        self.answer(200, {})


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.shop = True, Shop()
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


main()
