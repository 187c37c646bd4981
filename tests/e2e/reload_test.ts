/**
 * SIGHUP and `raw?rpc=reload`: what has changed takes effect, nobody is dropped, a bad file changes
 * nothing.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { run, until, within } from "../tools/process.ts";
import { A_SECOND, anotherSecond } from "../tools/publisher_changes.ts";
import { isKeyframe, RawClient } from "../tools/raw_client.ts";
import { reload } from "../tools/reloading.ts";
import { assertPlayed, scenario } from "../tools/scenario.ts";
import { accepts, freePort } from "../tools/server.ts";

/** ms for something that takes a second at most. */
const SOON_MS = 10_000;

async function status(port: number, path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  await response.body?.cancel();
  return response.status;
}

scenario("reload: ports, limits and log change while a stream plays on", async (s) => {
  await Deno.writeTextFile(`${s.folder}/limits.conf`, "pithy_print_ms 10000;");
  const server = await s.server({
    global: `include ${s.folder}/limits.conf; srs_log_tank console;`,
    vhost: "min_latency on; play { queue_length 10; }",
  });
  const clip = await media("small-0");
  const url = server.url("live/livestream");
  s.publish(clip, url, { loop: true });
  const player = await s.play(url);
  await player.received("video", A_SECOND);

  const [rtmp, api, logFile] = [freePort(), freePort(), `${s.folder}/edge.log`];
  await Deno.writeTextFile(`${s.folder}/limits.conf`, "pithy_print_ms 1000;");
  const lines = await reload(
    server,
    (text) =>
      text.replace(`listen 127.0.0.1:${server.port}`, `listen 127.0.0.1:${rtmp}`)
        .replace("max_connections 100", "max_connections 4; pid ./never.pid")
        .replace(`:${server.apiPort}`, `:${api}`)
        .replace("queue_length 10", "queue_length 3"),
  );
  assert.deepEqual(lines, [
    `reload: applied listen 127.0.0.1:${server.port} -> 127.0.0.1:${rtmp}`,
    "reload: applied max_connections 100 -> 4 connections",
    "reload: needs a restart: pid (none) -> ./never.pid",
    "reload: applied pithy_print_ms 10000 -> 1000 ms",
    `reload: applied http_api.listen 127.0.0.1:${server.apiPort} -> 127.0.0.1:${api}`,
    "reload: applied vhost __defaultVhost__: play.queue_length 10 -> 3 s",
    "reload config success, state=90.",
  ]);
  assert.ok(await accepts(rtmp), "the new port is open");
  await until("the old ports' end", SOON_MS, async () => {
    return !await accepts(server.port) && !await accepts(server.apiPort);
  });
  assert.equal(await status(api, "/api/v1/versions"), 200);
  await until("summary lines every second", SOON_MS, () => /-> PLA .*mw=/.test(server.log));

  // The publisher and the player are two of the four.
  const clients = [await RawClient.open(rtmp), await RawClient.open(rtmp)];
  assert.ok(await accepts(rtmp));
  await until("a refusal", SOON_MS, () => server.log.includes("refused by max_connections=4"));
  for (const client of clients) client.destroy();

  const [line] = await reload(server, (text) => {
    return text.replace("srs_log_tank console", `srs_log_tank file; srs_log_file ${logFile}`);
  }, async () => {
    server.process.signal("SIGHUP");
    // From now on the lines are in the file; the console says no more.
    await until("the log file", SOON_MS, async () => {
      return (await Deno.readTextFile(logFile).catch(() => "")).includes("state=90");
    });
    server.process.stdout += await Deno.readTextFile(logFile);
  });
  assert.match(line, /reload: needs a restart: pid/, "it still does");
  await anotherSecond(player);
  assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
});

scenario("reload: a file that is no good changes nothing and says where", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  const other = await s.server();
  const failures: [(text: string) => string, RegExp][] = [
    [
      (text) => `${text}\nmax_conections 5;`,
      /:13:1: unknown directive "max_conections", did you mean/,
    ],
    [(text) => `${text}\nvhost b {`, /:13:\d+: .*unexpected end of file/],
    [(text) => `${text}\ninclude /nosuch/file;`, /:13:9: .*\/nosuch\/file/],
    [
      (text) => text.replace("max_connections 100", "max_connections 200000000"),
      /max_connections=200000000 needs/,
    ],
    [
      (text) => text.replace(`:${server.port}`, `:${other.port}`),
      new RegExp(`cannot listen on 127.0.0.1:${other.port}`),
    ],
    [
      (text) => text.replace(`:${server.apiPort}`, `:${other.port}`),
      new RegExp(`cannot listen on 127.0.0.1:${other.port}`),
    ],
    [
      (text) =>
        text.replace(
          "http_api {",
          "http_api { https { enabled on; listen 127.0.0.1:9; key /nosuch; }",
        ),
      /cannot read key \/nosuch/,
    ],
    [
      (text) => `srs_log_tank file; srs_log_file /nosuch/dir/a.log; ${text}`,
      /cannot open the log file \/nosuch\/dir\/a\.log/,
    ],
  ];
  const good = await Deno.readTextFile(server.configFile);
  for (const [spoil, reason] of failures) {
    const lines = await reload(server, spoil);
    assert.match(lines[0], /^reload failed, state=\d+, nothing changed$/);
    assert.match(lines.slice(1).join("\n"), reason);
    assert.ok(await accepts(server.port), "the RTMP port is open");
    assert.equal(await status(server.apiPort, "/healthz"), 200);
    await Deno.writeTextFile(server.configFile, good);
  }
  assert.deepEqual(await reload(server, (text) => text), [
    "reload: nothing changed",
    "reload config success, state=90.",
  ]);
});

scenario("reload: vhosts come and go, a running stream takes its new settings", async (s) => {
  const vhost = "min_latency on; play { gop_cache off; }";
  const server = await s.server({ vhosts: `vhost a.example { ${vhost} }` });
  const tcUrl = (name: string) => `rtmp://127.0.0.1:${server.port}/live?vhost=${name}`;
  const url = (name: string) => `${tcUrl(name)}/livestream`;
  const clip = await media("small-0");
  s.publish(clip, url("a.example"), { loop: true });
  const player = await s.play(url("a.example"));
  await player.received("video", A_SECOND);

  await reload(
    server,
    (text) => `${text.replace("gop_cache off", "gop_cache on")}\nvhost b.example { }`,
  );
  // From the next keyframe on joiners begin with one; before, they would have to be lucky.
  await anotherSecond(player);
  await anotherSecond(player);
  const joiner = await s.raw(server);
  await joiner.connect("live", tcUrl("a.example"));
  joiner.command("play", null, "livestream", -2000);
  const first = await joiner.next(
    "a picture",
    ({ type, payload }) => type === 9 && payload[1] === 1,
  );
  assert.ok(isKeyframe(first), "the GOP is cached now");
  s.publish(clip, url("b.example"), { loop: true });
  const second = await s.play(url("b.example"));
  await second.received("video", A_SECOND);

  const lines = await reload(server, (text) => text.replace(/vhost a\.example.*$/m, ""));
  assert.deepEqual(lines, [
    "reload: applied to new connections: vhost a.example removed, its clients may stay",
    "reload config success, state=90.",
  ]);
  await anotherSecond(player);
  const late = await s.raw(server);
  await late.connect("live", tcUrl("a.example"));
  late.command("play", null, "livestream", -2000);
  await late.status("NetStream.Play.Failed");

  await reload(server, (text) => {
    return text.replace("b.example {", "b.example { security { enabled on; deny play all; }");
  });
  const denied = await s.raw(server);
  await denied.connect("live", tcUrl("b.example"));
  denied.command("play", null, "livestream", -2000);
  await denied.status("NetStream.Play.Failed");
  await anotherSecond(second);
  assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
});

/** Makes a certificate for localhost of its own; returns it. */
async function selfSigned(key: string, cert: string): Promise<string> {
  const command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 " +
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost " +
    "-addext basicConstraints=critical,CA:FALSE";
  await run([...command.split(" "), "-keyout", key, "-out", cert], SOON_MS);
  return await Deno.readTextFile(cert);
}

scenario("reload: a renewed certificate is taken, a broken one is not", async (s) => {
  const [key, cert, port] = [`${s.folder}/key.pem`, `${s.folder}/cert.pem`, freePort()];
  const old = await selfSigned(key, cert);
  const https = `https { enabled on; listen 127.0.0.1:${port}; key ${key}; cert ${cert}; }`;
  const server = await s.server({
    global: `http_server { enabled on; listen 127.0.0.1:${freePort()}; ${https} }`,
  });
  const trusts = async (ca: string) => {
    const client = Deno.createHttpClient({ caCerts: [ca] });
    try {
      const answer = await fetch(`https://localhost:${port}/healthz`, { client });
      return await answer.text() === "ok";
    } catch {
      return false;
    } finally {
      client.close();
    }
  };
  await until("HTTPS", SOON_MS, () => trusts(old));
  const same = (text: string) => text;
  const lines = ["reload: nothing changed", "reload config success, state=90."];
  const renewed = await selfSigned(key, cert);
  assert.deepEqual(await reload(server, same), lines);
  assert.deepEqual([await trusts(old), await trusts(renewed)], [false, true]);
  await Deno.writeTextFile(cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const [failed, ...reasons] = await reload(server, same);
  assert.match(failed, /^reload failed, state=30, nothing changed/);
  assert.match(reasons.join("\n"), /cert\.pem/);
  await until("the port as it was", SOON_MS, () => trusts(renewed));
});

scenario("reload: through the API, with a new password that the log does not tell", async (s) => {
  const auth = "auth { enabled on; username u; password sesame-one; }";
  const server = await s.server();
  const raw = (rpc: string, password = "") => {
    const headers = password ? { Authorization: `Basic ${btoa(`u:${password}`)}` } : undefined;
    return fetch(
      `http://127.0.0.1:${server.apiPort}/api/v1/raw?rpc=${rpc}`,
      headers && { headers },
    );
  };
  assert.deepEqual(await (await raw("reload")).json(), { code: 1061 });
  await reload(server, (text) => {
    return text.replace(
      "enabled on;",
      `enabled on; raw_api { enabled on; allow_reload on; } ${auth}`,
    );
  });
  assert.equal((await raw("reload").then(async (r) => (await r.body?.cancel(), r))).status, 401);
  const lines = await reload(
    server,
    (text) => text.replace("sesame-one", "sesame-two"),
    async () => assert.deepEqual(await (await raw("reload", "sesame-one")).json(), { code: 0 }),
  );
  assert.deepEqual(lines, [
    "reload: applied to new connections: http_api.auth.password *** -> ***",
    "reload config success, state=90.",
  ]);
  const { data } = await (await raw("reload-fetch", "sesame-two")).json();
  assert.deepEqual({ ...data, rid: "" }, { err: 0, msg: "Success", state: 90, rid: "" });
  assert.match(data.rid, /^[0-9a-z]{7}$/);
  await within("the end", SOON_MS, server.process.stop());
  assert.doesNotMatch(server.log, /sesame/);
});
