/**
 * Who may publish and play: `security`, `refer`, signed URLs.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/config/file/load.ts";
import type { Action, VhostConfig } from "../../src/config/types.ts";
import { checkRefer } from "../../src/access/refer.ts";
import { checkSecurity } from "../../src/access/security.ts";
import { checkSignature, signature } from "../../src/access/signed_url.ts";

function vhostOf(directives: string): VhostConfig {
  return loadConfig("a.conf", () => `listen 1935; vhost v { ${directives} }`, {}).config.vhosts[0];
}

Deno.test("security: SRS's order of rules", () => {
  const rows: [string, Action, string, number | null][] = [
    // rules, action, address, SRS's error number
    ["", "play", "1.1.1.1", 1052],
    ["enabled off;", "play", "1.1.1.1", null],
    ["allow play all;", "play", "1.1.1.1", null],
    ["allow play all;", "publish", "1.1.1.1", 1054],
    ["deny play all;", "publish", "1.1.1.1", null],
    ["deny play all;", "play", "1.1.1.1", 1053],
    ["deny play 10.0.0.0/8;", "play", "10.9.9.9", 1053],
    ["deny play 10.0.0.0/8;", "play", "11.9.9.9", null],
    ["allow play all; deny play 10.0.0.1;", "play", "10.0.0.1", 1053],
    ["deny play 10.0.0.1; allow play all;", "play", "10.0.0.1", 1053],
    ["deny play 10.0.0.1; allow play all;", "play", "10.0.0.2", null],
    ["deny play all; allow play 10.0.0.1;", "play", "10.0.0.1", 1053],
    ["allow publish 127.0.0.1; deny play 10.0.0.0/8;", "play", "11.0.0.1", 1054],
    ["allow publish 127.0.0.1;", "publish", "127.0.0.1", null],
    ["allow publish 127.0.0.1;", "publish", "::ffff:127.0.0.1", null],
    ["allow publish 2001:db8::/32;", "publish", "2001:db8:5::1", null],
    ["allow publish 2001:db8::/32;", "publish", "2001:db9::1", 1054],
    ["allow publish 10.0.0.0/8;", "publish", "unknown", 1054],
  ];
  for (const [rules, action, ip, code] of rows) {
    const { security } = vhostOf(`security { enabled on; ${rules} }`.replace("on; enabled", ""));
    const refusal = checkSecurity(security, action, ip);
    assert.equal(refusal?.code ?? null, code, `${rules} ${action} ${ip}`);
    if (refusal) assert.match(refusal.reason, new RegExp(`${ip} may not ${action}`));
  }
});

Deno.test("refer: hosts at the boundary of their labels", () => {
  const { refer } = vhostOf("refer { enabled on; all a.com .b.org; publish up.a.com; }");
  const rows: [Action, string, boolean][] = [
    ["play", "http://a.com/x", true],
    ["play", "https://www.A.com:8443/x?y#z", true],
    ["play", "http://www.b.org.", true],
    ["play", "http://b.org", true],
    ["play", "http://xa.com/", false],
    ["play", "http://a.com.evil.net/", false],
    ["play", "http://evil.net/a.com", false],
    ["play", "http://evil.net?a.com", false],
    ["play", "http://a.com@evil.net/", false],
    ["play", "http://evil.net\\.a.com/", false],
    ["play", "http://user@a.com/", true],
    ["play", "", false],
    ["play", "a.com", false],
    ["publish", "http://a.com/", false],
    ["publish", "http://up.a.com/", true],
    ["publish", "http://up.b.org/", false],
  ];
  for (const [action, page, may] of rows) {
    assert.equal(checkRefer(refer, action, page) === null, may, `${action} ${page}`);
  }
});

Deno.test("refer: without a list, or off, everybody passes", () => {
  assert.equal(checkRefer(vhostOf("refer { enabled on; }").refer, "play", ""), null);
  assert.equal(checkRefer(vhostOf("refer { all a.com; }").refer, "play", ""), null);
  assert.equal(checkRefer(vhostOf("refer { enabled on; play a.com; }").refer, "publish", ""), null);
});

const SECRET = "0123456789abcdef";
const KEY = "/live/livestream";
const NOW = 1_795_356_483;

function signed(
  expires = String(NOW + 60),
  secret = SECRET,
  action: Action = "publish",
  key = KEY,
) {
  return `expires=${expires}&sign=${signature(secret, action, key, expires)}`;
}

function reason(param: string, secrets: readonly string[] = [SECRET]): string | null {
  return checkSignature(secrets, "publish", KEY, param, NOW * 1000)?.reason ?? null;
}

Deno.test("signed URL: the known answer", () => {
  // printf 'publish /live/livestream 1795356543' | openssl dgst -sha256 -hmac 0123456789abcdef
  assert.equal(
    signature(SECRET, "publish", KEY, "1795356543"),
    "1e9b5916ae6cd3f8269e2eb9455f7fd9d246f71d206575b01fa222c6abcbeefc",
  );
});

Deno.test("signed URL: good ones, wherever in the query", () => {
  const good = signed();
  for (
    const param of [
      `?${good}`,
      `?token=a+b/c==&${good}`,
      `?${good}&vhost=v`,
      `?${good}#fragment`,
      `?${good.toUpperCase().replace("EXPIRES", "expires").replace("SIGN", "sign")}`,
      `?${good}?vhost=v`,
    ]
  ) assert.equal(reason(param), null, param);
  assert.equal(reason(`?${signed(undefined, "old")}`, [SECRET, "old"]), null, "rotation");
  assert.equal(reason("", []), null, "no secret, no signature");
  assert.equal(reason(`?${signed(String(NOW))}`), null, "the very second");
});

Deno.test("signed URL: each way to be wrong has its reason", () => {
  const expires = String(NOW + 60);
  const rows: [string, RegExp][] = [
    ["", /: expires and sign missing/],
    ["?expires=1", /: sign missing/],
    [`?sign=${"0".repeat(64)}`, /: expires missing/],
    [`?${signed(String(NOW - 12))}`, /expired 12 s ago/],
    [`?${signed("soon")}`, /expires is no Unix time/],
    [`?${signed("1e12")}`, /expires is no Unix time/],
    [`?${signed("-1")}`, /expires is no Unix time/],
    [`?expires=${expires}&sign=abc`, /not 64 hex digits/],
    [`?expires=${expires}&sign=${"0".repeat(64)}`, /wrong signature to publish \/live\/livestream/],
    [`?${signed(expires, "another secret")}`, /wrong signature/],
    [`?${signed(expires, SECRET, "play")}`, /wrong signature/],
    [`?${signed(expires, SECRET, "publish", "v/live/livestream")}`, /wrong signature/],
    [`?${signed(expires).replace(expires, String(NOW + 61))}`, /wrong signature/],
    [`?${signed(expires)}&expires=${NOW + 99}`, /wrong signature/],
  ];
  for (const [param, expected] of rows) assert.match(reason(param) ?? "", expected, param);
});

Deno.test("signed URL: no text but a signature passes, and none throws", () => {
  fc.assert(fc.property(fc.string(), fc.nat(), (text, expires) => {
    assert.notEqual(reason(`?${text}`), null);
    assert.notEqual(reason(`?expires=${NOW + expires}&sign=${text}`), null);
  }));
});
