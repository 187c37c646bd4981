/**
 * One reading of names: every name through every door, and every address that is printed back to its
 * stream.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/config/file/load.ts";
import type { EdgeConfig } from "../../src/config/types.ts";
import { streamBody } from "../../src/access/hook_bodies.ts";
import { checkSignature, signature } from "../../src/access/signed_url.ts";
import { findFlvTarget, flvPathOf } from "../../src/servers/flv/mount.ts";
import { addressesOf, vhostOf } from "../../src/page/addresses.ts";
import { originTarget, originUrl, type RelayClient } from "../../src/clients/on_behalf.ts";
import { forwardTarget } from "../../src/relay/relays.ts";
import { type RtmpTarget, tcUrlOf } from "../../src/clients/target.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { NAME_MAX_BYTES } from "../../src/rtmp/limits.ts";
import { signUrl } from "../../src/app/sign.ts";
import { type ConnectInfo, findTarget, type Target } from "../../src/servers/rtmp/target.ts";

const { config } = loadConfig("names.conf", () => `
  listen 1935;
  vhost __defaultVhost__ { http_remux { enabled on; } }
  vhost own.example { http_remux { enabled on; mount [vhost]/tv/[app]/ch-[stream].flv; } }`, {});

const { config: origin } = loadConfig("origin.conf", () => `
  listen 1935;
  vhost __defaultVhost__ { http_remux { enabled on; } }
  vhost own.example { http_remux { enabled on; } }`, {});

const { config: secret } = loadConfig("secret.conf", () => `
  listen 1935;
  vhost __defaultVhost__ { http_remux { enabled on; } play { secret s3; } }
  vhost own.example {
    http_remux { enabled on; mount [vhost]/tv/[app]/ch-[stream].flv; }
    play { secret s3; }
  }`, {});

const EDGE: EdgeConfig = {
  origins: [{ host: "o", port: null }],
  protocol: "rtmp",
  followClient: false,
  tokenTraverse: false,
  takeover: "if_stalled",
  vhost: "[vhost]",
  debugUpnode: false,
};
const ORIGIN = { host: "127.0.0.1", port: 8080 };
const SERVER = { serverId: "vid", serviceId: "svc", hopId: "hop" };

function info(tcUrl: string): ConnectInfo {
  return {
    tcUrl,
    app: null,
    pageUrl: "",
    swfUrl: "",
    flashVer: "",
    enhanced: false,
    multitrack: false,
    reconnect: false,
    hops: [],
    args: null,
  };
}

function byRtmp(app: string, name: string): Target {
  return findTarget(config, info(`rtmp://127.0.0.1:1935/${app}`), name);
}

/** An address as FFmpeg cuts it: `.flv` is cut off, `.mp4` becomes `mp4:`. */
function byFfmpeg(url: string): string {
  const [, server, name] = /^(rtmp:\/\/.*)\/([^/]*)$/.exec(url) ?? ["", "", ""];
  const [path, query = ""] = name.split("?");
  const asked = /\.(mp4|f4v)$/.test(path) ? `mp4:${path}` : path.replace(/(?<=.)\.flv$/, "");
  return findTarget(config, info(server), asked + (query && `?${query}`)).key;
}

function byHttp(url: string | URL): string | undefined {
  return findFlvTarget(config, new URL(url))?.key;
}

function atOther({ ...target }: RtmpTarget): string {
  return findTarget(config, info(tcUrlOf(target)), target.stream).key;
}

/** The key that `srs-edge sign` signs: the one whose signature it makes; null: another than `key`. */
function signedFor(key: string, url: string): string | null {
  const { searchParams } = new URL(signUrl(secret, { action: "play", url, seconds: 60 }, 0));
  return searchParams.get("sign") === signature("s3", "play", key, "60") ? key : null;
}

/** An HTTP origin has no mounts of its own. */
function atHttpOrigin(url: URL): string | undefined {
  return findFlvTarget(origin, url)?.key;
}

/** Where every door leads that a client of this target is shown or sent through. */
function doorsOf({ vhost, url, key }: Target, transport: "rtmp" | "flv"): Record<string, unknown> {
  const { app, param } = url;
  const client: RelayClient = {
    ...info(""),
    id: "abcdefgh",
    ip: "127.0.0.1",
    tcUrl: "",
    vhost,
    app,
    stream: transport === "flv" ? url.name : url.stream,
    param,
    transport,
  };
  const flv = flvPathOf(vhost, app, key);
  const name = key.slice(key.lastIndexOf("/") + 1);
  const base = new URL("http://127.0.0.1:1985/");
  const page = addressesOf({ vhost: vhostOf(key), app, name, flv }, base, ["0.0.0.0:1935"]);
  const body = JSON.parse(streamBody(SERVER, "on_publish", {
    ...client,
    action: "publish",
    protocol: "rtmp",
    key,
  }, "vid-1"));
  const vhostQuery = vhost.name === "__defaultVhost__" ? "" : `?vhost=${vhost.name}`;
  const sign = signature("secret", "play", key, "2000000000");
  const signed = `?expires=2000000000&sign=${sign}`;
  const pulled = originUrl(client, "flv", EDGE, ORIGIN);
  return {
    "API, flv": byHttp(`http://127.0.0.1${flv}`),
    "page, flv": byHttp(page.flv ?? ""),
    "page, server and key": findTarget(config, info(page.server), page.key).key,
    "page, rtmp in FFmpeg": byFfmpeg(page.rtmp),
    "hook, stream_url": body.stream_url,
    "hook, app and stream": findTarget(
      config,
      info(`rtmp://127.0.0.1/${body.app}`),
      body.stream + vhostQuery,
    ).key,
    "signed URL": checkSignature(["secret"], "play", key, signed, 0) ?? key,
    "sign, page's rtmp": signedFor(key, page.rtmp),
    "sign, page's flv": signedFor(key, page.flv ?? ""),
    "forward": atOther(forwardTarget(client, "127.0.0.1:1935")),
    "edge, pull and publish": atOther(originTarget(client, EDGE, ORIGIN)),
    "edge, pull by HTTP": atHttpOrigin(pulled),
  };
}

function assertDoors(target: Target, what: string): void {
  for (const transport of ["rtmp", "flv"] as const) {
    for (const [door, key] of Object.entries(doorsOf(target, transport))) {
      assert.equal(key, target.key, `${what} through: ${door} (${transport})`);
    }
  }
}

/** App, stream as typed over RTMP; path by HTTP; key. */
const TABLE: [string, string, string, string][] = [
  ["live", "192.168.7.10", "/live/192.168.7.10.flv", "/live/192.168.7.10"],
  ["live", "192.168.7.11.flv", "/live/192.168.7.11.flv", "/live/192.168.7.11"],
  ["live", "v1.2", "/live/v1.2.flv", "/live/v1.2"],
  ["live", "a.m3u8", "/live/a.m3u8.flv", "/live/a.m3u8"],
  ["live", "a.mp4", "/live/a.mp4.flv", "/live/a.mp4"],
  ["live", "mp4:a.mp4", "/live/mp4:a.mp4.flv", "/live/mp4:a.mp4"],
  ["live", "s.flv.flv", "/live/s.flv.flv", "/live/s%2Eflv"],
  ["live", "s%2Eflv", "/live/s%2Eflv.flv", "/live/s%2Eflv"],
  ["live", "..flv.flv", "/live/..flv.flv", "/live/..flv"],
  ["live", "...vhost...flv", "/live/...vhost...flv", "/live/...vhost.."],
  ["live", "a.", "/live/a..flv", "/live/a."],
  ["live", "front drive", "/live/front drive.flv", "/live/front drive"],
  ["live", "front%20drive", "/live/front%20drive.flv", "/live/front drive"],
  ["live", "frontdrive", "/live/frontdrive.flv", "/live/frontdrive"],
  ["live", " s ", "/live/%20s%20.flv", "/live/ s "],
  ["live", "北京", "/live/北京.flv", "/live/北京"],
  ["live", "%E5%8C%97京", "/live/%e5%8c%97%E4%BA%AC.flv", "/live/北京"],
  ["live", "%41", "/live/A.flv", "/live/A"],
  ["live", "%2541", "/live/%2541.flv", "/live/%2541"],
  ["live", "%254%31", "/live/%%341.flv", "/live/%2541"],
  ["live", "100%", "/live/100%.flv", "/live/100%"],
  ["live", "100%25", "/live/100%25.flv", "/live/100%"],
  ["live", "北%zz%ff", "/live/北%zz%FF.flv", "/live/北%zz%FF"],
  ["live", "a%2fb", "/live/a%2Fb.flv", "/live/a%2Fb"],
  ["live", "a%252fb", "/live/a%252fb.flv", "/live/a%252fb"],
  ["live", "a%3Fb%23c", "/live/a%3fb%23c.flv", "/live/a%3Fb%23c"],
  ["live", "a+b&c=d;e", "/live/a+b&c=d;e.flv", "/live/a+b&c=d;e"],
  ["live", "a/b", "/live/a/b.flv", "/live/a/b"],
  ["live", "//a//b//", "//live//a/b.flv/", "/live/a/b"],
  ["live//", "s", "/live//s.flv", "/live/s"],
  ["a%2Fb/c d", "s", "/a%2fb/c%20d/s.flv", "/a%2Fb/c d/s"],
  ["my app ", "s", "/my%20app%20/s.flv", "/my app /s"],
  ["a.flv", "s", "/a.flv/s.flv", "/a.flv/s"],
  ["live", 'it\'s "$(id)"', "/live/it's%20%22$(id)%22.flv", '/live/it\'s "$(id)"'],
  ["live", "直".repeat(682), `/live/${"直".repeat(682)}.flv`, `/live/${"直".repeat(682)}`],
];

for (const [app, stream, path, key] of TABLE) {
  Deno.test(`F6 F11 F12: ${app}/${stream.slice(0, 20)} through every door`, () => {
    const target = byRtmp(app, stream);
    assert.equal(target.key, key, "RTMP");
    assert.equal(byHttp(`http://127.0.0.1${path}`), key, "HTTP-FLV");
    assertDoors(target, stream);
    assertDoors(findTarget(config, info(`rtmp://own.example/${app}`), stream), "named vhost");
  });
}

const piece = fc.oneof(
  fc.constantFrom("%", "%2", "%25", "%2F", "%2f", "%3F", "%2E", "%20", "%ff", "%E5%8C%97", "41"),
  fc.constantFrom(".flv", ".mp4", ".m3u8", ".f4v", ".", " ", "北", "é", "'", "+", "&", "=", ";"),
  fc.constantFrom("\ud800", "_", "a", "flv", "...vhost...", "__defaultVhost__", ":", "@", ","),
);
const part = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""));

function readable(app: string, stream: string): Target | null {
  try {
    return byRtmp(app, stream);
  } catch (error) {
    assert.ok(error instanceof RtmpError, String(error));
    return null;
  }
}

Deno.test("F6 F11: every address that is printed leads back to its stream", () => {
  fc.assert(
    fc.property(part, part, (app, stream) => {
      const target = readable(app, stream);
      if (target) assertDoors(target, `${app} ${stream}`);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("F11: a name as it is read is read as itself, so two names are not one by accident", () => {
  fc.assert(
    fc.property(part, (stream) => {
      const target = readable("live", stream);
      if (target === null) return;
      assert.equal(byRtmp("live", target.key.slice("/live/".length)).key, target.key);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("F11 H12: names of 2048 bytes are names, and longer ones are told the limit", () => {
  const longest = "x".repeat(NAME_MAX_BYTES);
  assertDoors(byRtmp("live", longest), "longest");
  const says = /has 2049 bytes, 2048 are allowed/;
  assert.throws(() => byRtmp("live", `${longest}x`), says);
  assert.throws(() => byHttp(`http://127.0.0.1/live/${longest}x.flv`), says);
});

Deno.test("F11 H12: what is left when the ending is cut is looked at too", () => {
  assert.throws(() => byRtmp("live", "%2F..flv"), RtmpError);
  assert.throws(() => byHttp("http://127.0.0.1/live/%2F..flv"), RtmpError);
});

Deno.test("F10 H38: what an edge has of another vhost of its origin is another stream", () => {
  const { config } = loadConfig("edge.conf", () => `
    listen 1935;
    vhost __defaultVhost__ {
      http_remux { enabled on; }
      cluster { mode remote; origin 127.0.0.1:1936; }
    }
    vhost own.example { cluster { mode remote; origin 127.0.0.1:1936; } }`, {});
  const key = (name: string, tcUrl = "rtmp://push.example/live") =>
    findTarget(config, info(tcUrl), name).key;
  assert.equal(key("cam"), "/live/cam");
  for (const query of ["?vhost=int.local", "?x=1;vhost=int.local", "?x=1,domain=int.local"]) {
    assert.equal(key(`cam${query}`), "int.local/live/cam", query);
    const found = findFlvTarget(config, new URL(`http://push.example/live/cam.flv${query}`));
    assert.equal(found?.key, "int.local/live/cam", query);
  }
  assert.equal(key("cam", "rtmp://push.example/live?vhost=int.local"), "int.local/live/cam");
  assert.equal(key("cam?vhost=own.example"), "own.example/live/cam");
  assert.equal(key("cam?vhost=a/b"), "/live/cam");
  const [vhost] = config.vhosts;
  const path = flvPathOf(vhost, "live", "int.local/live/cam") ?? "";
  assert.equal(path, "/live/cam.flv?vhost=int.local");
  const back = findFlvTarget(config, new URL(path, "http://127.0.0.1"));
  assert.equal(back?.key, "int.local/live/cam");
});

Deno.test("F10: without an edge, a vhost that is not configured is the default one", () => {
  assert.equal(findTarget(config, info("rtmp://h/live"), "cam?vhost=x.example").key, "/live/cam");
  assert.equal(byHttp("http://h/live/cam.flv?vhost=x.example"), "/live/cam");
});
