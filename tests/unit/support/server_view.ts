/**
 * A server as the HTTP side sees it, for tests of that side: SRS's recorded answers as a view.
 * @module
 */
import { type AppOptions, createApp } from "../../../src/servers/http/app.ts";
import type {
  ClientView,
  ServerFigures,
  ServerView,
  StreamView,
  VhostView,
} from "../../../src/stats/view.ts";

/** The moment of the recorded answers, Unix ms. */
export const NOW = 1795356483719;
const traffic = { sendBytes: 1549098, recvBytes: 1041941, kbps: { recv30s: 0, send30s: 0 } };

/** As recorded from SRS, and our own figures. */
export const vhost: VhostView = {
  id: "vid-9b05d26",
  name: "__defaultVhost__",
  enabled: true,
  clients: 3,
  streams: 1,
  hlsFragment: null,
  ...traffic,
};

/** As recorded from SRS, and our own figures. */
export const stream: StreamView = {
  id: "vid-72si0a9",
  name: "livestream",
  vhostId: "vid-9b05d26",
  vhostName: "__defaultVhost__",
  app: "live",
  tcUrl: "rtmp://127.0.0.1:1935/live",
  url: "/live/livestream",
  flvPath: "/live/livestream.flv",
  clients: 3,
  frames: 623,
  ...traffic,
  publish: { active: true, cid: "b0texaxl" },
  video: { codec: "H264", profile: "Baseline", level: "3", width: 640, height: 360 },
  audio: { codec: "AAC", sample_rate: 44100, channel: 2, profile: "LC" },
  edge: {
    uptimeMs: 60_500,
    players: 2,
    fps: 25,
    bitDepth: 8,
    videoTracks: 2,
    audioTracks: 1,
    recvKbps: 312.5,
    sendKbps: 624.9,
    flushIntervalMs: 0,
    delayP50Ms: 0.123,
    delayP99Ms: 0.95,
    lagMs: 0,
    droppedGops: 3,
    droppedMessages: 71,
    upstream: null,
    forwards: [],
  },
};

/** As recorded from SRS, and our own figures. */
export const client: ClientView = {
  id: "b0texaxl",
  vhostId: "vid-9b05d26",
  streamId: "vid-72si0a9",
  ip: "127.0.0.1",
  pageUrl: "",
  swfUrl: "",
  tcUrl: "rtmp://127.0.0.1:1935/live",
  url: "/live/livestream",
  name: "livestream",
  type: "fmle-publish",
  publish: true,
  aliveMs: 26_100,
  sendBytes: 4384,
  recvBytes: 1038271,
  kbps: { recv30s: 0, send30s: 0 },
  edge: { port: 50412, lagMs: null, droppedGops: 0, droppedMessages: 0 },
};

const delays = { counts: [5, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], sumMs: 40_003.5 };

/** What the metrics show. */
export const figures: ServerFigures = {
  relays: {
    pulls: { live: 2, pausing: 1 },
    forwards: { sending: 3 },
    uplinks: 1,
    pullRetries: 7,
    forwardRetries: 4,
  },
  clientsTotal: 12,
  clientErrors: 9,
  faults: 3,
  players: 2,
  laggingPlayers: 1,
  lagMs: 1250,
  droppedGops: 3,
  droppedMessages: 71,
  flushIntervalMs: 4.5,
  logBytes: 262_144,
  delays,
  loopLags: delays,
  loopLagMs: 1.25,
};

/** Entries as the view has them. */
export function byId<T extends { readonly id: string }>(...entries: T[]): Map<string, T> {
  return new Map(entries.map((entry) => [entry.id, entry]));
}

/** A server at a fixed moment and its app; `kicked` collects what the API does to it. */
export function server(changes: Partial<ServerView> = {}, options: AppOptions = {}) {
  const kicked: string[] = [];
  const view: ServerView = {
    serverId: "vid-69z1301",
    serviceId: "mk205s66",
    pid: 16441,
    startedMs: NOW - 40_900,
    totals: { connections: 3, recvBytes: 1041941, sendBytes: 1549098 },
    figures,
    vhosts: byId(vhost),
    streams: byId(stream),
    clients: byId(client),
    refresh: () => null,
    kick: (id) => {
      if (!view.clients.has(id)) return false;
      kicked.push(id);
      return true;
    },
    ...changes,
  };
  const app = createApp(view, { now: () => NOW, ...options });
  return { app: asked(app, "127.0.0.1"), view, kicked };
}

/** The app as clients with an address ask it, unless a test says who asks. */
export function asked(app: ReturnType<typeof createApp>, address: string): typeof app {
  const request = app.request;
  app.request = (input, init, env = { peer: { address, port: 50_000 } }, context) => {
    return request(input, init, env, context);
  };
  return app;
}
