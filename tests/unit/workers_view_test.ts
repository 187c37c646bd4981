/**
 * The figures of several workers, shown as those of one server.
 * @module
 */

import assert from "node:assert/strict";
import type { ClientView, StreamView, VhostView } from "../../src/stats/view.ts";
import { EMPTY_REPORT, MergedView } from "../../src/stats/merged_view.ts";
import type { Report } from "../../src/stats/view.ts";

const kbps = { recv30s: 1, send30s: 2 };

const PULL = { sinceMs: 5, retries: 0, lastError: null };

/** A worker with one vhost; its ids are its own. */
function report(worker: string, players: number, publishes: boolean): Report {
  const traffic = { recvBytes: 100, sendBytes: 1000, kbps };
  const vhost: VhostView = {
    id: `vid-v${worker}`,
    name: "__defaultVhost__",
    enabled: true,
    clients: players,
    streams: publishes ? 1 : 0,
    hlsFragment: null,
    ...traffic,
  };
  const stream: StreamView = {
    id: `vid-s${worker}`,
    name: "s",
    vhostId: vhost.id,
    vhostName: vhost.name,
    app: "live",
    tcUrl: "rtmp://a/live",
    url: "/live/s",
    flvPath: "/live/s.flv",
    clients: players,
    frames: publishes ? 50 : 0,
    publish: { active: publishes, cid: publishes ? `cid${worker}` : undefined },
    video: null,
    audio: publishes ? { codec: "AAC", sample_rate: 44100, channel: 2, profile: "LC" } : null,
    edge: {
      uptimeMs: publishes ? 1000 : null,
      players,
      fps: publishes ? 25 : 0,
      bitDepth: publishes ? 10 : null,
      videoTracks: publishes ? 2 : 0,
      audioTracks: publishes ? 3 : 0,
      recvKbps: publishes ? 500 : 0,
      sendKbps: 500 * players,
      flushIntervalMs: players,
      delayP50Ms: publishes ? null : 1,
      delayP99Ms: players,
      lagMs: players,
      droppedGops: 1,
      droppedMessages: 2,
      upstream: publishes
        ? { state: "live", origin: "o:1", ...PULL }
        : { state: "elsewhere", origin: null, ...PULL },
      forwards: [],
    },
    ...traffic,
  };
  const clients = Array.from({ length: players }, (_, i): ClientView => ({
    id: `${worker}${i}`,
    vhostId: vhost.id,
    streamId: stream.id,
    ip: "127.0.0.1",
    pageUrl: "",
    swfUrl: "",
    tcUrl: "rtmp://a/live",
    url: "/live/s",
    name: "s",
    type: "rtmp-play",
    publish: false,
    aliveMs: 1,
    edge: { port: 1, lagMs: 0, droppedGops: 0, droppedMessages: 0 },
    ...traffic,
  }));
  const totals = { connections: players + 1, recvBytes: 200, sendBytes: 2000 };
  const figures = {
    ...EMPTY_REPORT.figures,
    players,
    clientsTotal: 10,
    lagMs: players,
    delays: { counts: [1, players], sumMs: 5 },
  };
  return { ...totals, figures, vhosts: [vhost], streams: [stream], clients };
}

function view(...reports: Report[]) {
  const source = {
    reports,
    refresh: () => Promise.resolve(),
    kick: () => Promise.resolve(false),
  };
  return new MergedView({ serverId: "vid-server0", serviceId: "service0" }, 1, source);
}

Deno.test("a stream that several workers have is one, with the publisher's figures", () => {
  for (const publishesFirst of [true, false]) {
    const merged = view(report("a", 2, publishesFirst), report("b", 3, !publishesFirst));
    assert.deepEqual(merged.totals, { connections: 7, recvBytes: 400, sendBytes: 4000 });
    const [stream, ...others] = merged.streams.values();
    assert.deepEqual(others, []);
    assert.equal(stream.clients, 5);
    assert.equal(stream.frames, 50);
    assert.equal(stream.sendBytes, 2000);
    assert.deepEqual(stream.kbps, { recv30s: 2, send30s: 4 });
    assert.deepEqual(stream.publish, { active: true, cid: publishesFirst ? "cida" : "cidb" });
    assert.equal(stream.audio?.codec, "AAC");
    const [vhost] = merged.vhosts.values();
    assert.deepEqual([vhost.clients, vhost.streams], [5, 1]);
    assert.equal(stream.vhostId, vhost.id);
    assert.equal(merged.clients.size, 5);
    const { players, fps, sendKbps, uptimeMs, delayP50Ms, lagMs } = stream.edge;
    assert.deepEqual([players, fps, sendKbps, uptimeMs], [5, 25, 2500, 1000]);
    assert.deepEqual([delayP50Ms, lagMs], [1, 3]);
    const { bitDepth, videoTracks, audioTracks } = stream.edge;
    assert.deepEqual([bitDepth, videoTracks, audioTracks], [10, 2, 3]);
    const { figures } = merged;
    assert.deepEqual([figures.players, figures.clientsTotal, figures.lagMs], [5, 20, 3]);
    assert.deepEqual(figures.delays, { counts: [2, 5], sumMs: 10 });
    for (const client of merged.clients.values()) {
      assert.equal(client.streamId, stream.id);
      assert.equal(client.vhostId, vhost.id);
    }
    assert.deepEqual([...merged.streams.keys()], [stream.id], "ids last");
  }
});

Deno.test("what a worker has forgotten of a stream, and a worker that has ended, still counts", () => {
  const reports = [report("a", 0, true), report("b", 3, false)];
  const merged = view(...reports);
  const id = [...merged.streams.keys()][0];
  const next = { ...reports[0], streams: [] };
  merged.replaced(reports[0], next);
  reports.splice(0, 1, next);
  const after = new MergedView({ serverId: "vid-server0", serviceId: "service0" }, 1, {
    reports,
    refresh: () => Promise.resolve(),
    kick: () => Promise.resolve(true),
  });
  after.replaced(report("a", 0, true), next);
  const [stream] = after.streams.values();
  assert.equal(stream.frames, 50);
  assert.equal(stream.sendBytes, 2000);
  assert.equal(stream.publish.active, false);
  assert.ok(id);
  after.retire(reports[0]);
  reports.splice(0, 1, EMPTY_REPORT);
  assert.equal(after.totals.sendBytes, 4000);
  assert.deepEqual([after.figures.clientsTotal, after.figures.players], [20, 3]);
  assert.equal([...after.vhosts.values()][0].sendBytes, 2000);
});

/** A worker's figures, each with a value of its own. */
const FIGURES = {
  clientsTotal: 2,
  clientErrors: 3,
  faults: 2,
  players: 5,
  laggingPlayers: 7,
  lagMs: 11,
  droppedGops: 13,
  droppedMessages: 17,
  flushIntervalMs: 19,
  logBytes: 23,
  delays: { counts: [29], sumMs: 31 },
  loopLags: { counts: [37], sumMs: 41 },
  loopLagMs: 43,
  relays: EMPTY_REPORT.figures.relays,
};

Deno.test("a worker that has ended: what it counted remains, how it was does not", () => {
  const ended = { ...EMPTY_REPORT, figures: FIGURES };
  const merged = view();
  merged.retire(ended);
  merged.retire(ended);
  assert.deepEqual(merged.figures, {
    ...EMPTY_REPORT.figures,
    clientsTotal: 4,
    clientErrors: 6,
    faults: 4,
    droppedGops: 26,
    droppedMessages: 34,
    delays: { counts: [58], sumMs: 62 },
    loopLags: { counts: [74], sumMs: 82 },
  });
});

Deno.test("figures of several workers: some are sums, some are the worst", () => {
  const one = { ...EMPTY_REPORT, figures: FIGURES };
  const other = { ...FIGURES, lagMs: 12, flushIntervalMs: 18, loopLagMs: 44 };
  assert.deepEqual(view(one, { ...one, figures: other }).figures, {
    ...FIGURES,
    clientsTotal: 4,
    clientErrors: 6,
    faults: 4,
    players: 10,
    laggingPlayers: 14,
    lagMs: 12,
    droppedGops: 26,
    droppedMessages: 34,
    flushIntervalMs: 19,
    logBytes: 46,
    delays: { counts: [58], sumMs: 62 },
    loopLags: { counts: [74], sumMs: 82 },
    loopLagMs: 44,
  });
});

Deno.test("nothing is kept of invented streams, although nobody asks for the list of streams", () => {
  const reports = [report("a", 1, true), report("b", 1, false)];
  const merged = new MergedView({ serverId: "vid-server0", serviceId: "service0" }, 1, {
    reports,
    refresh: () => Promise.resolve(),
    kick: () => Promise.resolve(false),
  });
  const [{ streams: [stream] }] = reports;
  for (let i = 0; i < 1000; i++) {
    const invented = { ...reports[1], streams: [{ ...stream, id: `vid-${i}`, url: `/live/${i}` }] };
    const before = reports[1];
    reports[1] = invented;
    merged.replaced(before, invented);
    merged.forget();
  }
  // The one that the other worker has.
  assert.equal(merged.keptStreams, 1);
  assert.equal(merged.streams.size, 2);
  reports.splice(0, 2, EMPTY_REPORT, EMPTY_REPORT);
  merged.forget();
  assert.equal(merged.keptStreams, 0);
});
