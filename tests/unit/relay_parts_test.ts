/**
 * What pulls and forwards are made of: the way of a request, names at other servers, the backend's
 * answer.
 * @module
 */

import assert from "node:assert/strict";
import type { EdgeConfig } from "../../src/config/types.ts";
import {
  originTarget,
  originUrl,
  paramWithoutVhost,
  type RelayClient,
} from "../../src/relay/client.ts";
import { readAnswer } from "../../src/relay/forward_backend.ts";
import { forwardTarget } from "../../src/relay/relays.ts";
import { Self } from "../../src/relay/self.ts";
import { describeTarget, tcUrlOf } from "../../src/relay/target.ts";
import { formatHops, MAX_HOPS, parseHops, refuseHops } from "../../src/rtmp/hops.ts";
import { vhostOf } from "./support/live_fixture.ts";

const EDGE: EdgeConfig = {
  origins: [{ host: "o", port: null }],
  protocol: "rtmp",
  followClient: false,
  tokenTraverse: false,
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
  assert.equal(tcUrlOf(target), "rtmp://o/live");
  assert.equal(target.stream, "s?token=9#f");
  const vhost = { ...vhostOf(), name: "v.com" };
  const other = originTarget(client({ vhost }), { ...EDGE, vhost: "a-[vhost]-b" }, {
    host: "o",
    port: 1936,
  });
  assert.equal(tcUrlOf(other), "rtmp://a-v.com-b:1936/live");
  assert.equal(
    originUrl(client(), "flv", { host: "o", port: null }).href,
    "http://o/live/s.flv?token=9",
  );
  const url = originUrl(client({ app: "a/b" }), "flvs", { host: "::1", port: 8443 });
  assert.equal(url.href, "https://[::1]:8443/a/b/s.flv?token=9");
});

Deno.test("a vhost in a query is for us alone", () => {
  const rows = [
    ["", ""],
    ["?vhost=a", ""],
    ["?a=b&vhost=c&d=e", "?a=b&d=e"],
    ["?domain=x#f", "#f"],
    ["?vhosts=1", "?vhosts=1"],
  ];
  for (const [param, expected] of rows) assert.equal(paramWithoutVhost(param), expected);
});

Deno.test("at a destination: the same stream, or the one that it names, whose key is not shown", () => {
  const plain = forwardTarget(client(), "10.0.0.2:1940");
  assert.equal(`${tcUrlOf(plain)} ${plain.stream}`, "rtmp://10.0.0.2:1940/live s?token=9#f");
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
