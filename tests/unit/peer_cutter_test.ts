/**
 * H65: connections that are ended by their peer's address.
 * @module
 */

import assert from "node:assert/strict";
import { keyOfPeer, keyOfSockaddr, PeerCutter } from "../../src/net/peer_cutter.ts";

/** A `struct sockaddr_in` or `sockaddr_in6` of a little-endian Linux. */
function sockaddr(bytes: readonly number[], port: number): Uint8Array {
  const address = new Uint8Array(28);
  const at = bytes.length === 4 ? 4 : 8;
  address.set([bytes.length === 4 ? 2 : 10, 0, port >> 8, port & 0xff]);
  address.set(bytes, at);
  return address;
}

const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];

Deno.test("H65: a peer's address is the same as text and in the kernel's form", () => {
  const same: [string, number[]][] = [
    ["127.0.0.1", [127, 0, 0, 1]],
    ["127.0.0.1", MAPPED],
    ["::ffff:127.0.0.1", MAPPED],
    ["::ffff:127.0.0.1", [127, 0, 0, 1]],
    ["2001:db8::7", V6],
    ["255.1.2.254", [255, 1, 2, 254]],
  ];
  for (const [host, bytes] of same) {
    assert.equal(keyOfPeer({ host, port: 40_000 }), keyOfSockaddr(sockaddr(bytes, 40_000)), host);
    assert.notEqual(keyOfPeer({ host, port: 40_001 }), keyOfSockaddr(sockaddr(bytes, 40_000)));
  }
  assert.notEqual(
    keyOfPeer({ host: "127.0.0.2", port: 1 }),
    keyOfSockaddr(sockaddr([127, 0, 0, 1], 1)),
  );
  assert.equal(keyOfPeer({ host: "nonsense", port: 1 }), null);
  assert.equal(keyOfSockaddr(new Uint8Array(28)), null, "a socket of another kind");
});

Deno.test("H65: only the connections of these peers are cut off, over gaps of descriptors", () => {
  const peers = new Map<number, Uint8Array>([
    [5, sockaddr([127, 0, 0, 1], 1000)],
    [6, sockaddr([127, 0, 0, 1], 1001)],
    [900, sockaddr(MAPPED, 1002)],
    [901, sockaddr([127, 0, 0, 2], 1000)],
  ]);
  const cut: number[] = [];
  let looks = 0;
  const cutter = new PeerCutter({
    peerOf: (fd, address) => {
      looks++;
      const peer = peers.get(fd);
      if (peer) address.set(peer);
      return peer !== undefined;
    },
    cutOff: (fd) => cut.push(fd),
  });
  for (const port of [1000, 1002, 7777]) cutter.cut({ host: "127.0.0.1", port });
  cutter.flush();
  assert.deepEqual(cut, [5, 900]);
  assert.ok(
    looks > 900 && looks < 10_000,
    `${looks} descriptors are looked at for one that is gone`,
  );
  looks = 0;
  cutter.flush();
  assert.equal(looks, 0, "nobody is looked for twice");
});
