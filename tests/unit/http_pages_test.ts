/**
 * Web pages of other origins: what they may read with credentials (F23), and by scripts (F25).
 * @module
 */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { type AppOptions, createApp } from "../../src/servers/http/app.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { asked as askedBy, client, server, stream } from "./support/server_view.ts";

function load(text: string) {
  return loadConfig("a.conf", () => `listen 1935; vhost v {} ${text}`, {});
}

const PAGE = "https://player.example";
const OTHER = "https://evil.example";

/** The CORS headers of an answer. */
async function corsOf(
  options: AppOptions,
  headers: Record<string, string>,
  method = "GET",
  path = "/live/a.flv",
) {
  const { app } = server({}, options);
  const answer = await app.request(path, { method, headers });
  const named = (name: string) => answer.headers.get(`Access-Control-${name}`);
  return {
    status: answer.status,
    origin: named("Allow-Origin"),
    credentials: named("Allow-Credentials"),
    methods: named("Allow-Methods"),
    headers: named("Allow-Headers"),
    exposed: named("Expose-Headers"),
    vary: answer.headers.get("Vary"),
  };
}

Deno.test("F23: an origin that is named is echoed, and may send credentials", async () => {
  const options = { trustedOrigins: [PAGE, "http://10.0.0.5:8080"] };
  for (const Origin of options.trustedOrigins) {
    for (const crossdomain of [true, false]) {
      const found = await corsOf(
        { ...options, crossdomain },
        { Origin },
        "GET",
        "/api/v1/versions",
      );
      assert.equal(found.origin, Origin);
      assert.equal(found.credentials, "true");
      assert.equal(found.methods, "GET, HEAD, OPTIONS");
      assert.equal(found.vary, "Origin");
      // With credentials a star would be a header's name.
      assert.match(found.exposed ?? "", /^Content-Length, [\w, -]+$/);
    }
  }
  const asks = { Origin: PAGE, "Access-Control-Request-Headers": "authorization, range" };
  const preflight = await corsOf({ ...options, crossdomain: false }, asks, "OPTIONS");
  assert.deepEqual([preflight.status, preflight.headers], [200, "authorization, range"]);
  const injecting = { ...asks, "Access-Control-Request-Headers": "a: b" };
  assert.equal((await corsOf(options, injecting, "OPTIONS")).headers, null);
});

Deno.test("F23: other origins get what crossdomain gives, and never credentials", async () => {
  const others = [OTHER, "null", `${PAGE}.evil.example`, `${PAGE}:444`, "http://player.example"]
    .concat(PAGE.toUpperCase(), `${PAGE}/`, "");
  for (const Origin of others) {
    const found = await corsOf({ trustedOrigins: [PAGE] }, { Origin });
    assert.deepEqual([found.origin, found.credentials], ["*", "false"], Origin);
    assert.equal(found.vary, "Origin", "caches must keep answers for different origins apart");
    const closed = { trustedOrigins: [PAGE], crossdomain: false };
    const refused = await corsOf(closed, { Origin });
    assert.deepEqual([refused.origin, refused.credentials, refused.vary], [null, null, "Origin"]);
    assert.equal((await corsOf(closed, { Origin }, "OPTIONS")).status, 405, Origin);
  }
  const plain = await corsOf({ trustedOrigins: [PAGE] }, {});
  assert.deepEqual([plain.origin, plain.vary], [null, "Origin"]);
  assert.equal((await corsOf({}, { Origin: PAGE })).vary, null);
});

Deno.test("F23: a named origin reads, and does not kick", async () => {
  const { app, kicked } = server({}, { trustedOrigins: [PAGE] });
  const headers = { Origin: PAGE };
  const answer = await app.request("/api/v1/clients/b0texaxl", { method: "DELETE", headers });
  assert.equal(answer.status, 403);
  assert.deepEqual(kicked, []);
});

Deno.test("F23: the page's own Vary stays beside it", async () => {
  const { app } = server({}, { trustedOrigins: [PAGE] });
  const vary = async (path: string) => {
    const headers = { Accept: "text/html", Origin: OTHER };
    const text = (await app.request(path, { headers })).headers.get("Vary") ?? "";
    return text.split(/, */).sort();
  };
  assert.deepEqual(await vary("/"), ["Accept", "Accept-Encoding", "Origin"]);
  assert.deepEqual(await vary("/console/"), ["Accept-Encoding", "Origin"]);
});

Deno.test("F23: trusted_origins in the configuration", () => {
  const read = (value: string) => load(`http_server { trusted_origins ${value}; }`).config;
  const { trustedOrigins } =
    read("https://Player.example/ http://10.0.0.5:80 http://[::1]:8080").httpServer;
  assert.deepEqual(trustedOrigins, [
    "https://player.example",
    "http://10.0.0.5",
    "http://[::1]:8080",
  ]);
  const bad = ["*", "null", "player.example", "https://*.example", "https://a.example/path"]
    .concat("https://u:secret@a.example", "ftp://a.example", "https://", "https://a:b");
  for (const word of bad) {
    assert.throws(() => read(word), (error) => {
      assert.ok(error instanceof ConfigError);
      const [message] = error.diagnostics.map((diagnostic) => diagnostic.message);
      assert.match(message, /is no origin such as/, word);
      assert.doesNotMatch(message, /:secret@a/);
      return true;
    });
  }
});

Deno.test("H63: the API is read by pages of ours and of sites that are named", async () => {
  const ports = new Set(["1985", "8080", "443"]);
  const paths = ["/api/v1/streams/", "//api/v1/streams/", "/%61pi/v1/streams/", "/api", "/metrics"];
  const Host = "10.0.0.2:1985";
  for (const path of paths) {
    for (const crossdomain of [true, false]) {
      const options = { crossdomain, ports, trustedOrigins: [PAGE] };
      for (const Origin of [OTHER, "null", "http://10.0.0.2:9999", "http://10.0.0.3:1985", "x"]) {
        for (const method of ["GET", "HEAD", "OPTIONS"]) {
          const found = await corsOf(options, { Host, Origin }, method, path);
          assert.deepEqual([found.origin, found.credentials], [null, null], `${path} ${Origin}`);
          if (method === "OPTIONS") assert.equal(found.status, 405);
        }
      }
      for (const Origin of ["http://10.0.0.2:1985", "http://10.0.0.2:8080", "https://10.0.0.2"]) {
        const found = await corsOf(options, { Host, Origin }, "GET", path);
        assert.deepEqual([found.origin, found.credentials], [Origin, "false"], `${path} ${Origin}`);
        assert.match(found.vary ?? "", /Origin/);
      }
      const named = await corsOf(options, { Host, Origin: PAGE }, "GET", path);
      assert.deepEqual([named.origin, named.credentials], [PAGE, "true"]);
    }
  }
  for (const path of ["/live/a.flv", "/index.html", "/apis/x", "/healthz"]) {
    assert.equal((await corsOf({ ports }, { Host, Origin: OTHER }, "GET", path)).origin, "*", path);
  }
});

Deno.test("H63: a name that is resolved to this machine reads nothing (DNS rebinding)", async () => {
  const metrics = { label: "", tag: "" };
  const status = async (options: AppOptions, Host: string, address: string, path: string) => {
    const { app } = server({}, { metrics, ...options });
    const env = { peer: { address, port: 5 } };
    const headers = { Host, Authorization: `Basic ${btoa("u:p")}` };
    return (await app.request(path, { headers }, env)).status;
  };
  const auth = { username: "u", password: "p" };
  for (const path of ["/api/v1/streams/", "//api/v1/clients/", "/metrics", "/api/"]) {
    for (const host of ["evil.example", "evil.example:1985", "localhost.evil.example"]) {
      assert.equal(await status({}, host, "127.0.0.1", path), 403, `${path} ${host}`);
      assert.equal(await status({ loopback: true }, host, "192.0.2.1", path), 403);
      assert.equal(await status({ auth }, host, "127.0.0.1", path), 200);
    }
    for (const host of ["localhost:1985", "127.0.0.1", "[::1]:1985", "10.0.0.5:1985", ""]) {
      assert.equal(await status({ loopback: true }, host, "127.0.0.1", path), 200, host);
    }
    const named = { trustedOrigins: ["https://edge.example"] };
    assert.equal(await status(named, "Edge.example:1985", "127.0.0.1", path), 200);
    assert.equal(await status({}, "edge.example:1985", "192.0.2.1", path), 200, "from elsewhere");
  }
  assert.equal(await status({}, "evil.example", "127.0.0.1", "/healthz"), 200);
});

const JSONP = { jsonp: true };

Deno.test("H63: scripts read the API for pages of ours and of sites that are named", async () => {
  const options = { ...JSONP, trustedOrigins: [PAGE], ports: new Set(["8080"]) };
  const own = "http://10.0.0.2:1985/console/";
  const rows: [Record<string, string>, boolean][] = [
    [scriptOf(own), true],
    [scriptOf("http://10.0.0.2:8080/console/"), true],
    [scriptOf(`${PAGE}/a/b`), true],
    [scriptOf(`${PAGE}/`, { "Sec-Fetch-Site": "cross-site" }), true],
    [{ Host: "10.0.0.2:1985", "User-Agent": "curl/8" }, true],
    [scriptOf(`${OTHER}/`), false],
    [scriptOf(`${OTHER}/`, { "Sec-Fetch-Site": "cross-site" }), false],
    [scriptOf("http://10.0.0.2:9999/"), false],
    [scriptOf("nonsense"), false],
    [{ Host: "10.0.0.2:1985", "User-Agent": "Mozilla/5.0" }, false],
    [{ Host: "10.0.0.2:1985", "Sec-Fetch-Site": "cross-site" }, false],
    [{ Host: "10.0.0.2:1985", Origin: OTHER }, false],
  ];
  for (const [headers, reads] of rows) {
    const { app } = server({}, options);
    for (const path of ["/api/v1/streams/", "/metrics", "/"]) {
      const answer = await app.request(`${path}?callback=f`, { headers });
      const text = await answer.text();
      const expected = reads ? /^f\(\{"code":(0|1090)/ : /^f\(\{"code":1062\}\)$/;
      assert.match(text, expected, JSON.stringify(headers));
    }
  }
});

Deno.test("H43: remote_commands in the configuration, with a warning", () => {
  const read = (text: string, env = {}) =>
    loadConfig("a.conf", () => `listen 1935; vhost v {} http_api { enabled on; ${text} }`, env);
  const off = read("");
  assert.deepEqual([off.config.httpApi.remoteCommands, off.warnings.length], [false, 0]);
  const on = read("remote_commands on;");
  assert.equal(on.config.httpApi.remoteCommands, true);
  assert.match(on.warnings.map(({ message }) => message).join(), /everybody .*auth \{ \}/);
  const byEnv = read("", { SRS_HTTP_API_REMOTE_COMMANDS: "on" });
  assert.deepEqual([byEnv.config.httpApi.remoteCommands, byEnv.warnings.length], [true, 1]);
  const both = read("remote_commands on; auth { enabled on; username u; password p; }");
  assert.equal(both.config.httpApi.remoteCommands, false);
  assert.match(both.warnings.map(({ message }) => message).join(), /no effect beside/);
});

Deno.test("F25: every GET answer of the API is a script when asked with callback=", async () => {
  const { app } = server({}, JSONP);
  const { urls } = await (await app.request("/api/v1/")).json();
  const paths = Object.keys(urls).map((name) => `/api/v1/${name}`).filter((path) => {
    return !/(vhosts|streams|clients|tests)$/.test(path);
  }).concat("/", "/api/", "/api/v1/", "/api/v1/vhosts/", "/api/v1/streams/", "/api/v1/clients/")
    .concat("/api/v1/clients/b0texaxl", "/api/v1/clients/nosuch", "/api/v1/tests/errors")
    .concat("/metrics");
  for (const path of paths) {
    for (const callback of ["f", "angular.callbacks._0", "$.x", "A".repeat(128)]) {
      const answer = await app.request(`${path}?rpc=raw&callback=${callback}`);
      assert.equal(answer.status, 200);
      const type = answer.headers.get("Content-Type");
      assert.equal(type, "application/javascript; charset=utf-8", path);
      assert.equal(answer.headers.get("X-Content-Type-Options"), "nosniff");
      const text = await answer.text();
      assert.ok(text.startsWith(`${callback}({"code":`) && text.endsWith("})"), `${path}: ${text}`);
      JSON.parse(text.slice(callback.length + 1, -1));
    }
    const plain = await app.request(path);
    assert.equal(plain.headers.get("Content-Type"), "application/json", path);
  }
  const moved = await app.request("/api/v1/clients?callback=f");
  assert.equal(moved.headers.get("Location"), "/api/v1/clients/?callback=f");
});

Deno.test("F25: text of peers ends neither the script nor its line", async () => {
  const name = '</script>\u2028\u2029"+alert(1)+"北京';
  const { app } = server(
    { streams: new Map([["vid-1", { ...stream, id: "vid-1", name }]]) },
    JSONP,
  );
  const text = await (await app.request("/api/v1/streams/?callback=f")).text();
  assert.doesNotMatch(text, /[<\u2028\u2029]/);
  assert.equal(JSON.parse(text.slice(2, -1)).streams[0].name, name);
});

Deno.test("F25: a callback is a short name, or the answer is 400", async () => {
  const { app } = server({}, JSONP);
  const bad = ["", "1", "a-b", "a b", "f(", "alert(1)", "<script>", "a;b", ".a", "a[0]", "ä", "a\n"]
    .concat("A".repeat(129));
  for (const callback of bad) {
    const answer = await app.request(`/api/v1/versions?callback=${encodeURIComponent(callback)}`);
    assert.equal(answer.status, 400, callback);
    assert.match(await answer.text(), /^Bad Request: callback is a name of [^\n]+\n$/);
    assert.match(answer.headers.get("Content-Type") ?? "", /^text\/plain/);
  }
});

Deno.test("F25: no JSONP unless the configuration says so, and never with a password", async () => {
  const auth = { username: "u", password: "p" };
  const headers = { Authorization: `Basic ${btoa("u:p")}` };
  for (const options of [{}, { jsonp: false }, { jsonp: true, auth }]) {
    const { app } = server({}, options);
    const answer = await app.request("/api/v1/versions?callback=f", { headers });
    assert.equal(answer.headers.get("Content-Type"), "application/json");
    assert.ok((await answer.text()).startsWith('{"code":0'));
  }
  const { app } = server({}, JSONP);
  const posted = await app.request("/api/v1/versions?callback=f", { method: "POST" });
  assert.equal(posted.headers.get("Content-Type"), "application/json");

  const read = (text: string) => load(`http_api { enabled on; ${text} }`);
  assert.equal(read("").config.httpApi.jsonp, false);
  assert.equal(read("jsonp on;").config.httpApi.jsonp, true);
  const both = read("jsonp on; auth { enabled on; username u; password p; }");
  assert.equal(both.config.httpApi.jsonp, false);
  assert.match(both.warnings.map(({ message }) => message).join(), /jsonp has no effect/);
});

/** What browsers send with a script of the page at this address. */
function scriptOf(page: string, more: Record<string, string> = {}): Record<string, string> {
  return { Host: "10.0.0.2:1985", "User-Agent": "Mozilla/5.0", Referer: page, ...more };
}

Deno.test("F25: SRS's console kicks from our own page, and no script of another page does", async () => {
  const own = "http://10.0.0.2:1985/console/ng_index.html";
  const same = { "Sec-Fetch-Site": "same-origin" };
  const kick = async (headers: Record<string, string>, options: AppOptions, query: string) => {
    const { view, kicked } = server();
    const app = askedBy(createApp(view, { remoteCommands: true, ...options }), "10.0.0.9");
    const answer = await app.request(`/api/v1/clients/b0texaxl?${query}`, { headers });
    return { kicked: kicked.length > 0, status: answer.status, text: await answer.text() };
  };
  const asked = "callback=angular.callbacks._7&method=DELETE";
  const answer = await kick(scriptOf(own), JSONP, asked);
  assert.deepEqual([answer.kicked, answer.status], [true, 200]);
  assert.match(answer.text, /^angular\.callbacks\._7\(\{"code":0,"server":/);
  assert.equal((await kick(scriptOf(own, same), JSONP, asked)).kicked, true);
  const local = { Host: "localhost:1985", ...same };
  assert.equal((await kick(scriptOf("http://localhost:1985/", local), JSONP, asked)).kicked, true);

  const foreign: Record<string, string>[] = [
    {},
    { Host: "10.0.0.2:1985" },
    { Host: "10.0.0.2:1985", "User-Agent": "Mozilla/5.0" },
    { Host: "10.0.0.2:1985", "User-Agent": "curl/8" },
    scriptOf("http://evil.example/"),
    scriptOf("http://10.0.0.2:8080/"),
    scriptOf("http://10.0.0.2/"),
    scriptOf("http://10.0.0.2:1985.evil.example/"),
    scriptOf("nonsense"),
    scriptOf(own, { "Sec-Fetch-Site": "same-site" }),
    scriptOf(own, { "Sec-Fetch-Site": "cross-site" }),
    scriptOf(own, { "Sec-Fetch-Site": "none" }),
    scriptOf(own, { Origin: OTHER }),
    // DNS rebinding: their name, our address.
    scriptOf("http://evil.example:1985/", { Host: "evil.example:1985", ...same }),
  ];
  for (const headers of foreign) {
    const refused = await kick(headers, JSONP, asked);
    const answer = [refused.kicked, refused.text];
    assert.deepEqual(
      answer,
      [false, 'angular.callbacks._7({"code":1062})'],
      JSON.stringify(headers),
    );
  }
  const never: [AppOptions, string][] = [
    [{}, asked],
    [JSONP, "method=DELETE"],
    [JSONP, "callback=f&method=delete"],
    [JSONP, "callback=f("],
    [JSONP, "callback=f&method=POST"],
    [{ ...JSONP, auth: { username: "u", password: "p" } }, asked],
  ];
  for (const [options, query] of never) {
    const headers = scriptOf(own, { ...same, Authorization: `Basic ${btoa("u:p")}` });
    assert.equal((await kick(headers, options, query)).kicked, false, query);
  }
});

Deno.test("F25: method= changes nothing but a client", async () => {
  const { app } = server({ clients: new Map([[client.id, client]]) }, JSONP);
  const headers = scriptOf("http://10.0.0.2:1985/");
  for (const path of ["streams/vid-72si0a9", "vhosts/vid-9b05d26"]) {
    const answer = await app.request(`/api/v1/${path}?callback=f&method=DELETE`, { headers });
    assert.match(await answer.text(), /^f\(\{"code":0,.*"(stream|vhost)":\{/);
  }
});
