// Reviews of access, proposals of policy, and rights to decide in other hands, in a browser: what browser.cjs runs as
// `review`, `propose`, `handover` and `takeback`.

// Where the keys lead, from one thing that can be focused to the next.
async function tabTo(page, selector) {
  for (let n = 0; n < 200; n += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`${page.url()}: the Tab key does not lead to ${selector}`);
}

// Goes down the rows to the one with this person.
async function rowOf(page, subject) {
  const rows = await page.locator("[data-rows] > tr").count();
  for (let n = 0; n <= rows; n += 1) {
    await page.keyboard.press("j");
    const row = page.locator("[data-rows] > tr.at");
    if ((await row.count()) && (await row.locator("th").innerText()).includes(subject)) return;
  }
  throw new Error(`the keys do not lead to the row of ${subject}`);
}

// A review from its start to its end, with keys alone: started by an operator; all certified at once but for one that is
// revoked; her own left for another reviewer; closed; its evidence saved. `revoked`: whose role goes.
async function review({ person, url, revoked, csv, json }) {
  const operator = await person("opa", "operators");
  await operator.keyboard.press("g");
  await operator.keyboard.press("a");
  await operator.waitForURL(`${url}/access`);
  await tabTo(operator, "[href='/access/reviews']");
  await operator.keyboard.press("Enter");
  await operator.waitForURL(`${url}/access/reviews`);
  await tabTo(operator, "[aria-label='Start now: quarterly']");
  await operator.keyboard.press("Enter");
  await operator.waitForURL(/\/access\/reviews\/\w+$/);
  const place = operator.url();

  const page = await person("lea", "leads");
  await page.goto(`${url}/access/reviews`);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(place);
  const own = await page.locator("tr.yours").innerText();
  const items = await page.locator("[data-rows] > tr").count();

  // One is revoked: asked for a second time, with a reason.
  await rowOf(page, revoked);
  await page.keyboard.press("r");
  await page.locator("[name=sure]").waitFor();
  await page.keyboard.type("has left the team");
  await tabTo(page, "[name=sure]");
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await page.locator(".notice.allow").waitFor();
  const first = await page.locator(".notice.allow").innerText();

  // The rest at once: the first press goes to what is missing.
  await page.keyboard.press("a");
  const selected = await page.locator("[data-picked]").innerText();
  await page.keyboard.press("c");
  const missing = await page.evaluate(() => document.activeElement.getAttribute("name"));
  await page.keyboard.type("needed for their work");
  await page.keyboard.press("Enter");
  await page.locator(".notice.allow", { hasText: "certified" }).waitFor();
  const second = await page.locator(".notice.allow").innerText();
  const stayed = page.url() === place;

  // Her own is another's to decide.
  const other = await person("mia", "leads");
  await other.goto(place);
  await other.keyboard.press("j");
  await other.keyboard.press("x");
  await other.keyboard.press("c");
  await other.keyboard.type("needed");
  await other.keyboard.press("Enter");
  await other.locator(".progress strong", { hasText: "100 %" }).waitFor();

  await operator.reload();
  await tabTo(operator, "form[action$='/close'] button");
  await operator.keyboard.press("Enter");
  await operator.locator(".progress .chip", { hasText: "over" }).waitFor();
  for (const [format, file] of [["csv", csv], ["json", json]]) {
    const coming = operator.waitForEvent("download");
    await tabTo(operator, `.head a[download$='.${format}']`);
    await operator.keyboard.press("Enter");
    await (await coming).saveAs(file);
  }
  return { place, own, items, first, selected, missing, second, stayed };
}

// A change of policy: refused with its line while it is wrong, proposed, and accepted by a second author with keys alone.
async function propose({ person, forgive, url, texts: [wrong, good] }) {
  const ana = await person("ana", "authors");
  await ana.goto(`${url}/policy/proposals/new`);
  const reason = "A name that stays here, and longer answers.";
  const send = async (text) => {
    await ana.locator("[name=reason]").fill(reason);
    await ana.locator("[name=text-0]").fill(text);
    await ana.locator(".bar .primary").click();
  };
  // What is refused comes with a status that browsers write to their console, too.
  await send(wrong);
  await ana.locator(".wrong").waitFor();
  forgive("the server responded with a status of 422");
  const refused = await ana.locator(".wrong").innerText();
  const kept = await ana.locator("[name=reason]").inputValue();
  await send(good);
  await ana.waitForURL(/\/policy\/proposals\/(?!new)\w+$/);
  const place = ana.url();
  const own = await ana.locator("main").innerText();

  const bea = await person("bea", "authors");
  await bea.goto(`${url}/policy/proposals`);
  await bea.keyboard.press("j");
  await bea.keyboard.press("Enter");
  await bea.waitForURL(place);
  const changes = await bea.locator("[aria-labelledby=changes]").innerText();
  await tabTo(bea, "summary");
  await bea.keyboard.press("Enter");
  const lines = await bea.locator(".lines").first().innerText();
  await bea.keyboard.press("a");
  await bea.keyboard.type("read all of it");
  await bea.keyboard.press("Escape");
  await bea.keyboard.press("a");
  const missing = await bea.evaluate(() => document.activeElement.getAttribute("name"));
  await bea.keyboard.press("Space");
  await bea.keyboard.press("a");
  await bea.locator(".decided .chip.allow").waitFor();
  return { place, refused, kept, own, changes, lines, missing, decided: await bea.locator(".decided").innerText() };
}

// To a page of Access.
async function toAccess(page, url, path) {
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.waitForURL(`${url}/access`);
  await tabTo(page, `.tabs [href='${path}']`);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${url}${path}`);
}

const live = (page) => page.locator("[aria-labelledby=live]").innerText();

// With keys alone: one who is away hands the right to decide over, and whoever has it approves what waits, for a time.
async function handover({ person, url }) {
  const ben = await person("ben", "approvers");
  await toAccess(ben, url, "/access/delegations");
  for (const [field, text] of [["subject", "eve"], ["for", "8h"], ["reason", "away until Monday"]]) {
    await tabTo(ben, `[name=${field}]`);
    await ben.keyboard.type(text);
  }
  await ben.keyboard.press("Enter");
  await ben.locator(".rows", { hasText: "away until Monday" }).waitFor();

  const eve = await person("eve", "staff");
  await tabTo(eve, "[name=reason]");
  await eve.keyboard.type("while he is away");
  await tabTo(eve, "[name=span]");
  await eve.keyboard.press("ArrowDown");
  await eve.keyboard.press("Escape");
  await eve.keyboard.press("a");
  await eve.locator("#state .chip.allow").waitFor();
  const state = await eve.locator("#state").innerText();
  await tabTo(eve, "#state [href^='/access/passes/']");
  await eve.keyboard.press("Enter");
  await eve.waitForURL(/\/access\/passes\/\w+$/);
  return { given: await live(ben), state, pass: await live(eve) };
}

// And both are taken back.
async function takeback({ person, url }) {
  const eve = await person("eve", "staff");
  await toAccess(eve, url, "/access/passes");
  const used = await live(eve);
  await tabTo(eve, "[action$='/revoke'] [name=reason]");
  await eve.keyboard.type("done");
  await eve.keyboard.press("Enter");
  await eve.locator(".chip.deny").waitFor();
  const pass = await eve.locator("[aria-labelledby=over]").innerText();

  const ben = await person("ben", "approvers");
  await toAccess(ben, url, "/access/delegations");
  await tabTo(ben, "[action$='/end'] [name=reason]");
  await ben.keyboard.type("back again");
  await tabTo(ben, "[action$='/end'] button");
  await ben.keyboard.press("Enter");
  await ben.locator(".chip.deny").waitFor();
  return { used, pass, ended: await ben.locator("[aria-labelledby=over]").innerText() };
}

module.exports = { review, propose, handover, takeback };
