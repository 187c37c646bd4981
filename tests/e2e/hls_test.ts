/**
 * HLS and Low-Latency HLS: ffmpeg gets every packet; playlists keep the rules for as long as they are read;
 * players are clients like others.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { media } from "../tools/media.ts";
import { sleep, until, within } from "../tools/process.ts";
import { assertPlayed, kindsOf, type Scenario, scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";

/** It is made in the thread that serves HTTP; with several, publishers are in others. */
const ignore = Deno.env.get("SRS_EDGE_WORKERS") === undefined ? null : "HLS needs `workers 1`";

function hlsTest(name: string, work: (s: Scenario) => Promise<void>): void {
  scenario(name, work, { ignore });
}

const VHOST = `min_latency on; play { gop_cache on; mw_latency 100; }
  hls { enabled on; hls_fragment 1; hls_window 10; }`;

/** ms until a stream has its first segment. */
const FIRST_MS = 15_000;

function urlOf(server: Server, path = "live/livestream.m3u8"): string {
  return `http://127.0.0.1:${server.apiPort}/${path}`;
}

async function live(s: Scenario, name: string, vhost = VHOST) {
  const server = await s.server({ vhost });
  const clip = await media(name);
  const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
  return { server, clip, publisher };
}

/** The address of the media playlist, which has the session. */
async function playlistUrl(url: string): Promise<string> {
  let text = "";
  await until("the multivariant playlist", FIRST_MS, async () => {
    const answer = await fetch(url);
    text = await answer.text();
    return answer.status === 200;
  });
  assert.match(text, /^#EXTM3U\n/);
  const uri = text.trim().split("\n").at(-1) ?? "";
  assert.match(uri, /^livestream\.m3u8\?hls_ctx=[\w-]{16}/);
  return new URL(uri, url).href;
}

async function clients(server: Server): Promise<{ id: string; name: string; type: string }[]> {
  const answer = await server.api("/api/v1/clients/?count=2000") as {
    clients: { id: string; name: string; type: string }[];
  };
  return answer.clients.filter(({ type }) => type === "hls-play");
}

for (const name of ["long", "h264-only", "aac-only", "h264-mp3"]) {
  hlsTest(`HLS: ffmpeg gets every packet of ${name}`, async (s) => {
    const { server, clip } = await live(s, name);
    await playlistUrl(urlOf(server));
    const kinds = kindsOf(clip.recording);
    const players = [s.startPlayer(urlOf(server), kinds), s.startPlayer(urlOf(server), kinds)];
    for (const player of players) await player.received(kinds[0], 60);
    for (const [index, player] of players.entries()) {
      const played = await player.stop();
      // A file that starts over has a seam, at which its audio is counted anew.
      const first = clip.recording[kinds[0]].length;
      const firstRun = kinds[0] === "video" ? first : first - 20;
      const whole = { ...played };
      for (const kind of kinds) {
        const hashes = clip.recording[kind].map(({ hash }) => hash);
        const from = hashes.indexOf(played[kind][0]?.hash ?? "");
        assert.ok(from >= 0, `${kind}: the first packet is one of the source`);
        whole[kind] = played[kind].slice(0, hashes.length - from);
      }
      assert.ok(firstRun > 0);
      const startsWithKeyframe = kinds[0] === "video";
      assertPlayed(`player ${index + 1}`, whole, clip, { seconds: 0.5, startsWithKeyframe });
    }
  });
}

/** What a playlist says. */
interface Read {
  readonly text: string;
  readonly target: number;
  readonly partTarget: number;
  readonly first: number;
  readonly discontinuities: number;
  readonly parts: { name: string; duration: number; independent: boolean }[];
  readonly segments: { name: string; duration: number }[];
  readonly hint: string;
}

function readPlaylist(text: string): Read {
  const one = (pattern: RegExp) => pattern.exec(text)?.[1] ?? "";
  const parts = Array.from(
    text.matchAll(/^#EXT-X-PART:DURATION=([\d.]+),URI="([^"]+)"(,INDEPENDENT=YES)?$/gm),
    ([, duration, name, independent]) => ({
      ...{ name, duration: Number(duration), independent: independent !== undefined },
    }),
  );
  const segments = Array.from(
    text.matchAll(/^#EXTINF:([\d.]+),\n(\S+)$/gm),
    ([, duration, name]) => ({ name, duration: Number(duration) }),
  );
  return {
    text,
    target: Number(one(/TARGETDURATION:(\d+)/)),
    partTarget: Number(one(/PART-TARGET=([\d.]+)/)),
    first: Number(one(/MEDIA-SEQUENCE:(\d+)/)),
    discontinuities: Number(one(/DISCONTINUITY-SEQUENCE:(\d+)/) || 0),
    parts,
    segments,
    hint: one(/PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/),
  };
}

/** The number of a part's segment, and its own. */
function placeOf(name: string): [number, number] {
  const [, segment, part] = /-(\d+)(?:\.(\d+))?\.m4s/.exec(name) ?? [];
  return [Number(segment), Number(part)];
}

async function bytesOf(url: string): Promise<Uint8Array> {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return new Uint8Array(await answer.arrayBuffer());
}

hlsTest(
  "LL-HLS: every playlist of 8 s keeps the rules, and all that it names is there",
  async (s) => {
    const { server } = await live(s, "long");
    const url = await playlistUrl(urlOf(server));
    const known = new Map<string, Uint8Array>();
    const reads: Read[] = [];
    let [segment, part] = [0, 0];
    for (const end = performance.now() + 8000; performance.now() < end;) {
      const query = segment === 0 ? "" : `&_HLS_msn=${segment}&_HLS_part=${part}`;
      const answer = await fetch(`${url}${query}`);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      const read = readPlaylist(text);
      reads.push(read);
      // It has what was waited for.
      const newest = placeOf(read.parts.at(-1)?.name ?? "");
      if (segment > 0) {
        assert.ok(newest[0] > segment || (newest[0] === segment && newest[1] >= part), text);
      }
      // What is listed for the first time is there.
      for (const { name } of read.parts) {
        if (!known.has(name)) known.set(name, await bytesOf(new URL(name, url).href));
      }
      [segment, part] = placeOf(read.hint);
      assert.ok(part === newest[1] + 1 && segment === newest[0] || part === 0, read.hint);
    }
    assert.ok(reads.length > 25, `${reads.length} playlists in 8 s: one for each part`);
    const [first] = reads;
    let sequence = 0;
    for (const read of reads) {
      assert.deepEqual(
        [read.target, read.partTarget],
        [first.target, first.partTarget],
        "constant",
      );
      assert.ok(read.first >= sequence);
      sequence = read.first;
      assert.ok(read.segments.every(({ duration }) => Math.round(duration) <= read.target));
      assert.ok(read.parts.every(({ duration }) => duration <= read.partTarget));
      read.segments.forEach(({ name }, i) => assert.equal(placeOf(name)[0], read.first + i));
      assert.equal(read.discontinuities, 0);
      assert.ok(!read.text.includes("EXT-X-SKIP") && !read.text.includes("ENDLIST"));
    }
    // A segment is its parts, and begins with a keyframe.
    const last = reads[reads.length - 1];
    const { name, duration } = last.segments[last.segments.length - 1];
    const parts = last.parts.filter((each) => placeOf(each.name)[0] === placeOf(name)[0]);
    assert.ok(parts[0].independent);
    const sum = parts.reduce((all, each) => all + each.duration, 0);
    assert.ok(Math.abs(sum - duration) < 0.001, `${sum} and ${duration}`);
    const bytes = await bytesOf(new URL(name, url).href);
    assert.deepEqual(
      Buffer.concat(parts.map((each) => known.get(each.name) ?? new Uint8Array())),
      [
        ...[Buffer.from(bytes)],
      ][0],
    );
    // What has just left the list is still to be had.
    const oldest = reads[0].segments[0].name;
    assert.equal((await fetch(new URL(oldest, url))).status, 200);
  },
);

hlsTest("LL-HLS: the part that is hinted is held; what makes no sense is refused", async (s) => {
  const { server } = await live(s, "long");
  const url = await playlistUrl(urlOf(server));
  const status = async (query: string) => {
    const answer = await fetch(`${url}${query}`);
    await answer.body?.cancel();
    return answer.status;
  };
  const read = readPlaylist(await (await fetch(url)).text());
  const [number] = placeOf(read.hint);
  const held = await within("the hinted part", 5000, fetch(new URL(read.hint, url)));
  assert.equal(held.status, 200);
  assert.ok((await held.arrayBuffer()).byteLength > 100);
  for (const query of ["_HLS_part=1", "_HLS_msn=x", "_HLS_msn=-1", `_HLS_msn=${number + 9}`]) {
    assert.equal(await status(`&${query}`), 400, query);
  }
  assert.equal(await status("&_HLS_msn=1&_HLS_part=0"), 200, "what is old is answered");
  const far = read.hint.replace(/\.\d+\.m4s/, ".999.m4s");
  assert.equal((await fetch(new URL(far, url))).status, 404);
  const other = read.hint.replace(/-[0-9a-z]{8}-/, "-00000000-");
  assert.equal((await fetch(new URL(other, url))).status, 404, "another run's");
  const [segment] = read.segments;
  const file = new URL(segment.name, url);
  const range = await fetch(file, { headers: { Range: "bytes=4-7" } });
  assert.equal(range.status, 206);
  assert.equal(await range.text(), "moof");
  const whole = (await bytesOf(file.href)).length;
  assert.equal(range.headers.get("Content-Range"), `bytes 4-7/${whole}`);
  assert.equal((await fetch(file, { headers: { Range: `bytes=${whole}-` } })).status, 416);
  const head = await fetch(file, { method: "HEAD" });
  assert.equal(head.headers.get("Content-Length"), String(whole));
});

hlsTest(
  "HLS: a publisher that comes back with other codecs: a discontinuity, and numbers go on",
  async (s) => {
    const { server, publisher } = await live(s, "h264-aac");
    const url = await playlistUrl(urlOf(server));
    const before = readPlaylist(await (await fetch(url)).text());
    await publisher.kill();
    await sleep(500);
    assert.equal((await fetch(url)).status, 200, "the playlist stays while nobody publishes");
    s.publish(await media("small-1"), server.url("live/livestream"), { loop: true });
    let read = before;
    await until("segments of the other", FIRST_MS, async () => {
      read = readPlaylist(await (await fetch(url)).text());
      const [, after] = read.text.split("#EXT-X-DISCONTINUITY\n");
      return after !== undefined && after.includes("#EXTINF");
    });
    const [, after] = read.text.split("#EXT-X-DISCONTINUITY\n");
    assert.match(after, /^#EXT-X-MAP:URI="livestream-\w{8}-init2\.mp4/);
    assert.deepEqual([read.target, read.partTarget], [before.target, before.partTarget]);
    assert.ok(read.first >= before.first);
  },
);

hlsTest("HLS: players are clients: shown, counted, kicked, and refused", async (s) => {
  const server = await s.server({
    vhost: `${VHOST} security { enabled on; allow publish all;
    allow play all; }`,
  });
  s.publish(await media("long"), server.url("live/livestream"), { loop: true });
  const url = await playlistUrl(`${urlOf(server)}?token=x`);
  assert.ok(url.endsWith("&token=x"), "the query is passed on");
  const { vhosts } = await server.api("/api/v1/vhosts/") as { vhosts: { hls: unknown }[] };
  assert.deepEqual(vhosts[0].hls, { enabled: true, fragment: 1 });
  const [client, ...others] = await clients(server);
  assert.deepEqual([client.name, others.length], ["livestream.m3u8", 0]);
  const kicked = await fetch(`http://127.0.0.1:${server.apiPort}/api/v1/clients/${client.id}`, {
    method: "DELETE",
  });
  await kicked.body?.cancel();
  assert.deepEqual(await clients(server), []);
  assert.equal((await fetch(url)).status, 404);
  // Names that somebody invents, for a stream that nobody publishes, leave nothing behind.
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(
      urlOf(server, `live/none-${i}.m3u8?hls_ctx=${"a".repeat(13)}${100 + i}`),
    );
    await answer.body?.cancel();
    assert.equal(answer.status, 404);
  }
  assert.deepEqual(await clients(server), []);
  // A player that still has the name of a session from before a restart goes on with it.
  const old = urlOf(server, "live/livestream.m3u8?hls_ctx=abcdefghijklmnop");
  const answer = await fetch(old);
  assert.match(await answer.text(), /hls_ctx=abcdefghijklmnop/);
  assert.equal((await clients(server)).length, 1);

  const closed = await s.server({
    vhost: `${VHOST} security { enabled on; allow publish all;
    deny play 127.0.0.1; }`,
  });
  s.publish(await media("long"), closed.url("live/livestream"), { loop: true });
  await until("the refusal", FIRST_MS, async () => {
    const answer = await fetch(urlOf(closed));
    await answer.body?.cancel();
    return answer.status === 403;
  });
  assert.deepEqual(await clients(closed), []);
});

hlsTest(
  "HLS: an edge pulls for a player of HLS, and holds it until the first segment",
  async (s) => {
    const { server: origin } = await live(s, "long");
    await playlistUrl(urlOf(origin));
    const edge = await s.server({
      vhost: `${VHOST} cluster { mode remote; origin 127.0.0.1:${origin.port}; }`,
    });
    const answer = await fetch(urlOf(edge));
    assert.equal(answer.status, 200, await answer.text());
    const player = s.startPlayer(urlOf(edge), ["video"]);
    await player.received("video", 30);
  },
);
