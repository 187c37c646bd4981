/**
 * `/metrics`: names, values, format, and names of peers in labels.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Exposition } from "../../src/servers/http/metrics/exposition.ts";
import { MAX_STREAM_SERIES } from "../../src/servers/http/request/limits.ts";
import { sanitize } from "../../src/log/text.ts";
import { parseExposition, valueOf } from "../tools/exposition.ts";
import { byId, server, stream } from "./support/server_view.ts";

const ON = { metrics: { label: "lab1", tag: "" } };

async function scrape(changes: Parameters<typeof server>[0] = {}) {
  const { app } = server(changes, ON);
  return parseExposition(await (await app.request("/metrics")).text());
}

Deno.test("metrics: SRS's, with its names, types and labels", async () => {
  const metrics = await scrape();
  const expected: [string, string, number | null][] = [
    ["srs_node_uname_info", "gauge", 1],
    ["srs_build_info", "gauge", 1],
    ["srs_cpu_percent", "gauge", null],
    ["srs_memory", "gauge", null],
    ["srs_send_bytes_total", "counter", 1549098],
    ["srs_receive_bytes_total", "counter", 1041941],
    ["srs_streams", "gauge", 1],
    ["srs_clients", "gauge", 3],
    ["srs_clients_total", "counter", 12],
    ["srs_clients_errs_total", "counter", 9],
  ];
  for (const [name, type, value] of expected) {
    assert.equal(metrics.get(name)?.type, type, name);
    if (value !== null) assert.equal(valueOf(metrics, name), value, name);
  }
  const uname = metrics.get("srs_node_uname_info")?.samples[0].labels ?? {};
  assert.deepEqual(Object.keys(uname), ["sysname", "nodename", "release", "version", "machine"]);
  const build = metrics.get("srs_build_info")?.samples[0].labels ?? {};
  assert.equal(build.server, "vid-69z1301");
  assert.equal(build.label, "lab1");
  assert.equal(build.tag, undefined, "an empty label is left out");
  assert.ok(valueOf(metrics, "srs_memory") > 1000, "in KB");
});

Deno.test("metrics: ours are in seconds and bytes, and buckets are cumulated", async () => {
  const metrics = await scrape();
  assert.equal(valueOf(metrics, "srs_edge_player_lag_seconds"), 1.25);
  assert.equal(valueOf(metrics, "srs_edge_lagging_players"), 1);
  assert.equal(valueOf(metrics, "srs_edge_dropped_gops_total"), 3);
  assert.equal(valueOf(metrics, "srs_edge_flush_interval_seconds"), 0.0045);
  assert.equal(valueOf(metrics, "srs_edge_log_bytes"), 262_144);
  assert.equal(valueOf(metrics, "srs_edge_uptime_seconds"), 40.9);
  for (const name of ["srs_edge_added_delay_seconds", "srs_edge_event_loop_lag_seconds"]) {
    const samples = metrics.get(name)?.samples ?? [];
    const at = (le: string) => samples.find(({ labels }) => labels.le === le)?.value;
    assert.deepEqual(
      [at("0.00025"), at("0.0005"), at("0.001"), at("0.002"), at("30"), at("+Inf")],
      [
        5,
        8,
        8,
        9,
        9,
        10,
      ],
    );
    const sum = samples.find((sample) => sample.name === `${name}_sum`);
    assert.equal(sum?.value, 40.0035);
  }
  const memory = metrics.get("srs_edge_memory_bytes")?.samples ?? [];
  assert.ok(memory.some(({ labels, value }) => labels.kind === "resident" && value > 1e6));
});

Deno.test("metrics: off unless the configuration has an exporter (SRS)", async () => {
  const { app } = server();
  const response = await app.request("/metrics");
  assert.equal(await response.text(), '{"code":1090}');
  assert.equal(response.status, 200);
  const on = await server({}, ON).app.request("/metrics");
  assert.equal(on.headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("H23: metrics have series of their own for few streams, the most played", async () => {
  const many = Array.from({ length: 500 }, (_, i) => ({
    ...stream,
    id: `vid-${i}`,
    name: `s${i}`,
    edge: { ...stream.edge, players: i % 100, uptimeMs: i },
  }));
  const idle = { ...stream, id: "vid-idle", name: "idle", publish: { active: false } };
  const metrics = await scrape({ streams: byId(idle, ...many) });
  assert.equal(valueOf(metrics, "srs_streams"), 501);
  const players = metrics.get("srs_edge_stream_players")?.samples ?? [];
  assert.equal(players.length, MAX_STREAM_SERIES);
  assert.deepEqual(
    players.slice(0, 6).map(({ labels }) => labels.stream),
    ["s499", "s399", "s299", "s199", "s99", "s498"],
    "those with most players, the older first",
  );
  assert.equal(players[0].labels.vhost, "__defaultVhost__");
});

Deno.test("F10: streams of two vhosts of an edge's origin have labels that differ", async () => {
  const other = { ...stream, id: "vid-other", url: `int.local${stream.url}` };
  const metrics = await scrape({ streams: byId(stream, other) });
  const labels = metrics.get("srs_edge_stream_players")?.samples.map(({ labels }) => labels.vhost);
  assert.deepEqual(labels?.sort(), ["__defaultVhost__", "int.local"]);
});

Deno.test("F33: the tracks of a stream, by kind", async () => {
  const samples = (await scrape({ streams: byId(stream) })).get("srs_edge_stream_tracks")?.samples;
  const names = { vhost: "__defaultVhost__", app: "live", stream: "livestream" };
  assert.deepEqual(samples?.map(({ labels, value }) => [labels, value]), [
    [{ ...names, kind: "video" }, 2],
    [{ ...names, kind: "audio" }, 1],
  ]);
});

Deno.test("metrics: without a live stream there is none of theirs", async () => {
  const metrics = await scrape({ streams: new Map() });
  assert.ok(![...metrics.keys()].some((name) => name.startsWith("srs_edge_stream_")));
});

Deno.test("H30 H31: names of peers are escaped in labels, secrets are not shown", async () => {
  const odd = { ...stream, name: 'a"b\\c\nd\x1b[31m\u202eé😀', app: "live?token=XQ" };
  const metrics = await scrape({ streams: byId(odd) });
  const [{ labels }] = metrics.get("srs_edge_stream_fps")?.samples ?? [];
  assert.equal(labels.stream, 'a"b\\c\\x0ad\\x1b[31m\\u202eé😀');
  assert.equal(labels.app, "live?token=***");
});

Deno.test("exposition: any label comes out as it went in, controls but for their escapes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.double(), (text, value) => {
    const out = new Exposition();
    out.gauge("a", "b", [{ labels: { l: text }, value }]);
    const [sample] = parseExposition(out.toString()).get("a")?.samples ?? [];
    assert.equal(sample.labels.l, sanitize(text));
    assert.equal(sample.value, Number.isFinite(value) ? value + 0 : 0, "there is no -0");
  }));
});
