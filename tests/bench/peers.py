"""Other flag servers, where they are on the machine ($WEIR_PEERS, then $PATH), each with the same flags in its own
configuration and the same question in its own words. README.md tells how to get them."""
import contextlib
import json
import os
import shutil
import socket
import time

import flags
import serving

ONE_PROCESSOR = {"GOMAXPROCS": "1", "TOKIO_WORKER_THREADS": "1"}
FLAT = {"email": flags.CONTEXT["email"], "country": flags.CONTEXT["country"],
        "version": flags.CONTEXT["app"]["version"], "plan": flags.CONTEXT["plan"]}
TOKEN = "*:production.bench"


def find(program):
    return shutil.which(program, path=os.environ.get("WEIR_PEERS")) if os.environ.get("WEIR_PEERS") else None \
        or shutil.which(program)


def free_ports(count):
    """Free at this moment: servers that cannot take port 0 and tell which they got have to be told one."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def dump(path, value):
    """Whole at every moment, since some of them watch it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(value))
    return beside.replace(path)


class Peer:
    """One kind of server. Subclasses say how it is configured and started, and what it is asked."""
    program, name = "", ""
    poll = 3600  # seconds between two looks at its source, where it polls
    variables = ONE_PROCESSOR
    patience = serving.PATIENCE  # seconds until it must have started
    follows = None  # how it comes to know of a change, in words; None: change() is not for it
    one, all = "/ofrep/v1/evaluate/flags/{}", "/ofrep/v1/evaluate/flags"
    headers = {}

    def command(self, program, folder, count):
        """Writes the configuration into `folder`; returns (command, port it will answer at)."""
        raise NotImplementedError

    def change(self, folder, count, fixed):
        """Makes the first flag `fixed` at the source of the server that was started with this folder."""
        raise NotImplementedError

    def body(self, country):
        return json.dumps({"context": flags.CONTEXT | {"country": country}}, separators=(",", ":"))

    def is_on(self, entry):
        """Of one flag in an answer to the question for all."""
        return entry.get("value") in (True, "on")

    def targets(self, server, count):
        """(what it is, Target) for one flag and for all."""
        body = self.body(flags.CONTEXT["country"])
        paths = [self.one.format(flags.name_of(i)) for i in range(count)]
        return {"one": serving.Target(server, paths, body, self.headers),
                "all": serving.Target(server, [self.all], body, self.headers)}

    def start(self, program, folder, count, core):
        """Running and answering for all its flags."""
        folder.mkdir()
        command, port = self.command(program, folder, count)
        server = serving.Process(command, folder / "log", core, variables=self.variables | {"HOME": str(folder)})
        server.address = f"127.0.0.1:{port}"
        target = self.targets(server, count)["all"]
        end = time.monotonic() + self.patience
        try:
            while not self._answers(target, count):
                if server.process.poll() is not None or time.monotonic() > end:
                    server.fail("is not ready")
                time.sleep(0.05)
        except BaseException:
            server.stop()
            raise
        return server

    @staticmethod
    def _answers(target, count):
        try:
            status, answer = target.ask()
            return status == 200 and len(entries(answer)) == count
        except (OSError, ValueError):
            return False


def entries(answer):
    parsed = json.loads(answer)
    return parsed.get("flags", parsed.get("toggles", []))


class Flagd(Peer):
    program, name = "flagd", "flagd"
    follows = "watches a file"

    def command(self, program, folder, count):
        port, *others = free_ports(4)
        source = dump(folder / "flags.json", flags.flagd_json(count))
        return [program, "start", "--uri", f"file:{source}", "--ofrep-port", port, "--port", others[0],
                "--management-port", others[1], "--sync-port", others[2]], port

    def change(self, folder, count, fixed):
        dump(folder / "flags.json", flags.flagd_json(count, fixed))


class GoFeatureFlag(Peer):
    program, name = "relayproxy", "GO Feature Flag"
    follows = "polls a file"

    def command(self, program, folder, count):
        port, = free_ports(1)
        source = dump(folder / "flags.json", flags.goff_json(count))
        config = dump(folder / "config.yaml", {  # JSON is YAML, too
            "server": {"mode": "http", "host": "127.0.0.1", "port": port}, "hideBanner": True, "loglevel": "error",
            "pollingInterval": self.poll * 1000, "fileFormat": "json",
            "retrievers": [{"kind": "file", "path": str(source)}]})
        return [program, "--config", config], port

    def change(self, folder, count, fixed):
        dump(folder / "flags.json", flags.goff_json(count, fixed))


class Flipt(Peer):
    program, name = "flipt", "Flipt"
    follows = "polls Git"

    def command(self, program, folder, count):
        port, other = free_ports(2)
        repository = serving.Repository(folder)
        self._push(repository, flags.flipt_json(count))
        config = dump(folder / "config.yml", {
            "log": {"level": "ERROR"}, "meta": {"check_for_updates": False, "telemetry_enabled": False},
            "server": {"host": "127.0.0.1", "http_port": port, "grpc_port": other},
            "storage": {"default": {"remote": f"file://{repository.bare}", "branch": "main",
                                    "poll_interval": f"{self.poll}s"}},
            "environments": {"default": {"name": "default", "storage": "default", "default": True}}})
        return [program, "--config", config, "server"], port

    def change(self, folder, count, fixed):
        self._push(serving.Repository(folder, made=True), flags.flipt_json(count, fixed))

    @staticmethod
    def _push(repository, features):
        (repository.work / "default").mkdir(exist_ok=True)
        dump(repository.work / "default/features.yaml", features)
        repository.commit("Flags")
        repository.push()

    def body(self, country):
        context = {"targetingKey": flags.CONTEXT["targetingKey"]} | FLAT | {"country": country}
        return json.dumps({"context": context}, separators=(",", ":"))


class UnleashEdge(Peer):
    """Not OFREP: its front-end API."""
    program, name = "unleash-edge", "Unleash Edge"
    one, all = "/api/frontend/features/{}", "/api/frontend/all"
    headers = {"Authorization": TOKEN}

    def command(self, program, folder, count):
        port, = free_ports(1)
        source = dump(folder / "features.json", flags.unleash_json(count))
        return [program, "--interface", "127.0.0.1", "--port", port, "offline", "--bootstrap-file", source,
                "--frontend-tokens", TOKEN, "--client-tokens", TOKEN + "-backend"], port

    def body(self, country):
        context = {"userId": flags.CONTEXT["targetingKey"], "properties": FLAT | {"country": country}}
        return json.dumps(context, separators=(",", ":"))

    def is_on(self, entry):
        return entry.get("enabled") is True


ALL = [Flagd(), GoFeatureFlag(), Flipt(), UnleashEdge()]
