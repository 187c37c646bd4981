/**
 * `srs-edge sign`, and what is printed at start (F30).
 * @module
 */
import assert from "node:assert/strict";
import { parseCommandLine, UsageError } from "../../src/app/cli.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { checkSignature } from "../../src/access/signed_url.ts";
import { SignError, signUrl } from "../../src/app/sign.ts";
import type { Action, Config } from "../../src/config/types.ts";
import { ENCODED, SOURCE } from "../../src/page/addresses.ts";
import { type Running, welcome } from "../../src/app/welcome.ts";

const NOW_MS = 1_795_356_543_210;

function configOf(vhosts: string): Config {
  return loadConfig("a.conf", () => `listen 1935; ${vhosts}`, {}).config;
}

const SIGNED = configOf(`vhost __defaultVhost__ { publish { secret new old; } play { secret view; }
    http_remux { enabled on; } }
  vhost cam { publish { secret own; } }`);

function signed(action: Action, url: string, config = SIGNED): string {
  return signUrl(config, { action, url, seconds: 60 }, NOW_MS);
}

Deno.test("F30: a signed URL is let in until it expires, and no other one is", () => {
  const rows: [Action, string, string, string][] = [
    ["publish", "rtmp://127.0.0.1/live/one", "/live/one", "new"],
    ["publish", "rtmp://127.0.0.1:19350/live/one?vhost=cam", "cam/live/one", "own"],
    ["publish", "rtmp://cam/live/one", "cam/live/one", "own"],
    ["play", "rtmp://[::1]/live/a/b?x=1", "/live/a/b", "view"],
    ["play", "http://127.0.0.1:8080/live/one.flv", "/live/one", "view"],
  ];
  for (const [action, url, key, secret] of rows) {
    const made = signed(action, url);
    assert.ok(
      made.startsWith(`${url}${url.includes("?") ? "&" : "?"}expires=1795356603&sign=`),
      made,
    );
    const query = made.slice(made.indexOf("?"));
    const check = (what: Action, of: string, ms = NOW_MS) =>
      checkSignature([secret], what, of, query, ms);
    assert.equal(check(action, key), null, made);
    assert.notEqual(check(action === "play" ? "publish" : "play", key), null);
    assert.notEqual(check(action, `${key}2`), null);
    assert.equal(check(action, key, NOW_MS + 60_000), null);
    assert.match(check(action, key, NOW_MS + 61_000)?.reason ?? "", /expired 1 s ago/);
  }
});

Deno.test("F30: where there is no secret the URL stays as it is; a fragment stays behind", () => {
  assert.equal(signed("play", "rtmp://cam/live/one"), "rtmp://cam/live/one");
  assert.match(signed("play", "rtmp://x/live/one#f"), /one\?expires=\d+&sign=[0-9a-f]{64}#f$/);
});

Deno.test("F11 F30: a space in the URL is written as clients take it", () => {
  const made = signed("publish", "rtmp://x/live/front drive?a=b c#d e");
  assert.match(
    made,
    /^rtmp:\/\/x\/live\/front%20drive\?a=b%20c&expires=\d+&sign=[0-9a-f]{64}#d%20e$/,
  );
  const query = made.slice(made.indexOf("?"), made.indexOf("#"));
  assert.equal(checkSignature(["new"], "publish", "/live/front drive", query, NOW_MS), null);
  assert.equal(signed("play", "rtmp://cam/live/front drive"), "rtmp://cam/live/front%20drive");
});

Deno.test("F30: what cannot be signed is said", () => {
  const named = configOf("vhost cam { publish { secret own; } }");
  const rows: [Action, string, Config, RegExp][] = [
    ["publish", "live/one", SIGNED, /is no rtmp:\/\/ or http:\/\/ address/],
    ["publish", "rtmp://x/", SIGNED, /no stream name/],
    ["publish", "rtmp://x/live/one", named, /no vhost "x"/],
    ["publish", "http://x/live/one.flv", SIGNED, /goes to an rtmp:\/\/ address/],
    ["play", "http://x/one", SIGNED, /is no stream's/],
    ["play", "http://", SIGNED, /is no stream's/],
  ];
  for (const [action, url, config, expected] of rows) {
    assert.throws(() => signed(action, url, config), (error: unknown) => {
      assert.ok(error instanceof SignError, String(error));
      assert.match(error.message, expected);
      return true;
    });
  }
});

Deno.test("F30: the command line of sign", () => {
  const url = "rtmp://x/live/one";
  assert.deepEqual(parseCommandLine(["sign", "-c", "a", "publish", url], {}), {
    action: "sign",
    file: "a",
    sign: { action: "publish", url, seconds: 3600 },
  });
  assert.deepEqual(parseCommandLine(["sign", "-e", "play", url, "--seconds", "5"], {}), {
    action: "sign",
    file: null,
    sign: { action: "play", url, seconds: 5 },
  });
  const rows: [string[], RegExp][] = [
    [["sign", "publish", url], /needs the configuration/],
    [["sign", "-c", "a"], /say what is signed/],
    [["sign", "-c", "a", "watch", url], /say what is signed/],
    [["sign", "-c", "a", "play", url, "more"], /say what is signed/],
    [["sign", "-c", "a", "play", url, "--seconds", "0"], /--seconds "0": give 1 to/],
    [["sign", "-c", "a", "play", url, "--seconds", "1.5"], /--seconds/],
    [["-c", "a", "--seconds", "5"], /--seconds is for sign/],
  ];
  for (const [args, expected] of rows) {
    assert.throws(() => parseCommandLine(args, {}), (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, expected);
      return true;
    });
  }
});

function printed(config: Config, running: Partial<Running> = {}): string {
  return welcome({
    config,
    rtmpAddresses: config.listen,
    httpAddress: null,
    signCommand: ["/opt/my tools/srs-edge", "sign", "-c", "/etc/a.conf"],
    publicHost: null,
    ...running,
  });
}

Deno.test("F30: the lines have the host that works here, and say which works elsewhere", () => {
  const config = configOf("vhost __defaultVhost__ { }");
  const rows: [string, number, string][] = [
    ["0.0.0.0", 1935, "rtmp://127.0.0.1/live/livestream"],
    ["::", 1936, "'rtmp://[::1]:1936/live/livestream'"],
    ["10.1.2.3", 1935, "rtmp://10.1.2.3/live/livestream"],
  ];
  for (const [host, port, url] of rows) {
    const text = printed(config, { rtmpAddresses: [{ host, port }], publicHost: "192.0.2.2" });
    const lines = text.split("\n");
    assert.ok(
      lines.some((one) => /^ {2}push .*testsrc/.test(one) && one.endsWith(` ${url}`)),
      text,
    );
    assert.ok(lines.some((one) => one.startsWith("  watch ") && one.endsWith(` ${url}`)), text);
    const elsewhere = host === "10.1.2.3" ? undefined : "192.0.2.2";
    assert.equal(/another machine: (\S+) in/.exec(text)?.[1], elsewhere, text);
  }
  assert.ok(!printed(config).includes("another machine"), "this machine has no other address");
});

Deno.test("F30: the page's address", () => {
  const config = configOf("vhost __defaultVhost__ { }");
  const page = (host: string, port: number, publicHost: string | null = null) =>
    /page +(.*)/.exec(printed(config, { httpAddress: { host, port }, publicHost }))?.[1];
  assert.equal(page("0.0.0.0", 8080, "192.0.2.2"), "http://192.0.2.2:8080/");
  assert.equal(page("0.0.0.0", 80), "http://127.0.0.1/");
  assert.equal(page("::", 8080), "http://[::1]:8080/");
  assert.equal(page("127.0.0.1", 1985, "192.0.2.2"), "http://127.0.0.1:1985/");
  assert.match(printed(config), /page +off/);
});

Deno.test("F30: a line names a vhost that is on, the default one if it is", () => {
  const query = (vhosts: string) => /livestream\S*/.exec(printed(configOf(vhosts)))?.[0];
  assert.equal(query("vhost a { } vhost __defaultVhost__ { }"), "livestream");
  assert.equal(query("vhost a { } vhost __defaultVhost__ { enabled off; }"), "livestream?vhost=a'");
  assert.equal(query("vhost a { enabled off; } vhost b { } vhost c { }"), "livestream?vhost=b'");
  const none = printed(configOf("vhost a { enabled off; }"));
  assert.match(none, /no vhost is enabled/);
  assert.doesNotMatch(none, /ffmpeg|ffplay/);
});

Deno.test("F30: where a signature is needed the line makes it; no secret is printed", () => {
  const text = printed(configOf("vhost a { publish { secret hidden; } }"));
  assert.ok(
    text.includes(
      `-f flv "$('/opt/my tools/srs-edge' sign -c /etc/a.conf publish ` +
        `'rtmp://127.0.0.1/live/livestream?vhost=a')"`,
    ),
    text,
  );
  assert.match(text, /ffplay .* 'rtmp:\/\/127\.0\.0\.1\/live\/livestream\?vhost=a'$/m);
  assert.ok(!text.includes("hidden"));
});

Deno.test("F30: a vhost's name is no command for the shell", () => {
  const text = printed(configOf(`vhost "a'$(reboot)" { }`));
  assert.ok(text.includes(`'rtmp://127.0.0.1/live/livestream?vhost=a'\\''$(reboot)'`), text);
});

Deno.test("F30: the page's line to push has the same source", () => {
  const text = printed(configOf("vhost __defaultVhost__ { }"));
  assert.ok(
    text.includes(`  push   ffmpeg ${SOURCE} ${ENCODED} -f flv rtmp://127.0.0.1/live/livestream\n`),
  );
});
