/**
 * What pulls and forwards are made of: the way of a request, names at other servers, the backend's
 * answer.
 * @module
 */

import assert from "node:assert/strict";
import type { EdgeConfig } from "../../src/config/types.ts";
import {
  askedTcUrl,
  originTarget,
  originUrl,
  paramWithoutVhost,
  type RelayClient,
} from "../../src/clients/on_behalf.ts";
import { readAnswer } from "../../src/relay/forward/backend.ts";
import { forwardTarget } from "../../src/relay/relays.ts";
import { Self } from "../../src/clients/self.ts";
import { describeTarget, tcUrlOf } from "../../src/clients/target.ts";
import { MAX_HOPS } from "../../src/rtmp/limits.ts";
import { formatHops, parseHops, refuseHops } from "../../src/rtmp/hops.ts";
import { vhostOf } from "./support/live_fixture.ts";

const EDGE: EdgeConfig = {
  origins: [{ host: "o", port: null }],
  protocol: "rtmp",
  followClient: false,
  tokenTraverse: false,
  takeover: "if_stalled",
  vhost: "[vhost]",
  debugUpnode: true,
};

function client(more: Partial<RelayClient> = {}): RelayClient {
  return {
    id: "abcdefgh",
    ip: "10.0.0.1",
    tcUrl: "rtmp://edge/live?vhost=v",
    pageUrl: "",
    swfUrl: "",
    args: null,
    hops: [],
    vhost: vhostOf(),
    app: "live",
    stream: "s",
    param: "?vhost=v&token=9#f",
    transport: "rtmp",
    ...more,
  };
}

Deno.test("hops: there and back, and what is none", () => {
  const text = formatHops(["a", "b", "a"], "c");
  assert.equal(text, "a b c");
  assert.deepEqual(parseHops(text), ["a", "b", "c"]);
  for (const odd of [null, undefined, "", "a\u0000b", "<b>", "x".repeat(41), "y ".repeat(9999)]) {
    assert.deepEqual(parseHops(odd), []);
  }
});

Deno.test("hops: a ring and too long a way are refused, another server is not", () => {
  assert.equal(refuseHops(["a", "b"], "c"), null);
  assert.match(refuseHops(["a", "b"], "a") ?? "", /^loop: .*this very server/);
  const long = Array.from({ length: MAX_HOPS + 1 }, (_, i) => `s${i}`);
  assert.equal(refuseHops(long.slice(1), "c"), null);
  assert.match(refuseHops(long, "c") ?? "", /^loop: .*more than 8 servers/);
});

Deno.test("self: by address and port, as far as it listens there", () => {
  const self = new Self("id", [{ host: "0.0.0.0", port: 1935 }, { host: "127.0.0.1", port: 1936 }]);
  const is = (localAddress: string, remoteAddress: string, remotePort: number) =>
    self.is({ localAddress, remoteAddress, remotePort });
  assert.ok(is("192.0.2.1", "192.0.2.1", 1935));
  assert.ok(is("127.0.0.1", "127.0.0.2", 1935));
  assert.ok(is("127.0.0.1", "127.0.0.1", 1936));
  assert.ok(!is("127.0.0.1", "127.0.0.2", 1936), "another server there");
  assert.ok(!is("192.0.2.1", "192.0.2.2", 1935), "another machine");
  assert.ok(!is("192.0.2.1", "192.0.2.1", 1937));
});

Deno.test("at an origin: host, vhost, query", () => {
  const target = originTarget(client(), EDGE, { host: "o", port: null });
  assert.equal(tcUrlOf(target), "rtmp://v/live");
  assert.equal(target.stream, "s?vhost=v&token=9#f");
  const vhost = { ...vhostOf(), name: "v.com" };
  const other = originTarget(client({ vhost }), { ...EDGE, vhost: "a-[vhost]-b" }, {
    host: "o",
    port: 1936,
  });
  assert.equal(tcUrlOf(other), "rtmp://a-v.com-b:1936/live");
  assert.equal(
    originUrl(client(), "flv", EDGE, { host: "o", port: null }).href,
    "http://o/live/s.flv?vhost=v&token=9",
  );
  const url = originUrl(client({ app: "a/b" }), "flvs", EDGE, { host: "::1", port: 8443 });
  assert.equal(url.href, "https://[::1]:8443/a/b/s.flv?vhost=v&token=9");
});

Deno.test("F12: the ending of a name that clients may add does not travel up", () => {
  for (
    const [name, expected] of [["s.flv", "s"], ["s", "s"], ["a.b.flv", "a.b"], ["s.mp4", "s.mp4"]]
  ) {
    const own = client({ stream: name, param: "" });
    const origin = { host: "o", port: null };
    assert.equal(originTarget(own, EDGE, origin).stream, expected);
    assert.equal(originUrl(own, "flv", EDGE, origin).pathname, `/live/${expected}.flv`);
    assert.equal(forwardTarget(own, "d").stream, expected);
  }
});

/** Where a client's stream is upstream: tcUrl and stream by RTMP, query by HTTP-FLV. */
function upstream(more: Partial<RelayClient>, vhost = "[vhost]"): string[] {
  const edge = { ...EDGE, vhost };
  const target = originTarget(client(more), edge, { host: "o", port: null });
  const forward = forwardTarget(client(more), "d");
  return [
    tcUrlOf(target),
    target.stream,
    originUrl(client(more), "flv", edge, { host: "o", port: null }).search,
    tcUrlOf(forward),
    forward.stream,
  ];
}

Deno.test("F10: a vhost that the client names travels up, its host name does not (srs#2130)", () => {
  const plain = ["rtmp://o/live", "s?k=1", "?k=1", "rtmp://d/live", "s?k=1"];
  const told = ["rtmp://v.com/live", "s?vhost=v.com&k=1", "?vhost=v.com&k=1"];
  const both = [...told, "rtmp://v.com/live", "s?vhost=v.com&k=1"];
  assert.deepEqual(upstream({ tcUrl: "rtmp://push.example/live", param: "?k=1" }), plain);
  assert.deepEqual(upstream({ param: "?vhost=v.com&k=1" }), both);
  assert.deepEqual(upstream({ param: "?k=1&domain=v.com" }), both);
  assert.deepEqual(upstream({ param: "?k=1;vhost=v.com" }), both);
  assert.deepEqual(upstream({ param: "?vhost=__defaultVhost__&k=1" }), plain);
  // What no host can be called is no vhost of an origin either.
  assert.deepEqual(upstream({ param: "?vhost=a/b&k=1" }), plain);
  assert.deepEqual(upstream({ param: "?vhost=v1...token...abc&k=1" }), plain);
  assert.deepEqual(upstream({ param: `?vhost=${"v".repeat(256)}&k=1` }), plain);
  assert.deepEqual(upstream({ param: "?k=1#&vhost=v.com" })[0], "rtmp://o/live");

  const named = { vhost: { ...vhostOf(), name: "own.com" } };
  assert.deepEqual(upstream({ ...named, param: "" }).slice(0, 3), [
    "rtmp://own.com/live",
    "s",
    "?vhost=own.com",
  ]);
  assert.deepEqual(upstream({ ...named, param: "?vhost=own.com" }, "a.[vhost]").slice(0, 3), [
    "rtmp://a.own.com/live",
    "s?vhost=a.own.com",
    "?vhost=a.own.com",
  ]);
});

Deno.test("F10 H38: nothing of a client's query names another vhost upstream", () => {
  const rows = [
    ["", ""],
    ["?vhost=a", ""],
    ["?a=b&vhost=c&d=e", "?a=b&d=e"],
    ["?vhost=a&b=c", "?b=c"],
    ["?domain=x#f", "#f"],
    ["?vhosts=1", "?vhosts=1"],
    ["?x=1;vhost=int.local", "?x=1"],
    ["?x=1,domain=int.local,y", "?x=1,y"],
    ["?x=1?vhost=a?vhost=b", "?x=1"],
    ["?x=1&%76host=int.local&d%6fmain=b", "?x=1"],
    ["?sign=a+b/c==&t=%20", "?sign=a+b/c==&t=%20"],
  ];
  for (const [param, expected] of rows) assert.equal(paramWithoutVhost(param), expected, param);
});

Deno.test("H38: an origin is asked about the client in the vhost that it is served", () => {
  const asked = (name: string, tcUrl: string, param: string) =>
    askedTcUrl(client({ vhost: { ...vhostOf(), name }, tcUrl, param }), EDGE);
  const url = "rtmp://edge.example/live";
  assert.equal(asked("__defaultVhost__", `${url}?token=1`, "?token=1"), `${url}?token=1`);
  // What is asked about is open.local in the one, and int.local in the other: once, and the same.
  const twice = asked(
    "__defaultVhost__",
    `${url}?token=1;domain=open.local`,
    "?vhost=int.local&token=1;domain=open.local",
  );
  assert.equal(twice, `${url}?vhost=int.local&token=1`);
  assert.equal(
    asked("own.example", `${url}?vhost=own.example&token=1`, "?vhost=own.example&token=1"),
    `${url}?vhost=own.example&token=1`,
  );
});

Deno.test("at a destination: the same stream, or the one that it names, whose key is not shown", () => {
  const plain = forwardTarget(client(), "10.0.0.2:1940");
  assert.equal(`${tcUrlOf(plain)} ${plain.stream}`, "rtmp://v:1940/live s?vhost=v&token=9#f");
  const vhost = { ...vhostOf(), name: "v.com" };
  assert.equal(tcUrlOf(forwardTarget(client({ vhost }), "10.0.0.2")), "rtmp://v.com/live");
  const cdn = forwardTarget(client(), "rtmp://u.example/live2/abcd-efgh-ijkl?backup=1");
  assert.equal(cdn.stream, "abcd-efgh-ijkl?backup=1");
  assert.equal(describeTarget(cdn), "u.example:1935/live2/abc***");
});

Deno.test("the backend's answer", () => {
  const urls = ["rtmp://a/b/c", "10.0.0.1:1935"];
  assert.deepEqual(readAnswer(JSON.stringify({ code: 0, data: { urls } })), urls);
  assert.deepEqual(readAnswer('{"code":0,"data":{"urls":[]}}'), []);
  const rows: [string, RegExp][] = [
    ["", /no JSON/],
    ["[]", /code \?/],
    ['{"code":1}', /code 1/],
    ['{"code":0}', /no list data.urls/],
    ['{"code":0,"data":{"urls":{}}}', /no list data.urls/],
    ['{"code":0,"data":{"urls":["http://a/b"]}}', /no rtmp/],
    ['{"code":0,"data":{"urls":[7]}}', /no rtmp/],
    [JSON.stringify({ code: 0, data: { urls: Array(33).fill("a") } }), /more than 32/],
  ];
  for (const [body, reason] of rows) assert.throws(() => readAnswer(body), reason, body);
});
