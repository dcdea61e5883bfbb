// Pictures of every page, in both themes and two widths, on a service of its own with something in it: `make shots`.
//
// shots.cjs SLUICE FOLDER   starts the program SLUICE with --dev, fills it as sidecars and people do, and has browser.cjs
//                           take the pictures into FOLDER

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { spawn, spawnSync } = require("node:child_process");

const POLICY = `
issuers:
- { name: own, issuer: "http://127.0.0.1:1", audiences: [sluice], keys: control }
roles:
- { name: reader, scopes: [messages.create], models: ["claude-haiku-*"], tools: { deny: [Bash] } }
- { name: writer, scopes: ["messages.*"], models: ["*"], maxTokens: 32000 }
bindings:
- { name: readers, groups: [readers], roles: [reader] }
- { name: writers, groups: [writers], roles: [writer] }
rules:
- name: no-destruction
  when: { effects: [destroy] }
  action: deny
  message: Nothing is removed for good through an agent.
- name: writes-need-a-second-person
  when: { effects: [write] }
  action: hold
  message: Writes need a second person.
  approval: { groups: [approvers], reason: true, grantFor: 4h }
grants:
- { name: writing, roles: [writer], groups: [readers], longest: 4h, approval: { groups: [approvers] } }
reviews:
- { name: quarterly, deadline: 14d, reviewers: [leads] }
- { name: yearly, deadline: 30d, reviewers: [leads], scope: { roles: [writer] } }
access: { auditors: [auditors], operators: [operators], authors: [authors] }
`;

/** The same, and nothing is written at all. */
const STRICTER = POLICY.replace("effects: [write] }\n  action: hold", "effects: [write] }\n  action: deny").replace(
  "\n  approval: { groups: [approvers], reason: true, grantFor: 4h }",
  "",
);

const EVERYBODY = "approvers auditors operators authors readers";

async function call(url, method, route, body, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(url + route, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

function body(value) {
  return { pieces: [{ text: JSON.stringify(value) }] };
}

/** A session of a few exchanges, as a sidecar records it. */
async function session(url, { id, subject, groups, turns, hours }) {
  const messages = [];
  const records = [];
  const from = Date.now() - hours * 3600000;
  turns.forEach((turn, n) => {
    messages.push({ role: "user", content: turn.said });
    const content = [{ type: "text", text: turn.answered }];
    if (turn.command) {
      content.push({ type: "tool_use", id: `toolu_${n}`, name: "Bash", input: { command: turn.command } });
    }
    const all = {
      exchange: `${Buffer.from(id).toString("hex").slice(0, 24)}${String(n).padStart(8, "0")}`,
      node: "sidecar~10.2.0.14~orders-7c9f", session: id, route: "messages.create", model: "claude-sonnet-4-5",
      policyVersion: "9f3c2ab81d", stream: true, principal: { issuer: "own", subject, groups }, roles: ["writer"],
    };
    const at = from + n * 40000;
    const request = { model: all.model, max_tokens: 4096, system: "You are a careful engineer.", messages: [...messages] };
    records.push({ ...all, stage: "open", atMs: at, body: body(request), findings: turn.findings || {} });
    records.push({
      ...all, stage: "close", atMs: at + 6400, durationMs: 6400, status: 200, decisions: turn.decisions || [],
      body: body({ role: "assistant", content, stop_reason: turn.command ? "tool_use" : "end_turn" }),
      calls: turn.command ? { Bash: 1 } : {}, stopReason: turn.command ? "tool_use" : "end_turn",
      usage: { inputTokens: 400, outputTokens: 150, cacheReadInputTokens: 1200, cacheCreationInputTokens: 90, costMicroUsd: 7100 },
    });
    messages.push({ role: "assistant", content });
  });
  await call(url, "POST", "/v1/records", { id: `batch-${id}`, records, blocks: [] });
}

/** Something that waits for a person. */
async function hold(url, key, more) {
  const ask = {
    key, thread: `thread of ${key}`, exchange: `of-${key}`, rule: "writes-need-a-second-person",
    message: "Writes need a second person.", who: { issuer: "own", subject: "ana@example.com", groups: ["writers"] },
    actor: "agent-7", node: "sidecar~10.2.0.14~orders-7c9f", session: "orders", part: "toolCall", tool: "Bash", model: "claude-sonnet-4-5",
    preview: JSON.stringify({ command: "psql -c \"UPDATE orders SET paid = true WHERE customer = '<email:k3v9q2>'\"" }),
    effects: ["write: UPDATE orders"], approvers: ["approvers"], reason: true, expiresSeconds: 1800,
    policyVersion: "9f3c2ab81d", ...more,
  };
  const said = await call(url, "POST", "/v1/exchanges", { hold: ask });
  return said.hold.id;
}

async function fill(url, token) {
  const writers = ["writers", "data"];
  await session(url, {
    id: "orders", subject: "ana@example.com", groups: writers, hours: 1,
    turns: [
      { said: "Two customers say their invoices are wrong: <email:k3v9q2> and <email:p0d8aa>. Find out what happened.",
        answered: "I'll look at the two customers' orders first.", command: "psql -c 'SELECT id, total, paid FROM orders'",
        findings: { email: 2 } },
      { said: "Then mark them as paid.", answered: "That changes rows, so somebody else will be asked.",
        command: "psql -c 'UPDATE orders SET paid = true WHERE id IN (7, 9)'",
        decisions: [{ rule: "writes-need-a-second-person", action: "hold", part: "toolCall", tool: "Bash", effects: ["write"] }] },
      { said: "Thanks. What else is open?", answered: "Three invoices of last week. Nothing else stands out." },
    ],
  });
  for (let n = 0; n < 8; n += 1) {
    await session(url, {
      id: `run-${n}`, subject: `dev${n}@example.com`, groups: n % 2 ? ["readers"] : writers, hours: 3 + 20 * n,
      turns: [
        { said: `Summarise the change in pull request ${100 + n}.`, answered: "It renames a field, and adds a test.", command: "git log --oneline -5" },
        { said: "Clean up the build folder.", answered: "I would remove it.", command: n % 3 ? "touch build/.clean" : null,
          decisions: n % 3 ? [] : [{ rule: "no-destruction", action: "deny", part: "toolCall", tool: "Bash", effects: ["destroy"] }] },
      ],
    });
  }
  const ids = {};
  ids.plain = await hold(url, "plain", {});
  ids.quorum = await hold(url, "quorum", { quorum: 2, effects: ["destroy: DELETE FROM orders"],
    preview: JSON.stringify({ command: "psql -c 'DELETE FROM orders'" }) });
  ids.time = await hold(url, "time", { grantSeconds: 14400, reason: false });
  const notes = { grantSeconds: 14400, tool: "Write", effects: [], preview: JSON.stringify({ file_path: "notes.md", content: "what we found" }) };
  ids.given = await hold(url, "given", notes);
  const job = { issuer: "own", subject: "system:serviceaccount:payments-reconciliation:nightly-settlement", groups: ["writers"] };
  const settled = await hold(url, "settled", { grantSeconds: 14400, who: job });
  const [omar, rita] = [token("omar@example.com", "approvers"), token("rita", EVERYBODY)];
  await call(url, "POST", `/v1/holds/${ids.quorum}/decision`, { approve: true, reason: "the table is a copy" }, omar);
  await call(url, "POST", `/v1/holds/${ids.quorum}/comments`, { text: "The copy was made at noon. Is the backup of last night good?" }, omar);
  await call(url, "POST", `/v1/holds/${ids.quorum}/comments`, { text: "It is: restored it on the test machine." }, token("lena@example.com", "approvers"));
  await call(url, "POST", `/v1/holds/${ids.given}/decision`, { approve: true, reason: "notes alone", pass: { seconds: 3600 } }, rita);
  ids.through = await hold(url, "through", notes);
  await hold(url, "through-again", notes);
  const { pass } = await call(url, "POST", `/v1/holds/${settled}/decision`,
    { approve: true, reason: "the settlement of this night, and no other", pass: { seconds: 14400, anything: true } }, omar);
  await call(url, "POST", `/v1/passes/${pass}/revoke`, { reason: "the settlement is through" }, omar);
  await call(url, "POST", "/v1/delegations", { subject: "omar@example.com", groups: ["approvers"], seconds: 86400, reason: "away until Monday" }, rita);
  await call(url, "POST", "/v1/delegations", { subject: "rita", groups: ["approvers"], seconds: 7200, reason: "in a workshop" }, omar);
  const ended = await call(url, "POST", "/v1/delegations", { subject: job.subject, groups: ["approvers"], seconds: 3600, reason: "a try" }, rita);
  await call(url, "POST", `/v1/delegations/${ended.id}/end`, { reason: "a job decides nothing" }, rita);
  await call(url, "POST", "/v1/grants", { name: "writing", reason: "the migration tonight" }, token("ben@example.com", "readers"));
  const sidecars = [
    ["sidecar~10.2.0.14~orders-7c9f", ""],
    ["sidecar~10.2.0.15~billing-1a2b", `&queued=42&troubled=${Date.now() - 240000}&trouble=control%20answered%20503%20to%20a%20batch%20of%20records`],
  ];
  for (const [node, more] of sidecars) {
    await call(url, "GET", `/v1/bundle?node=${encodeURIComponent(node)}&filter=0.1.0${more}`);
  }
  // What was seen of sidecars is written down now and then.
  await new Promise((done) => setTimeout(done, 6500));
  return ids;
}

/** Somebody with the database and without the key: an exchange is altered, and the end of another one is taken out. */
function tamper(database) {
  const which = (number, stage) => `session = 'altered' AND entry LIKE '%${number}"%"${stage}"%'`;
  const statements = [
    `UPDATE entries SET entry = replace(entry, 'mia@', 'eve@') WHERE ${which("00000001", "open")}`,
    `DELETE FROM entries WHERE ${which("00000002", "open")}`,
  ];
  const program = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db:\n  [db.execute(one) for one in sys.argv[2:]]";
  const done = spawnSync("python3", ["-c", program, database, ...statements], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
}

async function main() {
  const [sluice, folder] = process.argv.slice(2);
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-shots-"));
  fs.mkdirSync(`${state}/policy`);
  fs.writeFileSync(`${state}/policy/policy.yaml`, POLICY);
  const args = ["--state", `${state}/var`];
  const service = spawn(sluice, ["serve", "--dev", "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:1",
    "--policy", `${state}/policy`, "--policy-from-store", "--peer-rate", "0", "--person-rate", "0", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const token = (subject, groups) => {
    const of = groups.split(" ").flatMap((group) => ["--group", group]);
    const made = spawnSync(sluice, ["token", "mint", "--subject", subject, ...of, ...args], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(made.stderr);
    return made.stdout.trim();
  };
  try {
    const url = await new Promise((done, failed) => {
      let log = "";
      service.stderr.on("data", (data) => {
        log += data;
        const found = log.match(/ address=(127\.0\.0\.1:\d+)/);
        if (found) done(`http://${found[1]}`);
      });
      service.on("exit", () => failed(new Error(log)));
    });
    const ids = await fill(url, token);
    // Nothing of another session is written behind it.
    await session(url, {
      id: "altered", subject: "mia@example.com", groups: ["writers"], hours: 190,
      turns: [1, 2, 3].map((n) => ({ said: `Pay invoice ${n}.`, answered: "It is on its way." })),
    });
    tamper(`${state}/var/sluice.db`);
    const wanted = { documents: { "policy.yaml": STRICTER }, reason: "nothing is written without a change request" };
    const proposal = await call(url, "POST", "/v1/policy/proposals", wanted, token("ana", "authors"));
    const review = await call(url, "POST", "/v1/reviews", { name: "quarterly" }, token("omar", "operators"));
    const pages = ["/holds", ...Object.values(ids).map((id) => `/holds/${id}`), "/holds/unknown!404", "/sessions",
      "/sessions?text=invoices", "/sessions?text=%22nobody+said+this%22", "/sessions?since=yesterday!400", "/sessions/orders",
      "/sessions/orders/chain", "/sessions/altered", "/sessions/altered/chain",
      "/sessions/orders/compare", `/sessions/orders/compare?with=proposal%3A${proposal.id}`,
      "/sessions/orders/compare?with=current", "/overview", "/access", "/access/passes", "/access/delegations", "/access/identities", "/access/identities?search=nobody",
      "/access/identity?subject=ana@example.com", "/access/reviews", `/access/reviews/${review.id}`, "/policy", "/policy/trial",
      "/policy/proposals", `/policy/proposals/${proposal.id}`, "/policy/proposals/new", "/fleet", "/nowhere!404"];
    const env = { ...process.env, SHOTS: folder };
    const took = spawnSync("node", [path.join(__dirname, "browser.cjs"), "look", url, ...pages], { env, encoding: "utf8" });
    const { wrong } = JSON.parse(took.stdout.trim().split("\n").pop());
    wrong.forEach((line) => console.error(line));
    console.log(`${fs.readdirSync(folder).length} pictures in ${folder}`);
    process.exitCode = wrong.length ? 1 : 0;
  } finally {
    service.kill();
    fs.rmSync(state, { recursive: true, force: true });
  }
}

main();
