"""One run of Claude Code with an MCP server over HTTP, driven by the Claude Agent SDK; what came of it as JSON.

mcp_agent.py URL PROMPT
The server is `notes`; its token is MCP_TOKEN. Address and token of the model come from the environment.
"""

import asyncio
import json
import os
import sys

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ResultMessage,
    SystemMessage,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    query,
)


async def main(url, prompt):
    out = {"calls": [], "results": []}
    headers = {"authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
    options = ClaudeAgentOptions(
        allowed_tools=["mcp__notes"],
        mcp_servers={"notes": {"type": "http", "url": url, "headers": headers}},
        max_turns=4,
        setting_sources=[],
    )
    async for message in query(prompt=prompt, options=options):
        if isinstance(message, SystemMessage) and message.subtype == "init":
            out["servers"] = message.data.get("mcp_servers")
            out["tools"] = [tool for tool in message.data.get("tools", []) if tool.startswith("mcp__")]
        blocks = message.content if isinstance(message, (AssistantMessage, UserMessage)) else []
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, ToolUseBlock):
                out["calls"].append({"name": block.name, "input": block.input})
            elif isinstance(block, ToolResultBlock):
                out["results"].append({"text": str(block.content), "is_error": bool(block.is_error)})
        if isinstance(message, ResultMessage):
            out["result"] = message.result
    return out


print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))))
