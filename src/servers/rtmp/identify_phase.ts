/**
 * Between `connect` and media: finding out whether the client publishes or plays.
 * @module
 */

import type { Action } from "../../config/types.ts";
import type { Visit } from "../../access/gate.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { numberOf, stringOf } from "../../rtmp/amf_access.ts";
import { type Command, createStreamResult, onStatus, result } from "../../rtmp/command.ts";
import { ErrorCode, RtmpError } from "../../rtmp/error.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../../rtmp/message.ts";
import { refused, visitOf } from "./admission.ts";
import { HOOKS_TIMEOUT_MS, MAX_COMMAND_BYTES, MAX_CREATE_STREAM } from "./limits.ts";
import { BasePhase, type SessionContext } from "./phase.ts";
import { PlayPhase } from "./play_phase.ts";
import { PublishPhase, type PublishStyle } from "./publish_phase.ts";
import { askToClear, askToPlay, askToPublish, startPublishing } from "./relayed.ts";
import type { Target } from "./target.ts";

function busy(error: RtmpError): boolean {
  return error.code === ErrorCode.STREAM_BUSY;
}

/** Waits for `publish` or `play`. */
export class IdentifyPhase extends BasePhase {
  readonly #deadline: number;
  #createdStreams = 0;
  #hasStream: boolean;
  #style: PublishStyle = "flash";
  /** The visit that hooks are asked about. */
  #visit: Visit | null = null;
  /** The stream that the client wants: it must not be forgotten until the client has it. */
  #reserved: LiveStream | null = null;

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
    const ask = () => {
      this.#askHooks(code, "publish", request, (visit) => {
        // Not before: a claim may end the publisher that has the stream now.
        this.session.consult(
          (answer) => askToPublish(this.session, request, answer),
          (verdict) =>
            this.session.enter(this.#orRefuse(code, () => {
              if (verdict) throw verdict;
              return startPublishing(this.session, request, visit);
            })),
        );
      });
    };
    // The application hears of the old publisher's end first (F8), and that may not have been read (H53).
    const { target: { vhost }, stream } = request;
    const present = stream.published && !vhost.edge;
    if (!present && vhost.hooks.on_publish.length === 0) return ask();
    this.#reserve(request.stream);
    this.session.consult(
      (answer) => askToClear(this.session, request, answer),
      (verdict) => {
        this.#orRefuse(code, () => {
          if (verdict) throw verdict;
        });
        ask();
      },
    );
  }

  #play(command: Command): void {
    const [, nameValue, , duration] = command.args;
    const name = stringOf(nameValue);
    const code = "NetStream.Play.Failed";
    const request = this.#orRefuse(code, () => {
      if (name === null) throw new RtmpError(ErrorCode.AMF_INVALID, "play without a stream name");
      return PlayPhase.prepare(this.session, name, numberOf(duration) ?? -1);
    });
    this.#askHooks(code, "play", request, (visit) => {
      this.session.consult(
        (answer) => askToPlay(this.session, request, answer),
        (verdict) =>
          this.session.enter(this.#orRefuse(code, () => {
            if (verdict) throw verdict;
            return PlayPhase.start(this.session, request, visit);
          })),
      );
    });
  }

  /** Goes on with `then` when the hooks have nothing against it. */
  #askHooks(
    code: string,
    action: Action,
    { target, stream }: { readonly target: Target; readonly stream: LiveStream },
    then: (visit: Visit) => void,
  ): void {
    const { session } = this;
    const visit = visitOf(session, target, action, stream);
    this.#visit = visit;
    this.#reserve(stream);
    session.consult(
      (answer) => visit.ask((refusal) => void answer(refusal && refused(refusal))),
      (verdict) => {
        this.#orRefuse(code, () => {
          if (verdict) throw verdict;
        });
        then(visit);
      },
      HOOKS_TIMEOUT_MS,
    );
  }

  override leave(): void {
    if (this.#visit?.begun === false) this.#visit.end();
    this.#visit = null;
    this.#reserved?.unreserve();
    this.#reserved = null;
  }

  #reserve(stream: LiveStream): void {
    if (this.#reserved === stream) return;
    this.#reserved = stream;
    stream.reserve();
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
