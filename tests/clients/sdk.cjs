// One request by the TypeScript SDK; what came of it as JSON.
//
// sdk.cjs PROMPT [--stream] [--tool NAME]
// Address and token come from the environment, as the SDK itself reads them.

const { Anthropic } = require("@anthropic-ai/sdk");

async function main([prompt, ...options]) {
  const request = {
    model: "claude-stand-in",
    max_tokens: 1024,
    messages: [{ role: "user", content: prompt }],
  };
  const tool = options.indexOf("--tool");
  if (tool >= 0) {
    const schema = { type: "object", properties: {} };
    request.tools = [{ name: options[tool + 1], description: "a tool", input_schema: schema }];
  }
  const client = new Anthropic();
  try {
    const message = options.includes("--stream")
      ? await client.messages.stream(request).finalMessage()
      : await client.messages.create(request);
    const text = message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
    const calls = message.content
      .filter((b) => b.type === "tool_use")
      .map((b) => ({ name: b.name, input: b.input }));
    return { text, calls, stop_reason: message.stop_reason };
  } catch (error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    return { error: error.constructor.name, status: error.status, message: error.message };
  }
}

main(process.argv.slice(2)).then((result) => console.log(JSON.stringify(result)));
