"use strict";
(() => {
  const state = document.getElementById("live");
  const replace = async () => {
    const text = await (await fetch("/")).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    const opened = [...document.querySelectorAll("details[open][id]")].map((element) => element.id);
    for (const part of ["header", "endpoints-list", "rest"]) {
      document.getElementById(part).replaceWith(document.adoptNode(page.getElementById(part)));
    }
    for (const id of opened) {
      const element = document.getElementById(id);
      if (element) element.open = true;
    }
    document.title = page.title;
    document.dispatchEvent(new Event("replaced"));
  };
  const events = new EventSource("/events");
  events.onmessage = replace;
  events.onopen = () => (state.textContent = "live");
  events.onerror = () => (state.textContent = "no longer live");
})();
