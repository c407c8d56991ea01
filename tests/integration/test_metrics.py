"""Measuring, with a real Prometheus that scrapes a small shop: what becomes of good, bad, missing and ambiguous
answers, of a source that goes away, and of a restart. The shop's counters grow with time at the rates that a test sets.
"""
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

import weir
from metering import DRIVER, METRIC, measuring

pytestmark = [
    pytest.mark.skipif(not shutil.which("prometheus"), reason="there is no prometheus on this machine"),
    pytest.mark.skipif(not DRIVER.exists(), reason="metrics_driver is not built: make drivers"),
]

COUNTS = ('{{address: "{url}", '
          'numerator: \'sum(increase(shop_errors_total{{variant="{{{{variant}}}}"}}[{{{{window}}}}]))\', '
          'denominator: \'sum(increase(shop_requests_total{{variant="{{{{variant}}}}"}}[{{{{window}}}}]))\'}}')
MEANS = COUNTS.replace("sum(", "sum by (bucket) (").replace("shop_requests_total", "shop_seconds_count").replace(
    "shop_errors_total", "shop_seconds_sum")
LIMIT = "thresholdRange: {max: 0.05}"
BUCKETS = 24


class Shop:
    """Requests and errors a second, and the seconds that a request takes, by variant."""

    def __init__(self):
        self.rates = {"on": (50, 0), "off": (50, 0)}
        self.seconds = {"on": 0.2, "off": 0.2}
        self.counts = {}
        self.taken = {}  # seconds by variant and bucket: some users are slower than others
        self.asked = []
        self.last = time.monotonic()
        self.lock = threading.Lock()
        self.released = threading.Event()  # what hangs is answered
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/hang"):
                    shop.released.wait(60)
                elif self.path.startswith("/away"):
                    self.send_response(307)
                    self.send_header("Location", self.path.partition("=")[2])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = (shop.scrape() if self.path == "/metrics" else shop.json(self)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def scrape(self):
        with self.lock:
            now = time.monotonic()
            passed, self.last = now - self.last, now
            for variant, (requests, errors) in self.rates.items():
                before = self.counts.get(variant, (0, 0))
                self.counts[variant] = (before[0] + requests * passed, before[1] + errors * passed)
                for bucket in range(BUCKETS):
                    slowness = 0.9 + 0.2 * (bucket * 7 % BUCKETS) / BUCKETS
                    self.taken[variant, bucket] = (self.taken.get((variant, bucket), 0)
                                                   + requests * passed / BUCKETS * slowness * self.seconds[variant])
            lines = []
            for variant in self.rates:
                requests, errors = self.counts[variant]
                lines += [f'shop_requests_total{{variant="{variant}"}} {requests}',
                          f'shop_errors_total{{variant="{variant}"}} {errors}']
                for bucket in range(BUCKETS):
                    labels = f'{{variant="{variant}",bucket="{bucket}"}}'
                    lines += [f'shop_seconds_count{labels} {requests / BUCKETS}',
                              f'shop_seconds_sum{labels} {self.taken[variant, bucket]}']
            return "\n".join(lines) + "\n"

    def json(self, request):
        self.asked.append((request.path, request.headers.get("Authorization")))
        variant = request.path.rpartition("=")[2]
        return json.dumps({"arms": {variant: {"latency": 120 if variant == "on" else 100}}})

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Prometheus:
    def __init__(self, folder, shop):
        self.folder, self.process = folder, None
        self.config = folder / "prometheus.yml"
        self.config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                               "  - job_name: shop\n    static_configs: [{targets: ['127.0.0.1:%d']}]\n" % shop.port)
        for attempt in range(5):  # another process may take the port between the look and the bind
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            try:
                self.start()
                return
            except AssertionError:
                self.stop()
                if attempt == 4:
                    raise

    def start(self):
        with open(self.folder / "prometheus.log", "ab") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.folder}/tsdb",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stdout=log, stderr=log)
        weir.wait_until(self.has_data, "Prometheus has scraped the shop")

    def has_data(self):
        assert self.process.poll() is None, (self.folder / "prometheus.log").read_text()
        try:
            with urllib.request.urlopen(self.url + "/api/v1/query?query=up", timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return False
        return found and found[0]["value"][1] == "1"

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(weir.PATIENCE)
        self.process = None


@pytest.fixture(scope="module")
def shop():
    found = Shop()
    yield found
    found.close()


@pytest.fixture(scope="module")
def prometheus(shop, tmp_path_factory):
    found = Prometheus(tmp_path_factory.mktemp("prometheus"), shop)
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def quiet(shop):
    shop.rates = {"on": (50, 0), "off": (50, 0)}
    shop.seconds = {"on": 0.2, "off": 0.2}


def counts(prometheus):
    return "prometheus: " + COUNTS.format(url=prometheus.url)


def query(prometheus, expression):
    return f"prometheus: {{address: \"{prometheus.url}\", query: '{expression}'}}"


def test_success(prometheus, tmp_path):
    with measuring(tmp_path, ("errors", counts(prometheus), LIMIT, "guardrail", "minimumSample: 100")) as driver:
        gate = driver.wait("errors", verdict="success", enough=True, fresh=True)
        assert re.match(r"0 < 0\.05, n=\d+, .*window \d+[sm]$", gate["evidence"]), gate
        assert gate["finished"] and not gate["silent"] and not gate["restarted"]
        driver.wait_covered("errors", 3)
        status = driver.ask("view")["status"][0]
        assert (status["metric"], status["role"], status["verdict"], status["raw"]) == (
            "errors", "guardrail", "success", False)
        told = driver.ask("telemetry")
        assert re.search(r'^weir_measurements_total\{source="prometheus",verdict="success"\} [1-9]', told, re.M)


def test_breach_with_its_numbers_and_once_for_all(prometheus, shop, tmp_path):
    shop.rates["on"] = (100, 30)
    with measuring(tmp_path, ("errors", counts(prometheus), LIMIT)) as driver:
        gate = driver.wait("errors", verdict="failure")
        assert re.match(r"0\.\d+ > 0\.05, n=\d+", gate["evidence"]), gate
        assert driver.ask("view")["changes"] > 0
        shop.rates["on"] = (100, 0)  # it is over, and yet it was
        finished = gate["finished"]
        weir.wait_until(lambda: driver.gate("errors")["finished"] > finished + 2, "more measurements")
        assert driver.gate("errors")["verdict"] == "failure"


def test_comparison_with_control(prometheus, shop, tmp_path):
    compare = "compare: {to: control, method: ratio, margin: 0.5}"
    with measuring(tmp_path, ("errors", counts(prometheus), compare)) as driver:
        shop.rates = {"on": (50, 5), "off": (50, 5)}
        driver.wait("errors", verdict="success")
        shop.rates["on"] = (50, 20)
        gate = driver.wait("errors", verdict="failure")
        assert " > 1.5 x " in gate["evidence"] and ", raw, window" in gate["evidence"], gate


def means(prometheus):
    return "type: mean\n  prometheus: " + MEANS.format(url=prometheus.url)


def test_a_latency_that_is_worse_by_bucket(prometheus, shop, tmp_path):
    shop.seconds["on"] = 0.5
    compare = "compare: {to: control, method: sequential, margin: 0.05}"
    single = means(prometheus).replace("sum by (bucket) (", "sum(")
    with measuring(tmp_path, ("latency", means(prometheus), compare), ("plain", single, compare),
                   ("limit", single, "thresholdRange: {max: 0.4}")) as driver:
        gate = driver.wait("latency", verdict="failure")
        assert re.match(r"0\.\d+ against 0\.\d+, margin 0\.05, n=\d+, harm >= 0\.\d+, ln E=", gate["evidence"]), gate
        # without buckets nobody knows how much the values vary
        gate = driver.wait("plain", verdict="inconclusive")
        assert "give both parts a bucket label" in gate["evidence"], gate
        gate = driver.wait("limit", verdict="failure")
        assert re.match(r"0\.\d+ > 0\.4, n=\d+, raw, window ", gate["evidence"]), gate


def test_a_latency_that_is_as_before(prometheus, tmp_path):
    compare = "compare: {to: control, method: sequential, margin: 0.05}"
    with measuring(tmp_path, ("latency", means(prometheus), compare)) as driver:
        gate = driver.wait("latency", verdict="success", enough=True)
        assert re.match(r"0\.\d+ against 0\.\d+, margin 0\.05, n=\d+", gate["evidence"]), gate
        assert driver.ask("view")["status"][0]["raw"] is False


def test_what_is_no_number_never_passes(prometheus, tmp_path):
    cases = {
        "none": ("no_such_series", "no data", "no data"),
        "many": ("shop_requests_total", "error", "2 series where one is expected"),
        "nan": ("vector(0) / 0", "no data", "no data: the answer is NaN"),
        "infinite": ("vector(1) / 0", "error", "the answer is infinite"),
        "words": ('"text"', "error", "of type 'string'"),
        "wrong": ("sum(", "error", "answered 400"),
    }
    metrics = [(name, query(prometheus, expression), "thresholdRange: {max: 1000000000}", "guardrail",
                "consecutiveErrorLimit: 0") for name, (expression, _, _) in cases.items()]
    with measuring(tmp_path, *metrics) as driver:
        for name, (_, verdict, words) in cases.items():
            driver.wait(name, verdict=verdict)
            gate = weir.wait_until(lambda: words in driver.gate(name)["evidence"] and driver.gate(name),
                                   f"{name}: {words}; {driver.gate(name)}")
            assert gate["covered"] == 0


def test_scalars_and_ranges(prometheus, tmp_path):
    with measuring(tmp_path, ("scalar", query(prometheus, "3"), "thresholdRange: {max: 2}"),
                   ("range", query(prometheus, "up[1m]"), "thresholdRange: {min: 1}")) as driver:
        assert driver.wait("scalar", verdict="failure")["evidence"].startswith("3 > 2, raw")
        assert driver.wait("range", verdict="success")["evidence"].startswith("1 >= 1, raw")


def test_of_a_range_query_the_worst_step_counts(prometheus, tmp_path):
    # What a step says depends on its time alone: once in ten seconds it is 9.
    source = (f"prometheus: {{address: \"{prometheus.url}\", step: 1s, "
              "query: 'vector(1) + 8 * (vector(time()) % 10 < bool 1)'}")
    since = int(time.time()) - 300
    with measuring(tmp_path, ("spiky", source, "thresholdRange: {max: 5}", "guardrail"),
                   ("calm", source, "thresholdRange: {max: 9}", "guardrail"), since=since) as driver:
        assert driver.wait("spiky", verdict="failure")["evidence"].startswith("9 > 5, raw")
        driver.wait("calm", verdict="success")


def test_a_silent_variant_trips_the_breaker(prometheus, shop, tmp_path):
    shop.rates = {"off": (200, 0)}
    # series of this variant were scraped before: they are not asked for
    source = counts(prometheus).replace('variant="{{variant}}"', 'variant=~"{{variant}}",variant!="on"')
    with measuring(tmp_path, ("breaker", source, LIMIT, "breaker"), ("guard", source, LIMIT)) as driver:
        gate = driver.wait("breaker", verdict="failure", silent=1)
        assert gate["evidence"].startswith("silent while control speaks"), gate
        gate = driver.wait("guard", verdict="failure", silent=1)
        assert gate["evidence"].startswith("silent for three intervals while control speaks"), gate


def test_silence_and_a_mismatch_play_again(prometheus, shop, tmp_path):
    """What was recorded of them leads a play to the decision that a controller took: a count of failures would not."""
    shop.rates = {"on": (20, 0), "off": (180, 0)}  # of two arms that are to be as large
    forgiven = "failureLimit: 1000"
    limit = "compare: {to: control, method: sequential, margin: 0.05}"
    since = int(time.time())
    (tmp_path / "one").mkdir()
    with measuring(tmp_path / "one", ("latency", means(prometheus), limit, "guardrail", forgiven),
                   since=since) as driver:
        weir.wait_until(lambda: driver.ask("view")["mismatch"], "a mismatch of the arms")
        lines, last = driver.play(since, "ratioMismatch")
        assert (last["status"], last["phase"]) == ("held", "half"), last
        share = re.match(r"sample ratio mismatch: share (0\.\d+) of 0\.5,", last["evidence"])
        assert share and float(share[1]) < 0.2, last
        assert last["begin"] == next(line["finished"] for line in lines if "ratioMismatch" in line)
    shop.rates = {"off": (200, 0)}
    source = counts(prometheus).replace('variant="{{variant}}"', 'variant=~"{{variant}}",variant!="on"')
    since = int(time.time())
    (tmp_path / "two").mkdir()
    with measuring(tmp_path / "two", ("guard", source, LIMIT, "guardrail", forgiven), since=since) as driver:
        driver.wait("guard", verdict="no data", silent=1)  # a thousand failures would be forgiven
        lines, last = driver.play(since, "silent")
        assert (last["status"], last["evidence"]) == ("rolledBack", "guard: silent while control speaks"), last
        assert last["begin"] == next(line["finished"] for line in lines if "silent" in line)


def test_the_source_goes_and_comes_back(prometheus, tmp_path):
    metric = ("errors", counts(prometheus), LIMIT, "guardrail", "consecutiveErrorLimit: 1")
    with measuring(tmp_path, metric) as driver:
        driver.wait("errors", verdict="success")
        prometheus.stop()
        try:
            driver.wait("errors", verdict="error")
            weir.wait_until(lambda: "connect" in driver.gate("errors")["evidence"].lower(),
                            lambda: driver.gate("errors"))
        finally:
            prometheus.start()
        driver.wait("errors", verdict="success", fresh=True)  # and nobody had to help


def test_a_restart_forgets_nothing(prometheus, shop, tmp_path):
    shop.rates["on"] = (100, 30)
    since = int(time.time())
    metric = ("errors", counts(prometheus), LIMIT)
    with measuring(tmp_path, metric, since=since) as driver:
        before = driver.wait("errors", verdict="failure")
    prometheus.stop()  # nothing new can be learned
    try:
        with measuring(tmp_path, metric, since=since) as driver:
            gate = driver.wait("errors", verdict="failure")
            assert gate["finished"] >= before["finished"]
        with measuring(tmp_path, metric, since=int(time.time()) + 1) as driver:  # begun anew: it starts with nothing
            gate = weir.wait_until(lambda: driver.gate("errors"), "a gate")
            assert gate["verdict"] != "failure"
    finally:
        prometheus.start()


def test_a_restart_keeps_what_went_well(prometheus, tmp_path):
    since = int(time.time())
    metric = ("errors", counts(prometheus), LIMIT)
    with measuring(tmp_path, metric, since=since) as driver:
        before = driver.wait_covered("errors", 3)
    with measuring(tmp_path, metric, since=since) as driver:
        gate = weir.wait_until(lambda: driver.gate("errors"), "a gate")
        assert gate["covered"] >= before["covered"]
    changed = ("errors", counts(prometheus), "thresholdRange: {max: 0.06}")
    with measuring(tmp_path, changed, since=since) as driver:  # it says something else: from nothing, and says so
        gate = weir.wait_until(lambda: driver.gate("errors"), "a gate")
        assert gate["restarted"] > since and gate["covered"] < before["covered"]


def test_any_endpoint_with_a_pointer(shop, tmp_path):
    url = f"http://127.0.0.1:{shop.port}/latency?variant={{{{variant}}}}"
    source = f'http: {{url: "{url}", query: "/arms/{{{{variant}}}}/latency"}}'
    missing = f'http: {{url: "{url}", query: "/arms/none/latency"}}'
    compare = "compare: {to: control, method: difference, margin: 10}"
    with measuring(tmp_path, ("latency", source, compare), ("missing", missing, LIMIT, "guardrail",
                                                            "consecutiveErrorLimit: 0")) as driver:
        gate = driver.wait("latency", verdict="failure")
        assert gate["evidence"].startswith("120 - 100 > 10"), gate
        gate = driver.wait("missing", verdict="error")
        assert "has nothing at '/arms/none/latency'" in gate["evidence"]
    assert all(secret is None for _, secret in shop.asked)


def test_a_host_that_is_not_allowed_is_not_asked(tmp_path):
    listener = socket.socket(socket.AF_INET6)
    listener.bind(("::1", 0))
    listener.listen()
    listener.settimeout(0)
    source = f'prometheus: {{address: "http://[::1]:{listener.getsockname()[1]}", query: "1"}}'
    with measuring(tmp_path, ("away", source, LIMIT, "guardrail", "consecutiveErrorLimit: 0")) as driver:
        gate = driver.wait("away", verdict="error")
        assert "not" in gate["evidence"] and "allow" in gate["evidence"], gate
        with pytest.raises(BlockingIOError):
            listener.accept()
    listener.close()


def test_the_same_question_is_asked_once(shop, tmp_path):
    source = f'http: {{url: "http://127.0.0.1:{shop.port}/shared?variant=on", query: "/arms/on/latency"}}'
    names = ["one", "two", "three", "four"]
    with measuring(tmp_path, *[(name, source, "thresholdRange: {max: 200}") for name in names]) as driver:
        for name in names:
            assert driver.wait_covered(name, 5)["verdict"] == "success"
        measured = int(re.search(r'^weir_measurements_total\{source="http",verdict="success"\} (\d+)',
                                 driver.ask("telemetry"), re.M)[1])
    asked = sum(path.startswith("/shared") for path, _ in shop.asked)
    assert measured >= 20 and asked <= measured * 0.6, (asked, measured)


def test_a_source_that_hangs_delays_no_breaker(shop, tmp_path):
    url = f"http://127.0.0.1:{shop.port}"
    slow = [(f"slow{i}", f'http: {{url: "{url}/hang{i}?variant=on", query: "/arms/on/latency"}}', LIMIT)
            for i in range(20)]
    fast = ("fast", f'http: {{url: "{url}/fast?variant=on", query: "/arms/on/latency"}}', LIMIT, "breaker")
    with measuring(tmp_path, *slow, fast) as driver:
        try:
            def failed():
                gates = {gate["metric"]: gate for gate in driver.ask("view")["gates"]}
                return gates.get("fast", {}).get("verdict") == "failure" and gates

            gates = weir.wait_until(failed, "a failure of what does not hang")
            assert [gates[name]["finished"] for name, *_ in slow] == [0] * len(slow)
        finally:
            shop.released.set()


SLOW = """\
---
apiVersion: weir/v1
kind: Flag
metadata: {{name: {name}}}
spec: {{variants: {{on: true, off: false}}, default: off}}
---
apiVersion: weir/v1
kind: Rollout
metadata: {{name: {name}}}
spec:
  {{flag: {name}, environment: production, variant: on, control: off, phases: [{{name: half, percent: 50}}],
   metrics: [{metrics}]}}
"""


def test_a_server_that_hangs_delays_no_other(shop, tmp_path):
    """More guardrails than are measured at one time ask a server that says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as silent:
        url, text = f"http://127.0.0.1:{silent.getsockname()[1]}", ""
        for name in ("slow0", "slow1", "slow2"):
            metrics = [f"{name}-{i}" for i in range(30)]
            text += SLOW.format(name=name, metrics=", ".join(metrics))
            for metric in metrics:
                source = f'http: {{url: "{url}/{metric}", query: "/value"}}'
                text += METRIC.format(name=metric, source=source, judge=LIMIT, role="guardrail", more="")
        source = f'http: {{url: "http://127.0.0.1:{shop.port}/fast?variant=on", query: "/arms/on/latency"}}'
        with measuring(tmp_path, ("fast", source, LIMIT), others=text) as driver:
            def measured(verdict):
                return int(re.search(rf'^weir_measurements_total\{{source="http",verdict="{verdict}"\}} (\d+)',
                                     driver.ask("telemetry"), re.M)[1])
            weir.wait_until(lambda: measured("failure") >= 2, "two measurements of the one that answers")
            assert measured("error") <= 20  # of ninety: each takes five seconds


def test_a_redirect_to_another_server_is_not_followed(shop, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(0)
        url = f"http://127.0.0.1:{shop.port}/away?to="
        away = f'http: {{url: "{url}http://127.0.0.1:{other.getsockname()[1]}/", query: ""}}'
        same = f'http: {{url: "{url}/arms?variant=on", query: "/arms/on/latency"}}'
        limit = "thresholdRange: {max: 200}"
        with measuring(tmp_path, ("away", away, limit, "guardrail", "consecutiveErrorLimit: 0"),
                       ("same", same, limit)) as driver:
            gate = driver.wait("away", verdict="error")
            assert "another server and not followed" in gate["evidence"], gate
            driver.wait("same", verdict="success")
            with pytest.raises(BlockingIOError):
                other.accept()
