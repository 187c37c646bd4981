/**
 * What the HTTP side reads from the server, and the one thing that it may do. All but `kick` is plain
 * data, so that it can come from another thread. The objects may be the live ones: they are read at
 * once, within one turn of the event loop, and never kept.
 * @module
 */

import type { PullView } from "../relay/edge/pull.ts";
import type { ForwardView } from "../relay/forward/forwarder.ts";
import type { RelayFigures } from "../relay/relays.ts";

/** Rates over the last full 30 s window, in whole kbit/s. */
export interface Kbps {
  readonly recv30s: number;
  readonly send30s: number;
}

/** Bytes so far and the rates made of them; received and sent as the server sees it. */
export interface Traffic {
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly kbps: Kbps;
}

/** A vhost that has been used since the start. */
export interface VhostView extends Traffic {
  /** `vid-` and 7 characters. */
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** Connected clients. */
  readonly clients: number;
  /** Streams with a publisher. */
  readonly streams: number;
  /** Shortest segment of HLS, s; null: there is none. */
  readonly hlsFragment: number | null;
}

/** What is known of a stream's video; names and texts as in the API (SRS). */
export interface VideoFigures {
  /** `H264`, `HEVC`. */
  readonly codec: string;
  readonly profile: string;
  /** "3", "3.1" and so on. */
  readonly level: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
}

/** What is known of a stream's audio; names and texts as in the API (SRS). */
export interface AudioFigures {
  /** `AAC`, `MP3`, `Opus`. */
  readonly codec: string;
  /** Hz. */
  readonly sample_rate: number;
  readonly channel: number;
  readonly profile: string;
}

/** What is shown of a stream beyond SRS's fields; rates and delays are those of the last 5 s. */
export interface StreamEdge {
  /** ms since the present publisher began; null while there is none. */
  readonly uptimeMs: number | null;
  /** Players, the waiting ones included. */
  readonly players: number;
  /** Frames a second of the main video track. */
  readonly fps: number;
  /** Bits of a luma sample; null: not known. */
  readonly bitDepth: number | null;
  /** Tracks of the publisher; 0: none has come, or there is no publisher. */
  readonly videoTracks: number;
  readonly audioTracks: number;
  /** kbit/s from the publisher and to all players. */
  readonly recvKbps: number;
  readonly sendKbps: number;
  /** ms between flushes at present; 0 = each message by itself. */
  readonly flushIntervalMs: number;
  /** From a message's arrival to its hand-over to a player's socket, ms; null: nothing was handed over. */
  readonly delayP50Ms: number | null;
  readonly delayP99Ms: number | null;
  /** How far the slowest player is behind, ms. */
  readonly lagMs: number;
  /** GOPs and messages that slow players have not had, since the stream's start. */
  readonly droppedGops: number;
  readonly droppedMessages: number;
  /** At an edge: where it comes from; null: it is not pulled. */
  readonly upstream: PullView | null;
  /** Where it is copied to. */
  readonly forwards: readonly ForwardView[];
}

/** A stream that has a publisher or a player. */
export interface StreamView extends Traffic {
  /** `vid-` and 7 characters, new for every life of the entry. */
  readonly id: string;
  readonly name: string;
  /** `VhostView.id`. */
  readonly vhostId: string;
  /** `VhostView.name`. */
  readonly vhostName: string;
  readonly app: string;
  readonly tcUrl: string;
  /** The stream's key, `/live/livestream`. */
  readonly url: string;
  /** Path and query of HTTP-FLV; null: its vhost does not serve it. */
  readonly flvPath: string | null;
  /** Players and publisher. */
  readonly clients: number;
  /** Video frames received, of the main track. */
  readonly frames: number;
  /** `cid` is the client id of the last publisher; undefined if there never was one. */
  readonly publish: { readonly active: boolean; readonly cid?: string | undefined };
  readonly video: VideoFigures | null;
  readonly audio: AudioFigures | null;
  readonly edge: StreamEdge;
}

/** What is shown of a client beyond SRS's fields. */
export interface ClientEdge {
  /** The peer's port. */
  readonly port: number;
  /** How far a player is behind its stream, ms; null for a publisher. */
  readonly lagMs: number | null;
  /** GOPs and messages that it was too slow for. */
  readonly droppedGops: number;
  readonly droppedMessages: number;
}

/** A connection that publishes or plays. */
export interface ClientView extends Traffic {
  /** Connection id, as in the log. */
  readonly id: string;
  /** `VhostView.id`. */
  readonly vhostId: string;
  /** `StreamView.id`. */
  readonly streamId: string;
  readonly ip: string;
  readonly pageUrl: string;
  readonly swfUrl: string;
  readonly tcUrl: string;
  /** The stream's key. */
  readonly url: string;
  /** The stream's name as the client gave it. */
  readonly name: string;
  /** `rtmp-play`, `flv-play`, `fmle-publish`, `flash-publish`, `haivision-publish`. */
  readonly type: string;
  readonly publish: boolean;
  /** ms since the connection was accepted. */
  readonly aliveMs: number;
  readonly edge: ClientEdge;
}

/** A histogram of delays; the bounds of its buckets are `DELAY_BOUNDS_MS`. */
export interface DelayFigures {
  /** Delays in each bucket, not cumulated; one more bucket than bounds. */
  readonly counts: readonly number[];
  /** ms. */
  readonly sumMs: number;
}

/** Figures of the whole server beyond those of its streams and clients. */
export interface ServerFigures {
  /** Clients since the start, and those of them that ended with an error, a mere close included (SRS). */
  readonly clientsTotal: number;
  readonly clientErrors: number;
  /** Faults of ours that ended nothing. */
  readonly faults: number;
  /** Players now. */
  readonly players: number;
  /** Players more than a second behind, and how far the farthest is behind, ms. */
  readonly laggingPlayers: number;
  readonly lagMs: number;
  /** GOPs and messages that slow players have not had, since the start. */
  readonly droppedGops: number;
  readonly droppedMessages: number;
  /** The longest present interval between flushes of any stream, ms. */
  readonly flushIntervalMs: number;
  /** Memory of the streams' messages, bytes. */
  readonly logBytes: number;
  /** From a message's arrival to its hand-over to a player's socket, since the start. */
  readonly delays: DelayFigures;
  /** By how much timers were late, since the start; and at most in the last 5 s, ms. */
  readonly loopLags: DelayFigures;
  readonly loopLagMs: number;
  readonly relays: RelayFigures;
}

/** Where the server listens: `address:port`, in the order of the configuration. */
export interface Listening {
  readonly rtmp: readonly string[];
  readonly http: readonly string[];
  readonly https: readonly string[];
}

/** The server as the HTTP side sees it. */
export interface ServerView {
  /** `vid-` and 7 characters. */
  readonly serverId: string;
  /** 8 characters, new for every start. */
  readonly serviceId: string;
  readonly pid: number;
  /** Unix ms of the start. */
  readonly startedMs: number;
  /** Open client connections, and the bytes of all clients since the start. */
  readonly totals: {
    readonly connections: number;
    readonly recvBytes: number;
    readonly sendBytes: number;
  };
  readonly figures: ServerFigures;
  /** By id. */
  readonly vhosts: ReadonlyMap<string, VhostView>;
  /** By id. */
  readonly streams: ReadonlyMap<string, StreamView>;
  /** By id. */
  readonly clients: ReadonlyMap<string, ClientView>;
  /** Drops a client's connection at once. False: there is no such client. */
  kick(clientId: string): boolean | Promise<boolean>;
  /** Brings all figures up to date, before they are read; null: they always are. */
  refresh(): Promise<void> | null;
}

/** Everything that the API shows of one worker, or of all. */
export interface Report {
  readonly connections: number;
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly figures: ServerFigures;
  readonly vhosts: readonly VhostView[];
  readonly streams: readonly StreamView[];
  readonly clients: readonly ClientView[];
}
