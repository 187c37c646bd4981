/**
 * Reload and drain through the API: who may, and what they are told.
 * @module
 */
import assert from "node:assert/strict";
import type { AppOptions } from "../../src/http/app.ts";
import type { ReloadReport } from "../../src/http/control.ts";
import { server } from "./support/server_view.ts";

const LOOPBACK = { loopback: true };
const ALLOWED = { enabled: true, allowReload: true };

/** An app whose commands are written down. */
function controlled(options: AppOptions = {}) {
  const done: string[] = [];
  const control = {
    draining: false,
    reloadReport: { rid: "", state: 0, err: 0, msg: "Success" } as ReloadReport,
    reload: () => void done.push("reload"),
    drain: (tcUrl: string | null) => void done.push(`drain ${tcUrl}`),
  };
  const { app } = server({}, { control, ...options });
  return { app, control, done };
}

function basic(credentials: string): Record<string, string> {
  return { Authorization: `Basic ${btoa(credentials)}` };
}

Deno.test("raw: settings, and codes for what is not allowed", async () => {
  const rows: [AppOptions["rawApi"], string, unknown][] = [
    [undefined, "reload", { code: 1061 }],
    [undefined, "reload-fetch", { code: 1061 }],
    [undefined, "query", { code: 1061 }],
    [{ enabled: true, allowReload: false }, "reload", { code: 1061 }],
    [{ enabled: false, allowReload: true }, "reload", { code: 1061 }],
    [ALLOWED, "query", { code: 1060 }],
    [ALLOWED, "reload", { code: 0 }],
    [ALLOWED, "reload-fetch", {
      code: 0,
      data: { err: 0, msg: "Success", state: 0, rid: "" },
    }],
  ];
  for (const [rawApi, rpc, expected] of rows) {
    const { app, done } = controlled({ ...(rawApi && { rawApi }) });
    const answer = await (await app.request(`/api/v1/raw?rpc=${rpc}`)).json();
    assert.deepEqual(answer, expected, rpc);
    const allowed = rpc === "reload" && rawApi === ALLOWED;
    assert.deepEqual(done, allowed ? ["reload"] : []);
  }
  const { app } = controlled({ rawApi: ALLOWED, listen: "127.0.0.1:1985" });
  assert.deepEqual((await (await app.request("/api/v1/raw?rpc=raw")).json()).http_api.raw_api, {
    enabled: true,
    allow_reload: true,
    allow_query: false,
    allow_update: false,
  });
});

Deno.test("raw: a web page of another site cannot have it reload", async () => {
  const { app, done } = controlled({ rawApi: ALLOWED });
  const foreign: Record<string, string>[] = [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "none" },
    { Referer: "http://evil.example/page" },
    { Referer: "nonsense" },
    { Origin: "http://evil.example" },
    { Origin: "null" },
    // DNS rebinding: a name of theirs, resolved to us.
    { Origin: "http://evil.example", Host: "evil.example" },
    // Over plain HTTP a browser says less, and a page can have it say nothing at all.
    { "User-Agent": "Mozilla/5.0 (X11)" },
    { "User-Agent": "Mozilla/5.0", Referer: "http://evil.example/", Host: "evil.example" },
  ];
  for (const headers of foreign) {
    const answer = await app.request("/api/v1/raw?rpc=reload", {
      headers: { Host: "10.0.0.1", ...headers },
    });
    assert.equal(answer.status, 403, JSON.stringify(headers));
  }
  assert.deepEqual(done, []);
  const own = {
    Host: "10.0.0.1:1985",
    Referer: "http://10.0.0.1:1985/console/",
    "Sec-Fetch-Site": "same-origin",
  };
  assert.equal((await app.request("/api/v1/raw?rpc=reload", { headers: own })).status, 200);
  assert.deepEqual(done, ["reload"]);
});

Deno.test("drain: a password or an API for this machine alone", async () => {
  const post = { method: "POST" };
  const open = controlled();
  const refused = await open.app.request("/api/v1/drain", post);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /auth \{ \}.*SIGQUIT/);
  assert.deepEqual(open.done, []);

  const home = controlled(LOOPBACK);
  const answer = await (await home.app.request("/api/v1/drain", post)).json();
  assert.deepEqual([answer.code, answer.data], [0, { draining: true, connections: 3 }]);
  assert.deepEqual(home.done, ["drain null"]);
  for (const method of ["GET", "PUT", "DELETE"]) {
    assert.equal((await home.app.request("/api/v1/drain", { method })).status, 405);
  }

  const guarded = controlled({ auth: { username: "u", password: "p" } });
  assert.equal((await guarded.app.request("/api/v1/drain", post)).status, 401);
  const headers = basic("u:p");
  assert.equal((await guarded.app.request("/api/v1/drain", { ...post, headers })).status, 200);
  assert.deepEqual(guarded.done, ["drain null"]);
});

Deno.test("drain: not for a web page of another site", async () => {
  const { app, done } = controlled(LOOPBACK);
  const rows: [Record<string, string>, number][] = [
    [{ Origin: "http://evil.example", Host: "127.0.0.1:1985" }, 403],
    [{ Origin: "http://evil.example", Host: "evil.example" }, 403],
    [{ Origin: "http://127.0.0.1:1985", Host: "127.0.0.1:1985" }, 200],
  ];
  for (const [headers, status] of rows) {
    const answer = await app.request("/api/v1/drain", { method: "POST", headers });
    assert.equal(answer.status, status);
  }
  assert.equal(done.length, 1);
});

Deno.test("drain: where clients are sent", async () => {
  const rows: [string, string | null][] = [
    ["", "drain null"],
    ["{}", "drain null"],
    ['{"tcUrl":null}', "drain null"],
    ['{"tcUrl":"rtmp://b.example/live"}', "drain rtmp://b.example/live"],
    ['{"tcUrl":"rtmps://b.example:443/live"}', "drain rtmps://b.example:443/live"],
    ['{"tcUrl":"//b.example/live"}', "drain //b.example/live"],
    ['{"tcUrl":"http://b.example/live"}', null],
    ['{"tcUrl":"rtmp://b.example/a b"}', null],
    ['{"tcUrl":"rtmp://b.example/a\\nb"}', null],
    ['{"tcUrl":1}', null],
    ["[]", null],
    ["nonsense", null],
    [`{"tcUrl":"rtmp://b.example/${"a".repeat(600)}"}`, null],
    [`{"tcUrl":"rtmp://b.example/${"a".repeat(9000)}"}`, null],
  ];
  for (const [body, expected] of rows) {
    const { app, done } = controlled(LOOPBACK);
    const { status } = await app.request("/api/v1/drain", { method: "POST", body });
    assert.equal(status, expected ? 200 : body.length > 4096 ? 413 : 400, body.slice(0, 80));
    assert.deepEqual(done, expected ? [expected] : []);
  }
});

Deno.test("healthz: 503 while the server drains", async () => {
  const { app, control } = controlled();
  assert.equal((await app.request("/healthz")).status, 200);
  control.draining = true;
  const answer = await app.request("/healthz");
  assert.deepEqual([answer.status, await answer.text()], [503, "draining"]);
});
