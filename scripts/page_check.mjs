// Checks pages of `api-patterns report` in a real browser: page_check.mjs PROGRAM BROWSER [CAPTURE...]
//
// 1. Payloads of HTML, SVG, CSS, URLs and scripts, planted in every field of a capture, do nothing, with the page's policy and
//    without it, and no request leaves the page.
// 2. axe-core finds nothing, light and dark, closed and open.
// 3. Without scripts all endpoints are there.
// 4. Descriptions that are packed are shown when an endpoint is opened; a viewer shows them in a page of its own.
// 5. A page that is live shows what was added to its capture, and keeps open what is open.
// 6. A page of 5,000 endpoints is within 150 kB + 1.5 kB an endpoint; the time until it is shown is printed.
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, browser, ...captures] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "package.json"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "page-check-"));
const failures = [];
const check = (holds, what) => {
  console.log(`${holds ? "ok    " : "FAILED"} ${what}`);
  if (!holds) failures.push(what);
};
const count = (text, word) => text.split(word).length - 1;

const ACT = "document.title='PWNED'";
const SHAPES = [
  (act) => `<script>${act}</script>`,
  (act) => `"><script>${act}</script>`,
  (act) => `</script><script>${act}</script>`,
  (act) => `</style><script>${act}</script>`,
  (act) => `</title><img src=x onerror=${act}>`,
  (act) => `<img src=x onerror="${act}">`,
  (act) => `'"><svg onload=${act}>`,
  (act) => `<svg><animate onbegin=${act} attributeName=x dur=1s>`,
  (act) => `<details open ontoggle=${act}>`,
  (act) => `" onmouseover="${act}" autofocus onfocus="${act}`,
  (act) => `<iframe srcdoc="<script>parent.${act}</script>">`,
  (act) => `javascript:${act}`,
  () => `<link rel=stylesheet href=http://planted.example/a.css>`,
  () => `<style>*{background:url(http://planted.example/b)}</style>`,
  () => `<img src=http://planted.example/c>`,
  () => `<meta http-equiv=refresh content="0;url=http://planted.example/d">`,
  () => `<base href=http://planted.example/>`,
  () => `<form action=http://planted.example/><input name=x autofocus>`,
  (act) => `{{ ${act} }}{% raw %}`,
  (act) => `\u202e<scr\u0000ipt>${act}</script>`,
];
const FIELDS = {
  path: (text, flow) => (flow.url += `/${text.replaceAll("/", "%2F").replaceAll("?", "%3F").replaceAll("#", "%23")}`),
  rawPath: (text, flow) => (flow.url += `/${text}`),
  query: (text, flow) => (flow.url += `?${encodeURIComponent(text)}=1`),
  method: (text, flow) => (flow.method = text),
  header: (text, flow) => (flow.request_headers = { [text]: "x", origin: `https://${text}` }),
  contentType: (text, flow) => (flow.content_type = text),
  id: (text, flow) => (flow.id = text),
  key: (text, flow) => (flow.response_body = JSON.stringify({ [text]: 1, list: [{ [text]: text }] })),
  value: (text, flow) => (flow.response_body = JSON.stringify({ kind: text, type: "a" })),
  operation: (text, flow) => Object.assign(flow, { method: "POST", url: `${flow.url}/graphql`, request_body: JSON.stringify({ operationName: text, query: `query ${text} { x }` }) }),
};

function planted() {
  const lines = [];
  for (const [field, plant] of Object.entries(FIELDS)) {
    for (const [number, shape] of SHAPES.entries()) {
      const flow = {
        method: "GET",
        url: `https://h${number}.example/${field}`,
        status: 200,
        content_type: "application/json",
        request_headers: { "content-type": "application/json" },
        response_body: "{}",
      };
      plant(shape(ACT), flow);
      // What is seen several times is kept and shown.
      for (let time = 0; time < 3; time++) lines.push(JSON.stringify(flow));
    }
  }
  return lines.join("\n");
}

function report(name, input, ...options) {
  const page = join(folder, `${name}.html`);
  const capture = join(folder, `${name}.jsonl`);
  writeFileSync(capture, input);
  execFileSync(program, ["report", capture, "--output", page, "--quiet", ...options]);
  return page;
}

const launched = await puppeteer.launch({ executablePath: browser, args: ["--no-sandbox", "--disable-gpu"] });
async function open(path, prepare = async () => {}) {
  const page = await launched.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await prepare(page);
  const start = Date.now();
  await page.goto(`file://${path}`, { waitUntil: "load" });
  return { page, requests, milliseconds: Date.now() - start };
}

try {
  const path = report("planted", planted());
  const html = readFileSync(path, "utf8");
  const texts = count(html, "PWNED") + count(html, "planted.example");
  check(texts > 100, `${texts} planted texts are in the page`);
  const bare = join(folder, "bare.html");
  writeFileSync(bare, html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, ""));
  for (const [file, name] of [[path, "with its policy"], [bare, "without its policy"]]) {
    const { page, requests } = await open(file);
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const found = await page.evaluate(() => ({
      title: document.title,
      foreign: document.querySelectorAll("main script, main style, img, iframe, link, base, main meta, main form:not(#tools), [onload], [onerror], [onfocus]").length,
      scripts: [...document.scripts].filter((script) => script.type !== "application/gzip").length,
    }));
    check(!found.title.includes("PWNED"), `planted scripts do not run ${name}`);
    check(found.foreign === 0 && found.scripts === 1, `planted elements are text ${name}`);
    check(requests.length === 1, `no request leaves the page ${name}`);
    await page.close();
  }

  {
    // A viewer of three lines, which shows the descriptions as Redoc would be asked to.
    const viewer = join(folder, "viewer.js");
    writeFileSync(viewer, `window.Redoc = { init: (api, _, element) => { element.textContent = JSON.stringify(api) } }; "</script><!--"`);
    report("viewed", planted(), "--viewer", viewer);
    const { page, requests } = await open(join(folder, "viewed.viewer.html"));
    const found = await page.evaluate(() => ({ title: document.title, text: document.getElementById("viewer").textContent, hosts: document.querySelectorAll("option").length }));
    check(found.text.includes('"openapi":"3.1.0"') && found.hosts > 10, `a viewer shows the descriptions of ${found.hosts} hosts`);
    check(!found.title.includes("PWNED") && requests.length === 1, "planted texts do nothing in the page of the viewer");
    await page.close();
  }

  {
    const capture = join(folder, "live.jsonl");
    const line = (path) => `${JSON.stringify({ method: "GET", url: `https://live.example/${path}`, status: 200 })}\n`;
    writeFileSync(capture, line("first"));
    const server = spawn(program, ["report", "--follow", "--listen", "127.0.0.1:0", "--interval", "0.1", capture]);
    const address = await new Promise((resolve) => {
      let text = "";
      server.stderr.on("data", (data) => {
        text += data;
        const found = /http:\/\/[\d.:]+\//.exec(text);
        if (found) resolve(found[0]);
      });
    });
    const page = await launched.newPage();
    await page.goto(address, { waitUntil: "load" });
    await page.evaluate(() => (document.querySelector(".endpoint").open = true));
    await page.waitForFunction(() => document.getElementById("live").textContent === "live");
    for (const path of ["second", "third"]) {
      appendFileSync(capture, line(path));
      const wanted = path === "second" ? 2 : 3;
      const shown = await page.waitForFunction((count) => document.querySelectorAll(".endpoint").length === count, { timeout: 10_000 }, wanted).catch(() => null);
      check(shown !== null, `a live page shows the ${path} endpoint`);
    }
    const state = await page.evaluate(() => ({ open: document.querySelectorAll(".endpoint[open]").length, count: document.getElementById("count").textContent }));
    check(state.open === 1 && state.count === "3 of 3", `what was open is open (${state.open}), and counted anew (${state.count})`);
    server.kill("SIGINT");
    const lost = await page.waitForFunction(() => document.getElementById("live").textContent === "no longer live", { timeout: 10_000 }).catch(() => null);
    check(lost !== null, "a live page says that its server has ended");
    await page.close();
  }

  for (const [number, capture] of captures.entries()) {
    const path = join(folder, `capture${number}.html`);
    execFileSync(program, ["report", capture, "--output", path, "--quiet"]);
    for (const scheme of ["light", "dark"]) {
      const { page } = await open(path, async (page) => {
        await page.setBypassCSP(true);
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      });
      await page.evaluate(axe);
      for (const state of ["closed", "open"]) {
        if (state === "open") await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
        const { violations } = await page.evaluate(() => axe.run());
        const found = violations.map(({ id, nodes }) => `${id} (${nodes.length}: ${nodes[0].html.slice(0, 100)})`);
        check(found.length === 0, `axe-core, ${scheme}, ${state}: ${found.join(", ") || "nothing"}`);
      }
      await page.close();
    }
    const { page } = await open(path, (page) => page.setJavaScriptEnabled(false));
    const html = await page.content();
    check(count(html, 'class="endpoint"') > 0 && html.includes("Hosts and paths"), `${count(html, 'class="endpoint"')} endpoints without scripts`);
    await page.close();
  }

  const nouns = Array.from({ length: 5000 }, (_, number) => `{"method":"GET","url":"https://api.example/v1/group-${String.fromCharCode(97 + (number % 26))}/noun${"abcdefghij"[number % 10]}${"klmnopqrst"[Math.floor(number / 10) % 10]}${"uvwxyzabcd"[Math.floor(number / 100) % 10]}${"efghijklmn"[Math.floor(number / 1000) % 10]}x?page=1","status":200,"content_type":"application/json","response_body":"{\\"id\\":1,\\"name\\":\\"x\\"}"}`);
  const many = report("many", nouns.join("\n"));
  const size = statSync(many).size;
  const { page, milliseconds } = await open(many);
  const endpoints = await page.evaluate(() => document.querySelectorAll(".endpoint").length);
  await page.evaluate(() => (document.querySelector(".endpoint").open = true));
  const yaml = await page.waitForFunction(() => document.querySelector(".endpoint pre + *, .endpoint details pre")?.textContent, { timeout: 5_000 }).catch(() => null);
  check((yaml && (await yaml.jsonValue()).includes("operationId")) === true, "a description that was packed is shown");
  check(size <= 150_000 + 1_500 * endpoints, `${endpoints} endpoints in ${size} bytes, open after ${milliseconds} ms`);
  await page.close();
} finally {
  await launched.close();
  rmSync(folder, { recursive: true });
}
process.exit(failures.length ? 1 : 0);
