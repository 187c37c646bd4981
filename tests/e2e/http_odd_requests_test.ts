/**
 * F18: requests that no decent client sends. Each gets an answer, and none is an exception.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { until } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";
import { runtimes, serverCommand } from "../tools/server.ts";

const ANSWER_LIMIT_MS = 10_000;

/** What comes back for these bytes until the first line is there or the server closes. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  let text = "";
  let over = false;
  socket.on("data", (part: Uint8Array) => text += new TextDecoder("latin1").decode(part));
  socket.on("error", () => {});
  socket.on("close", () => over = true);
  socket.write(bytes, "latin1");
  await until(`an answer to ${JSON.stringify(bytes)}`, ANSWER_LIMIT_MS, () => {
    return over || text.includes("\r\n\r\n");
  });
  socket.destroy();
  return text;
}

/** Hosts that are none. */
const BAD_HOSTS = ["[fe80::1%eth0]:80", "a b", "::1", "host:notaport", "a:99999", "[::1", "[x]:80"]
  .concat("x/y", "x?y", "x#y", "user@x", "a%zz", "x\\y", "[::1]x", "a:80:90");
/** Hosts that are unusual. */
const GOOD_HOSTS = ["", "x", "x:", "x:80", "[::1]", "[2001:db8::1]:8080", "_srs.x", "127.0.0.1:1"];

const TARGETS = ["/%zz", "/%c0%af", "/%00", "/live/%zz.flv", "/live/%c0.flv?%zz=%ff", "//healthz"]
  .concat("/live/%2e%2e/x.flv", "/api/v1/streams/%zz", "/%2e%2e/%2e%2e/etc/passwd", "//a:b/healthz")
  .concat("/api/v1/streams/?count=%zz&start=%ff&find=%c0&stream=%", "/console/%zz", "/a\\b", "*")
  .concat("/live/x.flv?vhost=%zz&domain=a%00", "/api/v1/clients/%", "http:///", "http://[::1/x.flv")
  .concat("http://a:b/live/x.flv", "http://a%zz/live/x.flv", '/a|b<>"`{}^', "/\xff", "/?\xff");

const HEADERS = ["Authorization: \xff", "Referer: http://[", "Origin: http://[", "Origin: \xff"]
  .concat("Upgrade: websocket", "Range: bytes=9-1,x", "If-Modified-Since: \xff", "Accept: \xff")
  .concat(
    "X-Forwarded-For: \xff",
    'Forwarded: for="',
    "Sec-WebSocket-Protocol: ,",
    "Cookie: =;%zz",
  );

for (const runtime of runtimes()) {
  scenario(`F18 on ${runtime}: nothing that a stranger types is an exception`, async (s) => {
    const { apiPort, process } = await s.server({
      global: "http_server { enabled off; trusted_proxies 127.0.0.1; }",
      vhost: "http_remux { enabled on; } hls { enabled off; }",
      command: serverCommand(runtime),
    });
    const paths = [
      "/live/livestream.flv",
      "/healthz",
      "/api/v1/streams/",
      "/api/v1/tests/requests",
    ];
    const get = (target: string, host: string, header = "", method = "GET") => {
      const more = header && `${header}\r\n`;
      return answerTo(apiPort, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`);
    };
    for (const path of paths) {
      for (const host of BAD_HOSTS) {
        const answer = await get(path, host);
        assert.match(answer, /^HTTP\/1\.1 400 /, `Host: ${host} for ${path}`);
        assert.match(answer, /\r\n\r\nBad Request: [^\n]+\n$/, `Host: ${host} for ${path}`);
      }
      for (const host of GOOD_HOSTS) {
        // Names may be a foreign page's (H63): the API of this machine is for localhost.
        const allowed = path.startsWith("/api/")
          ? /^HTTP\/1\.1 (200|403|404) /
          : /^HTTP\/1\.1 (200|404) /;
        assert.match(await get(path, host), allowed, `Host: ${host} for ${path}`);
      }
      for (const header of HEADERS) {
        assert.match(await get(path, "x", header), /^HTTP\/1\.1 [24]\d\d /, header);
        // The runtimes answer OPTIONS and unknown methods, or close; neither is a fault of ours.
        const deleted = await get(path, "x", header, "DELETE");
        assert.match(deleted, /^HTTP\/1\.1 [24]\d\d /, `DELETE ${path}, ${header}`);
      }
    }
    for (const target of TARGETS) {
      const answer = await get(target, "x");
      assert.match(answer, /^HTTP\/1\.1 ([234]\d\d|505) /, `GET ${target}`);
    }
    assert.match(await get("/healthz", "x"), /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(process.stdout + process.stderr, /\[ERROR\]|failed/, "nothing to log");
  });
}
