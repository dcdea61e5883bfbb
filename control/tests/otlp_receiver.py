"""An OTLP/HTTP receiver for tests, which reads what arrives with OpenTelemetry's own messages.

Prints the port, then one JSON line for each message: {"path", "headers", "message"} where it is one, {"error"} where it is
not. Ends with standard input.
"""

import base64
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.semconv._incubating.attributes import (
    gen_ai_attributes,
    log_attributes,
    mcp_attributes,
    user_attributes,
)
from opentelemetry.semconv.attributes import error_attributes, http_attributes

MESSAGES = {
    "/v1/traces": (trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse),
    "/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
}
KNOWN = {
    value
    for module in (
        error_attributes,
        gen_ai_attributes,
        http_attributes,
        log_attributes,
        mcp_attributes,
        user_attributes,
    )
    for value in vars(module).values()
    if isinstance(value, str)
}
OURS = ("sluice.", "service.", "deployment.")


def with_bytes(value, key=None):
    """OTLP writes ids in hexadecimal, where protobuf's JSON has base64. Everything else is the same."""
    if isinstance(value, dict):
        return {own: with_bytes(inner, own) for own, inner in value.items()}
    if isinstance(value, list):
        return [with_bytes(inner) for inner in value]
    digits = {"traceId": 32, "spanId": 16, "parentSpanId": 16}.get(key)
    if digits is None:
        return value
    if not re.fullmatch("[0-9a-f]{%d}" % digits, value) or not value.strip("0"):
        raise ValueError(f"{key} is {value!r}")
    return base64.b64encode(bytes.fromhex(value)).decode()


def check_names(value):
    """Every attribute is one of the conventions', or says whose it is."""
    if isinstance(value, dict):
        for attribute in value.get("attributes", []):
            if attribute["key"] not in KNOWN and not attribute["key"].startswith(OURS):
                raise ValueError(f"{attribute['key']} is no attribute of the conventions")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_names(inner)


# Spans and logs arrive at once; each line is written whole.
writing = threading.Lock()


def say(line):
    with writing:
        print(json.dumps(line), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            if self.headers["content-type"] != "application/json":
                raise ValueError(f"content-type is {self.headers['content-type']}")
            request, response = MESSAGES[self.path]
            sent = json.loads(body)
            # Fields that the message does not have, and values of other types, are errors here.
            message = json_format.ParseDict(with_bytes(sent), request())
            check_names(sent)
            # There and back in the binary form: nothing is lost.
            again = request.FromString(message.SerializeToString())
            assert again == message
            say({"path": self.path, "headers": dict(self.headers.items()), "message": sent})
            status, answer = 200, json_format.MessageToJson(response())
        except Exception as error:  # Whatever it is, the test must hear of it.
            say({"error": repr(error), "body": body.decode(errors="replace")})
            status, answer = 400, json.dumps({"message": repr(error)})
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
say({"port": server.server_address[1]})
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
