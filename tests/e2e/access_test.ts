/**
 * Access without a hook server: signed URLs as the README makes them, address rules, pages.
 * @module
 */
import assert from "node:assert/strict";
import { FlvClient } from "../tools/flv_client.ts";
import { media } from "../tools/media.ts";
import { run, until, within } from "../tools/process.ts";
import { type RawClient, statusCode } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";

/** ms for what takes a moment. */
const SOON_MS = 10_000;

const SECRET = "an-old-secret-of-this-test";
const NEW_SECRET = "the-new-secret-of-this-test";
const REALTIME = "min_latency on; http_remux { enabled on; } play { mw_latency 100; }";
const SIGNED = `min_latency on; http_remux { enabled on; }
  play { mw_latency 100; secret ${SECRET}; } publish { secret ${NEW_SECRET} ${SECRET}; }`;

/** What the README's command line prints with these values, from its `?` on. */
async function signedQuery(values: Record<string, string>): Promise<string> {
  const readme = await Deno.readTextFile(new URL("../../conf/README.md", import.meta.url));
  const block = /```sh\n(action=publish .*)\n(e=.*)\n```/.exec(readme);
  assert.ok(block, "the command line is in conf/README.md");
  let [, assignments, command] = block;
  for (const [name, value] of Object.entries(values)) {
    assert.match(assignments, new RegExp(`\\b${name}=`));
    assignments = assignments.replace(new RegExp(`\\b${name}=\\S+`), `${name}=${value}`);
  }
  const { stdout } = await run(["sh", "-c", `${assignments}\n${command}`], SOON_MS);
  const url = stdout.trim();
  assert.match(url, /^rtmp:\/\/192\.0\.2\.2\/\S+\?expires=\d+&sign=[0-9a-f]{64}$/);
  return url.slice(url.indexOf("?"));
}

/** Asks to publish or play; the last status when it is agreed to, or the server has closed. */
async function ask(
  s: Scenario,
  server: Server,
  action: string,
  name: string,
  options: { readonly tcUrl?: string; readonly pageUrl?: string } = {},
): Promise<string> {
  const client: RawClient = await s.raw(server);
  const tcUrl = options.tcUrl ?? `rtmp://127.0.0.1:${server.port}/live`;
  await client.call("connect", { app: "live", tcUrl, pageUrl: options.pageUrl ?? "" });
  await client.call("createStream", null);
  client.command(action, null, name);
  const wanted = /^NetStream\.(Publish\.(?!Start$)|Play\.(Failed|Start)|Publish\.Start$)/;
  const answer = await client.next(action, (message) => wanted.test(statusCode(message)));
  const code = statusCode(answer);
  if (!code.endsWith("Start")) {
    assert.equal(await within("the end of the connection", SOON_MS, client.ended), "end");
  }
  client.destroy();
  return code.replace("NetStream.", "");
}

scenario(
  "signed URLs: the README's command line makes them; OBS, ffmpeg, players, HTTP-FLV take them",
  async (s) => {
    const server = await s.server({ vhost: SIGNED });
    const publish = await signedQuery({ secret: NEW_SECRET });
    const play = await signedQuery({ secret: SECRET, action: "play" });
    const url = server.url("live/livestream");

    // As OBS and ffmpeg send it: with the stream's name.
    const publisher = s.publish(await media("small-0"), url + publish, { loop: true });
    const player = await s.play(url + play);
    await player.received("video", 25);
    const http = `127.0.0.1:${server.apiPort}/live/livestream.flv`;
    for (const scheme of ["http", "ws"]) {
      const client = await FlvClient.open(`${scheme}://${http}${play}`);
      await client.received(20);
      client.close();
    }
    // In the tcUrl, which librtmp's users prefer.
    const tcUrl = `rtmp://127.0.0.1:${server.port}/live${play}`;
    assert.equal(await ask(s, server, "play", "livestream", { tcUrl }), "Play.Start");

    for (
      const [query, reason] of [
        ["", "expires and sign missing"],
        [publish, "wrong signature to play /live/livestream"],
        [
          await signedQuery({ secret: SECRET, action: "play", stream: "/live/other" }),
          "wrong signature",
        ],
        [
          await signedQuery({ secret: SECRET, action: "play", seconds: "-12" }),
          "expired 1\\d s ago",
        ],
        // A publisher's secret is none for players.
        [await signedQuery({ secret: NEW_SECRET, action: "play" }), "wrong signature"],
      ]
    ) {
      assert.equal(await ask(s, server, "play", `livestream${query}`), "Play.Failed", reason);
      await until(reason, SOON_MS, () => new RegExp(`signed URL: ${reason}`).test(server.log));
      const response = await fetch(`http://${http}${query}`);
      assert.equal(response.status, 403);
      assert.match(await response.text(), new RegExp(`^Forbidden: signed URL: ${reason}`));
      assert.equal((await fetch(`http://${http}${query}`, { method: "HEAD" })).status, 403);
    }
    await publisher.stop("SIGINT");
    const old = await signedQuery({ secret: SECRET });
    assert.equal(
      await ask(s, server, "publish", `livestream${old}`),
      "Publish.Start",
      "the old secret",
    );
    assert.equal(await ask(s, server, "publish", `livestream${play}`), "Publish.Denied");
    const refused = s.publish(await media("small-0"), url);
    assert.ok(!(await refused.finish(SOON_MS)).success);
    assert.match(refused.stderr, /Server error: signed URL: expires and sign missing/);
    for (const secret of [SECRET, NEW_SECRET, publish.slice(-64), play.slice(-64)]) {
      assert.ok(!server.log.includes(secret), "no secret is in the log");
    }
  },
);

scenario(
  "security and refer: by RTMP and HTTP-FLV, whatever a client says of its address",
  async (s) => {
    const rules = (text: string) => `${REALTIME} security { enabled on; ${text} }`;
    const server = await s.server({
      global: "http_server { enabled off; trusted_proxies 192.0.2.0/24; }",
      vhosts: `
      vhost __defaultVhost__ { ${
        rules("allow publish 127.0.0.0/8; deny play 127.0.0.1; allow play all;")
      } }
      vhost other { ${rules("deny publish all;")} }
      vhost shut { ${rules("")} }
      vhost pages { refer { enabled on; all a.com; play tv.a.com; } }`,
    });
    s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
    const wanted: [string, string, string, string][] = [
      ["play", "livestream", "", "Play.Failed"],
      ["publish", "x", "", "Publish.Start"],
      ["play", "x?vhost=other", "", "Play.Start"],
      ["publish", "x?vhost=other", "", "Publish.Denied"],
      ["play", "x?vhost=shut", "", "Play.Failed"],
      ["play", "x?vhost=pages", "", "Play.Failed"],
      ["play", "x?vhost=pages", "http://www.a.com/", "Play.Failed"],
      ["play", "x?vhost=pages", "https://tv.a.com:443/x", "Play.Start"],
      ["publish", "x?vhost=pages", "http://xa.com/", "Publish.Denied"],
      ["publish", "x?vhost=pages", "http://www.a.com/", "Publish.Start"],
    ];
    for (const [action, name, pageUrl, code] of wanted) {
      assert.equal(
        await ask(s, server, action, name, { pageUrl }),
        code,
        `${action} ${name} ${pageUrl}`,
      );
    }
    const response = await fetch(`http://127.0.0.1:${server.apiPort}/live/livestream.flv`, {
      headers: { "X-Forwarded-For": "198.51.100.1", "X-Real-IP": "198.51.100.1" },
    });
    assert.equal(response.status, 403);
    assert.equal(
      await response.text(),
      "Forbidden: security: 127.0.0.1 may not play: deny play 127.0.0.1",
    );
    assert.match(server.log, /security: 127\.0\.0\.1 may not publish: deny publish all\. ret=1053/);
  },
);

scenario(
  "security: HTTP-FLV behind a trusted proxy has the address that the proxy tells",
  async (s) => {
    const server = await s.server({
      global: "http_server { enabled off; trusted_proxies 127.0.0.1; }",
      vhost:
        `${REALTIME} security { enabled on; allow publish all; deny play 198.51.100.0/24; allow play all; }`,
    });
    s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
    const url = `http://127.0.0.1:${server.apiPort}/live/livestream.flv`;
    const status = async (forwarded: string) => {
      const headers: HeadersInit = forwarded ? { "X-Forwarded-For": forwarded } : {};
      return (await fetch(url, { method: "HEAD", headers })).status;
    };
    await until("the stream", SOON_MS, async () => await status("") === 200);
    assert.equal(await status("198.51.100.1"), 403);
    assert.equal(await status("203.0.113.1, 198.51.100.1"), 403, "who spoofs is seen through");
    assert.equal(await status("198.51.100.1, 203.0.113.1"), 200);
    assert.equal(await status("198.51.100.1:51008"), 403, "F15: with a port");
    const forwarded = { Forwarded: 'for="198.51.100.1:51008";proto=https' };
    assert.equal((await fetch(url, { method: "HEAD", headers: forwarded })).status, 403, "F15");
  },
);

scenario("the example of a secure configuration is one", async (s) => {
  const test = s.command("-t", "-c", "conf/secure.conf");
  assert.equal((await test.finish(SOON_MS)).code, 0);
  const warnings = test.stderr.split("\n").filter((line) => line.includes("warning"));
  assert.equal(warnings.length, 2, test.stderr);
  for (const line of warnings) assert.match(line, /is the word of an example/);
  assert.match(test.stdout, /publish\.secret +\*\*\* +conf\/secure\.conf:/);
});
