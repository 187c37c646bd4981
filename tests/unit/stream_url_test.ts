/**
 * From tcUrl and stream name to vhost, app, stream and parameters.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { DEFAULT_VHOST } from "../../src/config/types.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { NAME_MAX_BYTES } from "../../src/rtmp/limits.ts";
import { checkName, streamKey } from "../../src/rtmp/stream_name.ts";
import { URL_MAX_LENGTH } from "../../src/rtmp/limits.ts";
import { DEFAULT_APP, parseStreamUrl } from "../../src/rtmp/stream_url.ts";

const isUrlError = (error: unknown) => error instanceof RtmpError && error.code === ErrorCode.TCURL;

/** `vhost / app / stream / param`. */
function found(tcUrl: string | null, name: string, connectApp?: string): string[] {
  const url = parseStreamUrl(tcUrl, name, connectApp);
  return [url.vhost, url.app, url.stream, url.param];
}

/** tcUrl, name, then what is found. */
const TABLE: [string, string, string, string, string, string][] = [
  ["rtmp://h/live", "s", "h", "live", "s", ""],
  ["rtmp://h/live/", "s", "h", "live", "s", ""],
  ["rtmp://h/live/a", "b", "h", "live/a", "b", ""],
  ["rtmp://h/live", "a/b", "h", "live/a", "b", ""],
  ["rtmp://h/live", "s?k=v", "h", "live", "s", "?k=v"],
  ["rtmp://h/live?vhost=v1", "s", "v1", "live", "s", "?vhost=v1"],
  ["rtmp://h/live", "s?vhost=v1&k=v", "v1", "live", "s", "?vhost=v1&k=v"],
  ["rtmp://h/live?domain=v1", "s", "v1", "live", "s", "?domain=v1"],
  ["rtmp://h/live...vhost...v1", "s", "v1", "live", "s", "?vhost=v1"],
  [
    "rtmp://h/live...vhost...v1...token...abc",
    "s",
    "v1...token...abc",
    "live",
    "s",
    "?vhost=v1...token...abc",
  ],
  ["rtmp://v1/live", "s", "v1", "live", "s", ""],
  ["rtmp://h/live/_definst_", "s", "h", "live", "s", ""],
  ["rtmp://h/", "s", "h", DEFAULT_APP, "s", ""],
  ["rtmp://h", "s", "h", DEFAULT_APP, "s", ""],
  ["rtmp://h/live/s", "", "h", "live", "s", ""],
  ["rtmp://h:19/live", "s#f", "h", "live", "s", "#f"],
  ["rtmp://h/live?k=v", "s", "h", "live", "s", "?k=v"],
  ["rtmp://h/live", "s?vhost=v1&vhost=zz", "zz", "live", "s", "?vhost=v1&vhost=zz"],
  ["rtmp://h/live", "s?vhost=__defaultVhost__", "h", "live", "s", ""],
  ["rtmp://h/live", "s?k=a%20b", "h", "live", "s", "?k=a%20b"],
  ["rtmp://h/live", "s b", "h", "live", "s b", ""],
  ["rtmp://h/live", "mp4:s.mp4", "h", "live", "mp4:s.mp4", ""],
  ["rtmp://h//live//", "/s", "h", "live", "s", ""],
  ["rtmp://h", "live/s", "h", "live", "s", ""],
  ["rtmp://[::1]/live", "s", "::1", "live", "s", ""],
  ["http://h/live", "s", "h", "live", "s", ""],
];

for (const [tcUrl, name, ...expected] of TABLE) {
  Deno.test(`stream URL: ${tcUrl} + ${name || "(empty)"}`, () => {
    assert.deepEqual(found(tcUrl, name), expected);
  });
}

Deno.test("stream URL: schema, host and port", () => {
  const cases: [string, string, string, number][] = [
    ["rtmp://h/live", "rtmp", "h", 1935],
    ["RTMP://h/live", "rtmp", "h", 1935],
    ["rtmp://h:19/live", "rtmp", "h", 19],
    ["rtmp://[::1]:20/live", "rtmp", "::1", 20],
    ["rtmp://::1/live", "rtmp", "::1", 1935],
    ["rtmp://u:p@h:21/live", "rtmp", "h", 21],
    ["rtmp://h:/live", "rtmp", "h", 1935],
    ["rtmp://h:99999/live", "rtmp", "h", 1935],
    ["http://h/live", "http", "h", 80],
    ["rtmps://h/live", "rtmps", "h", 443],
  ];
  for (const [tcUrl, schema, host, port] of cases) {
    const url = parseStreamUrl(tcUrl, "s");
    assert.deepEqual([url.schema, url.host, url.port], [schema, host, port], tcUrl);
  }
});

Deno.test("stream URL: no schema is refused", () => {
  for (
    const tcUrl of ["live", "/live", "h/live", "javascript:alert(1)", "://h/live", "rtmp:/h/live"]
  ) {
    assert.throws(() => parseStreamUrl(tcUrl, "s"), isUrlError, tcUrl);
  }
});

Deno.test("stream URL: no stream name is refused", () => {
  for (
    const [tcUrl, name] of [["rtmp://h/live", ""], ["rtmp://h", ""], ["rtmp://h/live", "?k=v"]]
  ) {
    assert.throws(() => parseStreamUrl(tcUrl, name), isUrlError, `${tcUrl} ${name}`);
  }
  assert.throws(() => parseStreamUrl(null, ""), isUrlError);
});

Deno.test("stream URL: the query is produced once, the stream's part first", () => {
  assert.equal(parseStreamUrl("rtmp://h/live?k=v", "s?token=x").param, "?token=x&k=v");
  assert.equal(parseStreamUrl("rtmp://h/live?vhost=v1", "s?vhost=v1").param, "?vhost=v1");
  assert.equal(parseStreamUrl("rtmp://h/live?a=1", "s?b=2#f").param, "?b=2&a=1#f");
});

Deno.test("stream URL: a flag without a value shifts nothing", () => {
  assert.equal(parseStreamUrl("rtmp://h/live", "s?a&vhost=v1").vhost, "v1");
  assert.equal(parseStreamUrl("rtmp://h/live", "s?vhost").vhost, "h");
});

Deno.test("stream URL: every separator of SRS, and the doubled query of an SRS peer", () => {
  for (const query of ["k=v,vhost=v1", "k=v;vhost=v1", "k=v&&vhost=v1", "vhost=v1?vhost=v1"]) {
    assert.equal(parseStreamUrl("rtmp://h/live", `s?${query}`).vhost, "v1", query);
  }
});

Deno.test("stream URL: vhost=__defaultVhost__ counts as absent and keeps other parameters", () => {
  const expected = ["h", "live", "s", "?vhost=__defaultVhost__&k=v"];
  assert.deepEqual(found("rtmp://h/live", "s?vhost=__defaultVhost__&k=v"), expected);
  assert.deepEqual(found("rtmp://h/live?vhost=__defaultVhost__", "s"), ["h", "live", "s", ""]);
});

Deno.test("stream URL Q19: single quotes around the tcUrl", () => {
  assert.deepEqual(found("'rtmp://h/live'", "s"), ["h", "live", "s", ""]);
});

Deno.test("stream URL Q20: tcUrl missing, empty, or without app", () => {
  for (const tcUrl of [null, "", "''"]) {
    assert.deepEqual(found(tcUrl, "s"), [DEFAULT_VHOST, DEFAULT_APP, "s", ""]);
    assert.deepEqual(found(tcUrl, "s", "live/x"), [DEFAULT_VHOST, "live/x", "s", ""]);
    assert.deepEqual(found(tcUrl, "s", "live?vhost=v"), ["v", "live", "s", "?vhost=v"]);
  }
  assert.deepEqual(found("rtmp://h", "s", "ignored"), ["h", DEFAULT_APP, "s", ""]);
  assert.deepEqual(found("rtmp:///live", "s"), [DEFAULT_VHOST, "live", "s", ""]);
});

Deno.test("stream URL Q21: slashes, _definst_ and an instance in the app", () => {
  assert.deepEqual(found("rtmp://h/a/b/c", "s"), ["h", "a/b/c", "s", ""]);
  assert.deepEqual(found("rtmp://h/live/_definst_/x", "s"), ["h", "live/x", "s", ""]);
});

Deno.test("stream URL Q22: the whole URL in the server field", () => {
  assert.deepEqual(found("rtmp://h/live/s?k=v", ""), ["h", "live", "s", "?k=v"]);
  assert.deepEqual(found("rtmp://h/live?k=v/s", ""), ["h", "live", "s", "?k=v"]);
});

Deno.test("stream URL Q23: a query on both, and a name that is only a query", () => {
  assert.deepEqual(found("rtmp://h/live?a=1", "s?b=2"), ["h", "live", "s", "?b=2&a=1"]);
  assert.deepEqual(found("rtmp://h/live/s", "?b=2"), ["h", "live", "s", "?b=2"]);
});

Deno.test("stream URL Q24: signatures pass as they are", () => {
  const query = "?sign=a+b/c==&t=1";
  assert.deepEqual(found("rtmp://h/live", `s${query}`), ["h", "live", "s", query]);
  assert.deepEqual(found(`rtmp://h/live${query}`, "s"), ["h", "live", "s", query]);
  assert.equal(parseStreamUrl("rtmp://h/live", "s?sign=a=vhost=x").vhost, "h");
});

Deno.test("stream URL Q25: vhost by query, by suffix, by host, by default", () => {
  assert.equal(parseStreamUrl("rtmp://h/live", "s?vhost=v").vhost, "v");
  assert.equal(parseStreamUrl("rtmp://h/live?k=v...vhost...v", "s").vhost, "v");
  assert.equal(parseStreamUrl("rtmp://h/live", "s").vhost, "h");
  assert.equal(parseStreamUrl(null, "s").vhost, DEFAULT_VHOST);
});

Deno.test("F6 stream key: vhost unless default, only a media ending is cut", () => {
  const key = (vhost: string, app: string, stream: string) =>
    streamKey(vhost, app, parseStreamUrl(`rtmp://h/${app}`, stream).name);
  assert.equal(key(DEFAULT_VHOST, "live", "s"), "/live/s");
  assert.equal(key("v1", "live/a", "s.flv"), "v1/live/a/s");
  assert.equal(key(DEFAULT_VHOST, "live", "s.abc"), "/live/s.abc");
  assert.equal(key(DEFAULT_VHOST, "live", "192.168.7.10"), "/live/192.168.7.10");
  assert.equal(key(DEFAULT_VHOST, "live", "192.168.7.10.flv"), "/live/192.168.7.10");
  assert.equal(key(DEFAULT_VHOST, "live", "mp4:s.mp4"), "/live/mp4:s.mp4");
  assert.equal(key(DEFAULT_VHOST, "live", ".hidden"), "/live/.hidden");
  assert.equal(key(DEFAULT_VHOST, "live", "..flv"), "/live/..flv");
});

Deno.test("stream URL H11: over-long, control characters, anything", () => {
  const long = "rtmp://h/" + "a".repeat(1024 * 1024);
  assert.throws(() => parseStreamUrl(long, "s"), isUrlError);
  assert.throws(
    () => parseStreamUrl("rtmp://h/live", "s?" + "k".repeat(URL_MAX_LENGTH)),
    isUrlError,
  );
  for (const bad of ["\r\n", "\0", "\x1b", "\x7f", "\x85"]) {
    assert.throws(() => parseStreamUrl(`rtmp://h/li${bad}ve`, "s"), isUrlError);
    assert.throws(() => parseStreamUrl("rtmp://h/live", `s?k=${bad}`), isUrlError);
  }
  assert.throws(() => parseStreamUrl(null, "s", "a\nb"), isUrlError);
});

Deno.test("stream URL H9: a name of 64 KB is refused", () => {
  assert.throws(() => parseStreamUrl("rtmp://h/live", "s".repeat(65536)), isUrlError);
});

Deno.test("stream URL H12: traversal is refused in every coat", () => {
  const bad = [
    "../../etc/x",
    "..",
    "a/../b",
    "./a",
    "%2e%2e/x",
    "%2E%2e",
    ".%2e/x",
    "%252e%252e/x",
    "..%2fx",
    "a%5cb",
    "a\\b",
    "a%00b",
    "a%0ab",
  ];
  for (const name of bad) {
    assert.throws(() => parseStreamUrl("rtmp://h/live", name), isUrlError, name);
    assert.throws(() => parseStreamUrl(`rtmp://h/${name}/x`, "s"), isUrlError, name);
  }
});

Deno.test("stream URL H12: length counts in UTF-8; Unicode, emoji and dots inside are fine", () => {
  for (
    const name of [
      "s".repeat(300),
      "直播",
      "\u{1f600}",
      "a..b",
      "100%",
      "a b",
      "a...",
      "%zz",
      "a%2Fb",
    ]
  ) {
    assert.equal(parseStreamUrl("rtmp://h/live", name).stream, name);
  }
  checkName("stream name", "é".repeat(NAME_MAX_BYTES / 2));
  assert.throws(() => checkName("stream name", "é".repeat(NAME_MAX_BYTES / 2) + "x"), isUrlError);
  assert.throws(() => checkName("app", "a/".repeat(NAME_MAX_BYTES)), isUrlError);
});

Deno.test("stream URL H11 H12: any text gives a safe key or an RtmpError", () => {
  const piece = fc.oneof(
    fc.constantFrom("rtmp://", "h", "/", "..", ".", "?", "&", "#", "vhost=", "...vhost...", " "),
    fc.constantFrom("%2e", "%25", "2f", "\\", "\0", "_definst_", "'", ":", "@", "[", "]", "a.flv"),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  const anyText = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(
      fc.option(anyText.map((t) => "rtmp://h/" + t)),
      anyText,
      anyText,
      (url, name, app) => {
        let got;
        try {
          got = parseStreamUrl(url, name, app);
        } catch (error) {
          assert.ok(isUrlError(error), String(error));
          return;
        }
        const path = `${got.app}/${got.stream}`;
        assert.ok(
          path.split("/").every((part) => part !== "" && part !== "." && part !== ".."),
          path,
        );
        assert.ok(!/[\\\p{Cc}]/u.test(decodeAscii(path)), path);
        assert.ok(!got.stream.includes("/"));
        assert.match(got.param, /^$|^[?#]/);
        const last = streamKey(DEFAULT_VHOST, got.app, got.name).split("/").at(-1);
        assert.ok(last !== "" && last !== "." && last !== "..");
      },
    ),
    { numRuns: 2000 },
  );
});

function decodeAscii(text: string): string {
  return text.replace(/%([0-7][0-9a-f])/gi, (_, h: string) => String.fromCharCode(parseInt(h, 16)));
}
