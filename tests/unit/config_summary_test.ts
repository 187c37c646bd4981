/**
 * What `-t` shows.
 * @module
 */
import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/file/load.ts";
import { formatSummary } from "../../src/config/file/summary.ts";

function summary(text: string | null, env: Record<string, string> = {}): string[] {
  return formatSummary(loadConfig(text === null ? null : "a.conf", () => text ?? "", env)).split(
    "\n",
  );
}

/** A line with its columns apart by one space. */
function squeezed(line: string): string {
  return line.trim().replace(/ +/g, " ");
}

Deno.test("config summary: values, and whether file, environment or default gave them", () => {
  const lines = summary(
    "listen 1935 [::1]:1936;\nvhost a { min_latency on; play { mw_latency 100; } }\nvhost b { }",
    { SRS_MAX_CONNECTIONS: "77" },
  );
  assert.equal(lines[0], "in effect (a.conf):");
  const body = lines.map(squeezed);
  for (
    const line of [
      "listen 0.0.0.0:1935 [::1]:1936 a.conf:1:1",
      "max_connections 77 connections env SRS_MAX_CONNECTIONS",
      "srs_log_tank console default",
      "srs_log_level trace default",
      "pid (none) default",
      "http_api.listen 127.0.0.1:1985 default",
      "min_latency on a.conf:2:11",
      "play.mw_latency 100 ms a.conf:2:34",
      "play.mw_msgs 0 messages default",
      "publish.kickoff_for_idle 0 s default",
    ]
  ) assert.ok(body.includes(line), `${line}\n${lines.join("\n")}`);
  const vhosts = body.filter((line) => line.startsWith("vhost "));
  assert.deepEqual(vhosts, ["vhost a", "vhost b"]);
  assert.equal(body.filter((line) => line.startsWith("play.mw_msgs ")).length, 2);
  assert.equal(body.some((line) => line.includes("ignored")), false);
});

Deno.test("config summary: a password is not shown", () => {
  const lines = summary(
    "listen 1; http_api { enabled on; auth { enabled on; username u; password geheim; } } vhost a { }",
  ).map(squeezed);
  assert.ok(lines.some((line) => /^http_api\.auth\.password \*\*\* a\.conf:/.test(line)));
  assert.ok(!lines.join().includes("geheim"));
});

Deno.test("config summary: columns are aligned", () => {
  const lines = summary("listen 1935; vhost a { }");
  const start = lines.findIndex((line) => line === "  vhost a") + 1;
  const columns = lines.slice(start).map((line) => line.lastIndexOf("default"));
  assert.equal(new Set(columns).size, 1, lines.join("\n"));
});

Deno.test("F26: config summary: what of the file is lost, in words, and nothing that is off", () => {
  const lines = summary(
    "listen 1935;\nvhost a { hls { enabled on; hls_path x; } bandcheck { } rtc { enabled off; } }\n" +
      "server_id x;",
    { SRS_HEARTBEAT_ENABLED: "on" },
  );
  const from = lines.indexOf("lost: SRS would do this, it is not offered here:");
  assert.deepEqual(lines.slice(from).map(squeezed), [
    "lost: SRS would do this, it is not offered here:",
    "vhost.hls.hls_path a.conf:2:29 Directory of the files.",
    "server_id a.conf:3:1 Identity of this server in the API and in callbacks.",
    "heartbeat.enabled env SRS_HEARTBEAT_ENABLED Report to a URL.",
    "without effect, ignored:",
    "vhost.bandcheck a.conf:2:43 A bandwidth test that SRS no longer has.",
  ]);
});

Deno.test("config summary: without a file", () => {
  assert.equal(summary(null)[0], "in effect (environment only):");
});
