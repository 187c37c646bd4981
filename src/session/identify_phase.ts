/**
 * Between `connect` and media: finding out whether the client publishes or plays (spec: rtmp §5.3).
 * @module
 */

import { numberOf, stringOf } from "../rtmp/amf_access.ts";
import { type Command, createStreamResult, onStatus, result } from "../rtmp/command.ts";
import { ErrorCode, RtmpError } from "../rtmp/error.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../rtmp/message.ts";
import { MAX_COMMAND_BYTES, MAX_CREATE_STREAM } from "./limits.ts";
import { BasePhase, type SessionContext } from "./phase.ts";
import { PlayPhase } from "./play_phase.ts";
import { PublishPhase, type PublishStyle } from "./publish_phase.ts";

function busy(error: RtmpError): boolean {
  return error.code === ErrorCode.STREAM_BUSY;
}

/** Waits for `publish` or `play`. */
export class IdentifyPhase extends BasePhase {
  readonly #deadline: number;
  #createdStreams = 0;
  #hasStream: boolean;
  #style: PublishStyle = "flash";

  /**
   * @param deadline Clock ms by which the client must have said what it wants.
   * @param hasStream Whether a stream from an earlier createStream is still there.
   */
  constructor(session: SessionContext, deadline: number, hasStream = false) {
    super(session);
    this.#deadline = deadline;
    this.#hasStream = hasStream;
    session.maxMessageSize = MAX_COMMAND_BYTES;
  }

  tick(nowMs: number): void {
    if (nowMs < this.#deadline) return;
    this.session.close(ErrorCode.TIMEOUT, "neither publish nor play in time");
  }

  command(command: Command): void {
    const { name, transactionId } = command;
    switch (name) {
      case "createStream":
        return this.#createStream(transactionId);
      case "releaseStream":
      case "FCPublish":
      case "FCUnpublish":
        // Haivision's encoders do this after createStream, all others before it (Q27).
        this.#style = this.#hasStream ? "haivision" : "fmle";
        return this.#answer(result(transactionId, undefined));
      case "publish":
        return this.#publish(command);
      case "play":
        return this.#play(command);
      case "getStreamLength":
        return this.#answerIfAsked(transactionId, 0);
      case "_result":
      case "_error":
      case "onStatus":
        return;
      default:
        // SRS answers all others before createStream, and none after it.
        if (!this.#hasStream) this.#answer(result(transactionId, null));
        else this.#answerIfAsked(transactionId, null);
    }
  }

  #createStream(transactionId: number): void {
    if (++this.#createdStreams > MAX_CREATE_STREAM) {
      throw new RtmpError(ErrorCode.LIMIT, `createStream more than ${MAX_CREATE_STREAM} times`);
    }
    this.#hasStream = true;
    this.#answer(createStreamResult(transactionId));
  }

  #publish(command: Command): void {
    const name = stringOf(command.args[1]);
    // Before createStream it means nothing; `publish(false)` stops what has not begun (Q32).
    if (!this.#hasStream || command.args[1] === false) return;
    const code = "NetStream.Publish.Denied";
    const request = this.#orRefuse(code, () => {
      if (name === null) {
        throw new RtmpError(ErrorCode.AMF_INVALID, "publish without a stream name");
      }
      return PublishPhase.prepare(this.session, this.#style, name);
    });
    const { host, socket } = this.session;
    this.session.consult(
      (answer) => host.claims.claim(request.stream, socket.remoteAddress, answer),
      (verdict) =>
        this.session.enter(this.#orRefuse(code, () => {
          if (verdict) throw verdict;
          return PublishPhase.start(this.session, request);
        })),
    );
  }

  #play(command: Command): void {
    const [, nameValue, , duration] = command.args;
    const name = stringOf(nameValue);
    const phase = this.#orRefuse("NetStream.Play.Failed", () => {
      if (name === null) throw new RtmpError(ErrorCode.AMF_INVALID, "play without a stream name");
      return PlayPhase.start(this.session, name, numberOf(duration) ?? -1);
    });
    this.session.enter(phase);
  }

  /** Runs `start`; the peer is told why it is refused before the error ends the connection. */
  #orRefuse<T>(code: string, start: () => T): T {
    try {
      return start();
    } catch (error) {
      if (error instanceof RtmpError) {
        this.session.reply(
          ChunkStream.STATUS,
          MessageType.COMMAND_AMF0,
          onStatus("error", busy(error) ? "NetStream.Publish.BadName" : code, error.message),
          STREAM_ID,
        );
      }
      throw error;
    }
  }

  #answerIfAsked(transactionId: number, value: number | null): void {
    if (transactionId > 0) this.#answer(result(transactionId, value));
  }

  #answer(payload: Uint8Array): void {
    this.session.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, payload);
  }
}
