/**
 * What the HTTP side reads from the server, and the one thing that it may do. The objects may be the
 * live ones: they are read at once, within one turn of the event loop, and never kept.
 * @module
 */

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
}

/** What is known of a stream's pictures; names and texts as in the API (SRS). */
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

/** What is known of a stream's sound; names and texts as in the API (SRS). */
export interface AudioFigures {
  /** `AAC`, `MP3`, `Opus`. */
  readonly codec: string;
  /** Hz. */
  readonly sample_rate: number;
  readonly channel: number;
  readonly profile: string;
}

/** A stream that has a publisher or a player. */
export interface StreamView extends Traffic {
  /** `vid-` and 7 characters, new for every life of the entry. */
  readonly id: string;
  readonly name: string;
  /** `VhostView.id`. */
  readonly vhostId: string;
  readonly app: string;
  readonly tcUrl: string;
  /** The stream's key, `/live/livestream`. */
  readonly url: string;
  /** Players and publisher. */
  readonly clients: number;
  /** Video frames received. */
  readonly frames: number;
  /** `cid` is the client id of the last publisher; undefined if there never was one. */
  readonly publish: { readonly active: boolean; readonly cid?: string | undefined };
  readonly video: VideoFigures | null;
  readonly audio: AudioFigures | null;
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
  /** By id. */
  readonly vhosts: ReadonlyMap<string, VhostView>;
  /** By id. */
  readonly streams: ReadonlyMap<string, StreamView>;
  /** By id. */
  readonly clients: ReadonlyMap<string, ClientView>;
  /** Drops a client's connection at once. False: there is no such client. */
  kick(clientId: string): boolean;
}
