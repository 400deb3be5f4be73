// What arrives by itself. Without this script every page works by reloading.
"use strict";

(() => {
  const body = document.body;
  const base = body.dataset.base;

  function post(to) {
    fetch(to, { method: "POST" }).catch(() => {}); // Parley has ended; the stream shows it
  }

  // Content replaces content; the focus stays where it was and what was unfolded
  // stays open, by their ids.
  function put(id, version, html) {
    const el = document.getElementById(id);
    if (!el || (version && el.dataset.v === version)) return;
    const held = el.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...el.querySelectorAll("details[open][id]")].map((d) => d.id);
    el.innerHTML = html;
    el.dataset.v = version;
    for (const d of open) document.getElementById(d)?.setAttribute("open", "");
    if (held) document.getElementById(held)?.focus({ preventScroll: true });
  }

  // Lines are added at the end of a list, each once. Who reads the end of the
  // page is taken along; who reads elsewhere is left there.
  function add(id, html) {
    const list = document.getElementById(id);
    if (!list) return;
    const page = document.documentElement;
    const atEnd = page.scrollHeight - window.innerHeight - window.scrollY < 80;
    const box = document.createElement("ol");
    box.innerHTML = html;
    for (const li of [...box.children]) {
      if (!li.id || !document.getElementById(li.id)) list.append(li);
      else if (!list.contains(document.getElementById(li.id))) {
        document.getElementById(li.id).remove();
        list.append(li);
      }
    }
    document.getElementById(id + "-empty")?.remove();
    if (atEnd) window.scrollTo(0, page.scrollHeight);
    seen();
  }

  // What arrives while the page is looked at has been seen.
  function seen() {
    if (document.visibilityState !== "visible" || !/\/r\/\d+$/.test(location.pathname)) return;
    post(location.pathname + "/seen");
  }

  // A browser keeps few connections to one server, so a page that nobody looks
  // at lets its stream go, and takes up where it left off.
  let from = body.dataset.stream;
  let events = null;
  function follow() {
    if (!from || events || document.visibilityState !== "visible") return;
    events = new EventSource(from);
    const on = (name, f) => events.addEventListener(name, (e) => {
      if (e.lastEventId) from = from.replace(/after=\d+/, "after=" + e.lastEventId);
      f(JSON.parse(e.data));
    });
    on("put", (u) => put(u.id, u.v, u.html || ""));
    on("add", (u) => add(u.id, u.html));
    on("go", (u) => { leave(); location.href = u.to; });
    on("gone", () => { leave(); location.replace(base + "/"); });
  }
  function leave() {
    events?.close();
    events = null;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") { follow(); seen(); } else leave();
  });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", follow);
  follow();

  // Typing and moving keep Parley open; once a minute is enough to say so.
  if (body.dataset.open) {
    let last = Date.now();
    const alive = () => {
      if (Date.now() - last < 60000) return;
      last = Date.now();
      post(base + "/alive");
    };
    for (const kind of ["keydown", "pointerdown", "wheel"]) document.addEventListener(kind, alive, { passive: true });
  }

  // A field that is wrong gets the focus, also where the browser does not.
  document.querySelector("[autofocus]")?.focus();

  for (const b of document.querySelectorAll("[data-copy]")) {
    b.hidden = false;
    b.addEventListener("click", async () => {
      const from = document.getElementById(b.dataset.copy);
      try { await navigator.clipboard.writeText(from.value); b.textContent = b.dataset.done; } catch { from.focus(); from.select(); }
    });
  }
})();
