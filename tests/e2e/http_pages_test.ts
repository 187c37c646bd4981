/**
 * Pages of other origins, in a real browser: a player with credentials, and a console that asks as SRS's does.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { MPEGTS } from "../../src/servers/http/page/embedded/mpegts.ts";
import { VERSION } from "../../src/runtime/version.ts";
import { Browser } from "../tools/browser.ts";
import { media } from "../tools/media.ts";
import { until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";

const VHOST = "min_latency on; http_remux { enabled on; } play { mw_latency 100; }";

/** ms that a kicked client may take to notice, and a stream to be there. */
const SOON_MS = 15_000;

/** A web site on a port of its own, for as long as `use` takes. */
async function withSite(
  port: number,
  files: Readonly<Record<string, string>>,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const site = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const path = new URL(request.url).pathname;
    const text = files[path];
    if (text === undefined) return new Response("Not Found", { status: 404 });
    const type = path.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8";
    return new Response(text, { headers: { "Content-Type": type } });
  });
  try {
    await use(`http://127.0.0.1:${port}`);
  } finally {
    await site.shutdown();
  }
}

/** Waits until a stream can be played. */
function live(server: Server, port: number, path = "live/livestream"): Promise<boolean> {
  return until(`${path} on ${server.port}`, SOON_MS, async () => {
    return (await fetch(`http://127.0.0.1:${port}/${path}.flv`, { method: "HEAD" })).status === 200;
  });
}

const PLAYER_PAGE = `<!doctype html><video id="video" muted autoplay></video>
<script src="/mpegts.js"></script><script>
const video = document.getElementById("video");
const events = [];
function play(url) {
  const player = mpegts.createPlayer(
    { type: "flv", isLive: true, hasAudio: false, url, cors: true, withCredentials: true });
  player.on(mpegts.Events.ERROR, (type, detail) => events.push(type + " " + detail));
  player.attachMediaElement(video);
  player.load();
}
</script>`;

scenario(
  "F23: mpegts.js plays with credentials on the site that the configuration names",
  async (s) => {
    const [named, stranger, apiPort] = [freePort(), freePort(), freePort()];
    const server = await s.server({
      text: `listen 127.0.0.1:PORT; vhost __defaultVhost__ { ${VHOST} }
      http_api { enabled on; listen 127.0.0.1:${apiPort}; }
      http_server { enabled off; trusted_origins http://127.0.0.1:${named}; }`,
    });
    s.publish(await media("h264-only"), server.url("live/livestream"), { loop: true });
    await live(server, apiPort);
    const files = {
      "/": PLAYER_PAGE,
      "/mpegts.js": gunzipSync(Buffer.from(MPEGTS, "base64")).toString(),
    };
    const url = JSON.stringify(`http://127.0.0.1:${apiPort}/live/livestream.flv`);
    const browser = await Browser.open(s);
    await withSite(named, files, async (origin) => {
      await browser.open(`${origin}/`);
      await browser.value(`play(${url})`);
      await browser.until("video.currentTime > 1");
      assert.deepEqual(await browser.value("events"), []);
    });
    await withSite(stranger, files, async (origin) => {
      await browser.open(`${origin}/`);
      await browser.value(`play(${url})`);
      await browser.until("events.length > 0");
      assert.match(await browser.value("events[0]"), /^NetworkError /);
      assert.equal(await browser.value("video.currentTime"), 0);
    });
    await browser.close();
  },
);

/**
 * Asks as SRS's console does, whose own files are not ours to keep here: AngularJS's `$http.jsonp`, which
 * replaces JSON_CALLBACK, puts a script tag into the document, and takes it out again. `host`: the API.
 */
const CONSOLE_PAGE = `<!doctype html><meta charset="gbk"><body><script>
const angular = { callbacks: {} };
let counter = 0;
function jsonp(url) {
  return new Promise((resolve, reject) => {
    const name = "_" + (counter++).toString(36);
    const script = document.createElement("script");
    let answer;
    angular.callbacks[name] = (data) => answer = data;
    script.src = url.replace("JSON_CALLBACK", "angular.callbacks." + name);
    script.onload = () => answer ? resolve(answer) : reject(new Error("no answer from " + url));
    script.onerror = () => reject(new Error("no script at " + url));
    document.body.append(script);
  });
}
const ask = (host, path, query = "") => jsonp(host + path + "?callback=JSON_CALLBACK" + query);
</script>`;

/** The answer that the page gets. */
// deno-lint-ignore no-explicit-any -- whatever the API tells
function asked(browser: Browser, host: string, path: string, query = ""): Promise<any> {
  return browser.value(`ask(${[host, path, query].map((text) => JSON.stringify(text))})`);
}

async function consoleScenario(s: Scenario, jsonp: string, trusted = "") {
  const port = freePort();
  await Deno.mkdir(`${s.folder}/www/console`, { recursive: true });
  await Deno.writeTextFile(`${s.folder}/www/console/ng_index.html`, CONSOLE_PAGE);
  const server = await s.server({
    text: `listen 127.0.0.1:PORT; vhost __defaultVhost__ { ${VHOST} }
      http_api { enabled on; listen 127.0.0.1:${port}; ${jsonp} }
      http_server { enabled on; listen 127.0.0.1:${port}; dir ${s.folder}/www; ${trusted} }`,
  });
  const clip = await media("h264-aac");
  const publisher = s.publish(clip, server.url("live/北京"), { loop: true });
  await live(server, port, encodeURI("live/北京"));
  return { server, port, host: `http://127.0.0.1:${port}`, publisher };
}

scenario(
  "F25: a console that asks as SRS's does shows all, and kicks from our own page",
  async (s) => {
    const trustedPort = freePort();
    const { host, publisher, server } = await consoleScenario(
      s,
      "jsonp on;",
      `trusted_origins http://127.0.0.1:${trustedPort};`,
    );
    const player = s.startPlayer(server.url("live/北京"));
    await player.received("video", 20);
    const browser = await Browser.open(s);
    await browser.open(`${host}/console/ng_index.html`);
    assert.equal((await asked(browser, host, "/api/v1/versions")).data.version, VERSION);
    const summary = await asked(browser, host, "/api/v1/summaries");
    assert.ok(summary.data.self.pid > 1 && summary.data.system.cpus > 0);
    const { vhosts } = await asked(browser, host, "/api/v1/vhosts/");
    assert.deepEqual(vhosts.map(({ name }: { name: string }) => name), ["__defaultVhost__"]);
    const { streams } = await asked(browser, host, "/api/v1/streams/");
    // The page is in another encoding than the answers.
    assert.deepEqual([streams.length, streams[0].name, streams[0].clients], [1, "北京", 2]);
    assert.equal(
      (await asked(browser, host, `/api/v1/streams/${streams[0].id}`)).stream.app,
      "live",
    );
    const raw = await asked(browser, host, "/api/v1/raw", "&rpc=raw");
    assert.equal(raw.http_api.enabled, true);
    const { clients } = await asked(browser, host, "/api/v1/clients/");
    const kinds = clients.map(({ type }: { type: string }) => type).sort();
    assert.deepEqual(kinds, ["fmle-publish", "rtmp-play"]);
    const gone = await asked(browser, host, "/api/v1/clients/nosuch");
    assert.deepEqual(gone, { code: 2049 });

    // The same page of a site that is trusted: it sees all of that, and kicks nobody.
    const kick = (id: string) => asked(browser, host, `/api/v1/clients/${id}`, "&method=DELETE");
    const { id } = clients.find(({ publish }: { publish: boolean }) => publish);
    await withSite(trustedPort, { "/": CONSOLE_PAGE }, async (origin) => {
      await browser.open(`${origin}/`);
      assert.equal((await asked(browser, host, "/api/v1/clients/")).clients.length, 2);
      assert.deepEqual(await kick(id), { code: 1062 });
    });
    // Of another one: it sees nothing.
    await withSite(freePort(), { "/": CONSOLE_PAGE }, async (origin) => {
      await browser.open(`${origin}/`);
      assert.deepEqual(await asked(browser, host, "/api/v1/clients/"), { code: 1062 });
      assert.deepEqual(await kick(id), { code: 1062 });
    });
    await browser.open(`${host}/console/ng_index.html`);
    assert.equal((await asked(browser, host, "/api/v1/clients/")).clients.length, 2);
    assert.equal((await kick(id)).code, 0);
    const status = await publisher.finish(SOON_MS);
    assert.ok(!status.success, "the publisher was disconnected");
    await browser.close();
  },
);

scenario("F25: without jsonp on no page reads the API by a script", async (s) => {
  const { host, publisher } = await consoleScenario(s, "");
  const browser = await Browser.open(s);
  await browser.open(`${host}/console/ng_index.html`);
  for (const query of ["", "&method=DELETE"]) {
    const caught = `ask(${JSON.stringify(host)}, "/api/v1/clients/", "${query}")` +
      `.then(() => "read", ({ message }) => message)`;
    assert.match(await browser.value(caught), /^no (answer|script) /);
  }
  assert.equal(publisher.exit, null);
  await browser.close();
});
