"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  let endpoints = [], hosts = [];
  const read = () => {
    endpoints = [...document.querySelectorAll(".endpoint")].map((element, place) => ({ element, place }));
    hosts = [...document.querySelectorAll(".host")];
  };
  // Made on the first search, because it takes longer than showing the page.
  const textOf = (endpoint) =>
    (endpoint.text ??= (endpoint.element.closest(".host").getAttribute("aria-label") + " " + endpoint.element.textContent).toLowerCase());
  const search = byId("search"), kind = byId("class"), sort = byId("sort"), theme = byId("theme"), open = byId("open");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const endpoint of endpoints) {
      const { element } = endpoint;
      const isShown = (!kind.value || element.dataset.class === kind.value) && words.every((word) => textOf(endpoint).includes(word));
      element.hidden = !isShown;
      shown += isShown;
    }
    for (const host of hosts) host.hidden = !host.querySelector(".endpoint:not([hidden])");
    byId("count").textContent = `${shown} of ${endpoints.length}`;
  };

  const order = () => {
    const key = sort.value;
    const value = (endpoint) => Number(endpoint.element.dataset[key]);
    const sorted = [...endpoints].sort((a, b) => (key ? value(b) - value(a) : 0) || a.place - b.place);
    for (const { element } of sorted) element.parentNode.append(element);
  };

  const setTheme = () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
  };

  const showTarget = () => {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target || !target.classList.contains("endpoint")) return;
    if (target.hidden) {
      search.value = kind.value = "";
      filter();
    }
    target.open = true;
    target.scrollIntoView();
  };

  // The descriptions of endpoints, where they are packed, are unpacked when the first of them is asked for.
  const packed = byId("packed");
  let unpacked;
  const unpack = () => {
    const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const describe = async (endpoint) => {
    if (!packed || endpoint.dataset.described) return;
    endpoint.dataset.described = "1";
    const yaml = (await (unpacked ??= unpack()))[endpoint.id.slice(2)];
    if (!yaml) return;
    const make = (name, text, ...inner) => {
      const element = document.createElement(name);
      if (text) element.textContent = text;
      element.append(...inner);
      return element;
    };
    const details = make("details", "", make("summary", "YAML"), make("pre", yaml));
    endpoint.querySelector("dl").append(make("dt", "OpenAPI"), make("dd", "", details));
  };

  search.addEventListener("input", filter);
  document.addEventListener("toggle", (event) => event.target.open && event.target.classList.contains("endpoint") && describe(event.target), true);
  kind.addEventListener("change", filter);
  sort.addEventListener("change", order);
  theme.addEventListener("change", setTheme);
  open.addEventListener("click", () => {
    const opens = open.textContent === "Open all";
    for (const { element } of endpoints) if (!element.hidden) element.open = opens;
    open.textContent = opens ? "Close all" : "Open all";
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", showTarget);
  addEventListener("beforeprint", () => endpoints.forEach(({ element }) => (element.open = true)));
  addEventListener("keydown", (event) => {
    const inField = /^(INPUT|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !inField) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && inField) {
      search.value = "";
      filter();
      document.activeElement.blur();
    } else if ((event.key === "j" || event.key === "k") && !inField && !event.ctrlKey && !event.metaKey) {
      const rows = endpoints.filter(({ element }) => !element.hidden).map(({ element }) => element.firstElementChild);
      rows.sort((a, b) => (a.compareDocumentPosition(b) & 4 ? -1 : 1));
      const at = rows.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
      if (rows[at]) rows[at].focus();
    }
  });
  // A page that is live replaces its content.
  document.addEventListener("replaced", () => {
    read();
    filter();
    order();
  });
  byId("tools").hidden = false;
  read();
  filter();
  showTarget();
})();
