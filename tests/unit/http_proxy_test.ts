/**
 * F15: what proxies say of a client's address, in every form that they use.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Hono } from "hono";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { parseNetwork } from "../../src/config/network.ts";
import type { AddressHeader } from "../../src/config/types.ts";
import type { HttpEnv } from "../../src/servers/http/request/answer.ts";
import { AMBIGUOUS_EVERY_MS } from "../../src/servers/http/request/limits.ts";
import { AmbiguousLine } from "../../src/servers/http/request/caller.ts";
import { setLogTarget } from "../../src/log/log.ts";
import {
  clientAddress,
  type ProxyHeaders,
  proxyHeaders,
} from "../../src/servers/http/request/client_address.ts";

const PROXY = "127.0.0.1";
const NONE: ProxyHeaders = { forwardedFor: null, realIp: null, forwarded: null };

const trusted = [PROXY, "10.0.0.0/8", "fd00::/8"].map((text) => {
  const network = parseNetwork(text);
  assert.ok(network);
  return network;
});

function client(said: Partial<ProxyHeaders>, peer = PROXY): string | null {
  return clientAddress(
    peer,
    { forwardedFor: null, realIp: null, forwarded: null, ...said },
    trusted,
  );
}

/** What a node may look like, and the address in it; null: it has none. */
const NODES: readonly (readonly [string, string | null])[] = [
  ["1.2.3.4", "1.2.3.4"],
  ["1.2.3.4:51008", "1.2.3.4"],
  ['"1.2.3.4"', "1.2.3.4"],
  ['"1.2.3.4:51008"', "1.2.3.4"],
  ["1.2.3.4:_hidden", "1.2.3.4"],
  ["2001:db8::1", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ['"[2001:db8::1]:443"', "2001:db8::1"],
  ["[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4"],
  ["[fe80::1%eth0]:5", "fe80::1%eth0"],
  ["", null],
  ["unknown", null],
  ["_hidden", null],
  ["1.2.3.4/32", null],
  ["1.2.3.4:", null],
  ["1.2.3.4:123456", null],
  ["1.2.3.4:5:6", null],
  ["1.2.3.400", null],
  ["01.2.3.4", null],
  ["[1.2.3.4]:5", null],
  ["[2001:db8::1", null],
  ["2001:db8::1]", null],
  ["[2001:db8::1]443", null],
  ["2001:db8:0:0:0:0:0:1:443", null],
  ['"1.2.3.4', null],
  ['1.2.3.4"', null],
  ['""1.2.3.4""', null],
  ["1.2.3.4 5.6.7.8", null],
];

Deno.test("F15: ports, brackets and quotes in X-Forwarded-For and X-Real-IP", () => {
  for (const [node, address] of NODES) {
    // A header without a value says nothing.
    const alone = node === "" ? PROXY : address;
    assert.equal(client({ forwardedFor: node }), alone, `X-Forwarded-For: ${node}`);
    assert.equal(client({ realIp: node }), alone, `X-Real-IP: ${node}`);
    assert.equal(client({ forwardedFor: `9.9.9.9, ${node}` }), address, node);
    assert.equal(client({ forwardedFor: node, realIp: node }, "8.8.8.8"), "8.8.8.8", node);
  }
  assert.equal(client({ realIp: "1.2.3.4, 1.2.3.4" }), null, "X-Real-IP is one address");
  assert.equal(client({ forwardedFor: "1.2.3.4:5, [fd00::7]:80, 10.0.0.7:443" }), "1.2.3.4");
  assert.equal(client({ forwardedFor: "1.2.3.4:5, junk, 10.0.0.7:443" }), null);
});

Deno.test("F15: Forwarded (RFC 7239)", () => {
  const rows: [string, string | null][] = [
    ["for=1.2.3.4", "1.2.3.4"],
    ["For=1.2.3.4;proto=https;by=203.0.113.43", "1.2.3.4"],
    ["by=_x ; FOR=1.2.3.4", "1.2.3.4"],
    ['for="1.2.3.4:47011"', "1.2.3.4"],
    ['for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"],
    ['for="1\\.2.3.4"', "1.2.3.4"],
    ["for=9.9.9.9, for=1.2.3.4", "1.2.3.4"],
    ["for=9.9.9.9, for=1.2.3.4;by=x,for=10.0.0.7", "1.2.3.4"],
    ["for=1.2.3.4;", "1.2.3.4"],
    ["for=unknown", null],
    ["for=_gazonk", null],
    ["proto=https", null],
    ["for=1.2.3.4, proto=https", null],
    ["for=1.2.3.4;for=5.6.7.8", null],
    ["", PROXY],
    ["1.2.3.4", null],
    ["for", null],
    ["for=", null],
    // A client cannot swallow or replace what the proxy appends.
    ['for=", for=1.2.3.4', null],
    ['for=9.9.9.9, for=", for=1.2.3.4', null],
    ["for=9.9.9.9, junk, for=1.2.3.4", null],
    ['for=9.9.9.9;x=", for="[2001:db8::1]"', null],
    ['for="9.9.9.9\\", for=1.2.3.4', null],
    ["for=9.9.9.9; , for=1.2.3.4", "1.2.3.4"],
  ];
  for (const [forwarded, expected] of rows) {
    assert.equal(client({ forwarded }), expected, forwarded);
    assert.equal(client({ forwarded }, "8.8.8.8"), "8.8.8.8", forwarded);
  }
});

Deno.test("F15: headers that contradict each other give nobody's address", () => {
  assert.equal(client({ forwardedFor: "1.2.3.4", realIp: "5.6.7.8" }), null);
  assert.equal(client({ forwardedFor: "1.2.3.4", forwarded: "for=5.6.7.8" }), null);
  assert.equal(client({ realIp: "1.2.3.4", forwarded: "for=5.6.7.8" }), null);
  assert.equal(client({ forwardedFor: "1.2.3.4:5", realIp: "1.2.3.4" }), "1.2.3.4");
  const same = { forwardedFor: "2001:db8::1", forwarded: 'for="[2001:DB8:0::1]:5"' };
  assert.equal(client(same), "2001:db8::1");
  // nginx behind another proxy of ours: its X-Real-IP is that proxy.
  assert.equal(client({ forwardedFor: "1.2.3.4, 10.0.0.7", realIp: "10.0.0.7" }), "1.2.3.4");
});

Deno.test("F15: whatever a client sends, what the proxy appends decides, or nothing", () => {
  const junk = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...'for=,;"\\[]:1.9 \t_x'.split("")), { maxLength: 30 }).map((parts) =>
      parts.join("")
    ),
  );
  fc.assert(fc.property(junk, (sent) => {
    assert.equal(client({ forwardedFor: `${sent}, 1.2.3.4:5` }), "1.2.3.4");
    const found = client({ forwarded: `${sent}, for="1.2.3.4:5"` });
    assert.ok(found === "1.2.3.4" || found === null, `${sent} gives ${found}`);
  }));
});

/** What a client may add to make itself somebody else. */
const CLAIMS: readonly Partial<ProxyHeaders>[] = [
  "8.8.8.8",
  "10.0.0.9",
  "junk",
  "8.8.8.8, 10.0.0.9",
]
  .flatMap((claim) => [
    { forwardedFor: claim },
    { realIp: claim },
    { forwarded: claim.split(", ").map((node) => `for=${node}`).join(", ") },
    { forwarded: 'for="' },
    { forwardedFor: claim, forwarded: `for=${claim}` },
  ]);

Deno.test("H41: what a client adds to the proxy's header wins nowhere", () => {
  const said = (header: AddressHeader): Partial<ProxyHeaders> => {
    if (header === "x-real-ip") return { realIp: "1.2.3.4" };
    return header === "forwarded" ? { forwarded: "for=1.2.3.4" } : { forwardedFor: "1.2.3.4" };
  };
  for (const header of ["x-forwarded-for", "x-real-ip", "forwarded"] as const) {
    for (const claim of CLAIMS) {
      const headers = { ...NONE, ...claim, ...said(header) };
      const text = JSON.stringify(headers);
      const unnamed = clientAddress(PROXY, headers, trusted);
      const alone = Object.values(headers).filter((value) => value !== null).length === 1;
      assert.equal(unnamed, alone ? "1.2.3.4" : null, text);
      assert.equal(clientAddress(PROXY, headers, trusted, header), "1.2.3.4", text);
    }
    assert.equal(clientAddress(PROXY, NONE, trusted, header), PROXY, "the proxy's machine itself");
    const others = {
      ...NONE,
      forwardedFor: "8.8.8.8",
      realIp: "8.8.8.8",
      forwarded: "for=8.8.8.8",
    };
    const own = {
      "x-forwarded-for": "forwardedFor",
      "x-real-ip": "realIp",
      forwarded: "forwarded",
    };
    const without = { ...others, [own[header]]: null };
    assert.equal(clientAddress(PROXY, without, trusted, header), PROXY, "not named, not believed");
    assert.equal(clientAddress("9.9.9.9", others, trusted, header), "9.9.9.9", "no proxy");
  }
  // The proxy before the last one has to be on the way that the other header tells.
  const chain = { ...NONE, forwardedFor: "1.2.3.4, 10.0.0.7" };
  assert.equal(clientAddress(PROXY, { ...chain, realIp: "10.0.0.7" }, trusted), "1.2.3.4");
  assert.equal(clientAddress(PROXY, { ...chain, realIp: "10.0.0.8" }, trusted), null);
});

Deno.test("H41: a line a minute names the cure", () => {
  let now = 0;
  const lines: string[] = [];
  setLogTarget({ takes: () => true, write: ({ text }) => void lines.push(text) });
  try {
    const line = new AmbiguousLine(() => now);
    const app = new Hono<HttpEnv>();
    const rules = { trustedProxies: trusted, clientAddressHeader: null };
    app.get("*", (c) => (line.say(c, rules), c.text("")));
    const ask = () => app.request("/", {}, { peer: { address: PROXY, port: 5 } });
    for (let i = 0; i < 100; i++) ask();
    assert.equal(lines.length, 1);
    assert.match(lines[0], /proxy 127\.0\.0\.1 refused: .*client_address_header/);
    now = AMBIGUOUS_EVERY_MS;
    ask();
    assert.match(lines[1], /\(99 more since the last line\)$/);
  } finally {
    setLogTarget({ takes: () => false, write: () => {} });
  }
});

Deno.test("H41: client_address_header is one of three words", () => {
  const read = (word: string) => {
    const text = `listen 1935; vhost v {} http_server { client_address_header ${word}; }`;
    return loadConfig("a.conf", () => text, {}).config.httpServer.clientAddressHeader;
  };
  assert.equal(read("X-Forwarded-For"), "x-forwarded-for");
  assert.equal(read("forwarded"), "forwarded");
  assert.throws(() => read("x-client-ip"), ConfigError);
});

Deno.test("F15: the three headers of a request", () => {
  const headers = new Headers({ "x-forwarded-for": "a", "X-Real-Ip": "b", "Forwarded": "c" });
  const read = proxyHeaders((name) => headers.get(name) ?? undefined);
  assert.deepEqual(read, { forwardedFor: "a", realIp: "b", forwarded: "c" });
});
