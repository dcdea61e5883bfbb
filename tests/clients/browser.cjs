// A person in a browser, with the keyboard alone; what came of it as one line of JSON.
//
// browser.cjs approve URL READY   opens the queue before anything waits, makes the file READY, sees the hold come, reads
//                                 it, approves it
// browser.cjs replay URL SESSION  finds a session by its person and steps through it
// browser.cjs review URL REVOKED CSV JSON, browser.cjs propose URL WRONG GOOD   see governance.cjs
// browser.cjs look URL PATH...    loads pages in both themes and two widths: accessibility, content policy, scripts in
//                                 text; SHOTS names a folder for pictures
//
// Chromium is the system's, or what CHROMIUM names.

const fs = require("node:fs");
const { chromium } = require("playwright-core");
const governance = require("./governance.cjs");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const wrong = [];

async function person(browser, url, subject, groups, options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
  page.on("dialog", (dialog) => wrong.push(`${page.url()}: a script in a text ran: ${dialog.message()}`));
  // The content policy reports what it refuses as an error of the console.
  page.on("console", (line) => line.type() === "error" && wrong.push(`${page.url()}: ${line.text()}`));
  await page.goto(`${url}/signin?to=/holds`);
  await page.keyboard.type(subject);
  await page.keyboard.press("Tab");
  await page.keyboard.type(groups);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${url}/holds`);
  return page;
}

async function approve(browser, url, ready) {
  const page = await person(browser, url, "rita", "approvers auditors");
  const other = await person(browser, url, "omar", "approvers");
  fs.writeFileSync(ready, "");
  // The queue was empty; the hold comes by itself.
  await page.locator(".queue li").first().waitFor({ timeout: 60000 });
  await other.locator(".queue li").first().waitFor({ timeout: 10000 });
  await other.keyboard.press("j");
  await other.waitForURL(/\/holds\/\w+/);
  await page.keyboard.press("j");
  await page.waitForURL(/\/holds\/\w+/);
  const headline = await page.locator("#headline").innerText();
  const command = await page.locator(".command pre").first().innerText();
  const who = await page.locator(".facts dd").first().innerText();
  // The first press goes to what is missing, the second decides.
  await page.keyboard.press("a");
  const missing = await page.evaluate(() => document.activeElement.getAttribute("name"));
  await page.keyboard.type("read in the page");
  await page.keyboard.press("Escape");
  if (await page.locator("[name=sure]").count()) {
    await page.keyboard.press("a");
    await page.keyboard.press("Space");
  }
  await page.keyboard.press("a");
  await page.locator(".notice .chip.allow").waitFor({ timeout: 10000 });
  const decided = await page.locator("#state").innerText();
  // And in the page that somebody else has open.
  const from = Date.now();
  await other.locator("#state .chip.allow").waitFor({ timeout: 10000 });
  return { headline, command, who, missing, decided, seenByOtherMs: Date.now() - from };
}

async function replay(browser, url, session) {
  const page = await person(browser, url, "aida", "auditors");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.waitForURL(`${url}/sessions`);
  await page.goto(`${url}/sessions/${encodeURIComponent(session)}`);
  const steps = await page.locator(".timeline > li").count();
  const text = await page.locator(".timeline").innerText();
  await page.keyboard.press("b");
  const back = await page.locator("output").innerText();
  const hidden = await page.locator(".timeline > li.later").count();
  const link = page.url();
  await page.locator("select").selectOption("64");
  await page.locator("select").blur();
  await page.keyboard.press("b");
  await page.keyboard.press("b");
  await page.keyboard.press("p");
  await page.waitForFunction(() => !document.querySelector(".timeline > li.later"), null, { timeout: 20000 });
  await page.goto(link);
  const moment = await page.locator(".timeline > li.now").count();
  return { steps, text, back, hidden, link, moment };
}

async function look(browser, url, paths) {
  const shots = process.env.SHOTS;
  if (shots) fs.mkdirSync(shots, { recursive: true });
  const looked = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width > 1000 ? 900 : 844 };
      const page = await person(browser, url, "rita", "approvers auditors operators authors readers leads", { colorScheme, viewport });
      for (const path of paths) {
        const at = `${path} ${colorScheme} ${width}`;
        const answer = await page.goto(url + path);
        if (answer.status() !== 200) wrong.push(`${at}: status ${answer.status()}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) wrong.push(`${at}: ${wide} px wider than the screen`);
        await page.evaluate(AXE);
        const found = await page.evaluate((rules) => axe.run(document, { runOnly: rules }), RULES);
        for (const one of found.violations) {
          wrong.push(`${at}: ${one.id}: ${one.nodes[0].html.slice(0, 200)}: ${one.nodes[0].failureSummary}`);
        }
        looked.push({ at, rules: found.passes.length });
        const words = path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "").slice(0, 100);
        const name = `${words}-${colorScheme}-${width}.png`;
        if (shots) await page.screenshot({ path: `${shots}/${name}`, fullPage: width < 1000 });
      }
      await page.context().close();
    }
  }
  return { looked };
}

async function main() {
  const [what, url, ...rest] = process.argv.slice(2);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    // The tests load this service's own pages alone, often as root, where Chromium has no sandbox.
    args: ["--no-sandbox"],
  });
  let out = {};
  try {
    if (what === "approve") out = await approve(browser, url, rest[0]);
    else if (what === "replay") out = await replay(browser, url, rest[0]);
    else if (what === "review" || what === "propose") {
      const by = (subject, groups) => person(browser, url, subject, groups);
      const [revoked, csv, json] = rest;
      const texts = what === "propose" ? rest.map((file) => fs.readFileSync(file, "utf8")) : [];
      const forgive = (text) => wrong.splice(0, wrong.length, ...wrong.filter((line) => !line.includes(text)));
      out = await governance[what]({ person: by, forgive, url, revoked, csv, json, texts });
    } else out = await look(browser, url, rest);
  } catch (error) {
    wrong.push(String(error));
  }
  await browser.close();
  console.log(JSON.stringify({ ...out, wrong }));
}

main();
