"""A session of the MCP SDK's own client; what came of it as JSON.

mcp_client.py URL MODE [STEP...]
MODE: legacy (a session that `initialize` opens) or auto (the newest revision that both speak). The token is
MCP_TOKEN. Steps: `list`, `read URI`, `call TOOL {JSON}`, `asked` (what the server asked the user, who declines).
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult


ASKED = []


async def ask_user(_context, params):
    ASKED.append(params.message)
    return ElicitResult(action="decline")


async def step(client, words):
    if words == "asked":
        return ASKED
    verb, _, rest = words.partition(" ")
    if verb == "list":
        return [tool.name for tool in (await client.list_tools()).tools]
    if verb == "read":
        return [content.text for content in (await client.read_resource(rest)).contents]
    tool, _, arguments = rest.partition(" ")
    result = await client.call_tool(tool, json.loads(arguments or "{}"))
    return {"text": "".join(c.text for c in result.content if c.type == "text"), "is_error": bool(result.is_error)}


async def main(url, mode, steps):
    out = []
    headers = {"authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
    timeout = httpx2.Timeout(30, read=300)
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=timeout) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode, elicitation_callback=ask_user) as client:
                for words in steps:
                    try:
                        out.append(await asyncio.wait_for(step(client, words), 100))
                    except Exception as error:
                        out.append({"error": f"{type(error).__name__}: {error}"})
    except BaseException as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        out.append({"error": f"{type(error).__name__}: {error}"})
    return out


print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))))
