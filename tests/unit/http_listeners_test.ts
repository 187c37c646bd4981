/**
 * What the HTTP ports answer is what the configuration says, directive by directive.
 * @module
 */

import assert from "node:assert/strict";
import { HttpPorts } from "../../src/servers/http/listeners.ts";
import { freePort } from "../tools/server.ts";
import { configOf } from "./support/rtmp_peer.ts";
import { server } from "./support/server_view.ts";

/** An open port with a configuration's answers. */
async function withPort(
  directives: { readonly api?: string; readonly server?: string; readonly root?: string },
  work: (ask: (path: string, init?: RequestInit) => Promise<Response>) => Promise<void>,
): Promise<void> {
  const { api = "", server: site = "", root = "" } = directives;
  const address = `127.0.0.1:${freePort()}`;
  const config = configOf(`listen 1935; ${root}
    http_api { enabled on; listen ${address}; ${api} }
    http_server { enabled on; listen ${address}; ${site} }
    vhost __defaultVhost__ { }`);
  const ports = new HttpPorts(server().view);
  const { wanted, use } = await ports.prepare(config);
  const open = await Promise.all(wanted.map((one) => one.open()));
  use();
  try {
    await work((path, init) => fetch(`http://${address}${path}`, init));
  } finally {
    for (const port of open) port?.release();
    await ports.close();
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });
}

test("HTTP ports: jsonp, off by default", async () => {
  for (const [api, type] of [["jsonp on;", /javascript/], ["", /json/]] as const) {
    await withPort({ api }, async (ask) => {
      const answer = await ask("/api/v1/versions?callback=f");
      assert.match(answer.headers.get("Content-Type") ?? "", type);
      assert.equal((await answer.text()).startsWith("f("), api !== "");
    });
  }
});

test("HTTP ports: crossdomain and trusted_origins", async () => {
  const Origin = "https://page.example";
  const rows = [
    ["", null, null],
    ["crossdomain off;", null, null],
    [`trusted_origins ${Origin};`, Origin, "true"],
    [`crossdomain off; trusted_origins ${Origin};`, Origin, "true"],
  ] as const;
  for (const [site, allowed, credentials] of rows) {
    await withPort({ server: site }, async (ask) => {
      const file = await ask("/nothing.html", { headers: { Origin } });
      await file.body?.cancel();
      const read = file.headers.get("Access-Control-Allow-Origin");
      assert.equal(read, site === "" ? "*" : allowed, "H63: files");
      const answer = await ask("/api/v1/versions", { headers: { Origin } });
      await answer.body?.cancel();
      assert.equal(answer.headers.get("Access-Control-Allow-Origin"), allowed, site);
      assert.equal(answer.headers.get("Access-Control-Allow-Credentials"), credentials, site);
    });
  }
});

test("HTTP ports: auth, dir and the exporter", async () => {
  const folder = await Deno.makeTempDir({ prefix: "srs-edge-unit-" });
  try {
    await Deno.writeTextFile(`${folder}/own.txt`, "our own");
    const directives = {
      api: "auth { enabled on; username u; password p; }",
      server: `dir ${folder};`,
    };
    await withPort(directives, async (ask) => {
      const refused = await ask("/api/v1/versions");
      await refused.body?.cancel();
      assert.equal(refused.status, 401);
      const headers = { Authorization: `Basic ${btoa("u:p")}` };
      const answer = await ask("/api/v1/versions", { headers });
      assert.equal((await answer.json()).code, 0);
      assert.equal(await (await ask("/own.txt")).text(), "our own");
    });
    const exporter = `127.0.0.1:${freePort()}`;
    const root = `exporter { enabled on; listen ${exporter}; label edge7; }`;
    await withPort({ root }, async () => {
      const text = await (await fetch(`http://${exporter}/metrics`)).text();
      assert.match(text, /label="edge7"/);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
