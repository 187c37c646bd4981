/**
 * Paths and streams of HTTP-FLV.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/config/file/load.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { findFlvTarget, flvPath } from "../../src/servers/flv/mount.ts";

const { config } = loadConfig("a.conf", () => `
  listen 1935;
  vhost __defaultVhost__ { http_remux { enabled on; } }
  vhost own.example { http_remux { enabled on; mount [vhost]/tv/[app]/ch-[stream].flv; } }
  vhost fixed.example { http_remux { enabled on; mount fixed.example/[app]/[stream].flv; } }
  vhost ts.example { http_remux { enabled on; mount [vhost]/[app]/[stream].ts; } }
  vhost silent.example { http_remux { enabled off; } }
  vhost off.example { enabled off; http_remux { enabled on; } }`, {});

function keyOf(url: string): string | null {
  return findFlvTarget(config, new URL(url))?.key ?? null;
}

Deno.test("FLV mount: paths, vhosts by host and by query", () => {
  const rows: [string, string | null][] = [
    ["http://1.2.3.4:8080/live/s.flv", "/live/s"],
    ["http://[::1]:8080/live/s.flv?token=x", "/live/s"],
    ["http://h/live/a/b.flv", "/live/a/b"],
    ["http://h/live/%E7%9B%B4.flv", "/live/直"],
    ["http://h/s.flv", null],
    ["http://h/live/s.ts", null],
    ["http://h/live/.flv", null],
    ["http://h/live/s.FLV", null],
    ["http://own.example/tv/live/ch-s.flv", "own.example/live/s"],
    ["http://own.example:8080/live/s.flv", null],
    ["http://h/tv/live/ch-s.flv?vhost=own.example", "own.example/live/s"],
    ["http://h/tv/live/ch-s.flv?domain=own.example", "own.example/live/s"],
    ["http://fixed.example/live/s.flv", "fixed.example/live/s"],
    ["http://ts.example/live/s.ts", "ts.example/live/s"],
    ["http://ts.example/live/s.flv", null],
    ["http://h/live/s.ts?vhost=ts.example", "ts.example/live/s"],
    ["http://silent.example/live/s.flv", null],
    ["http://off.example/live/s.flv", null],
    ["http://h/live/s.flv?vhost=off.example", null],
    ["http://h/live/s.flv?vhost=unknown.example", "/live/s"],
  ];
  for (const [url, key] of rows) assert.equal(keyOf(url), key, url);
});

Deno.test("FLV mount H12 H25: names that no stream may have have no path", () => {
  for (
    const path of [
      "/live/..%2fs.flv",
      "/%2e%2e%2fetc/s.flv",
      "/live/%2e%2e%2fx/s.flv",
      "/live/a%00b.flv",
      "/live/a%5cb.flv",
      `/live/${"x".repeat(2049)}.flv`,
      "/live/%252e%252e%252fs.flv",
    ]
  ) assert.throws(() => keyOf(`http://h${path}`), RtmpError, path);
});

Deno.test("FLV mount: the path that a stream has leads to it", () => {
  const name = fc.stringMatching(/^[a-z0-9 äß直_+$&~-]{1,12}$/);
  for (const from of ["http://h:81/x.flv", "http://own.example/", "http://h/?vhost=own.example"]) {
    const url = new URL(from);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), name, (parts, stream) => {
        const app = parts.join("/");
        const [vhost] = config.vhosts.filter(({ name }) =>
          name === (from.includes("own") ? "own.example" : "__defaultVhost__")
        );
        const target = findFlvTarget(config, new URL(flvPath(url, vhost, app, stream), url));
        assert.deepEqual([target?.vhost, target?.app, target?.stream], [vhost, app, stream]);
      }),
    );
  }
});
