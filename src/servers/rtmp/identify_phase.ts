/**
 * Between `connect` and media: finding out whether the client publishes or plays.
 * @module
 */

import type { AccessParts, Question } from "../../access/access.ts";
import { Grant } from "../../access/grant.ts";
import type { Action } from "../../config/types.ts";
import { numberOf, stringOf } from "../../rtmp/amf_access.ts";
import type { AmfValue } from "../../rtmp/amf_value.ts";
import { type Command, createStreamResult, onStatus, result } from "../../rtmp/command.ts";
import { ErrorCode, type Refusal, RtmpError } from "../../rtmp/error.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../../rtmp/message.ts";
import { askAccess } from "./admission.ts";
import { MAX_COMMAND_BYTES, MAX_CREATE_STREAM } from "./limits.ts";
import { BasePhase, type Phase, type SessionContext } from "./phase.ts";
import { PlayPhase } from "./play_phase.ts";
import { sayPublishStarts } from "./publish_phase.ts";
import { askToClear, askToPlay, askToPublish, startPublishing } from "./relayed.ts";
import {
  PlayRequest,
  PublishRequest,
  type PublishStyle,
  type StreamRequest,
} from "./stream_request.ts";

/** What a refused client is told; a publisher of a stream that is busy: `NetStream.Publish.BadName`. */
const REFUSED: Readonly<Record<Action, string>> = {
  publish: "NetStream.Publish.Denied",
  play: "NetStream.Play.Failed",
};

/** Waits for `publish` or `play`. */
export class IdentifyPhase extends BasePhase {
  readonly #deadline: number;
  #createdStreams = 0;
  #hasStream: boolean;
  #style: PublishStyle = "flash";
  /** The question whether the client may. */
  #question: Question | null = null;
  /** What the client wants: the stream must not be forgotten until the client has it. */
  #wanted: StreamRequest | null = null;

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

  #publish({ args }: Command): void {
    // Before createStream it means nothing; `publish(false)` stops what has not begun (Q32).
    if (!this.#hasStream || args[1] === false) return;
    const { session } = this;
    const request = this.#request(
      "publish",
      args[1],
      (name) => new PublishRequest(session, name, this.#style),
    );
    this.#ask("publish", request, {
      stream: (answer) => {
        if (request.style !== "flash") sayPublishStarts(session);
        request.reserve();
        askToClear(session, request, answer);
      },
      // Not before: a claim may end the publisher that has the stream now.
      origin: (answer) => askToPublish(session, request, answer),
    }, (grant) => startPublishing(session, request, grant));
  }

  #play({ args }: Command): void {
    const { session } = this;
    const request = this.#request(
      "play",
      args[1],
      (name) => new PlayRequest(session, name, numberOf(args[3]) ?? -1),
    );
    this.#ask("play", request, {
      stream: (answer) => {
        request.reserve();
        answer(null);
      },
      origin: (answer) => askToPlay(session, request, answer),
    }, (grant) => PlayPhase.start(session, request, grant));
  }

  /** What the client has named. @throws {RtmpError} when it cannot be had; the client has been told. */
  #request<R>(action: Action, value: AmfValue | undefined, make: (name: string) => R): R {
    return this.#orTell(action, () => {
      const name = stringOf(value);
      if (name === null) {
        throw new RtmpError(ErrorCode.AMF_INVALID, `${action} without a stream name`);
      }
      return make(name);
    });
  }

  /** Asks access, and enters the phase that `start` makes. */
  #ask(
    action: Action,
    request: StreamRequest,
    steps: AccessParts["steps"],
    start: (grant: Grant) => Phase | Refusal,
  ): void {
    this.#wanted = request;
    this.#question = askAccess(this.session, action, request, steps, (answer) => {
      this.session.enter(this.#orTell(action, () => {
        const phase = answer instanceof Grant ? start(answer) : answer;
        if ("code" in phase) throw new RtmpError(phase.code, phase.reason);
        return phase;
      }));
    });
  }

  override leave(): void {
    this.#question?.cancel();
    this.#question = null;
    this.#wanted?.unreserve();
    this.#wanted = null;
  }

  /** Runs `work`; the client is told why it is refused before the error ends the connection. */
  #orTell<T>(action: Action, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof RtmpError) {
        const code = error.code === ErrorCode.STREAM_BUSY
          ? "NetStream.Publish.BadName"
          : REFUSED[action];
        this.session.reply(
          ChunkStream.STATUS,
          MessageType.COMMAND_AMF0,
          onStatus("error", code, error.message),
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
