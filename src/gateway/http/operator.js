"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const KEY = "gateway-token";
  // The token comes behind the # of the address, which no request carries, and does not stay there.
  if (location.hash.length > 1) {
    sessionStorage.setItem(KEY, location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  const ask = (path, body) => fetch(path, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` },
    body: body && JSON.stringify(body),
  });
  const cell = (row, text, name) => {
    const td = row.insertCell();
    td.textContent = text;
    if (name) td.className = name;
    return td;
  };
  const STATES = { allow: "allow", ask: "ask the user", deny: "deny", hide: "hide" };
  let drafted = false;

  // The draft as an object; null if it is not JSON.
  const draft = () => {
    try { return JSON.parse(byId("draft").value); } catch { return null; }
  };

  const change = (tool, state) => {
    const policy = draft();
    if (!policy) { byId("verdict").textContent = "The draft is not JSON."; return; }
    policy.tools ??= {};
    policy.hide = (policy.hide ?? []).filter((name) => name !== tool);
    const rule = policy.tools[tool] ?? {};
    delete rule.action;
    if (state === "deny") rule.action = "deny";
    if (state === "ask") rule.action = "require_approval";
    if (state === "hide") { policy.hide.push(tool); delete policy.tools[tool]; } else { policy.tools[tool] = rule; }
    if (policy.hide.length === 0) delete policy.hide;
    byId("draft").value = JSON.stringify(policy, null, 2);
  };

  const limitText = (limit) => {
    const used = limit.used === null ? "?" : limit.used;
    const left = limit.used === null ? "" : `, ${Math.max(0, limit.max - limit.used)} left`;
    return `${used} of ${limit.max}${limit.calls ? " calls" : ""} in ${limit.window} s${left}`;
  };

  const showTools = (tools) => {
    const body = byId("tools");
    // A choice that is open stays open.
    const names = tools.map((tool) => tool.name).join("\n");
    if (body.dataset.names !== names) {
      body.replaceChildren();
      body.dataset.names = names;
      byId("names").replaceChildren(...tools.map((tool) => new Option(tool.name)));
      for (const tool of tools) {
        const row = body.insertRow();
        const name = cell(row, "");
        name.append(Object.assign(document.createElement("code"), { textContent: tool.name }));
        name.title = tool.description;
        cell(row, ""); cell(row, ""); cell(row, "");
        const select = document.createElement("select");
        select.setAttribute("aria-label", `State of ${tool.name} in the draft`);
        for (const [state, label] of Object.entries(STATES)) select.append(new Option(label, state));
        select.value = tool.state;
        select.addEventListener("change", () => change(tool.name, select.value));
        cell(row, "").append(select);
      }
    }
    tools.forEach((tool, at) => {
      const cells = body.rows[at].cells;
      const extra = [tool.conditions && "with conditions", tool.answered_here && "answered here"].filter(Boolean);
      cells[1].textContent = [STATES[tool.state], ...extra].join(", ");
      cells[1].className = tool.state;
      cells[2].textContent = tool.rule;
      cells[3].textContent = tool.limits.map(limitText).join("; ");
    });
  };

  const showCalls = (calls) => {
    const body = byId("calls");
    body.replaceChildren();
    for (const call of calls) {
      const row = body.insertRow();
      cell(row, call.time.slice(11, 19));
      cell(row, [call.identity, call.client].filter(Boolean).join(" / "));
      cell(row, call.tool);
      cell(row, call.decision.replaceAll("_", " "), call.decision);
      cell(row, call.rule);
      const outcome = call.upstream ?? "";
      cell(row, outcome.replaceAll("_", " ") + (call.is_error ? " (error)" : ""), outcome);
      cell(row, call.duration === null ? "" : call.duration.toFixed(3));
    }
  };

  const look = async () => {
    try {
      const shown = byId("shown");
      const chosen = shown.options.length > 0 ? `?identity=${encodeURIComponent(shown.value)}` : "";
      const answer = await ask(`/operator/state${chosen}`);
      if (answer.status === 401) {
        byId("summary").textContent = "This page needs the address with the token that the gateway printed when it started.";
        return;
      }
      const state = await answer.json();
      const policy = state.policy ? `policy ${state.policy}` : "no policy: every call is allowed";
      const sessions = `${state.sessions} session${state.sessions === 1 ? "" : "s"}`;
      byId("summary").textContent = `In front of ${state.server}; ${policy}; ${sessions}.`;
      if (!drafted) {
        byId("draft").value = state.draft || '{\n  "version": "1",\n  "default": "allow",\n  "tools": {}\n}';
        drafted = true;
      }
      if (shown.options.length !== state.identities.length) {
        shown.replaceChildren(...state.identities.map((name) => new Option(name || "(without a name)", name)));
        shown.value = state.identity;
      }
      showTools(state.tools);
      showCalls(state.calls);
    } catch {
      byId("summary").textContent = "The gateway does not answer.";
    }
    setTimeout(look, 1000);
  };

  byId("trial").addEventListener("submit", async (event) => {
    event.preventDefault();
    const verdict = byId("verdict");
    let given;
    try { given = JSON.parse(byId("arguments").value || "{}"); } catch { verdict.textContent = "The arguments are not JSON."; return; }
    const body = { policy: byId("draft").value, tool: byId("tool").value, identity: byId("identity").value, arguments: given };
    const result = await (await ask("/operator/try", body)).json();
    if (result.errors.length > 0) { verdict.textContent = result.errors.join("\n"); return; }
    const listed = result.listed ? "listed" : "not listed";
    verdict.textContent = `${STATES[result.decision]} (${listed}), by ${result.rule}${result.message ? `\n${result.message}` : ""}`;
  });
  byId("copy").addEventListener("click", () => navigator.clipboard.writeText(byId("draft").value));
  look();
})();
