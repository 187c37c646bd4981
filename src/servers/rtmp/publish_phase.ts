/**
 * A publisher.
 * @module
 */

import type { AudioInfo, VideoInfo } from "../../codec/codec_info.ts";
import type { Grant } from "../../access/grant.ts";
import type { LiveStream, Publisher } from "../../live/stream/live_stream.ts";
import { addressGroup } from "../../log/address_group.ts";
import { peerText } from "../../log/text.ts";
import type { RelayClient } from "../../clients/on_behalf.ts";
import { numberOf } from "../../rtmp/amf_access.ts";
import { type Command, isTimeCode, onFcStatus, onStatus, result } from "../../rtmp/command.ts";
import { ErrorCode, type Refusal, RtmpError } from "../../rtmp/error.ts";
import { MAX_MESSAGE_SIZE } from "../../rtmp/limits.ts";
import { ChunkStream, type Message, MessageType, STREAM_ID } from "../../rtmp/message.ts";
import { IDLE_GATHER_MAX_BYTES, IDLE_GATHER_REST_MS, SMALL_READ_BYTES } from "./limits.ts";
import { type ClientRole } from "../../stats/session.ts";
import { applyVhost, BasePhase, type SessionContext } from "./phase.ts";
import type { PublishRequest, PublishStyle } from "./stream_request.ts";
import type { Target } from "./target.ts";

/** Commands with which FMLE-style clients end a publish. */
const FMLE_END = new Set(["FCUnpublish", "releaseStream", "FCPublish"]);
/** Commands with which a Flash-style client turns to something else (SRS: any command does). */
const FLASH_END = new Set(["FCUnpublish", "releaseStream", "FCPublish", "publish", "play"]);

/**
 * What a command does to a publish: null: nothing; `unpublish`: ends it and wants to be told so, as FMLE
 * does; `stream stays`, `stream goes`: ends it; `goes on`: ends it, and is to be handled after that.
 */
export function endsPublish(
  style: PublishStyle,
  { name, args }: Command,
): "unpublish" | "stream stays" | "stream goes" | "goes on" | null {
  if (style !== "flash" && FMLE_END.has(name)) return "unpublish";
  if (name === "closeStream" || (name === "publish" && args[1] === false)) return "stream stays";
  if (name === "deleteStream") {
    return (numberOf(args[1]) ?? STREAM_ID) === STREAM_ID ? "stream goes" : null;
  }
  return style === "flash" && FLASH_END.has(name) ? "goes on" : null;
}

/** Media flows from the client into a stream. */
export class PublishPhase extends BasePhase implements Publisher {
  override readonly role: ClientRole;
  readonly #style: PublishStyle;
  readonly #stream: LiveStream;
  readonly #target: Target;
  readonly #grant: Grant;
  readonly #startedAt: number;
  /** `Publisher`: clock ms of the last bytes. */
  lastBytesAt: number;
  #messages = 0;
  #videoLogged = false;
  #audioLogged = false;
  /** Cancels the running pause of `mr`; null: none is running. */
  #cancelPause: (() => void) | null = null;
  /** Clock ms before which nothing is gathered although there is no player. */
  #gatherFrom = 0;

  /** Takes the stream and answers the client; a refusal when it is being published already. */
  static start(
    session: SessionContext,
    request: PublishRequest,
    grant: Grant,
    client: RelayClient,
  ): PublishPhase | Refusal {
    const { style, target, stream } = request;
    const { vhost, key } = target;
    const phase = new PublishPhase(session, style, stream, target, grant);
    if (!stream.publish(phase)) return busy(key);
    grant.begin(request.replaces ? departureOf(session, stream) : null);
    applyVhost(session, vhost);
    session.maxMessageSize = MAX_MESSAGE_SIZE;
    status(
      session,
      onStatus("status", "NetStream.Publish.Start", "Started publishing stream."),
    );
    const { mr, mrLatencyMs, firstPacketTimeoutMs, normalTimeoutMs } = vhost.publish;
    session.log.info(
      `start publish ${peerText(key)} mr=${mr ? 1 : 0}/${mrLatencyMs}, ` +
        `p1stpt=${firstPacketTimeoutMs}, pnt=${normalTimeoutMs}, ` +
        `tcp_nodelay=${vhost.tcpNodelay ? 1 : 0}`,
    );
    session.host.relay.published(stream, client, request.destinations);
    return phase;
  }

  private constructor(
    session: SessionContext,
    style: PublishStyle,
    stream: LiveStream,
    target: Target,
    grant: Grant,
  ) {
    super(session);
    this.#grant = grant;
    this.#style = style;
    this.#stream = stream;
    this.#target = target;
    this.#startedAt = this.lastBytesAt = session.host.clock.now();
    this.role = {
      type: `${style}-publish`,
      publish: true,
      stream,
      name: target.url.stream,
    };
  }

  /** `Publisher`: whose it is. */
  get address(): string {
    return addressGroup(this.session.socket.remoteAddress);
  }

  /** `Publisher`: another one takes the stream over, and this one is told. */
  replaced(): void {
    const reason = "another publisher has taken the stream over";
    status(this.session, onStatus("error", "NetStream.Publish.BadName", reason));
    this.session.close(ErrorCode.STREAM_BUSY, reason);
  }

  override media(message: Message): void {
    this.#messages++;
    if (message.type === MessageType.DATA_AMF0 || message.type === MessageType.DATA_AMF3) {
      if (isTimeCode(message.payload)) return;
      return this.#data(message);
    }
    this.#stream.media(message.type, message.timestamp, message.payload);
    if (!this.#videoLogged || !this.#audioLogged) this.#logHeaders();
  }

  override readDone(bytes: number): void {
    this.lastBytesAt = this.session.host.clock.now();
    this.#stream.readDone();
    if (this.#mergesReads) {
      if (bytes < SMALL_READ_BYTES) this.#pauseReading(this.#stream.vhost.publish.mrLatencyMs);
    } else if (this.#stream.playerCount === 0 && !this.#stream.followed) {
      this.#gatherIdle(bytes);
    }
  }

  /** `Publisher`: the stream has a player from now on. */
  hasAudience(): void {
    this.session.host.idleReaders.remove(this.session.socket);
  }

  /** `Publisher`: a newcomer wants the stream. */
  catchUp(): void {
    const { socket, host } = this.session;
    host.idleReaders.remove(socket);
    if (!this.#cancelPause) return;
    this.#cancelPause();
    this.#cancelPause = null;
    socket.resumeReading();
  }

  command(command: Command): void {
    const end = endsPublish(this.#style, command);
    if (end === null) return;
    if (end === "unpublish") this.#sayUnpublished(command.transactionId);
    this.session.identifyAgain(end === "stream stays" || end === "goes on");
    if (end === "goes on") this.session.redispatch(command);
  }

  tick(nowMs: number): void {
    const { publish } = this.#stream.vhost;
    const first = this.#messages === 0;
    const limit = first ? publish.firstPacketTimeoutMs : publish.normalTimeoutMs;
    if (nowMs - (first ? this.#startedAt : this.lastBytesAt) > limit) {
      const what = first ? "no first message" : "nothing received";
      return this.session.close(ErrorCode.TIMEOUT, `publish timeout: ${what} for ${limit} ms`);
    }
    const idleSince = this.#stream.playerlessSince;
    if (publish.kickoffForIdleMs > 0 && idleSince !== null) {
      if (nowMs - Math.max(idleSince, this.#startedAt) > publish.kickoffForIdleMs) {
        this.session.close(
          ErrorCode.IDLE_PUBLISHER,
          `kicked: nobody has played the stream for ${publish.kickoffForIdleMs} ms`,
        );
      }
    }
  }

  /** An encoder's status line shows an end, not a fault. */
  override farewell(): void {
    const code = "NetStream.Unpublish.Success";
    status(this.session, onStatus("status", code, "The server is about to stop."));
  }

  override leave(): void {
    const { socket, host } = this.session;
    host.idleReaders.remove(socket);
    if (this.#cancelPause) {
      this.#cancelPause();
      socket.resumeReading();
    }
    // In this order: what has not been flushed yet is for the forwards, too.
    this.#stream.unpublish(this);
    host.relay.unpublished(this.#stream);
    this.#grant.end();
    this.session.log.info(`cleanup when unpublish ${peerText(this.#target.key)}`);
  }

  override summary(): string {
    const { mr, mrLatencyMs, firstPacketTimeoutMs, normalTimeoutMs } = this.#stream.vhost.publish;
    return `<- CPB ${peerText(this.#target.key)} msgs=${this.#messages}, mr=${mr ? 1 : 0}/` +
      `${mrLatencyMs}, p1stpt=${firstPacketTimeoutMs}, pnt=${normalTimeoutMs}, ` +
      `players=${this.#stream.playerCount}`;
  }

  /** Whether `mr` is in effect: `min_latency` overrides it (SRS). */
  get #mergesReads(): boolean {
    const { vhost } = this.#stream;
    return vhost.publish.mr && !vhost.minLatency;
  }

  /** No player waits for what comes: it may gather a little, unless it is much. */
  #gatherIdle(bytes: number): void {
    const { socket, host } = this.session;
    if (bytes > IDLE_GATHER_MAX_BYTES) {
      this.#gatherFrom = this.lastBytesAt + IDLE_GATHER_REST_MS;
      host.idleReaders.remove(socket);
    } else if (this.lastBytesAt >= this.#gatherFrom) {
      host.idleReaders.add(socket);
    }
  }

  /**
   * `mr`: the kernel gathers what comes in the meantime. The pause begins with the next turn, since what
   * has gathered during the last one may be handed over in several pieces.
   */
  #pauseReading(ms: number): void {
    if (this.#cancelPause) return;
    const { socket, host } = this.session;
    this.#cancelPause = host.clock.after(0, () => {
      socket.pauseReading();
      this.#cancelPause = host.clock.after(ms, () => {
        this.#cancelPause = null;
        socket.resumeReading();
      });
    });
  }

  #sayUnpublished(transactionId: number): void {
    const code = "NetStream.Unpublish.Success";
    status(this.session, onFcStatus("onFCUnpublish", code, "Stop publishing stream."));
    this.session.reply(
      ChunkStream.COMMAND,
      MessageType.COMMAND_AMF0,
      result(transactionId, undefined),
      STREAM_ID,
    );
    status(this.session, onStatus("status", code, "Stream is now unpublished"));
  }

  /** Metadata that cannot be decoded is no reason to end a stream whose media are fine (Q37). */
  #data(message: Message): void {
    try {
      const known = this.#stream.headers.metadata;
      this.#stream.data(message.type, message.timestamp, message.payload);
      const { metadata } = this.#stream.headers;
      if (metadata && metadata !== known) {
        this.session.log.info(`got metadata, ${metadata.length}B`);
      }
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      this.session.log.warn(`data message left out: ${peerText(error.message)}`, error.code);
    }
  }

  #logHeaders(): void {
    const { video, audio } = this.#stream.headers;
    if (video && !this.#videoLogged) {
      this.#videoLogged = true;
      this.session.log.info(`${video.length}B video sh, ${figures(this.#stream.video)}`);
    }
    if (audio && !this.#audioLogged) {
      this.#audioLogged = true;
      this.session.log.info(`${audio.length}B audio sh, ${figures(this.#stream.audio)}`);
    }
  }
}

/** The refusal of a client whose stream another one publishes. */
export function busy(key: string): Refusal {
  return { code: ErrorCode.STREAM_BUSY, reason: `stream ${key} is being published already` };
}

/** What FMLE-style clients wait for before they are told whether they may (SRS). */
export function sayPublishStarts(session: SessionContext): void {
  status(
    session,
    onFcStatus("onFCPublish", "NetStream.Publish.Start", "Started publishing stream."),
  );
}

/** `codec=H264, profile=High, ...`, without what is not known. */
function figures(info: VideoInfo | AudioInfo | null): string {
  return Object.entries(info ?? {}).filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${value}`).join(", ");
}

/** Waits until the end of the publisher that had the stream has been delivered in the other threads. */
export function departureOf(session: SessionContext, stream: LiveStream): () => Promise<void> {
  return () => new Promise((done) => session.host.claims.clear(stream, null, () => done()));
}

function status(session: SessionContext, payload: Uint8Array): void {
  session.reply(ChunkStream.STATUS, MessageType.COMMAND_AMF0, payload, STREAM_ID);
}
