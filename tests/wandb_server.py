"""A stand-in for the W&B server on 127.0.0.1: plays a grid sweep, and keeps what it is given."""

import itertools
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import yaml

ENTITY = {"id": "entity", "name": "somebody"}
SWEEP = "0a1b2c3d"
AGENT = {"id": "agent"}
USER = {"id": "user", "username": ENTITY["name"], "entity": ENTITY["name"], "flags": "{}"}
ALWAYS = {
    "Viewer": {"viewer": USER | {"teams": {"edges": []}}},
    "ServerFeaturesQuery": {"serverInfo": {"features": []}},
    "OrganizationCoreWeaveOrganizationID": {"entity": {"organization": None}},
    "CreateAgent": {"createAgent": {"agent": AGENT}},
    "GetDefaultEntity": {"viewer": USER},
}


@dataclass
class Received:
    """What the client sent of one run."""

    parameters: dict[str, Any] = field(default_factory=dict)  # which the sweep gave to it
    whole_config: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, list[str]] = field(default_factory=dict)  # lines, by the file's name
    files: dict[str, bytes] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)
    preempting: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration, without what the client says of itself."""
        return {name: x["value"] for name, x in self.whole_config.items() if name != "_wandb"}

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.streams.get("wandb-history.jsonl", [])]

    def counts(self, kind: str) -> dict[str, Any]:
        """How much there is of a kind of lines, and the last of them."""
        lines = self.streams.get(f"wandb-{kind}.jsonl", [])
        return {f"{kind}LineCount": len(lines), f"{kind}Tail": json.dumps(lines[-1:])}

    @property
    def last(self) -> dict[str, Any]:
        """The last value of all that was logged."""
        return {name: value for row in self.history for name, value in row.items()}


class Server(ThreadingHTTPServer):
    """Answers what the client of W&B 0.31 asks.

    Its one sweep gives the combinations of a grid to its agent, one after the other, and before
    them runs that were preempted.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.unanswered: list[str] = []
        self.runs: dict[str, Received] = {}
        self.sweep: dict[str, Any] = {}
        self.left: list[dict[str, Any]] = []  # combinations that no run was made of yet
        self.views: list[dict[str, Any]] = []  # workspaces, as they were sent
        self.stops: set[str] = set()  # runs that the agent is told to stop

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """The data of a GraphQL operation; None for one that is not known."""
        self.operations.append((operation, given))
        match operation:
            case "UpsertSweep":
                self.sweep = yaml.safe_load(given["config"])
                self.left = combinations(self.sweep["parameters"])
                sweep = {"name": SWEEP, "project": project(given["projectName"])}
                return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}
            case "SweepWithRuns":
                sweep = {"id": "sweep", "name": SWEEP, "state": "RUNNING", "runs": {"edges": []}}
                return {"project": {"sweep": sweep | {"config": yaml.safe_dump(self.sweep)}}}
            case "Heartbeat":
                commands = self.commands(running=json.loads(given["runState"]))
                return {"agentHeartbeat": {"agent": AGENT, "commands": json.dumps(commands)}}
            case "RunResumeStatus":
                bucket = self.bucket(given["name"])
                return {"model": project(given["project"]) | {"bucket": bucket}}
            case "UpsertBucket":
                inserted = given["name"] not in self.runs
                run = self.runs.setdefault(given["name"], Received())
                run.metadata |= {name: value for name, value in given.items() if value is not None}
                run.whole_config |= json.loads(given["config"] or "{}")
                bucket = self.bucket(given["name"])
                return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}
            case "CreateRunFiles":
                folder = f"{self.url}/{given['run']}"
                files = [{"name": f, "uploadUrl": f"{folder}/{quote(f)}"} for f in given["files"]]
                answer = {"runID": given["run"], "uploadHeaders": [], "files": files}
                return {"createRunFiles": answer}
            case "UpsertView2":
                self.views.append(given)
                view = {"id": "view", "name": given["name"]}
                return {"upsertView": {"view": view, "inserted": True}}
        return ALWAYS.get(operation)

    def commands(self, running: dict[str, bool]) -> list[dict[str, Any]]:
        """What the agent is to do: stop runs, or begin one.

        The run is made ahead of its time, with the parameters as its configuration, as W&B does.
        """
        if running:
            return [{"type": "stop", "run_id": id} for id in running if id in self.stops]
        for id, run in self.runs.items():
            if run.preempting and run.exit_codes[-1:] not in ([], [0]):
                run.preempting = False
                program = self.sweep["program"]
                return [
                    {"type": "resume", "run_id": id, "program": program, "args": run.whole_config}
                ]
        if not self.left:
            return []
        id, parameters = f"trial{len(self.runs)}", self.left.pop(0)
        args = {name: {"value": value} for name, value in parameters.items()}
        self.runs[id] = Received(parameters, whole_config=args)
        return [{"type": "run", "run_id": id, "program": self.sweep["program"], "args": args}]

    def bucket(self, id: str) -> dict[str, Any] | None:
        """A run, which has begun when its configuration has what the client says of itself."""
        if (run := self.runs.get(id)) is None:
            return None
        return {
            "id": id,
            "name": id,
            "displayName": run.metadata.get("displayName"),
            "config": json.dumps(run.whole_config),
            "wandbConfig": json.dumps(run.whole_config.get("_wandb", {}).get("value", {})),
            "sweepName": run.metadata.get("sweep"),
            "project": project(run.metadata.get("project")),
            "summaryMetrics": json.dumps(run.last),
            **run.counts("history"),
            **run.counts("events"),
            "logLineCount": len(run.streams.get("output.log", [])),
        }

    def handle_error(self, *_: Any) -> None:
        """Count a fault of our own as a call without an answer; clients may hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            self.unanswered.append(repr(sys.exception()))

    def stream(self, id: str, chunk: dict[str, Any]) -> None:
        """Take lines of what a run logs, each at its place, or word of its end."""
        for name, lines in chunk.get("files", {}).items():
            self.runs[id].streams.setdefault(name, [])[lines["offset"] :] = lines["content"]
        self.runs[id].preempting |= chunk.get("preempting", False)
        if chunk.get("complete"):
            self.runs[id].exit_codes.append(chunk["exitcode"])


class Handler(BaseHTTPRequestHandler):
    """Tells requests apart, and has those of GraphQL answered one at a time."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.body()
        if self.path == "/graphql":
            request = json.loads(body)
            [operation] = re.findall(r"^\s*(?:query|mutation)\s+(\w+)", request["query"])
            with self.server.lock:
                data = self.server.answer(operation, request.get("variables") or {})
            return self.send_error(404, operation) if data is None else self.reply({"data": data})
        if stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
            self.server.stream(stream[1], json.loads(body))
        elif not self.path.startswith("/sdk/otel/"):  # the client's own telemetry
            return self.send_error(404)
        return self.reply({})

    def do_PUT(self) -> None:
        _, id, name = unquote(self.path).split("/", 2)
        self.server.runs[id].files[name] = self.body()
        self.reply({})

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def send_error(self, code: int, message: str | None = None, _: str | None = None) -> None:
        """Keep what has no answer, as of methods that are not defined here."""
        self.server.unanswered.append(f"{self.requestline}: {message}")
        super().send_error(code, message)

    def reply(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def project(name: str | None) -> dict[str, Any]:
    return {"id": "project", "name": name, "entity": ENTITY}


def combinations(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Every combination of a grid, the values of nested parameters nested."""
    choices = [
        combinations(block["parameters"])
        if "parameters" in block
        else block.get("values", [block.get("value")])
        for block in parameters.values()
    ]
    return [dict(zip(parameters, each, strict=True)) for each in itertools.product(*choices)]


@contextmanager
def serve() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
