/**
 * Names of vhosts, however they are spelled (H47).
 * @module
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/file/load.ts";
import { findVhost } from "../../src/config/types.ts";
import { isSameVhost, vhostKey } from "../../src/config/vhost_name.ts";
import { findFlvTarget } from "../../src/servers/flv/mount.ts";
import { vhostInQuery } from "../../src/rtmp/stream_name.ts";
import { findTarget } from "../../src/servers/rtmp/target.ts";

function load(text: string) {
  return loadConfig("a.conf", () => `listen 1935;\n${text}`, {});
}

Deno.test("H47: case and one final dot do not count", () => {
  const same = ["cam.example.com", "CAM.example.COM", "cam.example.com.", "Cam.Example.Com."];
  for (const name of same) assert.equal(vhostKey(name), "cam.example.com");
  assert.ok(isSameVhost("__DEFAULTvhost__", "__defaultVhost__"));
  assert.ok(isSameVhost("北京.Example", "xn--1lq90i.example"), "as browsers send it");
  assert.ok(!isSameVhost("cam.example.com..", "cam.example.com"));
  assert.equal(vhostKey("."), ".");
});

Deno.test("H47: however it is spelled, a named vhost serves its name, with its rules", () => {
  const { config } = load(`
    vhost __defaultVhost__ { http_remux { enabled on; } }
    vhost CAM.example.com { http_remux { enabled on; } refer { enabled on; } }`);
  for (const name of ["CAM.example.com", "cam.example.com", "cam.EXAMPLE.com."]) {
    assert.equal(findVhost(config, name)?.name, "CAM.example.com", name);
    const info = (tcUrl: string) => ({ tcUrl, app: "live" });
    for (const tcUrl of [`rtmp://${name}/live`, `rtmp://127.0.0.1/live?vhost=${name}`]) {
      assert.equal(findTarget(config, info(tcUrl), "s").key, "CAM.example.com/live/s", tcUrl);
    }
    const http = [`http://${name}/live/s.flv`, `http://127.0.0.1/live/s.flv?domain=${name}`];
    for (const url of http) {
      assert.equal(findFlvTarget(config, new URL(url))?.key, "CAM.example.com/live/s", url);
    }
  }
  assert.equal(findVhost(config, "127.0.0.1")?.name, "__defaultVhost__");
  assert.equal(vhostInQuery("?vhost=CAM.example.com."), "cam.example.com");
  assert.equal(vhostInQuery("?vhost=__DEFAULTVHOST__"), "");
});

Deno.test("H47: a path template with a host has it however that is spelled", () => {
  const { config } = load(`vhost cam.example.com {
    http_remux { enabled on; mount CAM.example.com/[app]/[stream].flv; } }`);
  for (const host of ["cam.example.com", "CAM.Example.com", "cam.example.com."]) {
    assert.ok(findFlvTarget(config, new URL(`http://${host}/live/s.flv`)), host);
  }
});

Deno.test("H47: two blocks that are one are an error, with the place", () => {
  const rows = [
    ["vhost a.com { }", "vhost A.com { }", /the same as "a\.com"/],
    ["vhost a.com { }", "vhost a.com. { }", /the same as "a\.com"/],
    ["vhost a.com { }", "vhost a.com { }", /is there already/],
    ["vhost __defaultVhost__ { }", "vhost __DefaultVhost__ { }", /the same as "__defaultVhost__"/],
  ] as const;
  for (const [first, second, reason] of rows) {
    assert.throws(() => load(`${first}\n${second}`), (error: Error) => {
      assert.match(error.message, reason);
      assert.match(error.message, /a\.conf:3:1: vhost .* into the block at a\.conf:2:1/);
      return true;
    });
  }
  assert.equal(load("vhost __DEFAULTVHOST__ { }").config.vhosts[0].name, "__defaultVhost__");
});
