// What arrives by itself. Without this script every page works by reloading.
"use strict";

(() => {
  const body = document.body;
  const base = body.dataset.base;

  // Content replaces content; the focus stays where it was, by its id.
  function put(id, version, html) {
    const el = document.getElementById(id);
    if (!el || (version && el.dataset.v === version)) return;
    const held = el.contains(document.activeElement) ? document.activeElement.id : "";
    el.innerHTML = html;
    el.dataset.v = version;
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
    fetch(location.pathname + "/seen", { method: "POST" });
  }

  const stream = body.dataset.stream;
  if (stream) {
    const events = new EventSource(stream);
    const on = (name, f) => events.addEventListener(name, (e) => f(JSON.parse(e.data)));
    on("put", (u) => put(u.id, u.v, u.html || ""));
    on("add", (u) => add(u.id, u.html));
    on("go", (u) => { events.close(); location.href = u.to; });
    on("gone", () => { events.close(); location.replace(base + "/"); });
    document.addEventListener("visibilitychange", seen);
  }

  // Typing and moving keep Parley open; once a minute is enough to say so.
  if (body.dataset.open) {
    let last = Date.now();
    const alive = () => {
      if (Date.now() - last < 60000) return;
      last = Date.now();
      fetch(base + "/alive", { method: "POST" });
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
