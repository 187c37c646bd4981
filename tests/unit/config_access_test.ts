/**
 * Rules about access in the configuration: what is accepted, what is refused and where, what is shown.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { shownUrl } from "../../src/config/directives/access_kinds.ts";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { contains, formatNetwork, type Network, parseNetwork } from "../../src/config/network.ts";
import { formatSummary } from "../../src/config/file/summary.ts";

function load(vhost: string, env: Record<string, string> = {}) {
  return loadConfig("a.conf", () => `listen 1935;\nvhost v {\n${vhost}\n}`, env);
}

function errors(vhost: string): string[] {
  try {
    load(vhost);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.diagnostics.map((one) => one.format());
  }
}

function network(text: string): Network {
  const found = parseNetwork(text);
  assert.ok(found, text);
  return found;
}

const v4 = fc.ipV4();
const v6 = fc.ipV6();

Deno.test("network: every address lies in itself, in /0 of its family and in no other family", () => {
  fc.assert(fc.property(v4, v6, (four, six) => {
    // ::ffff:0:0/96 is IPv4 in other clothes.
    fc.pre(parseNetwork(six)?.family === 6);
    for (const [address, other] of [[four, six], [six, four]]) {
      assert.ok(contains(network(address), address));
      assert.ok(contains(network(`${address}/0`), address));
      assert.ok(!contains(network(`${other}/0`), address));
    }
  }));
});

Deno.test("network: a prefix is what a bit-by-bit comparison says", () => {
  const bits = (address: string) =>
    address.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("");
  const near = fc.tuple(v4, fc.nat(31)).map(([a, bit]) => {
    const flipped = (Number.parseInt(bits(a), 2) ^ (1 << bit)) >>> 0;
    return [a, [24, 16, 8, 0].map((shift) => (flipped >>> shift) & 255).join(".")];
  });
  fc.assert(fc.property(near, fc.nat(32), ([a, b], prefix) => {
    const same = bits(a).slice(0, prefix) === bits(b).slice(0, prefix);
    assert.equal(contains(network(`${a}/${prefix}`), b), same);
  }));
});

Deno.test("network: all spellings of an IPv6 address are one, and mapped IPv4 is IPv4", () => {
  const same = [
    ["2001:db8::1", "2001:0DB8:0:0:0:0:0:1", "2001:db8:0::0:1", "2001:db8::0.0.0.1"],
    ["::", "0:0:0:0:0:0:0:0", "::0"],
    ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"],
    ["fe80::1", "fe80::1%eth0"],
  ];
  for (const [first, ...others] of same) {
    for (const other of others) assert.deepEqual(parseNetwork(other), parseNetwork(first), other);
  }
  assert.ok(contains(network("192.0.2.0/24"), "::ffff:192.0.2.77"));
  assert.ok(!contains(network("192.0.2.0/24"), "unknown"));
});

Deno.test("network: what is printed is read as the same", () => {
  assert.equal(formatNetwork(network("10.1.0.0/8")), "10.1.0.0/8");
  fc.assert(fc.property(fc.oneof(v4, v6), fc.nat(32), (address, prefix) => {
    const one = network(`${address}/${prefix}`);
    assert.deepEqual(parseNetwork(formatNetwork(one)), one);
  }));
});

Deno.test("network: what is none", () => {
  const none =
    "1.2.3|1.2.3.4.5|256.0.0.1|01.2.3.4|1.2.3.4/33|1.2.3.4/|1.2.3.4/-1|1.2.3.4/8/8|a.b.c.d|" +
    "::1/129|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|1::2::3|:::|12345::|g::|1.2.3.4::|::1.2.3|localhost||/8|" +
    "1:2:3:4:5:6:7:8::";
  for (const text of none.split("|")) assert.equal(parseNetwork(text), null, text);
  // Any other text raises nothing, and is none unless it has the characters of an address alone.
  fc.assert(fc.property(fc.string(), (text) => {
    assert.ok(parseNetwork(text) === null || /^[\da-f:.]+(%|\/|$)/i.test(text), text);
  }));
});

Deno.test("config security: a bad rule is an error at its word", () => {
  const rows: [string, string][] = [
    [
      "security { allow publish 10.0.0.0/33; }",
      '26: allow: "10.0.0.0/33" is neither an address nor a network such as 10.0.0.0/8 or 2001:db8::/32',
    ],
    ["security { deny watch all; }", '17: deny: "watch" is neither publish nor play'],
    [
      "security { deny play; }",
      "17: deny: of whom? Expected: play all, an address or a network",
    ],
    [
      "security { allow play 1.2.3.4 1.2.3.5; }",
      '31: allow: "1.2.3.5" is too much: one address or network for each rule',
    ],
    [
      "http_hooks { on_play http://h/a ftp://h/b; }",
      '33: on_play: "ftp://h/b" is no http:// or https:// URL',
    ],
    [
      "http_hooks { on_play http://u:pw@h:x/?a=b; }",
      '22: on_play: "http://u:***@h:x/?a=***" is no http:// or https:// URL',
    ],
    ['publish { secret ""; }', "11: secret has no value"],
    ["security { deny; }", "12: deny has no value"],
    ["http_hooks { on_publish; }", "14: on_publish has no value"],
  ];
  for (const [text, message] of rows) assert.deepEqual(errors(text), [`a.conf:3:${message}`]);
  // Every rule counts, not the first alone.
  assert.equal(errors("security { allow play all; allow play x; deny publish y; }").length, 2);
});

Deno.test("config secrets: shown nowhere, a short one is told", () => {
  const loaded = load(
    "publish { secret short long-enough-for-this; }\n" +
      "http_hooks { enabled on; on_publish http://user:pw@h:8085/a?token=t&x=1#f; }",
    { SRS_VHOST_PLAY_SECRET: "from-the-environment" },
  );
  assert.deepEqual(loaded.config.vhosts[0].play.secrets, ["from-the-environment"]);
  assert.deepEqual(loaded.warnings.map((warning) => warning.format()), [
    "a.conf:3:18: secret: a secret of 5 characters can be guessed: take 16 or more, for example from: openssl rand -hex 16",
  ]);
  const lines = formatSummary(loaded).split("\n").map((line) => line.trim().replace(/ +/g, " "));
  for (
    const line of [
      "publish.secret *** a.conf:3:11",
      "play.secret *** env SRS_VHOST_PLAY_SECRET",
      "http_hooks.on_publish http://user:***@h:8085/a?token=***&x=***#f a.conf:4:26",
      "http_hooks.on_play (none) default",
      "security.allow (none) default",
    ]
  ) assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
  assert.ok(formatSummary(load("")).includes("(none)"));
});

Deno.test("config secrets: a URL is shown without password and query values", () => {
  const rows: [string, string][] = [
    ["http://h/a", "http://h/a"],
    ["http://a:b@h/c", "http://a:***@h/c"],
    ["https://a:b@c@h/c?d=e=f&g", "https://a:***@h/c?d=***&g"],
  ];
  for (const [url, shown] of rows) assert.equal(shownUrl(url), shown);
});

Deno.test("config security: the summary has a line for each rule", () => {
  const loaded = load(
    "security { enabled on; deny play 10.0.0.0/8; allow play all; allow publish ::1; }",
  );
  const lines = formatSummary(loaded).split("\n").map((line) => line.trim().replace(/ +/g, " "));
  assert.deepEqual(lines.filter((line) => /^security/.test(line)), [
    "security.enabled on a.conf:3:12",
    "security.allow play all a.conf:3:46",
    "security.allow publish ::1 a.conf:3:62",
    "security.deny play 10.0.0.0/8 a.conf:3:24",
  ]);
});

Deno.test("config hooks: URLs count only when enabled, and come from the environment too", () => {
  assert.deepEqual(load("http_hooks { on_play http://h/; }").config.vhosts[0].hooks.on_play, []);
  const env = {
    SRS_VHOST_HTTP_HOOKS_ON_PLAY: "http://a/ http://b/",
    SRS_VHOST_HTTP_HOOKS_ENABLED: "on",
  };
  assert.deepEqual(load("", env).config.vhosts[0].hooks.on_play, ["http://a/", "http://b/"]);
});

Deno.test("a secret that stands in an example is a warning that names the place and the cure", () => {
  const own = "b4d6f1e2907c5a3d8e";
  for (
    const [block, path] of [["publish", "vhost.publish.secret"], ["play", "vhost.play.secret"]]
  ) {
    const { warnings } = load(`${block} { secret ${own} CHANGE_ME_SECRET; }`);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0].format(),
      new RegExp(`^a.conf:3:\\d+: ${path} is .*put one of your own`),
    );
    assert.deepEqual(load(`${block} { secret ${own}; }`).warnings, []);
  }
});
