import assert from "node:assert/strict";
import { Admission } from "../../src/access/connection_limits.ts";

const NONE = { maxConnections: 0, maxConnectionsPerIp: 0, connectRatePerIp: 0 };

Deno.test("H17 max_connections: the excess is refused, and room is made by who leaves", () => {
  const admission = new Admission({ ...NONE, maxConnections: 2 });
  assert.equal(admission.admit("10.0.0.1", 0), null);
  assert.equal(admission.admit("10.0.0.2", 0), null);
  assert.equal(admission.admit("10.0.0.3", 0), "max_connections=2");
  admission.leave("10.0.0.1");
  assert.equal(admission.admit("10.0.0.3", 0), null);
});

Deno.test("H17 max_connections_per_ip: one address is limited, the others are not", () => {
  const admission = new Admission({ ...NONE, maxConnectionsPerIp: 1 });
  assert.equal(admission.admit("10.0.0.1", 0), null);
  assert.equal(admission.admit("10.0.0.1", 0), "max_connections_per_ip=1");
  assert.equal(admission.admit("10.0.0.2", 0), null);
  admission.leave("10.0.0.1");
  assert.equal(admission.admit("10.0.0.1", 0), null);
});

Deno.test("H17 connect_rate_per_ip: so many in a second, and again in the next", () => {
  const admission = new Admission({ ...NONE, connectRatePerIp: 2 });
  for (const second of [0, 1000, 2500]) {
    assert.equal(admission.admit("10.0.0.1", second), null);
    assert.equal(admission.admit("10.0.0.1", second + 10), null);
    assert.equal(admission.admit("10.0.0.1", second + 20), "connect_rate_per_ip=2");
    assert.equal(admission.admit("10.0.0.2", second + 20), null);
    admission.leave("10.0.0.2");
    admission.leave("10.0.0.1");
    admission.leave("10.0.0.1");
  }
});

Deno.test("H17 a flood from ever new addresses keeps no memory of them", () => {
  const admission = new Admission({ ...NONE, maxConnectionsPerIp: 1 });
  for (let i = 0; i < 50_000; i++) {
    const address = `2001:db8::${i.toString(16)}`;
    assert.equal(admission.admit(address, i), null);
    admission.leave(address);
  }
  assert.ok(admission.rememberedAddresses <= 10_000, `${admission.rememberedAddresses}`);
});

Deno.test("H17 making room for new addresses forgets nobody who counts", () => {
  const flood = (admission: Admission, nowMs: number) => {
    for (let i = 0; i < 10_001; i++) {
      const address = `2001:db8::${i.toString(16)}`;
      admission.admit(address, nowMs);
      admission.leave(address);
    }
  };
  const perAddress = new Admission({ ...NONE, maxConnectionsPerIp: 1 });
  assert.equal(perAddress.admit("10.0.0.1", 0), null);
  flood(perAddress, 1000);
  flood(perAddress, 2000);
  assert.equal(perAddress.admit("10.0.0.1", 2000), "max_connections_per_ip=1", "it is still there");
  const rate = new Admission({ ...NONE, connectRatePerIp: 1 });
  flood(rate, 0);
  assert.equal(rate.admit("10.0.0.1", 1500), null);
  rate.leave("10.0.0.1");
  flood(rate, 2000);
  assert.equal(rate.admit("10.0.0.1", 2499), "connect_rate_per_ip=1", "its second is not over");
  assert.equal(rate.admit("10.0.0.1", 2500), null);
});

Deno.test("H51: addresses of one IPv6 /64 are one, and IPv4 on IPv6 sockets is IPv4", () => {
  const admission = new Admission({ ...NONE, maxConnectionsPerIp: 2, connectRatePerIp: 3 });
  assert.equal(admission.admit("2001:db8:1:2::1", 0), null);
  assert.equal(admission.admit("2001:db8:1:2:ffff::2", 0), null);
  assert.equal(admission.admit("2001:DB8:1:2::3", 0), "max_connections_per_ip=2");
  assert.equal(admission.admit("2001:db8:1:3::1", 0), null, "another network");
  admission.leave("2001:db8:1:2::9");
  assert.equal(admission.admit("2001:db8:1:2::4", 0), null);
  admission.leave("2001:db8:1:2::4");
  assert.equal(admission.admit("2001:db8:1:2::5", 0), "connect_rate_per_ip=3");
  assert.equal(admission.admit("::ffff:192.0.2.1", 0), null);
  assert.equal(admission.admit("192.0.2.1", 0), null);
  assert.equal(admission.admit("192.0.2.1", 0), "max_connections_per_ip=2");
  for (let i = 0; i < 200; i++) admission.admit(`2001:db8:9:9::${i}`, 0);
  assert.equal(admission.rememberedAddresses, 4);
});
