/**
 * Who may see what: passwords, and what each listener serves.
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import type { HttpEnv } from "../../src/servers/http/request/answer.ts";
import { createApp, type Role } from "../../src/servers/http/app.ts";
import { server } from "./support/server_view.ts";

function basic(credentials: string, scheme = "Basic"): { headers: Record<string, string> } {
  const bytes = new TextEncoder().encode(credentials);
  return { headers: { Authorization: `${scheme} ${btoa(String.fromCharCode(...bytes))}` } };
}

Deno.test("auth: name and password for everything below /api, colons and UTF-8 included", async () => {
  const auth = { username: "ädmin", password: "a:b:ü" };
  const { app } = server({}, { auth });
  for (
    const path of [
      ...["/api/v1/versions", "/api/", "/api", "/api/v1/nosuch", "/%61pi/v1/versions"],
      ...["//api/v1/versions", "/api//v1/versions", "//api", "///%61pi//"],
    ]
  ) {
    const refused = await app.request(path);
    assert.equal(refused.status, 401, path);
    assert.equal(await refused.text(), "");
    assert.match(refused.headers.get("WWW-Authenticate") ?? "", /^Basic realm="srs-edge"/);
  }
  const wrong = [
    "ädmin:a:b:u",
    "ädmin:a:b",
    "ädmin",
    "",
    ":",
    "ädmin:",
    "Ädmin:a:b:ü",
    "ädmin:a:b:ü ",
  ];
  for (const credentials of wrong) {
    const refused = await app.request("/api/v1/versions", basic(credentials));
    assert.equal(refused.status, 401, credentials);
  }
  for (const header of ["", "Basic", "Basic ", "Basic !!!", "Bearer x", "Digest username=x"]) {
    const headers = { Authorization: header };
    assert.equal((await app.request("/api/v1/versions", { headers })).status, 401, header);
  }
  const right = basic("ädmin:a:b:ü");
  assert.equal((await (await app.request("/api/v1/versions", right)).json()).code, 0);
  assert.equal((await app.request("/api/v1/versions", basic("ädmin:a:b:ü", "bAsIc"))).status, 200);
  assert.equal((await app.request("/healthz")).status, 200);
  const kick = { ...right, method: "DELETE" };
  assert.equal((await (await app.request("/api/v1/clients/b0texaxl", kick)).json()).code, 0);
  const unguarded = await app.request("/api/v1/clients/b0texaxl", { method: "DELETE" });
  assert.equal(unguarded.status, 401);
});

Deno.test("auth: metrics too, but not on a port of their own", async () => {
  const options = { auth: { username: "u", password: "p" }, metrics: { label: "", tag: "" } };
  const { view, app } = server({}, options);
  assert.equal((await app.request("/metrics")).status, 401);
  assert.equal((await app.request("/metrics", basic("u:p"))).status, 200);
  const own = createApp(view, { ...options, roles: new Set(["exporter"]) });
  assert.equal((await own.request("/metrics")).status, 200);
  const shared = createApp(view, { ...options, roles: new Set(["api", "exporter"]) });
  assert.equal((await shared.request("/metrics")).status, 401);
});

Deno.test("auth: one's own page may kick under any name, since browsers keep passwords by name", async () => {
  const { app } = server({}, { auth: { username: "u", password: "p" } });
  const status = async (host: string, origin: string) => {
    const headers = { ...basic("u:p").headers, Host: host, Origin: origin };
    return (await app.request("/api/v1/clients/b0texaxl", { method: "DELETE", headers })).status;
  };
  assert.equal(await status("edge.example:1990", "https://edge.example:1990"), 200);
  assert.equal(await status("edge.example:1990", "https://evil.example"), 403);
});

Deno.test("listeners: what each of them serves", async () => {
  const { view } = server();
  const metrics = { label: "", tag: "" };
  const rows: [Role[], Record<string, number>][] = [
    [["server"], { "/api/v1/versions": 200, "/api/v1/streams/": 404, "/metrics": 404, "/": 404 }],
    [["exporter"], { "/api/v1/versions": 404, "/metrics": 200, "/": 404, "/healthz": 200 }],
    [["api"], { "/api/v1/streams/": 200, "/metrics": 200, "/": 200, "/flv": 200, "/x": 404 }],
    [["api", "server"], { "/api/v1/streams/": 200, "/": 200, "/page": 200, "/flv": 200 }],
  ];
  const page = new Hono<HttpEnv>().get("/page", (c) => c.text("page"));
  const flv = new Hono<HttpEnv>().get("/flv", (c) => c.text(c.env.peer.address));
  const env = { peer: { address: "192.0.2.1", port: 5 } };
  const mounts = [{ on: "server", routes: page }, { on: "both", routes: flv }] as const;
  for (const [roles, paths] of rows) {
    const app = createApp(view, { roles: new Set(roles), metrics, mounts });
    for (const [path, status] of Object.entries(paths)) {
      const response = await app.request(path, {}, env);
      assert.equal(response.status, status, `${roles} ${path}`);
      if (path === "/flv") assert.equal(await response.text(), "192.0.2.1");
    }
  }
});
