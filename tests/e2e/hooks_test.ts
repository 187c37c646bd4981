/**
 * Hooks against a real HTTP server that is slow, dead, or says no.
 * @module
 */
import assert from "node:assert/strict";
import { TEST_CA, TEST_CERTIFICATE, TEST_KEY } from "../unit/support/certificate.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { HookServer, silentServer } from "../tools/hook_server.ts";
import { media } from "../tools/media.ts";
import { Child, sleep, until, within } from "../tools/process.ts";
import { RawClient, statusCode } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { accepts, configText, freePort, type Server, serverCommand } from "../tools/server.ts";

/** ms for what takes a moment. */
const SOON_MS = 10_000;
/** ms for what takes the time-out of a hook, 10 s. */
const LATE_MS = 15_000;

const REALTIME = "min_latency on; http_remux { enabled on; } play { mw_latency 100; }";

/** A hook server, and what is to be closed with the test. */
function hooked(name: string, work: (s: Scenario, hooks: HookServer) => Promise<void>): void {
  scenario(name, async (s) => {
    const hooks = new HookServer();
    try {
      await work(s, hooks);
    } finally {
      await hooks.stop();
    }
  });
}

/** The statuses that a client has got. */
function statuses(client: RawClient): string[] {
  return client.messages.map(statusCode).filter((code) => code !== "");
}

/** Asks to publish as ffmpeg and OBS do; resolves to the last status when the server has closed. */
async function refusal(client: RawClient, stream: string): Promise<string | undefined> {
  await client.connect("live");
  client.command("FCPublish", null, stream);
  client.command("publish", null, stream, "live");
  assert.equal(await within("the end of the connection", LATE_MS, client.ended), "end");
  return statuses(client).at(-1);
}

interface ApiStream {
  readonly id: string;
  readonly url: string;
}

async function streamId(server: Server, url: string): Promise<string> {
  const { streams } = await server.api("/api/v1/streams/?count=1000") as { streams: ApiStream[] };
  const found = streams.find((stream) => stream.url === url);
  assert.ok(found, JSON.stringify(streams));
  return found.id;
}

hooked("hooks: SRS's bodies, field by field, in SRS's order", async (s, hooks) => {
  const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
  const versions = await server.api("/api/v1/versions") as { server: string; service: string };
  const tcUrl = `rtmp://127.0.0.1:${server.port}/live`;

  const publisher = await s.raw(server);
  await publisher.publish("live", "livestream?token=abc&x=1");
  const player = await s.raw(server);
  await player.call("connect", { app: "live", tcUrl, pageUrl: "http://a.com/page" });
  await player.call("createStream", null);
  player.command("play", null, "livestream.flv", -2000);
  await player.status("NetStream.Play.Start");
  await hooks.received(4);
  const stream_id = await streamId(server, "/live/livestream");
  player.destroy();
  await hooks.received(6);
  publisher.destroy();
  await hooks.received(8);

  const head = { server_id: versions.server, service_id: versions.service };
  const place = { ip: "127.0.0.1", vhost: "__defaultVhost__", app: "live" };
  const param = "?token=abc&x=1";
  const [one, two] = [hooks.calls[0].body.client_id, hooks.calls[2].body.client_id];
  assert.match(`${one} ${two}`, /^[0-9a-z]{8} [0-9a-z]{8}$/);
  const identity = { stream_url: "/live/livestream", stream_id };
  const published = { ...place, tcUrl, stream: "livestream", param, ...identity };
  const pageUrl = "http://a.com/page";
  const expected = [
    {
      action: "on_connect",
      client_id: one,
      ...place,
      stream: "livestream",
      param,
      tcUrl,
      pageUrl: "",
    },
    { action: "on_publish", client_id: one, ...published },
    {
      action: "on_connect",
      client_id: two,
      ...place,
      stream: "livestream.flv",
      param: "",
      tcUrl,
      pageUrl,
    },
    {
      action: "on_play",
      client_id: two,
      ...place,
      stream: "livestream.flv",
      tcUrl,
      param: "",
      pageUrl,
      ...identity,
    },
    {
      action: "on_stop",
      client_id: two,
      ...place,
      tcUrl,
      stream: "livestream.flv",
      param: "",
      ...identity,
    },
    { action: "on_close", client_id: two, ...place },
    { action: "on_unpublish", client_id: one, ...published },
    { action: "on_close", client_id: one, ...place },
  ];
  for (const [index, { text, body, headers }] of hooks.calls.entries()) {
    const { send_bytes, recv_bytes } = body;
    const bytes = index === 5 || index === 7 ? { send_bytes, recv_bytes } : {};
    for (const value of Object.values(bytes)) assert.ok(typeof value === "number" && value > 3000);
    assert.equal(text, JSON.stringify({ ...head, ...expected[index], ...bytes }));
    assert.equal(headers.get("content-type"), "application/json");
    assert.match(headers.get("user-agent") ?? "", /^srs-edge\/\d/);
  }
  assert.match(server.log, /http: on_publish ok, client_id=/);
});

hooked(
  "hooks: each way to say no is a refusal in the protocol's words, told before the close",
  async (s, hooks) => {
    const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
    const ways: Record<string, () => Response> = {
      "code 1": () => Response.json({ code: 1, msg: "no" }),
      "text": () => new Response("ok"),
      "status": () => new Response("0", { status: 404 }),
      "redirect": () =>
        new Response("0", { status: 302, headers: { Location: hooks.url("/away") } }),
      "huge": () => new Response(" ".repeat(1_000_000) + "0"),
    };
    for (const [way, answer] of Object.entries(ways)) {
      hooks.reply = ({ path }) => path === "/publish" ? answer() : new Response("0");
      const client = await s.raw(server);
      await refusal(client, way);
      assert.deepEqual(statuses(client).slice(-2), [
        "NetStream.Publish.Start", // onFCPublish, which comes before the hooks
        "NetStream.Publish.Denied",
      ], way);
      await client.ended;
    }
    assert.ok(!hooks.calls.some(({ path }) => path === "/away"));
    await hooks.received(3 * 5);
    assert.ok(!hooks.actions.includes("on_unpublish"), "what was refused has not ended");

    hooks.reply = ({ path }) => new Response(path === "/play" ? "1" : "0");
    const player = await s.raw(server);
    await player.connect("live");
    player.command("play", null, "x", -2000);
    assert.equal(await player.ended, "end");
    assert.deepEqual(statuses(player).slice(-1), ["NetStream.Play.Failed"]);
    await hooks.received(3 * 6);

    hooks.reply = ({ path }) => new Response(path === "/connect" ? "1" : "0");
    hooks.clear();
    for (const [command, refusal] of [["play", "Play.Failed"], ["publish", "Publish.Denied"]]) {
      const client = await s.raw(server);
      await client.connect("live");
      client.command(command, null, "x");
      await client.ended;
      assert.deepEqual(statuses(client).slice(-1), [`NetStream.${refusal}`]);
    }
    await hooks.received(4);
    assert.deepEqual(hooks.actions, ["on_connect", "on_close", "on_connect", "on_close"]);
  },
);

hooked("hooks: ffmpeg, ffprobe and rtmpdump say why they were refused", async (s, hooks) => {
  const server = await s.server({ vhost: hooks.block });
  hooks.reply = ({ body }) => new Response(/^on_p/.test(String(body.action)) ? "1" : "0");
  const url = server.url("live/livestream");
  const publisher = s.publish(await media("small-0"), url);
  const probe = s.spawn("ffprobe", ["ffprobe", "-v", "error", url]);
  const dump = s.spawn("rtmpdump", ["rtmpdump", "-r", url, "--live", "-o", "/dev/null"]);
  for (const client of [probe, dump]) assert.ok(!(await client.finish(SOON_MS)).success);
  assert.ok(!(await publisher.finish(SOON_MS)).success);
  assert.match(publisher.stderr, /Server error: refused by the hook on_publish/);
  assert.match(probe.stderr, /Server error: refused by the hook on_play/);
  assert.match(dump.stderr, /NetStream\.Play\.Failed/);
});

hooked(
  "hooks: while one is slow the streams of others go on, and what its client sends waits",
  async (s, hooks) => {
    const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
    const clip = await media("small-0");
    s.publish(clip, server.url("live/first"), { loop: true });
    const player = await s.play(server.url("live/first"));
    await player.received("video", 25);
    let release = () => {};
    const slow = new Promise<void>((resolve) => release = resolve);
    hooks.reply = async ({ path, body }) => {
      if (path === "/publish" && body.stream === "second") await slow;
      return new Response("0");
    };
    // It sends its first pictures without waiting for leave.
    s.publish(clip, server.url("live/second"), { loop: true });
    await until(
      "the question",
      SOON_MS,
      () => hooks.calls.some(({ body }) => body.stream === "second"),
    );
    const before = player.recording().video.length;
    await player.received("video", before + 50);
    assert.equal(hooks.open, 1);
    release();
    const other = await s.play(server.url("live/second"));
    await other.received("video", 25);
  },
);

scenario(
  "hooks: a hook server that is not there, or never answers, refuses those who ask, and holds up nobody else",
  async (s) => {
    const silent = silentServer();
    try {
      const dead = `http://user:hidden@127.0.0.1:${freePort()}/`;
      const server = await s.server({
        vhosts: `
        vhost __defaultVhost__ { http_hooks { enabled on; on_close ${silent.url}; on_unpublish ${silent.url}; } }
        vhost dead { http_hooks { enabled on; on_publish ${dead}; on_play ${dead}; } }
        vhost silent { http_hooks { enabled on; on_publish ${silent.url}; } }`,
      });
      const publisher = await s.raw(server);
      assert.equal(await refusal(publisher, "s?vhost=dead"), "NetStream.Publish.Denied");
      await until(
        "a line about it",
        SOON_MS,
        () => /on_publish failed, .*user:\*\*\*@.*refused/.test(server.log),
      );
      assert.doesNotMatch(server.log, /hidden/);
      // Nobody waits for those that only tell.
      const waiting = await s.raw(server);
      const refused = refusal(waiting, "s?vhost=silent");
      for (let i = 0; i < 5; i++) {
        const client = await s.raw(server);
        await client.publish("live", "same");
        client.destroy();
        // A publisher that nobody plays is read ten times a second.
        await sleep(300);
      }
      await refused;
      assert.deepEqual(statuses(waiting).slice(-1), ["NetStream.Publish.Denied"]);
      await until("a line about it", SOON_MS, () => {
        return /on_publish failed, .*no answer within \d+ ms/.test(server.log);
      });
    } finally {
      silent.stop();
    }
  },
);

hooked(
  "hooks: a client that leaves while it is asked about; whoever was let in is told out",
  async (s, hooks) => {
    const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    hooks.reply = async ({ path }) => {
      if (path === "/publish") await held;
      return new Response("0");
    };
    const client = await s.raw(server);
    client.publish("live", "livestream").catch(() => {});
    await hooks.received(2);
    client.destroy();
    await sleep(100);
    release();
    await hooks.received(4);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    // The name is free.
    await (await s.raw(server)).publish("live", "livestream");
    // A second publisher is refused as busy before any hook counts it.
    hooks.clear();
    const second = await s.raw(server);
    assert.equal(await refusal(second, "livestream"), "NetStream.Publish.BadName");
    await until("the end", SOON_MS, () => hooks.actions.includes("on_close"));
    const asked = ["on_connect", "on_publish", "on_unpublish"];
    // Another worker does not know whether the publisher would give way, and has to ask.
    if (!hooks.actions.includes("on_publish")) asked.length = 0;
    else {assert.ok(
        Deno.env.get("SRS_EDGE_WORKERS"),
        "nobody is asked about a stream that is taken",
      );}
    assert.deepEqual(hooks.actions, [...asked, "on_close"]);
  },
);

hooked(
  "hooks: a connection that publishes again is asked about again; kicked and stopped clients are told out",
  async (s, hooks) => {
    const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
    const client = await s.raw(server);
    await client.publish("live", "one");
    client.command("FCUnpublish", null, "one");
    await client.status("NetStream.Unpublish.Success");
    await client.call("createStream", null);
    client.command("publish", null, "two", "live");
    await hooks.received(5);
    assert.deepEqual(
      hooks.calls.map(({ body }) => `${body.action} ${body.stream}`),
      ["on_connect one", "on_publish one", "on_unpublish one", "on_connect two", "on_publish two"],
    );
    const { client_id } = hooks.calls[0].body;
    await until("the client in the API", SOON_MS, async () => {
      const answer = await fetch(`http://127.0.0.1:${server.apiPort}/api/v1/clients/${client_id}`, {
        method: "DELETE",
      });
      return (await answer.json()).code === 0;
    });
    await hooks.received(7);
    assert.deepEqual(hooks.actions.slice(5), ["on_unpublish", "on_close"]);

    hooks.clear();
    await (await s.raw(server)).publish("live", "three");
    server.process.signal("SIGTERM");
    await hooks.received(4);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    assert.equal((await server.process.ended).code, 0);
  },
);

hooked(
  "hooks: HTTP-FLV and WebSocket-FLV players are asked about, and told out",
  async (s, hooks) => {
    const server = await s.server({ vhost: `${REALTIME} ${hooks.block}` });
    s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
    const url = `127.0.0.1:${server.apiPort}/live/livestream.flv?token=a%2Bb`;
    await hooks.received(2);
    hooks.clear();
    for (const scheme of ["http", "ws"]) {
      await until("the stream", SOON_MS, async () => {
        const head = await fetch(`http://${url}`, { method: "HEAD" });
        return head.status === 200;
      });
      assert.deepEqual(hooks.actions, [], "HEAD is no player");
      const client = await FlvClient.open(`${scheme}://${url}`);
      await client.received(20);
      const stream_id = await streamId(server, "/live/livestream");
      client.close();
      await hooks.received(2);
      const [play, stop] = hooks.calls.map(({ body }) => body);
      const { server_id, service_id, client_id } = play;
      const head = { server_id, service_id };
      const who = { client_id, ip: "127.0.0.1", vhost: "__defaultVhost__", app: "live" };
      const stream = "livestream";
      const tcUrl = "rtmp://__defaultVhost__/live";
      const param = "?token=a%2Bb";
      const identity = { stream_url: "/live/livestream", stream_id };
      assert.deepEqual(play, {
        ...{ ...head, action: "on_play", ...who, stream, tcUrl, param, pageUrl: "" },
        ...identity,
      });
      assert.deepEqual(stop, {
        ...{ ...head, action: "on_stop", ...who, tcUrl, stream, param },
        ...identity,
      });
      hooks.clear();
    }
    hooks.reply = () => new Response("1");
    const refused = await fetch(`http://${url}`);
    assert.equal(refused.status, 403);
    assert.equal(await refused.text(), "Forbidden: refused by the hook on_play");
  },
);

hooked(
  "hooks H32: https with a certificate that is trusted; TLS where there is none, and none where there is",
  async (s, plain) => {
    const tls = new HookServer(undefined, { cert: TEST_CERTIFICATE, key: TEST_KEY });
    try {
      const [port, api] = [freePort(), freePort()];
      const vhost = (name: string, url: string) =>
        `vhost ${name} { http_hooks { enabled on; on_publish ${url}; } }`;
      const file = `${s.folder}/https.conf`;
      const vhosts = [
        vhost("good", tls.url("/a", "https").replace("127.0.0.1", "localhost")),
        vhost("name", tls.url("/a", "https")),
        vhost("tls", plain.url("/a").replace("http:", "https:")),
        vhost("plain", tls.url("/a")),
      ].join("\n");
      await Deno.writeTextFile(file, configText(port, api, { vhosts }));
      await Deno.writeTextFile(`${s.folder}/ca.pem`, TEST_CA);
      const trust = [`DENO_CERT=${s.folder}/ca.pem`, `NODE_EXTRA_CA_CERTS=${s.folder}/ca.pem`];
      const server = s.add(
        new Child("server", ["env", ...trust, ...serverCommand(), "-c", file], {
          cwd: new URL("../../", import.meta.url).pathname,
        }),
      );
      await until("the server", 30_000, () => accepts(port));
      const open = await RawClient.open(port);
      await open.publish("live", "s?vhost=good");
      open.destroy();
      assert.deepEqual(tls.actions, ["on_publish"]);
      for (const name of ["name", "tls", "plain"]) {
        const client = await RawClient.open(port);
        assert.equal(await refusal(client, `s?vhost=${name}`), "NetStream.Publish.Denied", name);
      }
      assert.equal(tls.calls.length, 1);
      assert.equal(plain.calls.length, 0);
      await until("the reasons", SOON_MS, () => {
        return (server.stdout.match(
          /on_publish failed, .*(TLS fails|cannot connect|HTTP status 400)/g,
        ) ?? []).length === 3;
      });
    } finally {
      await tls.stop();
    }
  },
);
