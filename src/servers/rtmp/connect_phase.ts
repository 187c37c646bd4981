/**
 * Waiting for `connect`, and answering it.
 * @module
 */

import { FALLBACK_ACK_WINDOW } from "./limits.ts";
import { keptText } from "../../access/peer_words.ts";
import { peerText } from "../../log/text.ts";
import { numberOf, propertyOf, stringOf } from "../../rtmp/amf_access.ts";
import { AmfObject } from "../../rtmp/amf_value.ts";
import {
  CapsEx,
  type Command,
  connectError,
  connectResult,
  ENHANCED_FIELDS,
  onBwDone,
} from "../../rtmp/command.ts";
import { ErrorCode, RtmpError } from "../../rtmp/error.ts";
import { HOPS_FIELD, parseHops } from "../../rtmp/hops.ts";
import { ChunkStream, MessageType, peerBandwidthBody, u32Body } from "../../rtmp/message.ts";
import { IdentifyPhase } from "./identify_phase.ts";
import { IDENTIFY_TIMEOUT_MS, PEER_BANDWIDTH } from "./limits.ts";
import { BasePhase, type SessionContext } from "./phase.ts";
import { type ConnectInfo, connectTarget } from "./target.ts";

/** Outgoing chunk size towards a client whose vhost is not known: SRS's default. */
const FALLBACK_CHUNK_SIZE = 60_000;

/** The first phase. Everything but `connect` is ignored. */
export class ConnectPhase extends BasePhase {
  readonly #deadline: number;

  constructor(session: SessionContext) {
    super(session);
    this.#deadline = session.host.clock.now() + IDENTIFY_TIMEOUT_MS;
  }

  command(command: Command): void {
    if (command.name === "connect") this.#connect(command);
  }

  tick(nowMs: number): void {
    if (nowMs < this.#deadline) return;
    this.session.close(ErrorCode.TIMEOUT, `no connect within ${IDENTIFY_TIMEOUT_MS} ms`);
  }

  #connect(command: Command): void {
    const { session } = this;
    const object = command.args[0];
    const capsEx = numberOf(propertyOf(object, "capsEx")) ?? 0;
    const info: ConnectInfo = {
      // Whole: it may have a signature in its query. What is too long for a URL is refused.
      tcUrl: stringOf(propertyOf(object, "tcUrl")),
      app: stringOf(propertyOf(object, "app")),
      pageUrl: keptText(stringOf(propertyOf(object, "pageUrl")) ?? ""),
      swfUrl: keptText(stringOf(propertyOf(object, "swfUrl")) ?? ""),
      flashVer: keptText(stringOf(propertyOf(object, "flashVer")) ?? ""),
      enhanced: ENHANCED_FIELDS.some((field) => propertyOf(object, field) !== undefined),
      multitrack: (capsEx & CapsEx.MULTITRACK) !== 0,
      reconnect: (capsEx & CapsEx.RECONNECT) !== 0,
      hops: parseHops(stringOf(propertyOf(object, HOPS_FIELD))),
      args: command.args[1] instanceof AmfObject ? command.args[1] : null,
    };
    session.info = info;
    const text = (value: string) => peerText(value);
    session.log.info(
      `connect app, tcUrl=${text(info.tcUrl ?? "")}, pageUrl=${text(info.pageUrl)}, ` +
        `swfUrl=${text(info.swfUrl)}, app=${text(info.app ?? "")}, flashVer=${text(info.flashVer)}`,
    );
    try {
      this.#answer(command, numberOf(propertyOf(object, "objectEncoding")) ?? 0);
    } catch (error) {
      if (error instanceof RtmpError) {
        const refusal = connectError(command.transactionId, error.message);
        session.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, refusal);
      }
      throw error;
    }
    session.enter(new IdentifyPhase(session, this.#deadline));
  }

  #answer(command: Command, objectEncoding: number): void {
    const { session } = this;
    if (session.info.tcUrl === null && session.info.app === null) {
      throw new RtmpError(ErrorCode.CONNECT_TCURL, "connect has neither tcUrl nor app");
    }
    const loop = session.host.relay.refuse(session.info.hops);
    if (loop) throw new RtmpError(loop.code, loop.reason);
    const { vhost, app } = connectTarget(session.host.config, session.info);
    session.whereabouts = vhost && { vhost, app };
    const window = vhost?.outAckSize ?? FALLBACK_ACK_WINDOW;
    const control = ChunkStream.CONTROL;
    if (window > 0) session.reply(control, MessageType.WINDOW_ACK_SIZE, u32Body(window));
    session.reply(control, MessageType.SET_PEER_BANDWIDTH, peerBandwidthBody(PEER_BANDWIDTH));
    // Before the result, which is longer than the 128 bytes that some clients can read (Q12).
    session.setChunkSize(vhost?.chunkSize ?? FALLBACK_CHUNK_SIZE);
    if (vhost) session.setDefaultAckWindow(vhost.inAckSize);

    const answer = connectResult(command.transactionId, objectEncoding, {
      server: session.host.serverName,
      pid: session.host.pid,
      connectionId: session.id,
    }, session.info.enhanced);
    session.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, answer);
    session.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, onBwDone());
  }
}
