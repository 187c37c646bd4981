/**
 * Files: what is served, how, and what is not (H25).
 * @module
 */

import assert from "node:assert/strict";
import { createApp } from "../../src/servers/http/app.ts";
import { server } from "./support/server_view.ts";

const LARGE = new Uint8Array(300_000).map((_, i) => i * 7 + (i >> 8));

interface Init {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

/** A site in a new directory beside a secret, and the app that serves it; both are gone afterwards. */
async function withSite(
  test: (request: (path: string, init?: Init) => Promise<Response>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "srs-edge-static-" });
  try {
    const site = `${folder}/site`;
    for (const dir of ["", "/console", "/sub dir", "/empty", "/.git", "/.well-known"]) {
      await Deno.mkdir(site + dir);
    }
    const files: [string, string | Uint8Array][] = [
      ["index.html", "<p>index</p>"],
      ["a.js", "1"],
      ["é&x.txt", "odd name"],
      ["sub dir/index.html", "sub"],
      ["console/index.html", "console"],
      ["large.bin", LARGE],
      ["nothing.txt", ""],
      ["v.flv", "FLV"],
      [".git/config", "secret"],
      [".htpasswd", "secret"],
      [".well-known/acme", "challenge"],
      ["../secret.txt", "secret"],
    ];
    for (const [name, content] of files) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${site}/${name}`, bytes);
    }
    await Deno.symlink("../secret.txt", `${site}/link.txt`);
    await Deno.symlink("..", `${site}/up`);
    await Deno.symlink("a.js", `${site}/inner.js`);
    await Deno.mkdir(`${folder}/site-2`);
    await Deno.writeTextFile(`${folder}/site-2/x.txt`, "secret");
    await Deno.symlink("../site-2", `${site}/sibling`);
    const app = createApp(server().view, { roles: new Set(["server"]), dir: site });
    await test(async (path, init) => await app.request(path, init));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("files: contents, types, index.html", async () => {
  await withSite(async (request) => {
    const rows: [string, string, string][] = [
      ["/", "<p>index</p>", "text/html; charset=utf-8"],
      ["/index.html", "<p>index</p>", "text/html; charset=utf-8"],
      ["/index.html?a=b", "<p>index</p>", "text/html; charset=utf-8"],
      ["/a.js", "1", "text/javascript; charset=utf-8"],
      ["/inner.js", "1", "text/javascript; charset=utf-8"],
      ["/%C3%A9&x.txt", "odd name", "text/plain; charset=utf-8"],
      ["/sub%20dir/", "sub", "text/html; charset=utf-8"],
      ["/nothing.txt", "", "text/plain; charset=utf-8"],
      ["/v.flv", "FLV", "video/x-flv"],
      ["/.well-known/acme", "challenge", "application/octet-stream"],
    ];
    for (const [path, text, type] of rows) {
      const response = await request(path);
      assert.equal(response.status, 200, path);
      assert.equal(await response.text(), text, path);
      assert.equal(response.headers.get("Content-Type"), type, path);
      assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff", path);
    }
    const large = await request("/large.bin");
    assert.equal(large.headers.get("Content-Length"), "300000");
    assert.deepEqual(new Uint8Array(await large.arrayBuffer()), LARGE);
  });
});

Deno.test("H25: no path leads out of the directory, and hidden files stay so", async () => {
  await withSite(async (request) => {
    const paths = [
      "/link.txt",
      "/up/secret.txt",
      "/up/",
      "/sibling/x.txt",
      "/../secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e/secret.txt",
      "/%2e%2e%2fsecret.txt",
      "/sub%20dir/..%2f..%2fsecret.txt",
      "/..%5csecret.txt",
      "/.git/config",
      "/.htpasswd",
      "/%2ehtpasswd",
      "/index.html%00",
      "/index.html%00.txt",
      "/index.html/",
      "/a.js/index.html",
      "/%ff",
      "/%zz",
      "/nosuch",
      "/empty/",
      "/empty",
      "/constructor",
      `/${"x".repeat(5000)}`,
      `/${"a/".repeat(3000)}`,
    ];
    for (const path of paths) {
      const response = await request(path);
      assert.equal(response.status, 404, path);
      assert.equal(await response.text(), "Not Found", path);
    }
  });
});

Deno.test("files: HEAD, other methods, a directory without its slash", async () => {
  await withSite(async (request) => {
    const head = await request("/large.bin", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("Content-Length"), "300000");
    assert.equal(await head.text(), "");
    for (const method of ["POST", "PUT", "DELETE"]) {
      assert.equal((await request("/index.html", { method })).status, 404, method);
    }
    const moved = await request("/sub%20dir?a=b");
    assert.equal(moved.status, 302);
    assert.equal(moved.headers.get("Location"), "/sub%20dir/?a=b");
    const twice = await request("http://h//console");
    assert.equal(twice.headers.get("Location"), "/console/");
  });
});

Deno.test("files: what the browser has is not sent again", async () => {
  await withSite(async (request) => {
    const first = await request("/a.js");
    assert.equal(await first.text(), "1");
    const etag = first.headers.get("ETag") ?? "";
    const modified = first.headers.get("Last-Modified") ?? "";
    const rows: [Record<string, string>, number][] = [
      [{ "If-None-Match": etag }, 304],
      [{ "If-None-Match": `"x", ${etag}` }, 304],
      [{ "If-None-Match": '"x"', "If-Modified-Since": modified }, 200],
      [{ "If-Modified-Since": modified }, 304],
      [{ "If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT" }, 200],
      [{ "If-Modified-Since": "nonsense" }, 200],
    ];
    for (const [headers, status] of rows) {
      const response = await request("/a.js", { headers });
      assert.equal(response.status, status, JSON.stringify(headers));
      assert.equal(await response.text(), status === 200 ? "1" : "");
    }
  });
});

Deno.test("files: the API's port has the console of the directory, and nothing else of it", async () => {
  const dir = await Deno.makeTempDir({ prefix: "srs-edge-static-" });
  try {
    await Deno.mkdir(`${dir}/console`);
    await Deno.writeTextFile(`${dir}/console/index.html`, "console");
    await Deno.writeTextFile(`${dir}/index.html`, "index");
    const app = createApp(server().view, { dir });
    assert.equal((await app.request("/console")).headers.get("Location"), "/console/");
    assert.equal(await (await app.request("/console/")).text(), "console");
    assert.equal((await app.request("/index.html")).status, 404);
    assert.equal((await (await app.request("/")).json()).code, 0);
    const shared = createApp(server().view, { dir, roles: new Set(["api", "server"]) });
    assert.equal(await (await shared.request("/")).text(), "index");
    assert.equal((await (await shared.request("/api/v1/streams/")).json()).code, 0);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("files: a directory that is not there is an empty one", async () => {
  const app = createApp(server().view, { dir: "/nosuch/dir", roles: new Set(["server"]) });
  assert.equal((await app.request("/")).status, 404);
});
