/**
 * The page as the server answers it, and that what is embedded is what the sources say.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { collect } from "../../src/page/embed.ts";
import * as embeddedMpegts from "../../src/servers/http/page/embedded/mpegts.ts";
import * as embeddedPage from "../../src/servers/http/page/embedded/page.ts";
import { server } from "./support/server_view.ts";

/** What Chromium sends. */
const BROWSER = {
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
};

const unpack = (base64: string) => gunzipSync(Buffer.from(base64, "base64")).toString();

Deno.test("what is embedded is up to date (deno task page)", async () => {
  const { page, mpegts } = await collect();
  assert.deepEqual({ ...embeddedPage }, page);
  assert.equal(unpack(embeddedMpegts.MPEGTS), mpegts.MPEGTS);
  assert.equal(unpack(embeddedMpegts.LICENCES), mpegts.LICENCES);
});

Deno.test("/ is the page for browsers, and SRS's listing for programs", async () => {
  const { app } = server();
  const page = await app.request("/", { headers: BROWSER });
  assert.equal(page.headers.get("Content-Type"), "text/html; charset=utf-8");
  assert.ok((await page.text()).startsWith("<!doctype html>"));
  for (const headers of [{}, { Accept: "*/*" }, { Accept: "application/json" }]) {
    const answer = await app.request("/", { headers });
    assert.equal(answer.headers.get("Content-Type"), "application/json");
    assert.deepEqual((await answer.json()).urls, { api: "the api root" });
    assert.match(answer.headers.get("Vary") ?? "", /Accept\b/);
  }
  assert.equal((await app.request("/console/")).status, 200);
  assert.equal((await app.request("/console")).headers.get("Location"), "/console/");
});

Deno.test("the page: nothing but itself runs in it, and nobody frames it", async () => {
  const { app } = server();
  const answer = await app.request("/", { headers: BROWSER });
  const text = await answer.text();
  const policy = answer.headers.get("Content-Security-Policy") ?? "";
  assert.match(policy, /^default-src 'none'; /);
  assert.match(policy, /connect-src 'self'; /);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.equal(answer.headers.get("X-Content-Type-Options"), "nosniff");
  const blocks = [...text.matchAll(/<(script|style)>([\s\S]*?)<\/\1>/g)];
  assert.deepEqual(blocks.map(([, name]) => name), ["style", "script", "script"]);
  for (const [, name, block] of blocks) {
    const hash = createHash("sha256").update(block).digest("base64");
    assert.ok(policy.includes(`${name}-src`) && policy.includes(`'sha256-${hash}'`), name);
  }
  assert.doesNotMatch(text, / on[a-z]+="| style="|(src|href)="(https?:)?\/\//);
});

Deno.test("the page is packed for those who can unpack, and not sent again unchanged", async () => {
  const { app } = server();
  const plain = await app.request("/", { headers: BROWSER });
  const packed = await app.request("/", {
    headers: { ...BROWSER, "Accept-Encoding": "gzip, deflate, br" },
  });
  assert.equal(packed.headers.get("Content-Encoding"), "gzip");
  const bytes = new Uint8Array(await packed.arrayBuffer());
  assert.ok(bytes.length < 120_000, `${bytes.length} bytes`);
  assert.equal(gunzipSync(bytes).toString(), await plain.text());
  const etag = plain.headers.get("ETag") ?? "";
  const again = await app.request("/", { headers: { ...BROWSER, "If-None-Match": etag } });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
});

Deno.test("the licences of what is in the page are to be had", async () => {
  const { app } = server();
  const text = await (await app.request("/console/licences.txt")).text();
  assert.match(text, /mpegts\.js[\s\S]*Apache License[\s\S]*es6-promise[\s\S]*events/);
});

Deno.test("a password is for the API: the page itself asks for it there", async () => {
  const { app } = server({}, { auth: { username: "admin", password: "secret" } });
  assert.equal((await app.request("/", { headers: BROWSER })).status, 200);
  assert.equal((await app.request("/api/v1/summaries", { headers: BROWSER })).status, 401);
});

Deno.test("the user's own files come before the page; other roles do not have it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const both: ReadonlySet<"api" | "server"> = new Set(["api", "server"]);
    const { app } = server({}, { roles: both, dir });
    assert.match(await (await app.request("/", { headers: BROWSER })).text(), /srs-edge/);
    await Deno.writeTextFile(`${dir}/index.html`, "mine");
    assert.equal(await (await app.request("/", { headers: BROWSER })).text(), "mine");
    assert.match(await (await app.request("/console/", { headers: BROWSER })).text(), /srs-edge/);
    for (const role of ["server", "exporter"] as const) {
      const other = server({}, { roles: new Set([role]) }).app;
      assert.equal((await other.request("/", { headers: BROWSER })).status, 404, role);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
