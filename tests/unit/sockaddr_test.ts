/** Addresses as the kernel has them. @module */
import assert from "node:assert/strict";
import net from "node:net";
import fc from "fast-check";
import { fromSockaddr, toSockaddr } from "../../src/net/sockaddr.ts";

function hex(host: string, port: number): string | undefined {
  const found = toSockaddr({ host, port });
  return found?.bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
}

Deno.test("addresses are written as Linux reads them", () => {
  assert.equal(hex("127.0.0.1", 1935), "0200078f7f0000010000000000000000");
  assert.equal(hex("0.0.0.0", 0), "02000000" + "0".repeat(24));
  assert.equal(
    hex("2001:db8::1:2", 65535),
    "0a00ffff00000000" + "20010db8000000000000000000010002" + "00000000",
  );
  assert.equal(toSockaddr({ host: "::", port: 1 })?.ipv6, true);
  assert.equal(toSockaddr({ host: "127.0.0.1", port: 1 })?.ipv6, false);
});

Deno.test("names, networks and addresses with a zone are not for the kernel", () => {
  for (const host of ["localhost", "", "10.0.0.0/8", "fe80::1%eth0", "1.2.3", "example.org"]) {
    assert.equal(toSockaddr({ host, port: 1 }), null, host);
  }
});

Deno.test("what is written is read as the same address", () => {
  fc.assert(fc.property(
    fc.oneof(fc.ipV4(), fc.ipV6()),
    fc.nat(65535),
    (host, port) => {
      const found = toSockaddr({ host, port });
      // fast-check also gives addresses with an IPv4 tail.
      assert.ok(found, host);
      const read = fromSockaddr(found.bytes);
      assert.equal(read?.port, port);
      assert.ok(net.isIP(read?.host ?? "") > 0, read?.host);
      assert.equal(read && toSockaddr(read)?.bytes.join(), found.bytes.join(), read?.host);
    },
  ));
});

Deno.test("IPv6 is written as RFC 5952 has it, and an IPv4 address in it as that", () => {
  for (
    const [host, text] of [
      ["::1", "::1"],
      ["::", "::"],
      ["2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["1:0:0:0:0:0:0:0", "1::"],
      ["0:1::", "0:1::"],
    ]
  ) {
    const found = toSockaddr({ host, port: 1 });
    assert.equal(found && fromSockaddr(found.bytes)?.host, text);
  }
  const mapped = new Uint8Array(28);
  mapped.set([10, 0, 0, 80]);
  mapped.set([0xff, 0xff, 192, 0, 2, 1], 18);
  assert.deepEqual(fromSockaddr(mapped), { host: "192.0.2.1", port: 80 });
  assert.equal(fromSockaddr(Uint8Array.of(1, 0, 0, 0)), null, "another family");
});
