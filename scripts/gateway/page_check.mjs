// Checks the page of the gateway's operator in a real browser: page_check.mjs PROGRAM BROWSER [PICTURE]
//
// 1. Tools and calls are shown while they are made, limits say what is left, and a server cannot act on the page by names and
//    descriptions of its tools; the token does not stay in the address.
// 2. A policy can be tried out, and a choice changes the draft alone.
// 3. axe-core finds nothing, light and dark. Without the token the page shows nothing.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, browser, picture] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "package.json"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "gateway-page-"));
const failures = [];
const check = (holds, what) => {
  console.log(`${holds ? "ok    " : "FAILED"} ${what}`);
  if (!holds) failures.push(what);
};

const ACT = "document.title='PWNED'";
const NAMES = ["read_things", "delete_things", "ask_things", `<img src=x onerror=${ACT}>`, `"><script>${ACT}</script>`];
const SERVER = `
const names = ${JSON.stringify(NAMES)};
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const results = {
    initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "planted", version: "1" } },
    "tools/list": { tools: names.map((name) => ({ name, description: name + "<script>${ACT}</script>", inputSchema: { type: "object" } })) },
    "tools/call": { content: [{ type: "text", text: JSON.stringify(params) }] },
  };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
});`;
const POLICY = {
  version: "1", default: "allow", tools: {
    read_things: { limits: [{ max: 5, window: "hour" }] }, delete_things: { action: "deny", reason: "not yet" },
    ask_things: { action: "require_approval" },
  },
};
const [server, policy] = [join(folder, "server.cjs"), join(folder, "policy.json")];
writeFileSync(server, SERVER);
writeFileSync(policy, JSON.stringify(POLICY, null, 2));
const gateway = spawn(program, [
  "gateway", "--listen", "127.0.0.1:0", "--without-grants", "--policy", policy, "--store", join(folder, "store.db"), "--",
  process.execPath, server,
], { stdio: ["ignore", "ignore", "pipe"] });
const greeting = await new Promise((resolve) => gateway.stderr.once("data", (data) => resolve(String(data))));
const address = greeting.match(/is (http:\S+)/)[1];
const origin = new URL(address).origin;

let session = "";
const ask = async (method, params, id = 1) => {
  const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
  if (session) headers["Mcp-Session-Id"] = session;
  const body = JSON.stringify({ jsonrpc: "2.0", ...(id === null ? {} : { id }), method, params });
  const answer = await fetch(`${origin}/mcp`, { method: "POST", headers, body });
  session = answer.headers.get("mcp-session-id") ?? session;
  return answer.text();
};

const chromium = await puppeteer.launch({ executablePath: browser, args: ["--no-sandbox"] });
try {
  const page = await chromium.newPage();
  await page.setViewport({ width: 1200, height: 1400 });
  const requests = [];
  const errors = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(address);
  await ask("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: `<b>${ACT}</b>`, version: "1" } });
  await ask("notifications/initialized", {}, null);
  await ask("tools/list", {});
  await ask("tools/call", { name: "read_things", arguments: {} });
  await ask("tools/call", { name: "delete_things", arguments: {} });
  const text = (selector) => page.$eval(selector, (element) => element.innerText);
  await page.waitForFunction(() => document.querySelectorAll("#calls tr").length === 2, { timeout: 10_000 });
  await page.waitForFunction(() => document.querySelector("#tools").innerText.includes("4 left"), { timeout: 10_000 });
  const calls = await text("#calls");
  check(calls.includes("read_things") && calls.includes("/tools/delete_things/action"), "the last calls are shown with the rules that decided");
  const tools = await text("#tools");
  check(tools.includes("4 left") && tools.includes("ask the user"), "tools are shown with their state and what is left of limits");
  check(await page.title() === "Gateway" && errors.length === 0, "names and descriptions of tools do nothing");
  check(requests.every((url) => url.startsWith(origin)), "no request leaves the gateway");
  check(!page.url().includes("#") && requests.every((url) => !url.split("#")[0].includes("apg_")), "the token is in no address that is kept or sent");

  await page.select("#tools tr:nth-child(1) select", "hide");
  const draft = JSON.parse(await page.$eval("#draft", (element) => element.value));
  check(draft.hide?.includes("read_things") || draft.hide?.length === 1, "a choice changes the draft");
  check(readFileSync(policy, "utf8") === JSON.stringify(POLICY, null, 2), "and nothing else");
  await page.type("#tool", "delete_things");
  await page.click("#trial button[type=submit]");
  await page.waitForFunction(() => document.querySelector("#verdict").innerText.includes("/tools/"), { timeout: 10_000 });
  check((await text("#verdict")).includes("not yet"), "a policy is tried out");
  await page.$eval("#draft", (element) => (element.value = '{"version": "1", "defaut": "deny"}'));
  await page.click("#trial button[type=submit]");
  await page.waitForFunction(() => document.querySelector("#verdict").innerText.includes("unknown field"), { timeout: 10_000 });
  check(true, "and what is wrong with it is said");
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run());
    check(found.violations.length === 0, `axe-core finds nothing (${scheme}) ${found.violations.map((it) => `${it.id}: ${it.nodes[0].html}`)}`);
  }
  if (picture) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await page.screenshot({ path: picture });
  }
  const stranger = await (await chromium.createBrowserContext()).newPage();
  await stranger.goto(`${origin}/`);
  await stranger.waitForFunction(() => document.querySelector("#summary").innerText.includes("token"), { timeout: 10_000 });
  check((await stranger.$$("#tools tr")).length === 0, "without the token nothing is shown");
} finally {
  await chromium.close();
  gateway.kill();
  rmSync(folder, { recursive: true, force: true });
}
if (failures.length > 0) {
  console.log(`gateway page: ${failures.length} failed`);
  process.exit(1);
}
console.log("gateway page: all passed");
