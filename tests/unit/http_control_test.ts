/**
 * Reload and drain through the API: who may, and what they are told.
 * @module
 */
import assert from "node:assert/strict";
import type { AppOptions } from "../../src/servers/http/app.ts";
import type { ReloadReport } from "../../src/servers/http/api/control.ts";
import { server } from "./support/server_view.ts";

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
  const { app, done } = controlled({ rawApi: ALLOWED, remoteCommands: true });
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

Deno.test("drain: with a password, or from this machine", async () => {
  const post = { method: "POST" };
  const home = controlled();
  const answer = await (await home.app.request("/api/v1/drain", post)).json();
  assert.deepEqual([answer.code, answer.data], [0, { draining: true, connections: 3 }]);
  assert.deepEqual(home.done, ["drain null"]);
  for (const method of ["GET", "PUT", "DELETE"]) {
    assert.equal((await home.app.request("/api/v1/drain", { method })).status, 405);
  }

  const guarded = controlled({ auth: { username: "u", password: "p" } });
  const from = { peer: { address: "192.0.2.1", port: 5 } };
  assert.equal((await guarded.app.request("/api/v1/drain", post, from)).status, 401);
  const headers = basic("u:p");
  const drained = await guarded.app.request("/api/v1/drain", { ...post, headers }, from);
  assert.equal(drained.status, 200);
  assert.deepEqual(guarded.done, ["drain null"]);
});

/** Headers by which a request through a proxy shows, and Hosts of others. */
const NOT_LOCAL: readonly Record<string, string>[] = [
  ...["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded", "X-Real-IP"],
  ...["Forwarded", "Via", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Original-URI"],
  ...["X-Cluster-Client-IP", "CDN-Loop"],
].map((name): Record<string, string> => ({ [name]: "127.0.0.1" })).concat(
  [...[
    "edge.example",
    "127.0.0.1.evil.example",
    "10.0.0.5:1985",
    "[::2]",
    "localhost.evil",
    "128.0.0.1",
  ]]
    .map((Host) => ({ Host })),
);

const LOCAL: readonly Record<string, string>[] = [
  {},
  ...["localhost", "LOCALHOST:1985", "127.0.0.1:1985", "127.9.9.9", "[::1]", "[::1]:1985"].map((
    Host,
  ) => ({ Host })),
];

const COMMANDS: readonly (readonly [string, string])[] = [
  ["DELETE", "/api/v1/clients/b0texaxl"],
  ["DELETE", "//api/v1//clients/b0texaxl"],
  ["POST", "/api/v1/drain"],
  ["GET", "/api/v1/raw?rpc=reload"],
  ["POST", "/api/v1/raw?rpc=reload"],
  ["HEAD", "/api/v1/raw?rpc=reload"],
  ["PUT", "/api/v1/versions"],
  ["PATCH", "/api/"],
  ["BREW", "/api/v1/streams/"],
];

Deno.test("H43: without a password commands come from this machine itself", async () => {
  const refusals = async (options: AppOptions, headers: HeadersInit, address: string) => {
    const { app, done } = controlled({ rawApi: ALLOWED, ...options });
    const statuses: number[] = [];
    for (const [method, path] of COMMANDS) {
      const answer = await app.request(path, { method, headers }, { peer: { address, port: 5 } });
      statuses.push(answer.status);
      if (answer.status === 403 && method !== "HEAD" && address !== "127.0.0.1") {
        assert.match(await answer.text(), /^Forbidden: [^\n]*auth \{ \}[^\n]*\n$/);
      }
    }
    return { refused: statuses.filter((status) => status === 403).length, done };
  };
  for (const address of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
    for (const headers of LOCAL) {
      const { refused, done } = await refusals({}, headers, address);
      assert.equal(refused, 0, `${address} ${JSON.stringify(headers)}`);
      assert.equal(done.length, 4);
    }
    for (const headers of NOT_LOCAL) {
      const { refused, done } = await refusals({}, headers, address);
      assert.equal(refused, COMMANDS.length, JSON.stringify(headers));
      assert.deepEqual(done, []);
    }
  }
  for (const address of ["10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5", "128.0.0.1", ""]) {
    const { refused, done } = await refusals({}, {}, address);
    assert.deepEqual([refused, done], [COMMANDS.length, []], address);
    const allowed = await refusals({ remoteCommands: true }, {}, address);
    assert.deepEqual([allowed.refused, allowed.done.length], [0, 4], address);
    const auth = { username: "u", password: "p" };
    const headers = { ...basic("u:p"), "X-Forwarded-For": "1.2.3.4", Host: "edge.example" };
    assert.equal((await refusals({ auth }, headers, address)).refused, 0, address);
  }
});

Deno.test("H43: no web page of another site commands, whatever opens the API", async () => {
  const foreign: Record<string, string>[] = [
    { Origin: "http://evil.example" },
    { Origin: "null" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "Sec-Fetch-Site": "none" },
    { Origin: "http://127.0.0.1:8080" },
  ];
  const auth = { username: "u", password: "p" };
  for (const options of [{}, { remoteCommands: true }, { auth }]) {
    for (const headers of foreign) {
      const { app, done } = controlled({ rawApi: ALLOWED, ...options });
      const asks = { Host: "127.0.0.1:1985", ...basic("u:p"), ...headers };
      for (const [method, path] of COMMANDS) {
        const answer = await app.request(path, { method, headers: asks });
        assert.equal(answer.status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
      assert.deepEqual(done, []);
    }
  }
});

Deno.test("drain: not for a web page of another site", async () => {
  const { app, done } = controlled();
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
    const { app, done } = controlled();
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
