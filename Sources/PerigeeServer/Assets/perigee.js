// What the dashboard does beyond its pages: live updates, local times, keys. Every page works without it.
(() => {
  "use strict";

  // Times are written in UTC by the server; a reader gets them in their own zone, with UTC as the title.
  const showLocalTimes = (root) => {
    for (const element of root.querySelectorAll("time[datetime]:not([data-relative])")) {
      const time = new Date(element.dateTime);
      if (Number.isNaN(time.getTime())) continue;
      element.title = element.textContent;
      element.textContent = time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    }
  };

  // Live: an event of the stream makes the main content new, unless somebody is in the middle of something.
  const address = document.body.dataset.live;
  const state = document.getElementById("live");
  let isOn = true;
  let isStale = false;
  let timer = null;
  let stream = null;

  const show = (text) => {
    if (!state) return;
    state.hidden = false;
    if (state.textContent !== text) state.textContent = text;
  };

  const isBusy = () => {
    const main = document.getElementById("main");
    const selection = document.getSelection();
    const selects = selection && !selection.isCollapsed && main.contains(selection.anchorNode);
    const active = document.activeElement;
    const types = active && main.contains(active) && /^(INPUT|TEXTAREA|SELECT|BUTTON)$/.test(active.tagName);
    const drafted = [...main.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue);
    const chosen = [...main.querySelectorAll("option")].some((option) => option.selected !== option.defaultSelected);
    const hovers = main.querySelector("tbody tr:hover, .card:hover") !== null;
    return Boolean(selects || types || drafted || chosen || hovers || document.querySelector("dialog[open]"));
  };

  const refresh = async () => {
    timer = null;
    if (!isOn || isBusy()) {
      isStale = true;
      show(isOn ? "● new, paused while you read" : "‖ paused");
      return;
    }
    isStale = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (!fresh) return;
      const main = document.getElementById("main");
      for (const open of main.querySelectorAll("details[id]")) {
        const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
        if (same) same.open = open.open;
      }
      showLocalTimes(fresh);
      main.replaceChildren(...fresh.childNodes);
      document.title = page.title;
      const nav = page.querySelector(".top nav");
      if (nav) document.querySelector(".top nav").replaceWith(nav);
      show("● live");
      if (!page.body.dataset.live && stream) {
        stream.close();
        show("");
      }
    } catch {
      isStale = true;
    }
  };

  const soon = () => {
    if (timer === null) timer = setTimeout(refresh, 300);
  };

  if (address && "EventSource" in window) {
    stream = new EventSource(address);
    let wasLost = false;
    stream.addEventListener("open", () => {
      show("● live");
      if (wasLost) soon();
      wasLost = false;
    });
    stream.addEventListener("error", () => {
      wasLost = true;
      show("○ reconnecting…");
    });
    stream.addEventListener("run", soon);
    stream.addEventListener("workflows", soon);
    setInterval(() => { if (isStale && isOn && !isBusy()) soon(); }, 1000);
  }

  // Keys, all of them off while typing and with a modifier.
  let waitsForSecond = false;
  const places = { r: "/", a: "/approvals", w: "/workflows" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const key = event.key;
    if (waitsForSecond && places[key]) location.assign(places[key]);
    waitsForSecond = key === "g";
    if (key === "/") {
      const search = document.getElementById("q");
      event.preventDefault();
      if (search) { search.focus(); search.select(); } else location.assign("/");
    } else if (key === "?") {
      document.getElementById("help").showModal();
    } else if (key === "." && address) {
      isOn = !isOn;
      if (isOn) soon(); else show("‖ paused");
    }
  });

  showLocalTimes(document);
})();
