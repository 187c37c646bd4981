/**
 * F15: what proxies say of a client's address, in every form that they use.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseNetwork } from "../../src/config/network.ts";
import { clientAddress, type ProxyHeaders, proxyHeaders } from "../../src/http/client_address.ts";

const PROXY = "127.0.0.1";

const trusted = [PROXY, "10.0.0.0/8", "fd00::/8"].map((text) => {
  const network = parseNetwork(text);
  assert.ok(network);
  return network;
});

function client(said: Partial<ProxyHeaders>, peer = PROXY): string {
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
    assert.equal(client({ forwardedFor: node }), address ?? PROXY, `X-Forwarded-For: ${node}`);
    assert.equal(client({ realIp: node }), address ?? PROXY, `X-Real-IP: ${node}`);
    assert.equal(client({ forwardedFor: `9.9.9.9, ${node}` }), address ?? PROXY, node);
    assert.equal(client({ forwardedFor: node, realIp: node }, "8.8.8.8"), "8.8.8.8", node);
  }
  assert.equal(client({ realIp: "1.2.3.4, 1.2.3.4" }), PROXY, "X-Real-IP is one address");
  assert.equal(client({ forwardedFor: "1.2.3.4:5, [fd00::7]:80, 10.0.0.7:443" }), "1.2.3.4");
  assert.equal(client({ forwardedFor: "1.2.3.4:5, junk, 10.0.0.7:443" }), "10.0.0.7");
});

Deno.test("F15: Forwarded (RFC 7239)", () => {
  const rows: [string, string][] = [
    ["for=1.2.3.4", "1.2.3.4"],
    ["For=1.2.3.4;proto=https;by=203.0.113.43", "1.2.3.4"],
    ["by=_x ; FOR=1.2.3.4", "1.2.3.4"],
    ['for="1.2.3.4:47011"', "1.2.3.4"],
    ['for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"],
    ['for="1\\.2.3.4"', "1.2.3.4"],
    ["for=9.9.9.9, for=1.2.3.4", "1.2.3.4"],
    ["for=9.9.9.9, for=1.2.3.4;by=x,for=10.0.0.7", "1.2.3.4"],
    ["for=1.2.3.4;", "1.2.3.4"],
    ["for=unknown", PROXY],
    ["for=_gazonk", PROXY],
    ["proto=https", PROXY],
    ["for=1.2.3.4, proto=https", PROXY],
    ["for=1.2.3.4;for=5.6.7.8", PROXY],
    ["", PROXY],
    ["1.2.3.4", PROXY],
    ["for", PROXY],
    ["for=", PROXY],
    // A client cannot swallow or replace what the proxy appends.
    ['for=", for=1.2.3.4', PROXY],
    ['for=9.9.9.9, for=", for=1.2.3.4', PROXY],
    ["for=9.9.9.9, junk, for=1.2.3.4", PROXY],
    ['for=9.9.9.9;x=", for="[2001:db8::1]"', PROXY],
    ['for="9.9.9.9\\", for=1.2.3.4', PROXY],
    ["for=9.9.9.9; , for=1.2.3.4", "1.2.3.4"],
  ];
  for (const [forwarded, expected] of rows) {
    assert.equal(client({ forwarded }), expected, forwarded);
    assert.equal(client({ forwarded }, "8.8.8.8"), "8.8.8.8", forwarded);
  }
});

Deno.test("F15: headers that contradict each other give nobody's address but the proxy's", () => {
  assert.equal(client({ forwardedFor: "1.2.3.4", realIp: "5.6.7.8" }), PROXY);
  assert.equal(client({ forwardedFor: "1.2.3.4", forwarded: "for=5.6.7.8" }), PROXY);
  assert.equal(client({ realIp: "1.2.3.4", forwarded: "for=5.6.7.8" }), PROXY);
  assert.equal(client({ forwardedFor: "1.2.3.4:5", realIp: "1.2.3.4" }), "1.2.3.4");
  const same = { forwardedFor: "2001:db8::1", forwarded: 'for="[2001:DB8:0::1]:5"' };
  assert.equal(client(same), "2001:db8::1");
  // nginx behind another proxy of ours: its X-Real-IP is that proxy.
  assert.equal(client({ forwardedFor: "1.2.3.4, 10.0.0.7", realIp: "10.0.0.7" }), "1.2.3.4");
});

Deno.test("F15: whatever a client sends, what the proxy appends decides, or the proxy's address", () => {
  const junk = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...'for=,;"\\[]:1.9 \t_x'.split("")), { maxLength: 30 }).map((parts) =>
      parts.join("")
    ),
  );
  fc.assert(fc.property(junk, (sent) => {
    assert.equal(client({ forwardedFor: `${sent}, 1.2.3.4:5` }), "1.2.3.4");
    const found = client({ forwarded: `${sent}, for="1.2.3.4:5"` });
    assert.ok(found === "1.2.3.4" || found === PROXY, `${sent} gives ${found}`);
  }));
});

Deno.test("F15: the three headers of a request", () => {
  const headers = new Headers({ "x-forwarded-for": "a", "X-Real-Ip": "b", "Forwarded": "c" });
  const read = proxyHeaders((name) => headers.get(name) ?? undefined);
  assert.deepEqual(read, { forwardedFor: "a", realIp: "b", forwarded: "c" });
});
