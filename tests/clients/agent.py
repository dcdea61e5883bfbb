"""One run of Claude Code, driven by the Claude Agent SDK; what came of it as JSON.

agent.py PROMPT
Address and token come from the environment. Bash may run without asking; the working directory is the current one.
"""

import asyncio
import json
import sys

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKError,
    ResultMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    query,
)


async def main(prompt):
    out = {"texts": [], "calls": [], "results": []}
    options = ClaudeAgentOptions(allowed_tools=["Bash"], max_turns=4, setting_sources=[])
    try:
        await follow(prompt, options, out)
    except ClaudeSDKError as error:
        out["error"] = str(error)
    return out


async def follow(prompt, options, out):
    async for message in query(prompt=prompt, options=options):
        blocks = message.content if isinstance(message, (AssistantMessage, UserMessage)) else []
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, TextBlock):
                out["texts"].append(block.text)
            elif isinstance(block, ToolUseBlock):
                out["calls"].append({"name": block.name, "input": block.input})
            elif isinstance(block, ToolResultBlock):
                out["results"].append(str(block.content))
        if isinstance(message, ResultMessage):
            out["result"] = message.result
            out["is_error"] = message.is_error


print(json.dumps(asyncio.run(main(sys.argv[1]))))
