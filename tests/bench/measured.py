"""A service that is asked how a variant does, in a process of its own so that nothing else delays its answers: well at
first, and badly from when it is told to say so. It notes when it first did.

    GET /value?flag=F      what a metric asks: {"value": 0.001} or {"value": 0.5}
    GET /break?flag=F      F does badly from now on
    GET /when?flag=F       nanoseconds (CLOCK_MONOTONIC, the machine's) just before the first bad answer left, or null
    GET /asked             how many values were asked for
"""
import http.server
import json
import socketserver
import sys
import time
import urllib.parse

broken, told, asked = set(), {}, 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536  # one packet an answer

    def do_GET(self):
        global asked
        place = urllib.parse.urlsplit(self.path)
        flag = urllib.parse.parse_qs(place.query).get("flag", [""])[0]
        value = None
        if place.path == "/value":
            asked += 1
            value = {"value": 0.5 if flag in broken else 0.001}
        elif place.path == "/break":
            broken.add(flag)
        elif place.path == "/when":
            value = told.get(flag)
        elif place.path == "/asked":
            value = asked
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if place.path == "/value" and flag in broken:
            told.setdefault(flag, time.monotonic_ns())  # it leaves when this returns

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main():
    server = Server(("127.0.0.1", 0), Handler)
    sys.setswitchinterval(0.0005)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
