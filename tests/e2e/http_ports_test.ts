/**
 * The HTTP ports of a live server: API, files, metrics, HTTPS, passwords, on one port and on several.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseExposition, valueOf } from "../tools/exposition.ts";
import { media } from "../tools/media.ts";
import { run, until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../unit/support/certificate.ts";

/** ms for an answer of a busy machine. */
const ANSWER_LIMIT_MS = 10_000;

async function get(url: string, init: RequestInit & { client?: Deno.HttpClient } = {}) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** A directory with a page and a large file, beside a file that is not for everybody. */
async function site(s: Scenario): Promise<{ dir: string; large: Uint8Array }> {
  const dir = `${s.folder}/www`;
  await Deno.mkdir(dir);
  await Deno.writeTextFile(`${dir}/index.html`, "<p>page</p>");
  await Deno.writeTextFile(`${s.folder}/secret.txt`, "secret");
  await Deno.symlink("../secret.txt", `${dir}/link.txt`);
  const large = new Uint8Array(8 << 20).map((_, i) => (i * 31) ^ (i >> 9));
  await Deno.writeFile(`${dir}/large.bin`, large);
  return { dir, large };
}

scenario("http_server on a port of its own: files, versions, and nothing else", async (s) => {
  const { dir, large } = await site(s);
  const port = freePort();
  const server = await s.server({
    global: `http_server { enabled on; listen 127.0.0.1:${port}; dir ${dir}; crossdomain off; }`,
  });
  const base = `http://127.0.0.1:${port}`;
  assert.equal((await get(`${base}/`)).text, "<p>page</p>");
  assert.equal(JSON.parse((await get(`${base}/api/v1/versions`)).text).code, 0);
  for (const path of ["/api/v1/streams/", "/metrics", "/link.txt", "/nosuch"]) {
    assert.equal((await get(base + path)).status, 404, path);
  }
  const answer = await fetch(`${base}/large.bin`);
  assert.ok(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), large) === 0, "every byte");
  const headers = { Origin: "http://a.example" };
  for (const url of [`${base}/`, `http://127.0.0.1:${server.apiPort}/api/v1/versions`]) {
    const { headers: answered } = await get(url, { headers });
    assert.equal(answered.get("Access-Control-Allow-Origin"), null, "crossdomain off, for both");
  }
  assert.equal((await get(`http://127.0.0.1:${server.apiPort}/index.html`)).status, 404);
});

scenario("API, files and metrics on one port", async (s) => {
  const { dir } = await site(s);
  const port = freePort();
  await s.server({
    text: `listen 127.0.0.1:PORT; max_connections 100; vhost __defaultVhost__ { }
      http_api { enabled on; listen 127.0.0.1:${port}; }
      http_server { enabled on; listen 127.0.0.1:${port}; dir ${dir}; }
      exporter { enabled on; listen 127.0.0.1:${port}; }`,
  });
  const base = `http://127.0.0.1:${port}`;
  assert.equal((await get(`${base}/`)).text, "<p>page</p>");
  assert.equal(JSON.parse((await get(`${base}/api/v1/streams/`)).text).code, 0);
  assert.equal((await get(`${base}/nosuch`)).status, 404);
  assert.equal(valueOf(parseExposition((await get(`${base}/metrics`)).text), "srs_clients"), 0);
  const cors = await get(`${base}/`, { headers: { Origin: "http://a.example" } });
  assert.equal(cors.headers.get("Access-Control-Allow-Origin"), "*");
});

scenario("a name and password guard the API, by HTTP and HTTPS", async (s) => {
  const key = `${s.folder}/key.pem`;
  const cert = `${s.folder}/cert.pem`;
  const subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost".split(
    " ",
  );
  await run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject]
      .concat("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert),
    ANSWER_LIMIT_MS,
  );
  const [port, tlsPort, filesPort, exporterPort] = [freePort(), freePort(), freePort(), freePort()];
  const { dir } = await site(s);
  await s.server({
    text: `listen 127.0.0.1:PORT; max_connections 100; vhost __defaultVhost__ { }
      http_api {
        enabled on; listen 127.0.0.1:${port};
        auth { enabled on; username u; password a:b; }
        https { enabled on; listen 127.0.0.1:${tlsPort}; key ${key}; cert ${cert}; }
      }
      http_server {
        enabled on; listen 127.0.0.1:${filesPort}; dir ${dir};
        https { enabled on; listen 127.0.0.1:${tlsPort}; key ${key}; cert ${cert}; }
      }
      exporter { enabled on; listen 127.0.0.1:${exporterPort}; label l; tag t; }`,
  });
  const client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(cert)] });
  const right = { headers: { Authorization: `Basic ${btoa("u:a:b")}` } };
  const wrong = { headers: { Authorization: `Basic ${btoa("u:a")}` } };
  try {
    for (const base of [`http://127.0.0.1:${port}`, `https://localhost:${tlsPort}`]) {
      const url = `${base}/api/v1/clients/`;
      const refused = await get(url, { client });
      assert.equal(refused.status, 401, base);
      assert.match(refused.headers.get("WWW-Authenticate") ?? "", /^Basic realm=/);
      assert.equal((await get(url, { client, ...wrong })).status, 401);
      assert.equal(JSON.parse((await get(url, { client, ...right })).text).code, 0);
      assert.equal((await get(`${base}/metrics`, { client })).status, 401);
      // A page of the server's own may kick, by HTTP/2 too.
      const kick = (origin: string) => {
        const headers = { ...right.headers, Origin: origin };
        return get(`${url}nobody`, { client, method: "DELETE", headers });
      };
      assert.equal((await kick(base)).text, '{"code":2049}');
      assert.equal((await kick("https://evil.example")).status, 403);
    }
    assert.equal((await get(`https://localhost:${tlsPort}/`, { client })).text, "<p>page</p>");
    assert.equal((await get(`http://127.0.0.1:${filesPort}/api/v1/versions`)).status, 401);
    const { text } = await get(`http://127.0.0.1:${exporterPort}/metrics`);
    const build = parseExposition(text).get("srs_build_info")?.samples[0].labels;
    assert.deepEqual([build?.label, build?.tag], ["l", "t"]);
    const hidden = await get(`http://127.0.0.1:${exporterPort}/api/v1/clients/`, right);
    assert.equal(hidden.status, 404, "the API is not on the port of the metrics");
  } finally {
    client.close();
  }
});

scenario("F28: a key or certificate that cannot be used is one clear line", async (s) => {
  const garbage = `${s.folder}/garbage.pem`;
  await Deno.writeTextFile(garbage, "not a key");
  const empty = `${s.folder}/empty.pem`;
  await Deno.writeTextFile(empty, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const [key, cert] = [`${s.folder}/key.pem`, `${s.folder}/cert.pem`];
  await Deno.writeTextFile(key, TEST_KEY);
  await Deno.writeTextFile(cert, TEST_CERTIFICATE);
  const damaged = `${s.folder}/damaged.pem`;
  await Deno.writeTextFile(
    damaged,
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
  );
  const rows: [string, string, RegExp][] = [
    [`${s.folder}/nosuch.pem`, garbage, /https: cannot read key .*nosuch\.pem/],
    [garbage, garbage, /https: key .*garbage\.pem is not in PEM form/],
    [cert, key, /https: key .*cert\.pem is a certificate and cert .*: exchange them/],
    [s.folder, cert, /https: cannot read key .*: it is a directory/],
    [key, empty, /cannot listen on 127\.0\.0\.1:\d+: .*empty\.pem is damaged/],
    [damaged, cert, /cannot listen on 127\.0\.0\.1:\d+: .*damaged\.pem is damaged/],
  ];
  for (const [key, cert, expected] of rows) {
    const file = `${s.folder}/bad.conf`;
    await Deno.writeTextFile(
      file,
      `listen 127.0.0.1:${freePort()}; max_connections 100; vhost __defaultVhost__ { }
      http_api { enabled on; listen 127.0.0.1:${freePort()};
        https { enabled on; listen 127.0.0.1:${freePort()}; key ${key}; cert ${cert}; } }`,
    );
    const server = s.command("-c", file);
    const { code } = await server.finish(30_000);
    assert.equal(code, 1, server.report());
    const lines = server.stderr.trim().split("\n");
    assert.equal(lines.length, 1, server.stderr);
    assert.match(lines[0], expected);
  }
});

/** The metrics of a server that has an exporter. */
async function scrape(server: Server) {
  const { text, headers } = await get(`http://127.0.0.1:${server.apiPort}/metrics`);
  assert.match(headers.get("Content-Type") ?? "", /^text\/plain; version=0\.0\.4/);
  return parseExposition(text);
}

scenario("metrics and our own figures of a live stream", async (s) => {
  const server = await s.server({
    global: `exporter { enabled on; listen 127.0.0.1:${freePort()}; }`,
    vhost: "min_latency on;",
  });
  const url = server.url("live/livestream");
  const publisher = s.publish(await media("h264-aac"), url, { loop: true });
  const [one, two] = [await s.play(url), await s.play(url)];
  await one.received("video", 50);
  await two.received("video", 50);
  const metrics = await scrape(server);
  assert.equal(valueOf(metrics, "srs_streams"), 1);
  assert.equal(valueOf(metrics, "srs_clients"), 3);
  assert.equal(valueOf(metrics, "srs_clients_total"), 3);
  assert.equal(valueOf(metrics, "srs_clients_errs_total"), 0);
  assert.equal(valueOf(metrics, "srs_edge_players"), 2);
  assert.equal(valueOf(metrics, "srs_edge_dropped_gops_total"), 0);
  assert.ok(valueOf(metrics, "srs_receive_bytes_total") > 10_000);
  assert.ok(valueOf(metrics, "srs_send_bytes_total") > 10_000);
  assert.ok(valueOf(metrics, "srs_memory") > 10_000, "KB");
  const delays = metrics.get("srs_edge_added_delay_seconds")?.samples ?? [];
  const at = (suffix: string) => delays.find(({ name }) => name.endsWith(suffix))?.value ?? 0;
  assert.ok(at("_count") >= 2 * 2 * 45, `${at("_count")} messages were handed over`);
  assert.ok(at("_sum") > 0 && at("_sum") < at("_count"), "less than a second each");
  const loop = metrics.get("srs_edge_event_loop_lag_seconds")?.samples ?? [];
  assert.ok(loop.some(({ name, value }) => name.endsWith("_count") && value > 4));
  const [players] = metrics.get("srs_edge_stream_players")?.samples ?? [];
  assert.deepEqual(players.labels, {
    vhost: "__defaultVhost__",
    app: "live",
    stream: "livestream",
  });
  assert.equal(players.value, 2);

  const edge = await until("five seconds' figures", 15_000, async () => {
    const { streams: [{ edge }] } = JSON.parse(
      JSON.stringify(await server.api("/api/v1/streams/")),
    );
    return edge.fps > 20 && edge.delay_p99_ms !== null ? edge : null;
  });
  assert.ok(edge.fps < 30, `${edge.fps} pictures a second of 25`);
  assert.ok(edge.uptime_ms > 1000 && edge.uptime_ms < 60_000);
  assert.equal(edge.players, 2);
  assert.ok(edge.recv_kbps > 50 && edge.send_kbps > 1.5 * edge.recv_kbps);
  assert.ok(edge.delay_p50_ms <= edge.delay_p99_ms);
  assert.deepEqual([edge.dropped_gops, edge.dropped_messages], [0, 0]);
  const { clients } = JSON.parse(JSON.stringify(await server.api("/api/v1/clients/")));
  for (const { type, edge: { port, lag_ms: lag } } of clients) {
    assert.ok(server.log.includes(`RTMP client ip=127.0.0.1:${port}`), "the peer's port");
    assert.equal(lag === null, type === "fmle-publish");
  }

  await one.stop();
  await until("a client that left", 5000, async () => {
    const now = await scrape(server);
    return valueOf(now, "srs_clients") === 2 && valueOf(now, "srs_clients_errs_total") === 1;
  });
  await publisher.stop("SIGINT");
  await two.stop();
  await until("the stream's end", 15_000, async () => {
    const now = await scrape(server);
    assert.equal(valueOf(now, "srs_clients_total"), 3, "a counter never falls");
    const count = (now.get("srs_edge_added_delay_seconds")?.samples ?? [])
      .find(({ name }) => name.endsWith("_count"))?.value ?? 0;
    assert.ok(count >= at("_count"), "a forgotten stream's are kept");
    return valueOf(now, "srs_streams") === 0 && !now.has("srs_edge_stream_players");
  });
});

scenario("ids are those of the pages, and DELETE ends a client at once", async (s) => {
  const server = await s.server();
  const url = server.url("live/livestream");
  s.publish(await media("h264-aac"), url, { loop: true });
  const player = await s.play(url);
  await player.received("video", 10);
  const list = async (): Promise<{ id: string; type: string }[]> => {
    return JSON.parse(JSON.stringify(await server.api("/api/v1/clients/?count=10"))).clients;
  };
  const clients = await list();
  assert.deepEqual(clients.map(({ id }) => id), clients.map(({ id }) => id).sort());
  const { id } = clients.find(({ type }) => type === "rtmp-play") ?? { id: "" };
  const path = `http://127.0.0.1:${server.apiPort}/api/v1/clients/${id}`;
  assert.equal(JSON.parse((await get(path)).text).client.id, id);
  assert.equal((await get(`${path}?method=DELETE`)).status, 200);
  assert.equal((await list()).length, 2, "?method= does nothing");
  assert.deepEqual(
    Object.keys(JSON.parse((await get(path, { method: "DELETE" })).text)),
    ["code", "server", "service", "pid"],
  );
  await until("the player's end", 5000, async () => (await list()).length === 1);
  assert.deepEqual(JSON.parse((await get(path, { method: "DELETE" })).text), { code: 2049 });
});
