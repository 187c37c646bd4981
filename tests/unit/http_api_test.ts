/**
 * The statistics API against SRS's recorded answers, and the HTTP listener.
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import fc from "fast-check";
import { createApp } from "../../src/servers/http/app.ts";
import { fixed2, type Json, stringify } from "../../src/servers/http/request/json.ts";
import { isPublicAddress, SystemStats } from "../../src/stats/system_stats.ts";
import { listenHttp } from "../../src/net/http_listener.ts";
import { VERSION } from "../../src/runtime/version.ts";
import { asked, byId, client, NOW, server, stream } from "./support/server_view.ts";

const ENVELOPE = '{"code":0,"server":"vid-69z1301","service":"mk205s66","pid":"16441",';
const VHOST_JSON = '{"id":"vid-9b05d26","name":"__defaultVhost__","enabled":true,"clients":3,' +
  '"streams":1,"send_bytes":1549098,"recv_bytes":1041941,"kbps":{"recv_30s":0,"send_30s":0},' +
  '"hls":{"enabled":false}}';
const STREAM_JSON = '{"id":"vid-72si0a9","name":"livestream","vhost":"vid-9b05d26","app":"live",' +
  '"tcUrl":"rtmp://127.0.0.1:1935/live","url":"/live/livestream","live_ms":1795356483719,' +
  '"clients":3,"frames":623,"send_bytes":1549098,"recv_bytes":1041941,' +
  '"kbps":{"recv_30s":0,"send_30s":0},"publish":{"active":true,"cid":"b0texaxl"},' +
  '"video":{"codec":"H264","profile":"Baseline","level":"3","width":640,"height":360},' +
  '"audio":{"codec":"AAC","sample_rate":44100,"channel":2,"profile":"LC"},' +
  '"edge":{"vhost":"__defaultVhost__","flv":"/live/livestream.flv","uptime_ms":60500,"players":2,' +
  '"fps":25.00,"bit_depth":8,"video_tracks":2,"audio_tracks":1,"recv_kbps":312,"send_kbps":624,' +
  '"flush_interval_ms":0.00,"delay_p50_ms":0.12,"delay_p99_ms":0.95,"lag_ms":0.00,' +
  '"dropped_gops":3,"dropped_messages":71,"upstream":null,"forwards":[]}}';
const CLIENT_JSON = '{"id":"b0texaxl","vhost":"vid-9b05d26","stream":"vid-72si0a9",' +
  '"ip":"127.0.0.1","pageUrl":"","swfUrl":"","tcUrl":"rtmp://127.0.0.1:1935/live",' +
  '"url":"/live/livestream","name":"livestream","type":"fmle-publish","publish":true,' +
  '"alive":26.10,"send_bytes":4384,"recv_bytes":1038271,"kbps":{"recv_30s":0,"send_30s":0},' +
  '"edge":{"port":50412,"lag_ms":null,"dropped_gops":0,"dropped_messages":0}}';

Deno.test("answers are SRS's, byte for byte", async () => {
  const { app } = server();
  const [major, minor, revision] = VERSION.split(".");
  const answers: [string, string][] = [
    ["/", `${ENVELOPE}"urls":{"api":"the api root"}}`],
    ["/api/", `${ENVELOPE}"urls":{"v1":"the api version 1.0"}}`],
    [
      "/api/v1/versions",
      `${ENVELOPE}"data":{"major":${major},"minor":${minor},"revision":${revision},"version":"${VERSION}"}}`,
    ],
    ["/api/v1/vhosts/", `${ENVELOPE}"vhosts":[${VHOST_JSON}]}`],
    ["/api/v1/vhosts/vid-9b05d26", `${ENVELOPE}"vhost":${VHOST_JSON}}`],
    ["/api/v1/vhosts/vid-0", '{"code":2014}'],
    ["/api/v1/streams/", `${ENVELOPE}"streams":[${STREAM_JSON}]}`],
    ["/api/v1/streams/vid-72si0a9", `${ENVELOPE}"stream":${STREAM_JSON}}`],
    ["/api/v1/streams/vid-0", '{"code":2048}'],
    ["/api/v1/clients/", `${ENVELOPE}"clients":[${CLIENT_JSON}]}`],
    ["/api/v1/clients/b0texaxl", `${ENVELOPE}"client":${CLIENT_JSON}}`],
    ["/api/v1/clients/0", '{"code":2049}'],
    ["/api/v1/clients/%ff", '{"code":2049}'],
  ];
  for (const [path, expected] of answers) {
    const response = await app.request(path);
    assert.equal(await response.text(), expected, path);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("Content-Type"), "application/json", path);
    assert.equal(response.headers.get("Server"), `srs-edge/${VERSION}`, path);
  }
});

Deno.test("unknown figures are null, and a stream that was never published has no cid", async () => {
  const bare = { ...stream, video: null, audio: null, publish: { active: false } };
  const { app } = server({ streams: byId(bare) });
  const text = await (await app.request("/api/v1/streams/")).text();
  assert.ok(text.includes('"publish":{"active":false},"video":null,"audio":null,'), text);
});

/** Captured from SRS: only names, order and kinds of its members matter here. */
const SRS_SUMMARIES =
  '{"code":0,"server":"vid-69z1301","service":"mk205s66","pid":"16441","data":{"ok":true,' +
  '"now_ms":1795356483628,"self":{"version":"7.0.18","pid":16441,"ppid":1,"argv":"./srs -c a.conf",' +
  '"cwd":"/opt/srs","mem_kbyte":16324,"mem_percent":0.00,"cpu_percent":0.00,"srs_uptime":40},' +
  '"system":{"cpu_percent":0.05,"disk_read_KBps":0,"disk_write_KBps":7,"disk_busy_percent":0.00,' +
  '"mem_ram_kbyte":24684092,"mem_ram_percent":0.02,"mem_swap_kbyte":0,"mem_swap_percent":0.00,' +
  '"cpus":2,"cpus_online":2,"uptime":2053.60,"ilde_time":3571.69,"load_1m":0.41,"load_5m":0.37,' +
  '"load_15m":0.26,"net_sample_time":1795356479407,"net_recv_bytes":0,"net_send_bytes":0,' +
  '"net_recvi_bytes":33228799099,"net_sendi_bytes":32732701974,"srs_sample_time":1795356482409,' +
  '"srs_recv_bytes":1041941,"srs_send_bytes":1549098,"conn_sys":24,"conn_sys_et":8,' +
  '"conn_sys_tw":6,"conn_sys_udp":0,"conn_srs":3}}}';

/** The answer without what is ours, and that it was there. */
function withoutEdge(json: string): string {
  const parts = /^(.*),"edge":\{"runtime".*\}(\}\})$/.exec(json);
  assert.ok(parts, json);
  return parts[1] + parts[2];
}

/** The text with every value replaced by the name of its kind. */
function shape(json: string): string {
  return json.replace(/:("(?:[^"\\]|\\.)*")/g, ":string")
    .replace(/:-?\d+\.\d\d(?=[,}])/g, ":float").replace(/:-?\d+(?=[,}])/g, ":int");
}

Deno.test("summaries have SRS's fields in SRS's order with SRS's kinds", async () => {
  const { app } = server();
  const text = await (await app.request("/api/v1/summaries")).text();
  assert.equal(shape(withoutEdge(text)), shape(SRS_SUMMARIES));
  const { data } = JSON.parse(text);
  assert.equal(data.self.pid, process.pid);
  assert.equal(data.self.srs_uptime, 40);
  assert.equal(data.system.srs_recv_bytes, 1041941);
  assert.equal(data.system.conn_srs, 3);
  assert.ok(data.self.mem_kbyte > 1000 && data.system.mem_ram_kbyte > data.self.mem_kbyte);
  assert.ok(data.system.cpus > 0 && data.system.uptime > 0);
  for (const name of ["cpu_percent", "mem_ram_percent"]) {
    assert.ok(data.system[name] >= 0 && data.system[name] <= 1, `${name} ${data.system[name]}`);
  }
});

Deno.test("system figures are sampled at most once a second", () => {
  const stats = new SystemStats(NOW);
  const first = stats.read(NOW + 500);
  assert.equal(stats.read(NOW + 1499), first);
  assert.equal(stats.read(NOW + 1500).timeMs, NOW + 1500);
  assert.equal(stats.read(NOW).timeMs, NOW, "a clock that was set back must not stop the sampling");
});

Deno.test("loopback, private and link-local addresses are not public", () => {
  const inner = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.1.170",
    "172.16.0.1",
    "172.31.0.1",
    "100.64.0.1",
  ];
  for (const address of [...inner, "169.254.1.1", "::1", "fe80::1", "fd00::1"]) {
    assert.ok(!isPublicAddress(address), address);
  }
  for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"]) {
    assert.ok(isPublicAddress(address), address);
  }
});

Deno.test("paths without their slash are redirected, with the query", async () => {
  const { app } = server();
  for (const path of ["/api", "/api/v1", "/api/v1/vhosts", "/api/v1/streams", "/api/v1/clients"]) {
    const response = await app.request(`${path}?start=1&count=2`);
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("Location"), `${path}/?start=1&count=2`);
    assert.match(response.headers.get("Content-Type") ?? "", /^text\/plain/);
    assert.ok((await response.text()).startsWith(`Redirect to ${path}/`));
  }
});

Deno.test("an unknown API path gets the listing of its nearest parent", async () => {
  const { app } = server();
  for (const path of ["/api/v1/nosuch", "/api/v1/versions/", "/api/v1/a/b"]) {
    const { urls } = await (await app.request(path)).json();
    assert.deepEqual(
      Object.keys(urls),
      ("versions summaries rusages self_proc_stats system_proc_stats meminfos authors features " +
        "requests vhosts streams clients raw tests").split(" "),
      path,
    );
  }
  const { urls } = await (await app.request("/api/nosuch")).json();
  assert.deepEqual(Object.keys(urls), ["v1"]);
  const other = await app.request("/nosuch");
  assert.equal(other.status, 404);
  assert.equal(await other.text(), "Not Found");
});

Deno.test("every listed endpoint exists", async () => {
  const { app } = server();
  const { urls } = await (await app.request("/api/v1/")).json();
  const { tests, ...names } = urls;
  assert.equal((await (await app.request("/api/v1/tests/requests")).json()).code, 0);
  assert.deepEqual(Object.keys(tests), ["requests", "errors", "redirects"]);
  for (const name of Object.keys(names)) {
    const response = await app.request(`/api/v1/${name}`);
    const answer = response.status === 302
      ? await app.request(response.headers.get("Location") ?? "")
      : response;
    assert.ok(!("urls" in await answer.json()), name);
  }
});

Deno.test("methods: 405 on collections, GET is assumed elsewhere", async () => {
  const { app, kicked } = server();
  for (
    const path of ["/api/v1/vhosts/", "/api/v1/streams/vid-72si0a9", "/api/v1/clients/b0texaxl"]
  ) {
    for (const method of ["POST", "PUT", "PATCH"]) {
      const response = await app.request(path, { method });
      assert.equal(response.status, 405, `${method} ${path}`);
      assert.equal(await response.text(), "Method Not Allowed");
    }
  }
  assert.equal((await app.request("/api/v1/vhosts/vid-9b05d26", { method: "DELETE" })).status, 405);
  const posted = await app.request("/api/v1/versions", { method: "POST" });
  assert.equal((await posted.json()).code, 0);
  const head = await app.request("/api/v1/clients/", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  await app.request("/api/v1/clients/b0texaxl?method=DELETE");
  assert.deepEqual(kicked, []);
});

Deno.test("F19: pages: what is asked for, 10 entries unless asked, by id", async () => {
  const ids = Array.from({ length: 25 }, (_, i) => `c${String(i).padStart(7, "0")}`);
  const shuffled = [...ids].reverse();
  const { app } = server({ clients: byId(...shuffled.map((id) => ({ ...client, id }))) });
  const page = async (query: string): Promise<string[]> => {
    const { clients } = await (await app.request(`/api/v1/clients/${query}`)).json();
    return clients.map((entry: { id: string }) => entry.id);
  };
  assert.deepEqual(await page(""), ids.slice(0, 10));
  assert.deepEqual(await page("?count=1"), ids.slice(0, 1));
  assert.deepEqual(await page("?count=3&start=7"), ids.slice(7, 10));
  assert.deepEqual(await page("?count=0"), ids.slice(0, 10));
  assert.deepEqual(await page("?count=-1"), ids.slice(0, 10));
  assert.deepEqual(await page("?count=1e9&start=%zz"), ids.slice(0, 1));
  assert.deepEqual(await page("?count=99999999999999999999"), ids);
  assert.deepEqual(await page("?count=12"), ids.slice(0, 12));
  assert.deepEqual(await page("?start=20"), ids.slice(20));
  assert.deepEqual(await page("?start=-5&count=x"), ids.slice(0, 10));
  assert.deepEqual(await page("?start=99"), []);
});

Deno.test("F19: pages: an answer has 10000 entries at most", async () => {
  const all = Array.from({ length: 10_001 }, (_, i) => ({ ...client, id: `c${i}` }));
  const { app } = server({ clients: byId(...all) });
  const { clients } = await (await app.request("/api/v1/clients/?count=2000000000")).json();
  assert.equal(clients.length, 10_000);
});

Deno.test("?find= and ?stream= give a selection, its order and how many there are", async () => {
  const streams = byId(
    { ...stream, id: "vid-1", url: "/live/b" },
    { ...stream, id: "vid-2", url: "/live/A", publish: { active: false } },
    { ...stream, id: "vid-3", url: "/cam/a" },
    ...Array.from({ length: 12 }, (_, i) => ({ ...stream, id: `vid-x${i}`, url: `/x/${i}` })),
  );
  const clients = byId(
    { ...client, id: "c1", publish: false, aliveMs: 10, streamId: "vid-1" },
    { ...client, id: "c2", publish: false, aliveMs: 20, streamId: "vid-1" },
    { ...client, id: "c3", publish: true, aliveMs: 5, streamId: "vid-1" },
    { ...client, id: "c4", streamId: "vid-2" },
  );
  const { app } = server({ streams, clients });
  const get = async (path: string) => await (await app.request(`/api/v1/${path}`)).json();
  const ids = (list: { id: string }[]) => list.map(({ id }) => id);
  const found = await get("streams/?find=/a");
  assert.deepEqual(ids(found.streams), ["vid-3", "vid-2"], "live ones first");
  assert.deepEqual(found.edge, { total: 2 });
  const all = await get("streams/?find=&count=10&start=5");
  assert.deepEqual([all.streams.length, all.edge.total], [10, 15]);
  assert.equal("edge" in await get("streams/"), false, "SRS's own answers stay SRS's");
  const players = await get("clients/?stream=vid-1");
  assert.deepEqual(ids(players.clients), ["c3", "c2", "c1"]);
  assert.deepEqual(players.edge, { total: 3 });
  assert.deepEqual((await get("clients/?stream=nosuch")).clients, []);
});

Deno.test("DELETE kicks a client", async () => {
  const { app, kicked } = server();
  const kick = async (id: string) => {
    return await (await app.request(`/api/v1/clients/${id}`, { method: "DELETE" })).text();
  };
  assert.equal(
    await kick("b0texaxl"),
    '{"code":0,"server":"vid-69z1301","service":"mk205s66","pid":"16441"}',
  );
  assert.equal(await kick("0"), '{"code":2049}');
  assert.equal(await kick(""), '{"code":2049}');
  assert.deepEqual(kicked, ["b0texaxl"]);
});

Deno.test("a foreign web page does not kick, whatever its name resolves to", async () => {
  const { app, kicked } = server();
  const status = async (Host: string, Origin: string) => {
    const options = { method: "DELETE", headers: { Host, Origin } };
    return (await app.request("/api/v1/clients/b0texaxl", options)).status;
  };
  assert.equal(await status("127.0.0.1:1985", "http://evil.example"), 403);
  assert.equal(await status("127.0.0.1:1985", "null"), 403);
  assert.equal(await status("evil.example:1985", "http://evil.example:1985"), 403);
  assert.deepEqual(kicked, []);
  for (const host of ["127.0.0.1:1985", "localhost:1985", "[::1]:1985"]) {
    assert.equal(await status(host, `http://${host}`), 200);
  }
  assert.equal(kicked.length, 3);
});

Deno.test("F12: double slashes mean nothing in the API's paths either", async () => {
  const { app, kicked } = server();
  for (const path of ["/api/v1/streams/", "/api/v1/clients/b0texaxl", "/healthz", "/metrics"]) {
    const right = await (await app.request(path)).text();
    for (const typed of [`/${path}`, path.replaceAll("/", "//"), `//${path}`]) {
      const response = await app.request(`http://127.0.0.1${typed}`);
      assert.equal(response.status, 200, typed);
      assert.equal(await response.text(), right, typed);
    }
  }
  const kick = await app.request("//api//v1/clients//b0texaxl", { method: "DELETE" });
  assert.equal((await kick.json()).code, 0);
  assert.deepEqual(kicked, ["b0texaxl"]);
});

Deno.test("CORS headers come with an Origin only, and allow reading only", async () => {
  const { app } = server();
  const headers = { Origin: "http://a.example" };
  const preflight = await app.request("/live/a.flv", { method: "OPTIONS", headers });
  assert.equal(preflight.status, 200);
  assert.equal(await preflight.text(), "");
  for (const response of [preflight, await app.request("/live/a.flv", { headers })]) {
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), "*");
    assert.equal(response.headers.get("Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
    assert.equal(response.headers.get("Access-Control-Allow-Credentials"), "false");
  }
  const plain = await app.request("/live/a.flv");
  assert.equal(plain.headers.get("Access-Control-Allow-Origin"), null);

  const closed = createApp(server().view, { crossdomain: false });
  const refused = await closed.request("/live/a.flv", { method: "OPTIONS", headers });
  assert.equal(refused.status, 405);
  assert.equal(refused.headers.get("Access-Control-Allow-Origin"), null);
});

Deno.test("H26: a callback is ignored, the answer stays JSON", async () => {
  const { app } = server();
  const response = await app.request("/api/v1/versions?callback=<script>alert(1)</script>");
  assert.equal(response.headers.get("Content-Type"), "application/json");
  assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff");
  assert.ok((await response.text()).startsWith('{"code":0,'));
});

Deno.test("H30: secrets of peers' URLs are not shown", async () => {
  const leaky = { ...client, tcUrl: "rtmp://h/live?token=XQ", pageUrl: "http://u:XQ@h/?key=XQ" };
  const { app } = server({
    clients: byId({ ...leaky, swfUrl: "http://h/a.swf?sign=XQ" }),
    streams: byId({ ...stream, tcUrl: "rtmp://h/live?pass=XQ" }),
  });
  for (const path of ["clients/", "clients/b0texaxl", "streams/", "streams/vid-72si0a9"]) {
    assert.doesNotMatch(await (await app.request(`/api/v1/${path}`)).text(), /XQ/);
  }
});

Deno.test("stringify: floats have two decimals, everything else is as JSON.stringify has it", () => {
  assert.equal(stringify(fixed2(0)), "0.00");
  assert.equal(stringify([fixed2(26.1), fixed2(2053.604), fixed2(NaN)]), "[26.10,2053.60,0.00]");
  assert.equal(stringify([1.9, -0, Infinity, 33228799099]), "[1,0,0,33228799099]");
  assert.equal(stringify({ a: undefined, b: null }), '{"b":null}');
  const leaf = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: "binary" }),
  );
  const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof(leaf, fc.array(tie("tree")), fc.dictionary(fc.string(), tie("tree"))),
  }));
  fc.assert(fc.property(tree, (value) => assert.equal(stringify(value), JSON.stringify(value))));
});

Deno.test("an internal fault is a plain 500", async () => {
  const { view } = server();
  const kick = () => {
    throw new Error("inner detail");
  };
  const broken = asked(createApp({ ...view, kick }), "127.0.0.1");
  const response = await broken.request("/api/v1/clients/b0texaxl", { method: "DELETE" });
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "Internal Server Error");
});

Deno.test("the listener serves the app on loopback and closes", async () => {
  const { app } = server();
  const peers: string[] = [];
  const listener = await listenHttp({ host: "127.0.0.1", port: 0 }, (request, peer) => {
    peers.push(peer.address);
    return app.fetch(request);
  });
  const url = `http://127.0.0.1:${listener.address.port}/healthz`;
  try {
    const response = await fetch(url);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
    assert.match(response.headers.get("Content-Type") ?? "", /^text\/plain/);
    assert.equal(response.headers.get("Content-Length"), "2");
    assert.deepEqual(peers, ["127.0.0.1"]);
  } finally {
    await listener.close();
  }
  await assert.rejects(fetch(url));
});

Deno.test("a request without a Host header is answered", async () => {
  const { app } = server();
  const listener = await listenHttp(
    { host: "127.0.0.1", port: 0 },
    (request) => app.fetch(request),
  );
  try {
    const socket = connect(listener.address.port, "127.0.0.1");
    socket.write("GET /healthz HTTP/1.0\r\n\r\n");
    const [first] = await once(socket, "data");
    assert.match(String(first), /^HTTP\/1\.[01] 200 /);
    socket.destroy();
  } finally {
    await listener.close();
  }
});

Deno.test("a port in use is one clear error", async () => {
  const first = await listenHttp({ host: "127.0.0.1", port: 0 }, () => new Response("x"));
  const { port } = first.address;
  try {
    await assert.rejects(
      listenHttp({ host: "127.0.0.1", port }, () => new Response("y")),
      (error: Error) =>
        error.message.startsWith(`cannot listen on 127.0.0.1:${port}: the port is in use. `),
    );
  } finally {
    await first.close();
  }
});
