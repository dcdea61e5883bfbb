"""One request by the Python SDK, of whichever generation this runs on; what came of it as JSON.

sdk.py PROMPT [--stream] [--tool NAME]
Address and token come from the environment, as the SDK itself reads them.
"""

import argparse
import json

import anthropic

parser = argparse.ArgumentParser()
parser.add_argument("prompt")
parser.add_argument("--stream", action="store_true")
parser.add_argument("--tool")
arguments = parser.parse_args()

request = {
    "model": "claude-stand-in",
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": arguments.prompt}],
}
if arguments.tool:
    schema = {"type": "object", "properties": {}}
    request["tools"] = [{"name": arguments.tool, "description": "a tool", "input_schema": schema}]

client = anthropic.Anthropic()
try:
    if arguments.stream:
        with client.messages.stream(**request) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**request)
except anthropic.APIStatusError as error:
    print(json.dumps({"error": type(error).__name__, "status": error.status_code, "message": str(error)}))
else:
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [{"name": b.name, "input": b.input} for b in message.content if b.type == "tool_use"]
    print(json.dumps({"text": text, "calls": calls, "stop_reason": message.stop_reason}))
