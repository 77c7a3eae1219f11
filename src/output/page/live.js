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
  // One after the other, so that the newest comes last; and once when the connection is made, because a page may have come between.
  let replacing = Promise.resolve();
  const renew = () => (replacing = replacing.then(replace, replace));
  events.onmessage = renew;
  events.onopen = () => {
    state.textContent = "live";
    renew();
  };
  events.onerror = () => (state.textContent = "no longer live");
})();
