// Keys, times, rows to select, and the player of sessions. Everything here is an addition: the pages work without it.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Times: "3m ago" goes on counting.
  const span = (ms) => {
    const s = Math.floor(ms / 1000);
    if (s < 60) return `${s}s`;
    if (s < 5400) return `${Math.floor(s / 60)}m`;
    if (s < 172800) return `${Math.floor(s / 3600)}h`;
    return `${Math.floor(s / 86400)}d`;
  };
  const times = () => {
    const now = Date.now();
    for (const time of all("time[data-ms]")) {
      const ms = Number(time.dataset.ms);
      time.textContent = ms > now ? `in ${span(ms - now)}` : `${span(now - ms)} ago`;
    }
  };
  setInterval(times, 5000);

  // Rows to select: which one the keys are at, and how many are selected.
  let at = 0;
  const boxes = () => all("[data-rows] input[type=checkbox]");
  const counted = () => {
    const count = boxes().filter((box) => box.checked).length;
    for (const place of all("[data-picked]")) place.textContent = count ? String(count) : "";
  };
  const goTo = (index) => {
    const rows = boxes();
    if (!rows.length) return;
    at = Math.min(rows.length - 1, Math.max(0, index));
    rows[at].focus();
    rows[at].closest("tr").scrollIntoView({ block: "nearest" });
  };
  // Keys that decide mean what is selected, or else the row that they are at.
  const picked = (form) => {
    const rows = all("[data-rows] input[type=checkbox]", form);
    if (!rows.length || rows.some((box) => box.checked)) return true;
    const here = one("[data-rows] .at input[type=checkbox]", form);
    if (here) here.checked = true;
    else goTo(0);
    counted();
    return Boolean(here);
  };
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-rows] > tr");
    if (!row) return;
    for (const other of all("[data-rows] > .at")) other.classList.remove("at");
    row.classList.add("at");
    at = Math.max(0, boxes().indexOf(one("input[type=checkbox]", row)));
  });
  document.addEventListener("change", (event) => event.target.closest?.("[data-rows]") && counted());
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-all]") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const rows = boxes();
    const some = rows.some((box) => !box.checked);
    for (const box of rows) box.checked = some;
    counted();
  });
  // What was refused comes as the same part of a page, with the reason; anything else as a page of its own.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (target.id !== "review" || xhr.status < 400) return;
    if (xhr.responseText.includes('id="review"')) event.detail.shouldSwap = true;
    else {
      event.detail.shouldSwap = false;
      one("main").replaceWith(one("main", new DOMParser().parseFromString(xhr.responseText, "text/html")));
    }
  });

  // A form goes when nothing is missing; else to what is missing.
  const press = (button) => {
    if (!button.form || picked(button.form)) button.click();
  };
  // What is needed for an approval alone must not stand in the way of a denial.
  const needs = (form, approve) => {
    for (const box of all("[data-for-approval]", form)) box.required = approve;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=verdict]");
    if (button?.form) needs(button.form, button.value === "approve");
  });

  // Keys.
  const step = (by) => {
    const list = one("[data-list]");
    if (!list) return;
    const links = all("a", list).filter((link) => link.closest("[data-list]") === list && !link.dataset.aside);
    if (!links.length) return;
    const focused = links.indexOf(document.activeElement);
    const current = focused >= 0 ? focused : links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = links[Math.min(links.length - 1, Math.max(0, current + by))];
    if (!next) return;
    // A queue shows what is chosen beside it.
    if (list.closest(".queue") && !next.hasAttribute("aria-current")) location.assign(next.href);
    else next.focus();
  };
  const places = { h: "/holds", s: "/sessions", o: "/overview", a: "/access", p: "/policy", f: "/fleet" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape" && writing) return writing.blur();
    if (one("dialog[open]") || (writing && !["checkbox", "range"].includes(writing.type))) return;
    if (Date.now() - going < 1200 && places[event.key]) {
      const link = one(`.side nav a[href="${places[event.key]}"]`);
      if (link) location.assign(link.href);
      going = 0;
      event.preventDefault();
      return;
    }
    const own = one(`[data-key="${CSS.escape(event.key)}"]`);
    if (own) {
      if (own.form && own.name === "verdict") needs(own.form, own.value === "approve");
      press(own);
    } else if (boxes().length && ["j", "k", "ArrowDown", "ArrowUp"].includes(event.key)) {
      const on = document.activeElement === boxes()[at] || one("[data-rows] .at");
      goTo(on ? at + (["j", "ArrowDown"].includes(event.key) ? 1 : -1) : 0);
    } else if (boxes().length && event.key === "x") (boxes()[at] ?? boxes()[0]).click();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "g") going = Date.now();
    else if (event.key === "/") one("[data-search]")?.focus();
    else if (event.key === "?") one("#keys").showModal();
    else return;
    event.preventDefault();
  });

  // The player: steps of a session at the pace at which they happened.
  const player = () => {
    const bar = one("#player");
    if (!bar || bar.dataset.ready) return;
    bar.dataset.ready = "yes";
    bar.hidden = false;
    const steps = all(".timeline > li");
    if (!steps.length) return;
    const at = steps.map((step) => Number(step.dataset.at));
    const texts = new Map();
    const slider = one("input[type=range]", bar);
    const play = one("[data-play]", bar);
    const speed = one("select", bar);
    const clock = one("output", bar);
    const end = at[at.length - 1];
    let now = steps.length - 1;
    let ms = end;
    let timer = 0;
    let last = 0;
    slider.max = String(steps.length - 1);
    // While it plays, a text that streamed comes as it came.
    const stream = (index) => {
      const text = one("[data-streamed]", steps[index]);
      if (!text) return;
      const until = at[index + 1] ?? end;
      const part = until > at[index] ? (ms - at[index]) / (until - at[index]) : 1;
      if (!texts.has(text)) texts.set(text, [...text.childNodes].map((node) => node.cloneNode(true)));
      const nodes = texts.get(text);
      let left = Math.ceil(nodes.reduce((sum, node) => sum + node.textContent.length, 0) * Math.min(1, part));
      text.replaceChildren(
        ...nodes.flatMap((node) => {
          if (left <= 0) return [];
          const length = node.textContent.length;
          const copy = node.cloneNode(true);
          if (length > left) copy.textContent = node.textContent.slice(0, left);
          left -= length;
          return [copy];
        }),
      );
    };
    const whole = () => {
      for (const [text, nodes] of texts) text.replaceChildren(...nodes);
      texts.clear();
    };
    const show = (index, scroll) => {
      now = index;
      steps.forEach((step, i) => {
        step.classList.toggle("later", i > now);
        step.classList.toggle("now", i === now);
      });
      slider.value = String(now);
      slider.setAttribute("aria-valuetext", `step ${now + 1} of ${steps.length}`);
      clock.textContent = `${now + 1} / ${steps.length} · ${span(at[now] - at[0])}`;
      if (scroll) steps[now].scrollIntoView({ block: "nearest" });
    };
    const stop = () => {
      cancelAnimationFrame(timer);
      timer = 0;
      play.textContent = "Play";
      whole();
    };
    const tick = (time) => {
      ms += (time - last) * Number(speed.value);
      last = time;
      let index = now;
      while (index + 1 < steps.length && at[index + 1] <= ms) index += 1;
      if (index !== now) {
        whole();
        show(index, true);
      }
      stream(index);
      if (index === steps.length - 1) return stop();
      timer = requestAnimationFrame(tick);
    };
    const go = (index) => {
      stop();
      const target = Math.min(steps.length - 1, Math.max(0, index));
      ms = at[target];
      show(target, true);
      history.replaceState(null, "", `#${steps[target].id}`);
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (now === steps.length - 1) show(0, true);
      ms = at[now];
      last = performance.now();
      play.textContent = "Pause";
      timer = requestAnimationFrame(tick);
    });
    slider.addEventListener("input", () => go(Number(slider.value)));
    one("[data-next]", bar).addEventListener("click", () => go(now + 1));
    one("[data-previous]", bar).addEventListener("click", () => go(now - 1));
    const named = steps.findIndex((step) => `#${step.id}` === location.hash);
    if (named >= 0) {
      ms = at[named];
      show(named, true);
      // What came after the moment that was named is there as well.
      steps.forEach((step) => step.classList.remove("later"));
    } else clock.textContent = `${steps.length} steps · ${span(end - at[0])}`;
    slider.value = String(named >= 0 ? named : steps.length - 1);
  };

  // Files from this machine go into the form, where they can be read before they are sent.
  document.addEventListener("change", async (event) => {
    const input = event.target.closest?.("[data-upload] input");
    if (!input) return;
    const list = one("[data-documents]");
    for (const file of input.files) {
      const blocks = all("fieldset", list);
      const named = (block) => one("input", block).value;
      let block = blocks.find((block) => named(block) === file.name);
      block ??= blocks.find((block) => !named(block) && !one("textarea", block).value.trim());
      if (!block) {
        block = blocks.at(-1).cloneNode(true);
        one("input", block).name = `name-${blocks.length}`;
        one("textarea", block).name = `text-${blocks.length}`;
        one("textarea", block).id = `text-${blocks.length}`;
        list.append(block);
      }
      one("input", block).value = file.name;
      one("textarea", block).value = await file.text();
    }
    input.value = "";
  });

  const ready = () => {
    for (const upload of all("[data-upload]")) upload.hidden = false;
    times();
    player();
    counted();
  };
  document.addEventListener("DOMContentLoaded", ready);
  document.addEventListener("htmx:afterSettle", (event) => {
    ready();
    if (event.detail.target.id === "review" && !one("#review [autofocus]")) goTo(at);
  });
})();
