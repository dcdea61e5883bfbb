// A person in a browser, with the keyboard alone; what came of it as one line of JSON.
//
// browser.cjs approve URL READY   opens the queue before anything waits, makes the file READY, sees the hold come, reads
//                                 it, approves it
// browser.cjs replay URL SESSION  finds a session by its person and steps through it
// browser.cjs review URL REVOKED CSV JSON, propose URL WRONG GOOD, handover URL, takeback URL   see governance.cjs
// browser.cjs look URL PATH...    loads pages in both themes and two widths: accessibility, content policy, scripts in
//                                 text; SHOTS names a folder for pictures. PATH!404: its status is that
// browser.cjs signin URL          signs in at a real provider, lets a device in, signs out, goes back, is refused; looks at
//                                 each page on the way as `look` does
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
  page.on("console", (line) => {
    // Pages that say no are answered with a status that says so, which the console repeats; `look` knows it.
    const repeated = line.text().startsWith("Failed to load resource") && line.location().url === page.url();
    if (line.type() === "error" && !repeated) wrong.push(`${page.url()}: ${line.text()}`);
  });
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
  const looked = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width > 1000 ? 900 : 844 };
      const page = await person(browser, url, "rita", "approvers auditors operators authors readers leads", { colorScheme, viewport });
      for (const wanted of paths) {
        const [path, status = "200"] = wanted.split("!");
        const answer = await page.goto(url + path);
        if (answer.status() !== Number(status)) wrong.push(`${path}: status ${answer.status()}`);
        looked.push(await examine(page, path, colorScheme, width));
      }
      await page.context().close();
    }
  }
  return { looked };
}

// What a page must be, as it is shown now.
async function examine(page, name, colorScheme, width) {
  // Parts that the page fetches for itself.
  await page.waitForFunction(() => !document.querySelector(".htmx-request"), null, { timeout: 20000 });
  const at = `${name} ${colorScheme} ${width}`;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) wrong.push(`${at}: ${wide} px wider than the screen`);
  await page.evaluate(AXE);
  const found = await page.evaluate((rules) => axe.run(document, { runOnly: rules }), RULES);
  for (const one of found.violations) {
    wrong.push(`${at}: ${one.id}: ${one.nodes[0].html.slice(0, 200)}: ${one.nodes[0].failureSummary}`);
  }
  const shots = process.env.SHOTS;
  const words = name.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "").slice(0, 100);
  const file = `${words}-${colorScheme}-${width}.png`;
  if (shots) await page.screenshot({ path: `${shots}/${file}`, fullPage: width < 1000 });
  return { at, rules: found.passes.length };
}

// The provider's own pages: who is it, and may this client know it.
async function atProvider(page, login) {
  await page.locator("[name=login]").fill(login);
  await page.locator("[name=password]").fill("x");
  await page.locator("[type=submit]").click();
  const consent = page.locator("[name=prompt][value=consent]");
  const back = page.locator("main#main");
  await consent.or(back).first().waitFor({ state: "attached", timeout: 20000 });
  if (await consent.count()) await page.locator("[type=submit]").click();
  await back.waitFor();
}

async function signin(browser, url) {
  const login = "rita:approvers";
  const post = async (path, fields) =>
    (await fetch(url + path, { method: "POST", body: new URLSearchParams(fields) })).json();
  const device = () => post("/v1/oauth/device", { surface: "claude_code" });
  const came = [];
  const expect = (what, is) => (is ? came.push(what) : wrong.push(`not so: ${what}`));
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width > 1000 ? 900 : 844 };
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      const see = (name) => examine(page, name, colorScheme, width);
      page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
      page.on("console", (line) => {
        // Pages that say no are answered with a status that says so, which the console repeats.
        const ours = line.location().url.startsWith(url) && !line.text().startsWith("Failed to load resource");
        if (line.type() === "error" && ours) wrong.push(`${page.url()}: ${line.text()}`);
      });
      // The provider says no.
      await page.goto(`${url}/access`);
      await page.locator("a", { hasText: "Cancel" }).click();
      await page.locator("h1", { hasText: "said no" }).waitFor();
      await see("signin-refused");
      await page.locator("a.button").click();
      // In, to the page that one wanted.
      await atProvider(page, login);
      expect("lands on the page that one wanted", page.url() === `${url}/access`);
      const me = await page.locator(".me strong").textContent();
      expect("is who the provider says", me === "rita");
      await page.goto(`${url}/nowhere`);
      await see("not-found");
      await page.goto(`${url}/sessions`);
      await page.locator("h1", { hasText: "Not allowed" }).waitFor();
      await see("not-allowed");
      // A device, by hand.
      const asked = await device();
      await page.goto(`${url}/device`);
      await see("device-code");
      await page.keyboard.type("BBBB-BBBB");
      await page.keyboard.press("Enter");
      await page.locator("[role=alert]").waitFor();
      await see("device-wrong");
      await page.locator("[name=user_code]").fill(asked.user_code.toLowerCase());
      await page.keyboard.press("Enter");
      await page.locator(".usercode").waitFor();
      await see("device");
      await page.locator("button[value=allow]").click();
      await page.locator("h1", { hasText: "The device is in" }).waitFor();
      await see("device-in");
      const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
      const given = await post("/v1/oauth/token", { grant_type, device_code: asked.device_code });
      expect("the device has its token", typeof given.access_token === "string");
      // A form that comes after the visit has ended does nothing, and leads back to itself.
      const late = await device();
      await page.goto(late.verification_uri_complete);
      await context.clearCookies({ name: /^(__Host-)?sluice$/ });
      await page.locator("button[value=deny]").click();
      await page.locator("h1", { hasText: "Sign in first" }).waitFor();
      await see("signed-out-meanwhile");
      await page.locator("a.button").click();
      await page.locator(".usercode").waitFor();
      await page.locator("button[value=deny]").click();
      await page.locator("h1", { hasText: "was refused" }).waitFor();
      await see("device-refused");
      // Out. What was seen is not to be had by going back, though the provider still knows the browser.
      await page.goto(`${url}/access`);
      await page.locator("button", { hasText: "Sign out" }).click();
      await page.locator("h1", { hasText: "You are signed out" }).waitFor();
      await see("signed-out");
      await page.goBack();
      await page.locator("h1", { hasText: "You are signed out" }).waitFor();
      expect("going back shows nothing", !(await page.content()).includes("rita"));
      await page.locator("a.button").click();
      await page.locator("[name=login]").waitFor();
      await atProvider(page, login);
      expect("signs in anew, to the same page", page.url() === `${url}/access`);
      await context.close();
    }
  }
  return { came };
}

async function main() {
  const [what, url, ...rest] = process.argv.slice(2);
  if (process.env.SHOTS) fs.mkdirSync(process.env.SHOTS, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    // The tests load this service's own pages alone, often as root, where Chromium has no sandbox.
    args: ["--no-sandbox"],
  });
  let out = {};
  try {
    if (what === "approve") out = await approve(browser, url, rest[0]);
    else if (what === "replay") out = await replay(browser, url, rest[0]);
    else if (what === "signin") out = await signin(browser, url);
    else if (Object.hasOwn(governance, what)) {
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
