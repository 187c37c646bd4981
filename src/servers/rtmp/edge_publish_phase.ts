/**
 * A publisher at an edge: what it sends goes to the origin as it is, and is not
 * looked at. Players of the same stream get it from there, as at every other edge.
 * @module
 */

import type { Grant } from "../../access/grant.ts";
import type { LiveStream, Replaceable } from "../../live/stream/live_stream.ts";
import { peerText } from "../../log/text.ts";
import type { Uplink, UplinkOwner } from "../../relay/edge/publish.ts";
import { MAX_MESSAGE_SIZE } from "../../rtmp/limits.ts";
import { type Command, onFcStatus, onStatus, result } from "../../rtmp/command.ts";
import { ErrorCode } from "../../rtmp/error.ts";
import { ChunkStream, type Message, MessageType, STREAM_ID } from "../../rtmp/message.ts";
import { type ClientRole } from "../../stats/session.ts";
import { applyVhost, BasePhase, type SessionContext } from "./phase.ts";
import { departureOf, endsPublish } from "./publish_phase.ts";
import type { PublishRequest } from "./stream_request.ts";

/** Media flow from the client to the origin. */
export class EdgePublishPhase extends BasePhase implements UplinkOwner, Replaceable {
  override readonly role: ClientRole;
  readonly #request: PublishRequest;
  readonly #grant: Grant;
  readonly #uplink: Uplink;
  readonly #stream: LiveStream;
  readonly #startedAt: number;
  #lastBytesAt: number;
  #messages = 0;
  /** The origin is slow: the client has to wait. */
  #waits = false;
  #left = false;

  /** Tells the client that it may. */
  constructor(
    session: SessionContext,
    request: PublishRequest,
    grant: Grant,
    uplink: Uplink,
  ) {
    super(session);
    this.#grant = grant;
    const { style, target, stream } = request;
    this.#request = request;
    this.#uplink = uplink;
    this.#stream = stream;
    this.#startedAt = this.#lastBytesAt = session.host.clock.now();
    this.role = { type: `${style}-publish`, publish: true, stream, name: target.url.stream };
    uplink.owner = this;
    stream.reserve();
    stream.addUplink(this);
    stream.replaceUplinks(this);
    grant.begin(request.replaces ? departureOf(session, stream) : null);
    applyVhost(session, target.vhost);
    session.maxMessageSize = MAX_MESSAGE_SIZE;
    this.#status(onStatus("status", "NetStream.Publish.Start", "Started publishing stream."));
    session.log.info(`start edge publish ${peerText(target.key)}`);
  }

  override media({ type, timestamp, payload }: Message): void {
    this.#messages++;
    if (!this.#uplink.publish(type, timestamp, payload)) this.#waits = true;
  }

  override readDone(): void {
    this.#lastBytesAt = this.session.host.clock.now();
    if (this.#waits && !this.#left) this.session.socket.pauseReading();
  }

  command(command: Command): void {
    const end = endsPublish(this.#request.style, command);
    if (end === null) return;
    if (end === "unpublish") this.#sayUnpublished(command.transactionId);
    this.session.identifyAgain(end === "stream stays" || end === "goes on");
    if (end === "goes on") this.session.redispatch(command);
  }

  tick(nowMs: number): void {
    const { firstPacketTimeoutMs, normalTimeoutMs } = this.#request.target.vhost.publish;
    const first = this.#messages === 0;
    const limit = first ? firstPacketTimeoutMs : normalTimeoutMs;
    // Its silence is our doing while it has to wait.
    if (this.#waits || nowMs - (first ? this.#startedAt : this.#lastBytesAt) <= limit) return;
    const what = first ? "no first message" : "nothing received";
    this.session.close(ErrorCode.TIMEOUT, `publish timeout: ${what} for ${limit} ms`);
  }

  override leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#uplink.owner = null;
    this.#uplink.close();
    this.#stream.removeUplink(this);
    this.#stream.unreserve();
    this.#grant.end();
    if (this.#waits) this.session.socket.resumeReading();
    this.session.log.info(`cleanup when edge unpublish ${peerText(this.#request.target.key)}`);
  }

  override summary(): string {
    return `<- EPB ${peerText(this.#request.target.key)} msgs=${this.#messages}`;
  }

  /** `Replaceable`: clock ms of the last bytes. While it has to wait its silence is our doing. */
  get lastBytesAt(): number {
    return this.#waits ? this.session.host.clock.now() : this.#lastBytesAt;
  }

  /** `Replaceable`: another publisher takes the stream over, and this one is told. */
  replaced(): void {
    const reason = "another publisher has taken the stream over";
    this.#status(onStatus("error", "NetStream.Publish.BadName", reason));
    this.session.close(ErrorCode.STREAM_BUSY, reason);
  }

  // ---- from the uplink

  /** `UplinkOwner`: there is room again. */
  uplinkWritable(): void {
    if (!this.#waits || this.#left) return;
    this.#waits = false;
    this.#lastBytesAt = this.session.host.clock.now();
    this.session.socket.resumeReading();
  }

  /** `UplinkOwner`: the encoder is to come back, and may find another origin. */
  uplinkLost(text: string): void {
    this.#status(onStatus("error", "NetStream.Publish.Failed", "the origin is gone"));
    this.session.close(ErrorCode.ORIGIN, `the origin has ended the publish: ${text}`);
  }

  #sayUnpublished(transactionId: number): void {
    const code = "NetStream.Unpublish.Success";
    this.#status(onFcStatus("onFCUnpublish", code, "Stop publishing stream."));
    this.session.reply(
      ChunkStream.COMMAND,
      MessageType.COMMAND_AMF0,
      result(transactionId, undefined),
      STREAM_ID,
    );
    this.#status(onStatus("status", code, "Stream is now unpublished"));
  }

  #status(payload: Uint8Array): void {
    this.session.reply(ChunkStream.STATUS, MessageType.COMMAND_AMF0, payload, STREAM_ID);
  }
}
